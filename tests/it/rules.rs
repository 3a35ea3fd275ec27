//! Rule files: the shipped ones hold, and broken ones are refused with a message that helps.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use unleak::cli::exit::Exit;
use unleak::cli::rules::{Action, RulesArgs, Shape, run};
use unleak::rule::check::check;
use unleak::rule::{RuleSet, judge};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/rules"))
}

fn shipped() -> RuleSet {
    let mut set = RuleSet::empty();
    set.load(folder()).expect("the folder loads");
    set
}

/// A file that is in order; every test breaks it in one place.
const SOUND: &str = r#"
[service]
name = "Example"
docs = "https://docs.example.com/tokens"
hosts = ["api.example.com"]

[[rule]]
id = "token"
title = "Example token"
pattern = '''(?<secret>exmp_[a-z]{8})\b'''
confidence = "high"
severity = "high"
accepts = ["key = exmp_·abcdefgh"]
rejects = ["key = exmp_·abcdefg"]

[verify]
request = "GET {base}/me"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200, body = "login" }]
dead = [{ status = 401 }]
identity = { principal = "/login", user_id = "/id" }

[contain]
effect = "removes the member"
reversible = true

[[contain.step]]
request = "GET {base}/orgs/{organisation}/members"
headers = { Authorization = "Bearer {operator}" }
find = { each = "/*", where = { "/user" = "{user_id}" }, take = { member = "/id" } }

[[contain.step]]
request = "DELETE {base}/orgs/{organisation}/members/{member}"
headers = { Authorization = "Bearer {operator}" }

[revoke]
with = "secret"
request = "POST {base}/revoke"
body = '{"token":"{secret}"}'
done = [{ status = 202 }]
page = "https://example.com/tokens"
"#;

/// What `rules check` says of a file: its exit, and everything it printed.
fn proved(text: &str) -> (Exit, String) {
    let home = TempDir::new().expect("a folder");
    let path = home.path().join("example.toml");
    fs::write(&path, text).expect("written");
    ran(&path)
}

fn ran(path: &Path) -> (Exit, String) {
    let args = RulesArgs {
        action: Action::Check {
            path: Some(path.to_owned()),
        },
    };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(&args, &RuleSet::empty(), &mut out, &mut err).expect("it runs");
    out.extend(err);
    (exit, String::from_utf8(out).expect("text"))
}

/// The sound file with one text replaced is refused, and the message holds all of `says`.
#[track_caller]
fn refused(from: &str, to: &str, says: &[&str]) {
    assert!(SOUND.contains(from), "{from:?} is not in the sound file");
    let (exit, said) = proved(&SOUND.replacen(from, to, 1));
    assert_eq!(exit, Exit::Usage, "{said}");
    for text in says.iter().chain(&["example.toml"]) {
        assert!(said.contains(text), "{text:?} is not said:\n{said}");
    }
    assert!(!said.contains("exmp_abc"), "an example was printed:\n{said}");
}

fn listed(action: Action) -> String {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(&RulesArgs { action }, &shipped(), &mut out, &mut err).expect("it runs");
    assert_eq!((exit, err.len()), (Exit::Clean, 0));
    String::from_utf8(out).expect("text")
}

#[test]
fn every_shipped_rule_file_is_proved() {
    let problems: Vec<_> = check(&shipped()).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let (exit, said) = ran(folder());
    assert_eq!(exit, Exit::Clean);
    let files = fs::read_dir(folder())
        .expect("the folder")
        .filter(|entry| {
            entry
                .as_ref()
                .is_ok_and(|e| e.path().extension().is_some_and(|x| x == "toml"))
        })
        .count();
    assert!(said.contains(&format!("in {files} files proved")), "{said}");
}

#[test]
fn the_shipped_rule_files_are_built_in() {
    let bundled = RuleSet::bundled().expect("they load");
    let ids = |set: &RuleSet| {
        set.rules
            .iter()
            .map(|rule| rule.id.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&bundled), ids(&shipped()));
    for service in ["unleak", "github", "gitlab", "sentry", "posthog", "gocd"] {
        assert!(
            bundled.services.iter().any(|known| known.name == service),
            "{service}"
        );
    }
}

#[test]
fn no_example_is_found_by_two_rules() {
    let set = shipped();
    for rule in &set.rules {
        for (at, text) in rule.accepts.iter().enumerate() {
            let found = |other: &str| {
                let other = set.rules.iter().find(|r| r.id.as_str() == other).expect("known");
                judge::first(other, text.as_bytes()).is_some()
            };
            let by: Vec<_> = set
                .rules
                .iter()
                .map(|other| other.id.as_str())
                .filter(|id| found(id))
                .collect();
            assert_eq!(by, [rule.id.as_str()], "accepts no. {}", at + 1);
        }
    }
}

#[test]
fn no_rule_file_holds_text_that_a_rule_would_find() {
    let set = shipped();
    for entry in fs::read_dir(folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read(&path).expect("readable");
        for rule in &set.rules {
            assert!(
                judge::first(rule, &text).is_none(),
                "{} in {}",
                rule.id,
                path.display()
            );
        }
    }
}

#[test]
fn random_base64_and_hexadecimal_are_no_tokens() {
    let set = shipped();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize
    };
    for alphabet in [
        b"0123456789abcdef".as_slice(),
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    ] {
        let text: Vec<u8> = (0..200_000).map(|_| alphabet[next() % alphabet.len()]).collect();
        for rule in &set.rules {
            assert!(judge::first(rule, &text).is_none(), "{}", rule.id);
        }
    }
}

#[test]
fn a_sentry_organisation_token_tells_its_organisation_and_hosts_offline() {
    let set = shipped();
    let rule = set
        .rules
        .iter()
        .find(|rule| rule.id.as_str() == "sentry/organization-auth-token")
        .expect("the rule");
    for text in &rule.accepts {
        let judged = judge::first(rule, text.as_bytes()).expect("found");
        assert!(judged.facts.contains_key("org"), "{:?}", judged.facts);
        assert!(
            judged.facts["region"].ends_with(".sentry.io"),
            "{:?}",
            judged.facts
        );
    }
}

#[test]
fn a_fact_that_the_sentry_token_leaves_empty_is_left_out() {
    let set = shipped();
    let rule = set
        .rules
        .iter()
        .find(|rule| rule.id.as_str() == "sentry/organization-auth-token")
        .expect("the rule");
    let judged = judge::first(rule, rule.accepts[3].as_bytes()).expect("found");
    assert!(!judged.facts.contains_key("base"), "{:?}", judged.facts);
}

#[test]
fn the_sound_file_is_sound() {
    let (exit, said) = proved(SOUND);
    assert_eq!(exit, Exit::Clean, "{said}");
    assert_eq!(said, "1 rules in 1 files proved\n");
}

#[test]
fn an_unknown_field_is_named_with_its_file_and_line() {
    refused("severity", "severety", &["severety", "line 12", "unknown field"]);
}

#[test]
fn an_unknown_field_inside_an_overridden_section_is_named_with_its_line() {
    refused(
        "[verify]\n",
        "[rule.verify]\nrequst = \"GET {base}/me\"\n[verify]\n",
        &["requst", "line 17"],
    );
}

#[test]
fn a_pattern_without_the_group_secret_is_refused() {
    refused("(?<secret>", "(?<token>", &["token", "no group (?<secret>"]);
}

#[test]
fn a_pattern_that_does_not_parse_is_refused() {
    refused("[a-z]{8}", "[a-z{8}", &["\"token\"", "unclosed character class"]);
}

#[test]
fn an_example_that_is_not_found_and_a_counter_example_that_is_are_both_named() {
    refused(
        "{8})\\b",
        "{7})\\b",
        &[
            "accepts no. 1 is not found",
            "rejects no. 1 is found",
            "\"token\"",
        ],
    );
}

#[test]
fn an_example_without_a_keyword_is_named() {
    refused(
        "confidence",
        "keywords = [\"other\"]\nconfidence",
        &["accepts no. 1 holds none", "other"],
    );
}

#[test]
fn a_rule_without_examples_is_refused() {
    refused(
        "rejects = [\"key = exmp_·abcdefg\"]",
        "rejects = []",
        &["accepts or rejects are empty"],
    );
}

#[test]
fn an_unknown_checksum_is_refused_with_those_that_there_are() {
    refused(
        "confidence",
        "checksum = \"crc16\"\nconfidence",
        &["crc16", "crc32-base62", "\"token\""],
    );
}

#[test]
fn a_part_that_no_rule_of_the_file_finds_is_refused() {
    refused(
        "confidence",
        "needs = [\"client-id\"]\nconfidence",
        &["client-id", "\"token\""],
    );
}

#[test]
fn two_rules_of_one_id_are_refused() {
    let rule = SOUND
        .split("\n[[rule]]")
        .nth(1)
        .and_then(|rest| rest.split("\n[verify]").next())
        .expect("the rule");
    let double = format!("[[rule]]{rule}\n[verify]\n");
    refused("[verify]\n", &double, &["same id"]);
}

#[test]
fn an_id_that_is_not_in_kebab_case_is_refused() {
    refused("id = \"token\"", "id = \"My_Token\"", &["kebab-case"]);
}

#[test]
fn a_call_to_a_host_that_is_not_listed_is_refused() {
    refused(
        "GET {base}/me",
        "GET https://evil.example.net/me",
        &["[verify]", "service.hosts"],
    );
    refused(
        "GET {base}/me",
        "GET {base}.evil.net/me",
        &["[verify]", "service.hosts"],
    );
    refused("GET {base}/me", "GET http://api.example.com/me", &["[verify]"]);
    refused(
        "GET {base}/me",
        "GET https://api.example.com@evil.net/me",
        &["[verify]"],
    );
}

#[test]
fn a_secret_in_a_url_is_refused() {
    refused(
        "GET {base}/me",
        "GET {base}/me?token={secret}",
        &["[verify]", "secret"],
    );
}

#[test]
fn one_reply_that_is_live_and_dead_at_once_is_refused() {
    refused(
        "dead = [{ status = 401 }]",
        "dead = [{ status = 401 }, { status = 200 }]",
        &["live no. 1 and dead no. 2 at once"],
    );
}

#[test]
fn a_dead_reply_that_is_never_reached_is_refused() {
    refused(
        "dead = [{ status = 401 }]",
        "dead = [{ status = 401 }, { status = 401, body = \"revoked\", why = \"revoked\" }]",
        &["dead no. 2 is never reached"],
    );
}

#[test]
fn an_expectation_without_a_status_is_refused() {
    refused(
        "live = [{ status = 200, body = \"login\" }]",
        "live = [{ body = \"login\" }]",
        &["live no. 1 names no status"],
    );
}

#[test]
fn a_verify_that_writes_is_refused_unless_it_says_why_it_only_reads() {
    refused("GET {base}/me", "DELETE {base}/me", &["[verify]", "DELETE"]);
    refused("GET {base}/me", "POST {base}/me", &["[verify]", "POST"]);
    let reads = "POST {base}/me\"\nreads = \"introspection";
    let (exit, said) = proved(&SOUND.replacen("GET {base}/me", reads, 1));
    assert_eq!(exit, Exit::Clean, "{said}");
}

#[test]
fn a_name_that_nothing_fills_is_refused_until_it_is_described() {
    refused(
        "/revoke\"",
        "/{group}/revoke\"",
        &["[revoke]", "{group}", "service.values"],
    );
    let described = SOUND.replacen("/revoke\"", "/{group}/revoke\"", 1).replacen(
        "[[rule]]",
        "[service.values]\ngroup = \"id of the group\"\n[[rule]]",
        1,
    );
    let (exit, said) = proved(&described);
    assert_eq!(exit, Exit::Clean, "{said}");
}

#[test]
fn a_list_without_a_condition_is_refused_because_the_first_entry_is_never_meant() {
    refused(
        "where = { \"/user\" = \"{user_id}\" }",
        "where = {}",
        &["never the first"],
    );
    refused(
        "where = { \"/user\" = \"{user_id}\" }",
        "where = { \"/kind\" = \"member\" }",
        &["does not tell one entry from another"],
    );
}

#[test]
fn an_entry_that_is_picked_and_not_used_is_refused() {
    refused(
        "DELETE {base}/orgs/{organisation}/members/{member}",
        "DELETE {base}/orgs/{organisation}/members/{user_id}",
        &["find.take.member is used by no later step"],
    );
}

#[test]
fn everywhere_without_regions_is_refused() {
    refused(
        "[revoke]\n",
        "[revoke]\neverywhere = true\n",
        &["everywhere", "regions"],
    );
}

#[test]
fn a_way_that_does_not_carry_its_authority_is_refused() {
    refused(
        "with = \"secret\"",
        "with = \"operator\"",
        &["[revoke]", "{operator}"],
    );
    refused(
        "with = \"secret\"",
        "with = \"session\"",
        &["session", "no request"],
    );
}

#[test]
fn a_body_that_is_not_json_is_refused() {
    refused(
        "'{\"token\":\"{secret}\"}'",
        "'{\"token\":{secret}'",
        &["[revoke]", "not JSON"],
    );
}

#[test]
fn pages_and_documentation_must_be_https() {
    refused("https://docs", "http://docs", &["service.docs"]);
    refused(
        "https://example.com/tokens",
        "example.com/tokens",
        &["[revoke]", "page"],
    );
}

#[test]
fn high_confidence_needs_something_to_be_sure_of() {
    refused(
        "(?<secret>exmp_[a-z]{8})",
        "mp_(?<secret>[a-z]{8})",
        &["confidence is high"],
    );
}

#[test]
fn a_folder_without_rule_files_and_a_missing_path_are_errors() {
    let home = TempDir::new().expect("a folder");
    for (path, says) in [
        (home.path().to_owned(), "holds no rule file"),
        (home.path().join("missing.toml"), "missing.toml"),
    ] {
        let args = RulesArgs {
            action: Action::Check { path: Some(path) },
        };
        let error = run(&args, &RuleSet::empty(), &mut Vec::new(), &mut Vec::new()).expect_err("refused");
        assert!(format!("{error:#}").contains(says), "{error:#}");
    }
}

#[test]
fn a_file_that_cannot_be_loaded_does_not_hide_the_problems_of_the_others() {
    let home = TempDir::new().expect("a folder");
    fs::write(home.path().join("broken.toml"), "[service\n").expect("written");
    fs::write(
        home.path().join("other.toml"),
        SOUND.replacen("https://docs", "http://docs", 1),
    )
    .expect("written");
    let (exit, said) = ran(home.path());
    assert_eq!(exit, Exit::Usage);
    assert!(
        said.contains("broken.toml") && said.contains("service.docs"),
        "{said}"
    );
}

#[test]
fn the_list_shows_what_can_be_done_about_each_kind() {
    let text = listed(Action::List { format: Shape::Text });
    let line = |id: &str| {
        text.lines()
            .find(|line| line.starts_with(&format!("{id} ")))
            .unwrap_or_else(|| panic!("{id} is not listed"))
    };
    assert!(line("github/personal-access-token").contains("verify owners revoke(secret, operator)"));
    assert!(line("sentry/user-auth-token").contains("contain revoke(page)"));
    assert!(line("posthog/project-token").ends_with("public by design"));
    assert!(line("gocd/access-token").contains("revoke(operator)"));
    let json: serde_json::Value =
        serde_json::from_str(&listed(Action::List { format: Shape::Json })).expect("JSON");
    assert_eq!(json.as_array().expect("a list").len() + 1, text.lines().count());
    assert_eq!(json[0]["id"], "github/personal-access-token", "{json}");
}

#[test]
fn a_rule_is_shown_with_its_pattern_its_calls_and_its_page_but_no_example() {
    let show = |format| Action::Show {
        rule: "gocd/access-token".to_owned(),
        format,
    };
    let text = listed(show(Shape::Text));
    for holds in [
        "(?<secret>[a-f0-9]{40})",
        "POST {base}/go/api/admin/access_tokens/{token_id}/revoke",
        "https://docs.gocd.org/",
        "set services.gocd.bases",
    ] {
        assert!(text.contains(holds), "{holds:?} is not in\n{text}");
    }
    let json: serde_json::Value = serde_json::from_str(&listed(show(Shape::Json))).expect("JSON");
    assert_eq!(json["context"]["within"], 120);
    let set = shipped();
    for rule in &set.rules {
        assert!(judge::first(rule, text.as_bytes()).is_none());
    }
}

#[test]
fn a_rule_that_is_not_there_is_an_error_with_the_next_step() {
    let args = RulesArgs {
        action: Action::Show {
            rule: "github/nothing".to_owned(),
            format: Shape::Text,
        },
    };
    let error = run(&args, &shipped(), &mut Vec::new(), &mut Vec::new()).expect_err("refused");
    assert!(error.to_string().contains("unleak rules list"), "{error}");
}
