//! Recorded exchanges of `fixtures/replies/<service>/<verdict>-<name>.http`, read with the expectations of the rule
//! that their first line names: each must come to the verdict in its name.
//!
//! ```text
//! X-Rule: personal-access-token        the rule; "X-Ask: fallback" for the second question
//! HTTP/1.1 401 Unauthorized
//! Content-Type: application/json
//!
//! {"message":"Bad credentials"}
//! ```

#![expect(clippy::unwrap_used, reason = "a recording that cannot be read must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use unleak::call::{Reply, expect};
use unleak::leak::{DeadWhy, Verdict};
use unleak::rule::{Rule, RuleSet};
use unleak::verify::judge;

struct Exchange {
    rule: String,
    fallback: bool,
    reply: Reply,
}

fn read(path: &Path) -> Exchange {
    let text = fs::read_to_string(path).unwrap();
    let (notes, reply) = text
        .split_once("HTTP/1.1 ")
        .unwrap_or_else(|| panic!("{}: no status line", path.display()));
    let note = |name: &str| {
        notes
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|value| value.trim_start_matches(':').trim().to_owned())
    };
    let (head, body) = reply.split_once("\n\n").unwrap_or((reply, ""));
    let headers = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name, value.as_bytes()));
    Exchange {
        rule: note("X-Rule").unwrap_or_else(|| panic!("{}: no X-Rule", path.display())),
        fallback: note("X-Ask").is_some_and(|ask| ask == "fallback"),
        reply: Reply::new(
            head[..3].parse().unwrap(),
            headers,
            body.trim_end().as_bytes().to_vec(),
        ),
    }
}

/// The verdict's word, `fallback` where the first reply leads to the second question.
fn verdict(rule: &Rule, exchange: &Exchange) -> &'static str {
    let verify = rule.verify().unwrap();
    let (live, dead) = match &verify.fallback {
        Some(fallback) if exchange.fallback => (&fallback.live, &fallback.dead),
        Some(fallback) if expect::any(&fallback.when, &exchange.reply) => return "fallback",
        _ => (&verify.live, &verify.dead),
    };
    match judge(live, dead, &exchange.reply) {
        Verdict::Live { .. } => "live",
        Verdict::Unknown { .. } => "unknown",
        Verdict::Dead { why, .. } => match why {
            DeadWhy::Revoked => "dead-revoked",
            DeadWhy::Expired => "dead-expired",
            DeadWhy::OwnerDisabled => "dead-owner-disabled",
            DeadWhy::UnknownToService => "dead-unknown",
        },
    }
}

fn recorded() -> BTreeMap<String, Vec<PathBuf>> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/replies"));
    let mut all: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for service in fs::read_dir(root).unwrap() {
        let service = service.unwrap().path();
        let name = service.file_name().unwrap().to_string_lossy().into_owned();
        for file in fs::read_dir(&service).unwrap() {
            all.entry(name.clone()).or_default().push(file.unwrap().path());
        }
    }
    all
}

#[test]
fn every_recorded_reply_comes_to_the_verdict_in_its_name() {
    let set = RuleSet::bundled().unwrap();
    let mut wrong = Vec::new();
    for (service, files) in recorded() {
        for path in files {
            let exchange = read(&path);
            let id = format!("{service}/{}", exchange.rule);
            let rule = set
                .rules
                .iter()
                .find(|rule| rule.id.as_str() == id)
                .unwrap_or_else(|| panic!("{}: no rule {id}", path.display()));
            let verdict = verdict(rule, &exchange);
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            if !name.starts_with(&format!("{verdict}-")) && name != verdict {
                wrong.push(format!("{}: {verdict}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The services that unleak was first made for; their exchanges are written by hand from their sources. The calls of the
/// catalogue come from tables of facts: recordings made up from the same tables would prove nothing, so those services
/// are held to the tests below, which need none, until somebody records what they say.
const RECORDED: [&str; 6] = ["github", "gitlab", "gocd", "posthog", "sentry", "unleak"];

/// Whether any rule of the service knows a reply that proves a token dead.
fn dies(service: &str) -> bool {
    let set = RuleSet::bundled().unwrap();
    let of_service = set.rules.iter().filter(|rule| rule.service.name == service);
    let mut asked = of_service.filter_map(|rule| rule.verify());
    asked.any(|verify| !verify.dead.is_empty())
}

#[test]
fn every_recorded_service_has_a_reply_for_each_verdict_and_for_a_page_in_html() {
    let all = recorded();
    for service in all.keys().map(String::as_str).chain(RECORDED) {
        let names: Vec<String> = all[service]
            .iter()
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        for start in [
            "live-",
            "dead-",
            "unknown-",
            "unknown-html-200",
            "unknown-html-401",
        ] {
            assert!(
                (start == "dead-" && !dies(service)) || names.iter().any(|name| name.starts_with(start)),
                "{service}: no {start}… under fixtures/replies"
            );
        }
    }
}

#[test]
fn every_dead_reply_of_every_recorded_rule_is_recorded() {
    let set = RuleSet::bundled().unwrap();
    let all = recorded();
    for rule in &set.rules {
        let (Some(verify), Some(files)) = (rule.verify(), all.get(&rule.service.name)) else {
            continue;
        };
        let exchanges: Vec<_> = files.iter().map(|path| read(path)).collect();
        for (at, wanted) in verify.dead.iter().enumerate() {
            assert!(
                exchanges
                    .iter()
                    .any(|exchange| expect::matches(wanted, &exchange.reply)),
                "{}: no reply under fixtures/replies meets dead no. {}",
                rule.id,
                at + 1
            );
        }
    }
}

/// What stands between us and a service, and what a service says when it is asked too much, tells nothing of a token.
#[test]
fn no_rule_takes_a_page_in_html_an_empty_reply_or_a_refusal_to_serve_for_an_answer() {
    const LOGIN: &str =
        "<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>";
    let set = RuleSet::bundled().unwrap();
    let mut wrong = Vec::new();
    for rule in &set.rules {
        let Some(verify) = rule.verify() else { continue };
        let mut asked = vec![(&verify.live, &verify.dead)];
        asked.extend(
            verify
                .fallback
                .as_ref()
                .map(|second| (&second.live, &second.dead)),
        );
        for (live, dead) in asked {
            for (status, body) in [
                (200, LOGIN),
                (401, LOGIN),
                (403, LOGIN),
                (404, LOGIN),
                (502, LOGIN),
                (429, r#"{"message":"Too Many Requests"}"#),
                (500, r#"{"message":"Internal Server Error"}"#),
            ] {
                let reply = Reply::new(status, [], body.as_bytes().to_vec());
                if !matches!(judge(live, dead, &reply), Verdict::Unknown { .. }) {
                    wrong.push(format!("{}: {status} {}", rule.id, &body[..10]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
