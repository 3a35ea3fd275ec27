//! Rule files: the shipped ones hold, and broken ones are refused with a message that helps.

mod broken;
mod command_line;
mod values;

use std::fs;
use std::path::Path;

use unleak::rule::check::check;
use unleak::rule::{RuleSet, judge};
use unleak::scan::Scanner;
use unleak::secret::FingerprintKey;

use crate::support::tool::Tool;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/rules"))
}

fn shipped() -> RuleSet {
    let mut set = RuleSet::empty();
    set.load(folder()).expect("the folder loads");
    set
}

fn scanner(set: &RuleSet) -> Scanner {
    Scanner::new(set, FingerprintKey::new(b"a key for tests".to_vec()))
}

#[test]
fn every_shipped_rule_file_is_proved() {
    let problems: Vec<_> = check(&shipped()).iter().map(ToString::to_string).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let files = fs::read_dir(folder())
        .expect("the folder")
        .filter(|entry| {
            entry
                .as_ref()
                .is_ok_and(|e| e.path().extension().is_some_and(|x| x == "toml"))
        })
        .count();
    let ran = Tool::new().run(["rules", "check"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains(&format!("in {files} files proved")),
        "{}",
        ran.out
    );
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
    // What build.rs worked out is what a file means when it is loaded.
    for (built, loaded) in bundled.rules.iter().zip(&shipped().rules) {
        let shown = |rule: &unleak::rule::Rule| {
            let text = format!("{rule:?}");
            let (before, after) = text.split_once("service: ").expect("a service");
            let after = after.rsplit_once("pattern: \"").expect("a pattern").1;
            // what may stand behind a keyword is worked out for loaded rules when it is asked (`rule::compile` compares it)
            let (early, late) = after.split_once(", next: ").expect("what comes next");
            let late = late.split_once(", longest: ").expect("the longest").1;
            format!("{before}{early}{late}")
        };
        assert_eq!(shown(built), shown(loaded));
    }
    for service in ["unleak", "github", "gitlab", "sentry", "posthog", "gocd"] {
        assert!(
            bundled.services.iter().any(|known| known.name == service),
            "{service}"
        );
    }
}

/// Shapes of several services overlap (a bare 32 hexadecimal digits near two names); what counts is whom the scan believes.
/// Two kinds of one service may have the same shape, and a rule that yields may be beaten by any other.
#[test]
fn each_example_is_reported_as_what_it_is_an_example_of() {
    let set = shipped();
    let scanner = scanner(&set);
    let mut wrong = Vec::new();
    for rule in &set.rules {
        for (at, text) in rule.accepts().iter().enumerate() {
            let hits = scanner.look(text.as_bytes());
            let by: Vec<_> = hits.iter().map(|hit| hit.rule.id.as_str()).collect();
            let known = hits.iter().any(|hit| hit.rule.id.service() == rule.service.name)
                || (rule.yields && !hits.is_empty());
            if !known && rule.needs.is_empty() {
                wrong.push(format!("{} accepts no. {}: {by:?}", rule.id, at + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_rule_file_holds_text_that_a_rule_would_find() {
    let set = shipped();
    let scanner = scanner(&set);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder()).expect("the folder") {
        let path = entry.expect("an entry").path();
        for hit in scanner.look(&fs::read(&path).expect("readable")) {
            found.push(format!("{}:{}: {}", path.display(), hit.place.line, hit.rule.id));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
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
    for text in &rule.accepts() {
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
    let judged = judge::first(rule, rule.accepts()[3].as_bytes()).expect("found");
    assert!(!judged.facts.contains_key("base"), "{:?}", judged.facts);
}
