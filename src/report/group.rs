//! Findings grouped by leak, worst first: what a person reads.

use std::collections::BTreeMap;

use super::{Learnt, Report};
use crate::finding::{Confidence, Finding, RuleCard, RuleId, Severity};
use crate::leak::Verdict;
use crate::secret::Fingerprint;

/// One secret with every place that counts.
pub(super) struct Group<'a> {
    /// The places, in the report's order; never empty.
    pub(super) findings: Vec<&'a Finding>,
    /// What is known of the rule.
    pub(super) card: Option<&'a RuleCard>,
    /// What was learnt of the secret.
    pub(super) learnt: Option<&'a Learnt>,
    /// The worst of the places.
    pub(super) severity: Severity,
}

impl<'a> Group<'a> {
    /// The first place.
    pub(super) fn first(&self) -> &'a Finding {
        self.findings[0]
    }

    /// What the service said, if it was asked.
    pub(super) fn verdict(&self) -> Option<&'a Verdict> {
        self.learnt.and_then(|learnt| learnt.verdict.as_ref())
    }

    /// Public tokens last, the live before what nobody knows before the dead, then by severity and confidence.
    fn rank(&self) -> (bool, u8, Severity, Confidence) {
        let state = match self.verdict() {
            Some(Verdict::Live { .. }) => 0,
            Some(Verdict::Unknown { .. }) | None => 1,
            Some(Verdict::Dead { .. }) => 2,
        };
        let public = self.severity == Severity::Info;
        (public, state, self.severity, self.first().confidence)
    }
}

/// Every leak with at least one place that is not suppressed.
pub(super) fn groups(report: &Report) -> Vec<Group<'_>> {
    let cards = report.cards();
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut index: BTreeMap<(Fingerprint, &RuleId), usize> = BTreeMap::new();
    for finding in report.sorted() {
        if finding.suppression.is_some() {
            continue;
        }
        let key = (finding.fingerprint, &finding.rule);
        if let Some(known) = index.get(&key) {
            let group = &mut groups[*known];
            group.severity = group.severity.min(finding.severity);
            group.findings.push(finding);
            continue;
        }
        index.insert(key, groups.len());
        groups.push(Group {
            findings: vec![finding],
            card: cards.get(&finding.rule).copied(),
            learnt: report.learnt.get(&finding.fingerprint),
            severity: finding.severity,
        });
    }
    groups.sort_by_key(Group::rank);
    groups
}
