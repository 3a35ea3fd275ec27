//! Credentials of several parts: a rule may need others nearby, and each of its hits gets the nearest of each.

use std::collections::BTreeMap;
use std::ops::Range;

use super::matcher::Hit;
use crate::finding::{Parts, RuleId, SEVERAL};

/// How near the parts of one credential stand, in bytes.
pub(super) const WITHIN: usize = 1000;

/// Bytes between two ranges.
pub(super) fn gap(a: &Range<usize>, b: &Range<usize>) -> usize {
    b.start.saturating_sub(a.end).max(a.start.saturating_sub(b.end))
}

/// Gives each hit the nearest hit of every rule that it needs (without them it is no finding), and of those that it
/// takes where they stand near, with what they say of themselves.
pub(super) fn join_parts(hits: &mut Vec<Hit>) {
    type Found = (Parts, BTreeMap<String, String>);
    let near = |hit: &Hit, ids: &[RuleId]| -> Option<&Hit> {
        let far = |other: &&Hit| gap(&hit.range, &other.range);
        let others = hits.iter().filter(|other| ids.contains(&other.rule.id));
        others.min_by_key(far).filter(|other| far(other) <= WITHIN)
    };
    let of = |hit: &Hit| -> Option<Found> {
        let (mut parts, mut facts) = Found::default();
        let mut rivals = BTreeMap::new();
        let mut take = |name: &str, other: &Hit| {
            parts.insert(name.to_owned(), other.secret.clone());
            facts.extend(other.facts.clone());
        };
        for id in &hit.rule.needs {
            take(id.rule(), near(hit, std::slice::from_ref(id))?);
        }
        for (name, ids) in &hit.rule.near {
            let Some(other) = near(hit, ids) else { continue };
            take(name, other);
            let rival = |rival: &&Hit| {
                ids.contains(&rival.rule.id)
                    && rival.secret != other.secret
                    && gap(&hit.range, &rival.range) <= WITHIN
            };
            if let Some(rule) = hits.iter().find(rival).map(|rival| rival.rule.id.rule()) {
                rivals.insert(SEVERAL.to_owned(), rule.to_owned());
            }
        }
        facts.append(&mut rivals);
        Some((parts, facts))
    };
    let found: Vec<Option<Found>> = hits.iter().map(of).collect();
    let mut found = found.into_iter();
    hits.retain_mut(|hit| match found.next().flatten() {
        Some((parts, mut facts)) => {
            hit.parts = parts;
            facts.append(&mut hit.facts);
            hit.facts = facts;
            true
        }
        None => false,
    });
}
