//! Credentials of several parts: a rule may need others nearby, and each of its hits gets the nearest of each.

use std::ops::Range;

use super::matcher::Hit;
use crate::finding::{Parts, RuleId};

/// How near the parts of one credential stand, in bytes.
pub(super) const WITHIN: usize = 1000;

/// Bytes between two ranges.
pub(super) fn gap(a: &Range<usize>, b: &Range<usize>) -> usize {
    b.start.saturating_sub(a.end).max(a.start.saturating_sub(b.end))
}

/// Gives each hit the nearest hit of every rule that it needs; without them it is no finding.
pub(super) fn join_parts(hits: &mut Vec<Hit>) {
    let near = |hit: &Hit, id: &RuleId| {
        let far = |other: &&Hit| gap(&hit.range, &other.range);
        let other = hits.iter().filter(|other| other.rule.id == *id).min_by_key(far)?;
        (far(&other) <= WITHIN).then(|| (id.rule().to_owned(), other.secret.clone()))
    };
    let parts: Vec<Option<Parts>> = hits
        .iter()
        .map(|hit| hit.rule.needs.iter().map(|id| near(hit, id)).collect())
        .collect();
    let mut parts = parts.into_iter();
    hits.retain_mut(|hit| match parts.next().flatten() {
        Some(found) => {
            hit.parts = found;
            true
        }
        None => false,
    });
}
