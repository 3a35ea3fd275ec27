//! Which rule a reported token belongs to. Its shape says more than what its reporter calls it: reporters have mixed
//! up names. A token that nothing is known of is no reason to lose it.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Result, bail};
use jiff::Timestamp;

use super::record::Record;
use crate::finding::{Confidence, RuleId, Severity};
use crate::leak::{Held, Leak};
use crate::rule::{Rule, RuleSet};
use crate::scan::{Hit, Scanner};
use crate::secret::{Fingerprint, FingerprintKey, Secret};

/// The service of tokens of unknown kind.
const REPORTED: &str = "reported";

/// The rule of tokens of unknown kind.
pub(super) fn unknown_kind() -> RuleId {
    RuleId::new(REPORTED, "unknown-kind")
}

/// Adds the rule of tokens of unknown kind, so that a leak which was recorded under it can be looked up and told of.
///
/// # Errors
/// None but a broken build.
pub fn add_unknown_kind(rules: &mut RuleSet) -> Result<()> {
    rules.add(
        REPORTED,
        "reported.toml (built in)",
        include_str!("reported.toml"),
    )
}

/// What a reported token is.
pub(super) struct Kinds {
    rules: Arc<RuleSet>,
    scanner: Scanner,
    key: FingerprintKey,
    types: BTreeMap<String, Arc<Rule>>,
}

impl Kinds {
    /// `types` gives the rules of reported kinds, by their full ids.
    ///
    /// # Errors
    /// A rule that is not loaded.
    pub(super) fn new(
        rules: &Arc<RuleSet>,
        key: &FingerprintKey,
        types: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let rule = |(kind, id): (&String, &String)| match rule_called(rules, id) {
            Some(rule) => Ok((kind.to_lowercase(), rule)),
            None => bail!("reports.types.{kind}: no rule is called {id:?}; `unleak rules list` shows them"),
        };
        Ok(Self {
            scanner: Scanner::new(rules, key.clone()),
            rules: Arc::clone(rules),
            key: key.clone(),
            types: types.iter().map(rule).collect::<Result<_>>()?,
        })
    }

    /// The rules.
    pub(super) fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// The leaks in a reported token, each with a sighting; never none. `door` is who reported it.
    ///
    /// First what the text alone says without doubt, then what the operator says of the reported kind, then what the text
    /// says together with the kind's name, which often holds the words that a rule wants to see near.
    pub(super) fn leaks(&self, record: &Record, door: &str, now: Timestamp) -> Vec<Held> {
        let mapped = self.types.get(&record.kind.to_lowercase());
        let mut hits = self.scanner.look(record.token.expose());
        hits.retain(|hit| hit.rule.severity != Severity::Info);
        let sure = |hit: &Hit| {
            hit.rule.confidence == Confidence::High
                || mapped.is_none_or(|mapped| mapped.service.name == hit.rule.service.name)
        };
        hits.retain(sure);
        if hits.is_empty() && mapped.is_none() {
            hits = self.with_kind(record);
        }
        let mut leaks: Vec<Held> = hits.into_iter().map(|hit| of_hit(hit, now)).collect();
        if leaks.is_empty() {
            let rule = mapped
                .cloned()
                .or_else(|| rule_called(&self.rules, unknown_kind().as_str()));
            leaks.extend(rule.map(|rule| self.as_told(&rule, record, now)));
        }
        let sightings = record.sightings(door);
        for held in &mut leaks {
            held.leak.sightings.clone_from(&sightings);
        }
        leaks
    }

    /// What a scan of this text finds, with the first and last line of each; marks in the text count, as in a scan.
    pub(super) fn in_text(&self, text: &[u8], now: Timestamp) -> Vec<(Held, usize, usize)> {
        let mut hits = self.scanner.look(text);
        hits.retain(|hit| {
            let rule = &hit.rule;
            hit.suppression.is_none()
                && rule.severity != Severity::Info
                && rule.confidence <= Confidence::Medium
        });
        let place = |hit: Hit| {
            let (first, last) = (hit.place.line, hit.place.end_line);
            (of_hit(hit, now), first, last)
        };
        hits.into_iter().map(place).collect()
    }

    /// The whole token as a secret of this rule.
    pub(super) fn as_told(&self, rule: &Rule, record: &Record, now: Timestamp) -> Held {
        let secret = record.token.clone();
        Held {
            leak: first(rule, self.key.fingerprint(&secret), &secret, now),
            secret,
            parts: BTreeMap::new(),
            facts: BTreeMap::new(),
        }
    }

    /// The rule of this full id.
    pub(super) fn rule(&self, id: &str) -> Option<Arc<Rule>> {
        rule_called(&self.rules, id)
    }

    /// Hits that are the whole token, in a line that calls it by its reported kind.
    fn with_kind(&self, record: &Record) -> Vec<Hit> {
        let mut line = zeroize::Zeroizing::new(Vec::new());
        let kind = record
            .kind
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || "_-. ".contains(*c));
        line.extend(kind.take(100).collect::<String>().bytes());
        line.extend_from_slice(b" = \"");
        line.extend_from_slice(record.token.expose());
        line.extend_from_slice(b"\"\n");
        let mut hits = self.scanner.look(&line);
        hits.retain(|hit| hit.secret == record.token && hit.rule.severity != Severity::Info);
        hits
    }
}

fn rule_called(rules: &RuleSet, id: &str) -> Option<Arc<Rule>> {
    rules.rules.iter().find(|rule| rule.id.as_str() == id).cloned()
}

fn of_hit(hit: Hit, now: Timestamp) -> Held {
    Held {
        leak: first(&hit.rule, hit.fingerprint, &hit.secret, now),
        secret: hit.secret,
        parts: hit.parts,
        facts: hit.facts,
    }
}

/// A leak of this rule that nothing is known of yet.
fn first(rule: &Rule, fingerprint: Fingerprint, secret: &Secret, now: Timestamp) -> Leak {
    let redacted = secret.redacted(&rule.prefix);
    Leak::new(fingerprint, rule.id.clone(), redacted, rule.severity, now)
}
