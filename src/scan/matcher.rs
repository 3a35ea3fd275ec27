//! One blob in, its hits out: keywords first, then the pattern near them, then the rule's own judgement.
//!
//! The gate is one pass over the text for the keywords of all rules; a pattern only ever runs in windows around its
//! keywords, so that the cost follows what is in the text and not how many rules there are.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::gate::Gate;
use super::ignore;
use super::line_hash;
use super::place::{Lines, TextPlace};
use crate::finding::{Confidence, Parts, RuleId, SEVERAL, Suppression};
use crate::rule::allow;
use crate::rule::judge::judge;
use crate::rule::{Rule, RuleSet};
use crate::secret::{Fingerprint, FingerprintKey, Secret};

/// How far from a keyword a match of unbounded length may begin, and how far past it the first look goes, in bytes.
pub(super) const UNBOUNDED_REACH: usize = 64 << 10;

/// How near the parts of one credential stand, in bytes.
const PARTS_WITHIN: usize = 1000;

/// A secret in a blob, before it is known which commit the blob belongs to.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The rule.
    pub rule: Arc<Rule>,
    /// Bytes of the blob.
    pub range: Range<usize>,
    /// The secret.
    pub secret: Secret,
    /// Other parts.
    pub parts: Parts,
    /// What the secret says of itself.
    pub facts: BTreeMap<String, String>,
    /// Its name.
    pub fingerprint: Fingerprint,
    /// Lines and columns.
    pub place: TextPlace,
    /// GitHub's hash of its line.
    pub line_hash: Option<String>,
    /// What the allowlists of its rule make of it, before its place is known.
    pub allowed: u64,
    /// An inline mark.
    pub suppression: Option<Suppression>,
}

/// The compiled rules.
pub struct Scanner {
    pub(super) rules: Vec<Arc<Rule>>,
    gate: Gate,
    /// For each keyword of the gate, the rules that it calls.
    called: Vec<Vec<usize>>,
    key: FingerprintKey,
    pub(super) least: Confidence,
}

/// A match that its rule stands by.
pub(super) struct Candidate {
    pub(super) rule: usize,
    pub(super) range: Range<usize>,
    pub(super) facts: BTreeMap<String, String>,
}

impl Scanner {
    /// Makes the gate ready; patterns are compiled when they are first needed.
    pub fn new(rules: &RuleSet, key: FingerprintKey) -> Self {
        let mut called: Vec<Vec<usize>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut words = Vec::new();
        for (i, rule) in rules.rules.iter().enumerate() {
            for word in &rule.keywords {
                let place = *places.entry(word).or_insert_with(|| {
                    words.push(word.as_str());
                    called.push(Vec::new());
                    words.len() - 1
                });
                called[place].push(i);
            }
        }
        let gate = Gate::new(words);
        Self {
            rules: rules.rules.clone(),
            gate,
            called,
            key,
            least: rules.least,
        }
    }

    /// Every secret in `text`, in the order of their places.
    pub fn look(&self, text: &[u8]) -> Vec<Hit> {
        let windows = self.windows(text);
        if windows.is_empty() {
            return Vec::new();
        }
        let mut candidates = Vec::new();
        for (rule, windows) in windows {
            for window in windows {
                self.search(rule, text, window, &mut candidates);
            }
        }
        let candidates = self.strongest(self.whole(candidates));
        let mut hits = self.hits(text, candidates);
        join_parts(&mut hits);
        hits.retain(|hit| hit.rule.confidence <= self.least);
        hits
    }

    /// Where each rule has to look: around its keywords, windows that touch joined.
    pub(super) fn windows(&self, text: &[u8]) -> BTreeMap<usize, Vec<Range<usize>>> {
        let mut windows: BTreeMap<usize, Vec<Range<usize>>> = BTreeMap::new();
        self.gate.find(text, |keyword, start, end| {
            for &rule in &self.called[keyword] {
                let reach = reach(&self.rules[rule]);
                let window = start.saturating_sub(reach)..(end + reach).min(text.len());
                let known = windows.entry(rule).or_default();
                match known.last_mut() {
                    Some(last) if (last.start..=last.end).contains(&window.start) => {
                        last.end = last.end.max(window.end);
                    }
                    _ => known.push(window),
                }
            }
        });
        windows.values_mut().for_each(join);
        windows
    }

    fn search(&self, rule: usize, text: &[u8], window: Range<usize>, candidates: &mut Vec<Candidate>) {
        let compiled = &self.rules[rule];
        let regex = compiled.regex();
        let (mut at, mut end) = (window.start, window.end);
        while at < end {
            let Some(captures) = regex.captures_at(&text[..end], at) else {
                return;
            };
            let whole = captures.get_match();
            if whole.end() == end && end < text.len() {
                // The match may go on behind the window's end; look again with more of the text.
                end = (end + UNBOUNDED_REACH).min(text.len());
                continue;
            }
            if let Some(judged) = judge(compiled, text, &captures) {
                candidates.push(Candidate {
                    rule,
                    range: judged.range,
                    facts: judged.facts,
                });
            }
            at = whole.end().max(whole.start() + 1);
        }
    }

    /// Without candidates whose other parts stand nowhere near, so that they take no bytes from another rule.
    fn whole(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        let parts: Vec<(usize, Range<usize>)> = candidates
            .iter()
            .map(|candidate| (candidate.rule, candidate.range.clone()))
            .collect();
        candidates.retain(|candidate| {
            self.rules[candidate.rule].needs.iter().all(|id| {
                parts.iter().any(|(rule, range)| {
                    self.rules[*rule].id == *id && gap(range, &candidate.range) <= PARTS_WITHIN
                })
            })
        });
        candidates
    }

    /// Where two rules claim the same bytes, one that does not yield wins, then the surer one, then the longer match,
    /// then one whose words stand near, then the earlier rule.
    fn strongest(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        candidates.sort_by_key(|candidate| {
            let length = candidate.range.len();
            let rule = &self.rules[candidate.rule];
            (
                rule.yields,
                rule.confidence,
                std::cmp::Reverse(length),
                rule.context.is_none(),
                candidate.rule,
                candidate.range.start,
            )
        });
        let mut kept: Vec<Candidate> = Vec::new();
        for candidate in candidates {
            let taken = |other: &Candidate| {
                candidate.range.start < other.range.end && other.range.start < candidate.range.end
            };
            if !kept.iter().any(taken) {
                kept.push(candidate);
            }
        }
        kept.sort_by_key(|candidate| candidate.range.start);
        kept
    }

    pub(super) fn hits(&self, text: &[u8], candidates: Vec<Candidate>) -> Vec<Hit> {
        let mut lines = Lines::new(text);
        let places: Vec<TextPlace> = candidates
            .iter()
            .map(|candidate| lines.place(&candidate.range))
            .collect();
        let wanted: Vec<usize> = places.iter().map(|place| place.line).collect();
        let hashes = line_hash::of_lines(text, &wanted);
        let hit = |(candidate, place): (Candidate, TextPlace)| {
            let rule = Arc::clone(&self.rules[candidate.rule]);
            let secret = Secret::new(&text[candidate.range.clone()]);
            Hit {
                fingerprint: self.key.fingerprint(&secret),
                suppression: ignore::mark_at(text, &candidate.range, &rule.id),
                allowed: allow::bits(&rule, text, &candidate.range),
                line_hash: hashes.get(&place.line).cloned(),
                range: candidate.range,
                facts: candidate.facts,
                parts: Parts::new(),
                secret,
                place,
                rule,
            }
        };
        candidates.into_iter().zip(places).map(hit).collect()
    }
}

/// Sorts windows and joins those that touch.
fn join(windows: &mut Vec<Range<usize>>) {
    windows.sort_by_key(|window| window.start);
    windows.dedup_by(|next, last| {
        let touches = next.start <= last.end;
        if touches {
            last.end = last.end.max(next.end);
        }
        touches
    });
}

/// How far from a keyword a match of this rule can reach.
fn reach(rule: &Rule) -> usize {
    let within = rule.context.as_ref().map_or(0, |context| context.within);
    within
        + rule
            .longest
            .map_or(UNBOUNDED_REACH, |longest| longest.min(UNBOUNDED_REACH))
        + 1
}

/// Bytes between two ranges.
fn gap(a: &Range<usize>, b: &Range<usize>) -> usize {
    b.start.saturating_sub(a.end).max(a.start.saturating_sub(b.end))
}

/// Gives each hit the nearest hit of every rule that it needs (without them it is no finding), and of those that it
/// takes where they stand near, with what they say of themselves.
fn join_parts(hits: &mut Vec<Hit>) {
    type Found = (Parts, BTreeMap<String, String>);
    let near = |hit: &Hit, ids: &[RuleId]| -> Option<&Hit> {
        let far = |other: &&Hit| gap(&hit.range, &other.range);
        let others = hits.iter().filter(|other| ids.contains(&other.rule.id));
        others.min_by_key(far).filter(|other| far(other) <= PARTS_WITHIN)
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
                    && gap(&hit.range, &rival.range) <= PARTS_WITHIN
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
