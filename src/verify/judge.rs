//! Reads a verdict and an identity out of a reply. Pure; what a rule file does not declare proves nothing.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::call::{Reply, expect};
use crate::leak::{DeadWhy, Held, Identity, Verdict};
use crate::rule::Rule;
use crate::rule::file::{Expect, IdentityFile};
use crate::secret::Secret;

/// Longest value of an identity, in bytes.
const LONGEST_VALUE: usize = 512;
/// Most organisations or scopes that are kept.
const MOST_VALUES: usize = 1000;

/// What a reply proves. A reason is the status with what the rule file expected, never other text of the reply.
pub fn judge(live: &[Expect], dead: &[Expect], reply: &Reply) -> Verdict {
    match (expect::first(live, reply), expect::first(dead, reply)) {
        (Some(live), None) => Verdict::Live {
            reason: told(live, reply),
        },
        (None, Some(dead)) => Verdict::Dead {
            why: dead.why.unwrap_or(DeadWhy::UnknownToService),
            reason: told(dead, reply),
        },
        (Some(_), Some(_)) => Verdict::unknown(format!(
            "{}: the rule file takes this reply for live and for dead",
            reply.status
        )),
        (None, None) => Verdict::unknown(unexplained(reply)),
    }
}

fn told(expect: &Expect, reply: &Reply) -> String {
    let mut reason = reply.status.to_string();
    if let Some(body) = &expect.body {
        reason.push(' ');
        reason.push_str(body);
    }
    for (pointer, value) in &expect.json {
        reason.push_str(&format!(" {pointer} = {value}"));
    }
    reason
}

fn unexplained(reply: &Reply) -> String {
    let what = match reply.status {
        300..=399 => "redirects are not followed; check the configured base URL",
        _ if reply.is_page() => "a web page instead of an answer (captive portal or proxy?)",
        500..=599 => "the service is in trouble; ask again later",
        _ => "an answer that the rule file does not explain",
    };
    format!("{}: {what}", reply.status)
}

/// Of two reasons for being dead, the one that says more.
pub(super) fn more_telling(known: Option<Verdict>, other: Verdict) -> Verdict {
    let is_vague = |verdict: &Verdict| {
        matches!(
            verdict,
            Verdict::Dead {
                why: DeadWhy::UnknownToService,
                ..
            }
        )
    };
    match known {
        Some(known) if !is_vague(&known) || is_vague(&other) => known,
        _ => other,
    }
}

/// What a reply tells of the token's owner, by the rule file's pointers (`*` for every element) and `header:NAME`.
///
/// Foreign text: bounded, without control characters, and never the secret or a part of it. A field of one value stays empty
/// where the pointer selects several different ones.
pub fn identity(file: &IdentityFile, reply: &Reply, held: &Held) -> Identity {
    let mut identity = Identity::default();
    for (field, place) in file {
        let values: Vec<String> = match place.strip_prefix("header:") {
            Some(name) => reply.header(name).map(str::to_owned).into_iter().collect(),
            None => reply
                .json()
                .map(|json| expect::select(json, place))
                .unwrap_or_default()
                .into_iter()
                .flat_map(texts)
                .collect(),
        };
        put(&mut identity, field, values, held);
    }
    identity
}

/// What the token, or a part of it, says about itself; only a token that is known to be alive proves it.
pub(super) fn offline(rule: &Rule, held: &Held) -> Identity {
    let mut identity = Identity::default();
    let of_parts = rule.part_rules().filter_map(|part| {
        let mut rules = rule.service.file().rule.iter();
        rules.find(|other| other.id == part.rule())?.decode.as_ref()
    });
    for decode in rule.decode().into_iter().chain(of_parts) {
        for (field, fact) in &decode.identity {
            if !held.facts.contains_key(fact) {
                continue;
            }
            let values = held.facts.get(fact).cloned().into_iter().collect();
            put(&mut identity, field, values, held);
        }
    }
    identity
}

/// A list that a pointer without `*` leads to is taken as its elements.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(expect::text).collect(),
        single => expect::text(single).into_iter().collect(),
    }
}

fn holds(value: &str, secret: &Secret) -> bool {
    !secret.is_empty() && memchr::memmem::find(value.as_bytes(), secret.expose()).is_some()
}

fn put(identity: &mut Identity, field: &str, mut values: Vec<String>, held: &Held) {
    if field == "scopes" {
        values = values
            .iter()
            .flat_map(|text| text.split(|c: char| c == ',' || c.is_whitespace()))
            .map(str::to_owned)
            .collect();
    }
    let secrets = || held.parts.values().chain([&held.secret]);
    values.retain(|value| {
        !value.is_empty()
            && value.len() <= LONGEST_VALUE
            && !value.chars().any(char::is_control)
            && !secrets().any(|secret| holds(value, secret))
    });
    let mut seen = BTreeSet::new();
    values.retain(|value| seen.insert(value.clone()));
    values.truncate(MOST_VALUES);
    match field {
        "organisations" => identity.organisations = values,
        "scopes" => identity.scopes = values,
        _ => {
            let [only] = values.as_slice() else {
                return;
            };
            match field {
                "principal" => identity.principal = Some(only.clone()),
                "email" => identity.email = Some(only.clone()),
                _ => drop(identity.more.insert(field.to_owned(), only.clone())),
            }
        }
    }
}
