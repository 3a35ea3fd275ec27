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

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use unleak::leak::DeadWhy;
use unleak::rule::file::Expect;
use unleak::rule::{Rule, RuleSet};

struct Exchange {
    rule: String,
    fallback: bool,
    status: u16,
    body: String,
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
    Exchange {
        rule: note("X-Rule").unwrap_or_else(|| panic!("{}: no X-Rule", path.display())),
        fallback: note("X-Ask").is_some_and(|ask| ask == "fallback"),
        status: head[..3].parse().unwrap(),
        body: body.trim_end().to_owned(),
    }
}

/// Stands in for `call::expect` until that station is here.
fn meets(expect: &Expect, exchange: &Exchange) -> bool {
    let json: Option<serde_json::Value> = serde_json::from_str(&exchange.body).ok();
    expect.status.is_none_or(|status| status == exchange.status)
        && expect
            .body
            .as_ref()
            .is_none_or(|text| exchange.body.contains(text))
        && expect
            .without
            .as_ref()
            .is_none_or(|text| !exchange.body.contains(text))
        && expect
            .json
            .iter()
            .all(|(pointer, value)| json.as_ref().and_then(|json| json.pointer(pointer)) == Some(value))
}

fn word(why: Option<DeadWhy>) -> &'static str {
    match why {
        Some(DeadWhy::Revoked) => "dead-revoked",
        Some(DeadWhy::Expired) => "dead-expired",
        Some(DeadWhy::OwnerDisabled) => "dead-owner-disabled",
        Some(DeadWhy::UnknownToService) | None => "dead-unknown",
    }
}

/// The verdict's word, `fallback` where the first reply leads to the second question.
fn verdict(rule: &Rule, exchange: &Exchange) -> &'static str {
    let verify = rule.verify.as_ref().unwrap();
    let (live, dead) = if exchange.fallback {
        let fallback = verify.fallback.as_ref().unwrap();
        (&fallback.live, &fallback.dead)
    } else {
        (&verify.live, &verify.dead)
    };
    let live = live.iter().any(|expect| meets(expect, exchange));
    let dead = dead.iter().find(|expect| meets(expect, exchange));
    let second = !exchange.fallback
        && verify
            .fallback
            .as_ref()
            .is_some_and(|fallback| fallback.when.iter().any(|expect| meets(expect, exchange)));
    match (live, dead, second) {
        (true, None, false) => "live",
        (false, Some(dead), false) => word(dead.why),
        (false, None, true) => "fallback",
        (false, None, false) => "unknown",
        _ => "two verdicts at once",
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

#[test]
fn every_service_has_a_recorded_reply_for_each_verdict_and_for_a_page_in_html() {
    let all = recorded();
    for service in RuleSet::bundled().unwrap().services {
        let names: Vec<String> = all
            .get(&service.name)
            .map(|files| {
                files
                    .iter()
                    .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
                    .collect()
            })
            .unwrap_or_default();
        for start in [
            "live-",
            "dead-",
            "unknown-",
            "unknown-html-200",
            "unknown-html-401",
        ] {
            assert!(
                names.iter().any(|name| name.starts_with(start)),
                "{}: no {start}… under fixtures/replies",
                service.name
            );
        }
    }
}

#[test]
fn every_dead_reply_of_every_rule_is_recorded() {
    let set = RuleSet::bundled().unwrap();
    let all = recorded();
    for rule in &set.rules {
        let Some(verify) = &rule.verify else { continue };
        let exchanges: Vec<_> = all[&rule.service.name].iter().map(|path| read(path)).collect();
        for (at, expect) in verify.dead.iter().enumerate() {
            assert!(
                exchanges.iter().any(|exchange| meets(expect, exchange)),
                "{}: no reply under fixtures/replies meets dead no. {}",
                rule.id,
                at + 1
            );
        }
    }
}
