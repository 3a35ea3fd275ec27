//! Rule files: the shipped ones hold, and broken ones are refused with a message that helps.

mod broken;
mod command_line;

use std::fs;
use std::path::Path;

use unleak::rule::check::check;
use unleak::rule::{RuleSet, judge};

use crate::support::tool::Tool;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/rules"))
}

fn shipped() -> RuleSet {
    let mut set = RuleSet::empty();
    set.load(folder()).expect("the folder loads");
    set
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
