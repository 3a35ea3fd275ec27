//! What was matched and is no finding, and why: `scan --explain`.
//!
//! It goes over the windows of a text a second time, so that a scan that explains nothing pays nothing. What it gives are
//! hits like any other, with the reason as their suppression; they must never count.

use std::collections::BTreeMap;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::matcher::{Candidate, Hit, Scanner, Text, UNBOUNDED_REACH, Window};
use crate::finding::{Refusal, Suppression};
use crate::rule::judge::assess;
use crate::rule::{RuleSet, explain};
use crate::secret::FingerprintKey;

/// So many matches are explained; a scan of a large tree without a bound would take the memory.
const MOST: usize = 50_000;

/// A scanner that can say what it passed over.
pub(super) struct Explained {
    scanner: Scanner,
    off: Option<Off>,
}

/// The rules that this run does not use.
struct Off {
    scanner: Scanner,
    why: BTreeMap<String, Refusal>,
    told: AtomicUsize,
}

impl Deref for Explained {
    type Target = Scanner;

    fn deref(&self) -> &Scanner {
        &self.scanner
    }
}

impl Explained {
    pub(super) fn new(scanner: Scanner) -> Self {
        Self { scanner, off: None }
    }

    /// Explains from now on; `rules` are those of the scanner.
    pub(super) fn start(&mut self, rules: &RuleSet, key: FingerprintKey) {
        let mut set = RuleSet::empty();
        set.rules = rules.off.iter().map(|(rule, _)| rule.clone()).collect();
        let why = |(rule, why): &(std::sync::Arc<_>, Refusal)| -> (String, Refusal) {
            let rule: &crate::rule::Rule = rule;
            (rule.id.to_string(), why.clone())
        };
        self.off = Some(Off {
            why: rules.off.iter().map(why).collect(),
            scanner: Scanner::new(&set, key),
            told: AtomicUsize::new(0),
        });
    }

    /// Whether it explains.
    pub(super) fn explains(&self) -> bool {
        self.off.is_some()
    }

    /// How many matches were not explained because there were too many.
    pub(super) fn untold(&self) -> usize {
        let told = self
            .off
            .as_ref()
            .map_or(0, |off| off.told.load(Ordering::Relaxed));
        told.saturating_sub(MOST)
    }

    /// Every secret in `text`, and with it, if that was asked for, what was refused.
    pub(super) fn look(&self, text: &[u8]) -> Vec<Hit> {
        let mut hits = self.scanner.look(text);
        hits.append(&mut self.refused(text, &hits));
        hits
    }

    /// What was refused beside these hits in `text`, if that was asked for.
    pub(super) fn refused(&self, text: &[u8], hits: &[Hit]) -> Vec<Hit> {
        let Some(off) = &self.off else {
            return Vec::new();
        };
        let mut refused = self.scanner.passed_over(text, hits);
        refused.extend(off.look(text));
        let before = off.told.fetch_add(refused.len(), Ordering::Relaxed);
        refused.truncate(MOST.saturating_sub(before));
        refused
    }
}

impl Off {
    fn look(&self, text: &[u8]) -> Vec<Hit> {
        let mut hits = self.scanner.look(text);
        for hit in &mut hits {
            let why = self.why.get(hit.rule.id.as_str()).cloned();
            hit.suppression = why.map(Suppression::Refused);
        }
        hits
    }
}

impl Scanner {
    /// The matches in `text` that are not among `hits`, each with the reason.
    fn passed_over(&self, text: &[u8], hits: &[Hit]) -> Vec<Hit> {
        let mut refused: Vec<(Candidate, Refusal)> = Vec::new();
        let mut passed: Vec<Candidate> = Vec::new();
        for (rule, windows) in self.windows(text, Text::New) {
            for window in windows {
                self.walk(rule, text, window, &mut passed, &mut refused);
            }
        }
        for (at, candidate) in passed.iter().enumerate() {
            let rule = &self.rules[candidate.rule];
            let is_hit = |hit: &Hit| hit.rule.id == rule.id && hit.range == candidate.range;
            if !hits.iter().any(is_hit) {
                let why = self.why_not(at, &passed, hits);
                let candidate = Candidate {
                    rule: candidate.rule,
                    range: candidate.range.clone(),
                    facts: BTreeMap::new(),
                };
                refused.push((candidate, why));
            }
        }
        refused.sort_by_key(|(candidate, _)| (candidate.range.start, candidate.rule));
        let (candidates, reasons): (Vec<_>, Vec<_>) = refused.into_iter().unzip();
        let mut refused = self.hits(text, candidates);
        for (hit, why) in refused.iter_mut().zip(reasons) {
            hit.suppression = Some(Suppression::Refused(why));
        }
        refused
    }

    /// Every match of the rule in the window, by what its judgement says.
    fn walk(
        &self,
        rule: usize,
        text: &[u8],
        window: Window,
        passed: &mut Vec<Candidate>,
        refused: &mut Vec<(Candidate, Refusal)>,
    ) {
        let compiled = &self.rules[rule];
        let (mut at, mut end) = (window.from, window.end(text));
        while at < end {
            let Some(captures) = compiled.captures_at(&text[..end], at) else {
                return;
            };
            let whole = captures.get_match();
            if whole.start() > window.to {
                return;
            }
            if whole.end() == end && end < text.len() {
                end = (end + UNBOUNDED_REACH).min(text.len());
                continue;
            }
            match assess(compiled, text, &captures) {
                Ok(judged) => passed.push(Candidate {
                    rule,
                    range: judged.range,
                    facts: judged.facts,
                }),
                Err(lack) => {
                    let range = captures
                        .name("secret")
                        .map_or(whole.range(), |secret| secret.range());
                    let candidate = Candidate {
                        rule,
                        range,
                        facts: BTreeMap::new(),
                    };
                    refused.push((candidate, explain::refusal(compiled, text, &captures, lack)));
                }
            }
            at = whole.end().max(whole.start() + 1);
        }
    }

    /// Why a match that its rule stands by is none of the hits.
    fn why_not(&self, at: usize, passed: &[Candidate], hits: &[Hit]) -> Refusal {
        let candidate = &passed[at];
        let rule = &self.rules[candidate.rule];
        let overlaps =
            |range: &Range<usize>| candidate.range.start < range.end && range.start < candidate.range.end;
        if let Some(hit) = hits.iter().find(|hit| overlaps(&hit.range)) {
            return Refusal::new(
                "yields",
                format!("{} goes before it on the same bytes", hit.rule.id),
            );
        }
        let lost = rule.needs.iter().find(|id| {
            !hits.iter().any(|hit| hit.rule.id == **id)
                && !passed.iter().any(|one| self.rules[one.rule].id == **id)
        });
        if let Some(id) = lost {
            return Refusal::new("part", format!("it needs {id} near it, and none is there"));
        }
        if rule.confidence > self.least {
            return rule.too_weak(self.least);
        }
        let other = passed
            .iter()
            .enumerate()
            .find(|(other, one)| *other != at && overlaps(&one.range));
        match other {
            Some((_, other)) => Refusal::new(
                "yields",
                format!("{} goes before it on the same bytes", self.rules[other.rule].id),
            ),
            None => Refusal::new("part", "the other parts that it needs stand too far away"),
        }
    }
}
