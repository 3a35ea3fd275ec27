//! Recorded exchanges of `fixtures/replies/<service>/<verdict>-<name>.http` and `fixtures/actions`, replayed by the rule
//! that their first line names: each must come to the verdict or the outcome in its name.
//!
//! ```text
//! X-Rule: personal-access-token        the rule; "X-Ask: fallback" for the second question
//! HTTP/1.1 401 Unauthorized
//! Content-Type: application/json
//!
//! {"message":"Bad credentials"}
//! ```

#![expect(clippy::unwrap_used, reason = "a recording that cannot be read must fail")]

mod engine;
mod key;
mod recording;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use recording::Exchange;
use unleak::call::{Reply, expect};
use unleak::leak::{DeadWhy, Verdict};
use unleak::rule::RuleSet;
use unleak::verify::judge;

/// The verdict's word in the name of a recording.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
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
    let mut all: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in recording::all("replies") {
        let service = file.parent().and_then(Path::file_name).unwrap().to_string_lossy();
        all.entry(service.into_owned()).or_default().push(file.clone());
    }
    all
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

#[tokio::test]
async fn every_recorded_exchange_comes_to_what_its_name_says_through_the_real_engine() {
    let set = RuleSet::bundled().unwrap();
    let mut stage = engine::Stage::start().await;
    let replies = recording::all("replies");
    let mut wrong = Vec::new();
    for path in replies.iter().chain(&recording::all("actions")) {
        let exchange = Exchange::read(path);
        let rule = engine::rule_of(&set, path, &exchange);
        // The first reply that leads to a second question.
        let before = (exchange.ask == "fallback").then(|| {
            let first = replies
                .iter()
                .filter(|other| other.parent() == path.parent() && stem(other).starts_with("fallback"));
            let mut first = first
                .map(|other| Exchange::read(other))
                .filter(|other| other.rule == exchange.rule);
            first
                .next()
                .unwrap_or_else(|| panic!("{}: no fallback-… leads to it", path.display()))
        });
        let (outcome, found) = stage.replay(rule, &exchange, before.as_ref()).await;
        let name = stem(path);
        let name = name.strip_prefix(&format!("{}-", exchange.ask)).unwrap_or(&name);
        let named = name == outcome || name.starts_with(&format!("{outcome}-")) || exchange.ask == "owners";
        if !named || found != exchange.found {
            wrong.push(format!("{}: {outcome} {found:?}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n"));
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
        let exchanges: Vec<_> = files.iter().map(|path| Exchange::read(path)).collect();
        for (at, wanted) in verify.dead.iter().enumerate() {
            assert!(
                exchanges
                    .iter()
                    .any(|exchange| wanted.absent.is_some() || expect::matches(wanted, &exchange.reply())),
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
