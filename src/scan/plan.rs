//! How a rule is looked for near a keyword: worked out when its keyword is first met.
//!
//! A keyword alone says little ("key" stands in every third line of some sources); how the pattern begins is asked
//! first ([`Probe`]), the pattern last. Must never rule out a place where the pattern matches.

use std::ops::Range;

use regex_syntax::hir::Hir;

use super::probe::{BELIEVED, Choice, Probe};
use crate::rule::{Lead, Rule};

/// A keyword that may stand farther behind the beginning of a match is not worth a look at beginnings.
const LONGEST_LEAD: usize = 120;

/// Of a keyword that stands so near the beginning, the beginning is asked first. At 40 a common word such as "key" cost
/// ten thousand cycles wherever it stood: twenty beginnings, each with all the words that may be one.
const SHORT_LEAD: usize = 8;

/// Bytes beyond a piece that the judgement of a match looks at: words before it (`judge::UNLESS_WITHIN`), boundaries.
pub(super) const MARGIN: usize = 28;

/// Bytes around a keyword that [`Plan::allows`] looks at.
pub(super) const LOOKED_AT: usize = LONGEST_LEAD + BELIEVED + MARGIN;

/// How one rule is looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    /// Most bytes between the beginning of a match and the end of the keyword that calls the rule, if it is certain
    /// that the keyword stands in the match.
    pub(super) lead: Option<usize>,
    /// What a match looks like, if it is certain that a keyword stands in it.
    probe: Option<Probe>,
}

impl Plan {
    /// What a match looks like, with repetitions that go on without end; if it is certain that a keyword stands in it.
    pub(super) fn loose(rule: &Rule) -> Option<Probe> {
        Some(Probe::loose(&hir(rule)?, &rule.keywords))
    }

    /// Reads the rule's pattern.
    pub(super) fn of(rule: &Rule) -> Self {
        let lead = match rule.lead {
            Lead::Within(lead) => Some(lead),
            Lead::Anywhere | Lead::Missing => None,
        };
        Self {
            lead,
            probe: hir(rule).map(|hir| Probe::of(&hir, &rule.keywords, rule.behind)),
        }
    }

    /// Whether a match may stand around a keyword. `choices` is room to work in.
    pub(super) fn allows(&self, text: &[u8], keyword: &Range<usize>, choices: &mut Vec<Choice>) -> bool {
        let Some(probe) = &self.probe else {
            return true;
        };
        if !probe.may_go_on(text, keyword.end) {
            return false;
        }
        let Some(lead) = self.lead.filter(|&lead| lead <= LONGEST_LEAD) else {
            return probe.goes_on(text, keyword.end, choices);
        };
        // Where a match can begin in few places, its beginning fails sooner than what stands behind the keyword.
        (lead <= SHORT_LEAD || probe.begins_rarely() || probe.goes_on(text, keyword.end, choices))
            && probe.begins(text, keyword.end.saturating_sub(lead), keyword.start, choices)
    }
}

/// The pattern of a rule whose matches all hold a keyword.
fn hir(rule: &Rule) -> Option<Hir> {
    if rule.lead == Lead::Missing {
        return None;
    }
    parse(&rule.pattern)
}

/// Reads a pattern as `regex::bytes` does without Unicode.
pub(super) fn parse(pattern: &str) -> Option<Hir> {
    regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .build()
        .parse(pattern)
        .ok()
}
