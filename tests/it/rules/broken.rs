//! Rule files that are wrong in one place, as `unleak rules check` sees them: exit code 2, and a message that names
//! the file, what is wrong and what to do.

use crate::support::tool::Tool;

/// A file that is in order; every test breaks it in one place.
pub(super) const SOUND: &str = r#"
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

/// What `rules check` says of a file: its exit code, and everything it printed.
fn proved(text: &str) -> (i32, String) {
    let tool = Tool::new();
    tool.write("example.toml", text);
    let ran = tool.run(["rules", "check", "example.toml"]);
    (ran.code, ran.out + &ran.err)
}

/// The sound file with one text replaced is refused, and the message holds all of `says`.
#[track_caller]
fn refused(from: &str, to: &str, says: &[&str]) {
    assert!(SOUND.contains(from), "{from:?} is not in the sound file");
    let (exit, said) = proved(&SOUND.replacen(from, to, 1));
    assert_eq!(exit, 2, "{said}");
    for text in says.iter().chain(&["example.toml"]) {
        assert!(said.contains(text), "{text:?} is not said:\n{said}");
    }
    assert!(!said.contains("exmp_abc"), "an example was printed:\n{said}");
}

#[test]
fn the_sound_file_is_sound() {
    let (exit, said) = proved(SOUND);
    assert_eq!(exit, 0, "{said}");
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
fn an_alternative_without_a_keyword_is_named_though_no_example_shows_it() {
    refused(
        "pattern = '''(?<secret>exmp_[a-z]{8})\\b'''",
        "keywords = ['exmp_']\npattern = '''(?<secret>(?:exmp_|expl_)[a-z]{8})\\b'''",
        &["texts that hold none of its keywords", "exmp_"],
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
fn a_rule_that_is_called_everywhere_is_refused_unless_it_says_why() {
    let keywords = "keywords = ['exmp_', 'if']\npattern";
    refused("pattern", keywords, &["source text", "costly ="]);
    let (code, said) = proved(&SOUND.replacen("pattern", &format!("costly = 'a test'\n{keywords}"), 1));
    assert_eq!(code, 0, "{said}");
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
    assert_eq!(exit, 0, "{said}");
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
    assert_eq!(exit, 0, "{said}");
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
