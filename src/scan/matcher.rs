//! One blob in, its hits out: keywords first, then the pattern near them, then the rule's own judgement.
//!
//! The gate is one pass over the text for the keywords of all rules; what must stand beside a keyword is asked next
//! (`Plan`), then, in one go, how the patterns of all its rules begin. A pattern only ever runs in windows around what
//! is left, so that the cost follows what is in the text and not how many rules there are.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock};

use super::calls::{Hot, Room};
use super::decoded::Inside;
use super::excerpt;
use super::gate::Gate;
use super::ignore;
use super::line_hash;
use super::parts;
use super::place::{Lines, TextPlace};
use super::plan::Plan;
use crate::finding::{Confidence, Excerpt, Parts, Suppression};
use crate::rule::allow;
use crate::rule::judge::judge;
use crate::rule::steps::Bytes;
use crate::rule::{Rule, RuleSet};
use crate::secret::{Fingerprint, FingerprintKey, Secret};

/// How far from a keyword a match of unbounded length may begin, and how far past it the first look goes, in bytes.
pub(super) const UNBOUNDED_REACH: usize = 64 << 10;

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
    /// What stands around it on its line.
    pub excerpt: Excerpt,
    /// What the allowlists of its rule make of it, before its place is known.
    pub allowed: u64,
    /// An inline mark.
    pub suppression: Option<Suppression>,
    /// What was opened on the way to it.
    pub inside: Inside,
}

/// The compiled rules.
pub struct Scanner {
    pub(super) rules: Vec<Arc<Rule>>,
    pub(super) gate: Gate,
    /// By the keyword's number in the gate: the rules that it calls.
    pub(super) called: Vec<Vec<usize>>,
    /// By rule; read when the rule is first called.
    plans: Vec<OnceLock<Plan>>,
    /// By the keyword's number in the gate.
    pub(super) hot: Vec<Hot>,
    /// Whether a keyword may stand on two lines.
    pub(super) crosses_lines: bool,
    /// Rooms that no thread works in.
    pub(super) rooms: Mutex<Vec<Room>>,
    key: FingerprintKey,
    pub(super) least: Confidence,
}

/// Whether much of a text was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    New,
    SeenBefore,
}

/// By rule: where it has to look.
type Windows = BTreeMap<usize, Vec<Window>>;

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
                    words.push((word.as_str(), Bytes::default()));
                    called.push(Vec::new());
                    words.len() - 1
                });
                words[place].1.add_all(&rule.next);
                called[place].push(i);
            }
        }
        let crosses_lines = words.iter().any(|(word, _)| word.contains(['\n', '\0']));
        let gate = Gate::new(words);
        Self {
            crosses_lines,
            rules: rules.rules.clone(),
            gate,
            hot: called.iter().map(|_| Hot::default()).collect(),
            rooms: Mutex::default(),
            called,
            plans: rules.rules.iter().map(|_| OnceLock::new()).collect(),
            key,
            least: rules.least,
        }
    }

    pub(super) fn plan(&self, rule: usize) -> &Plan {
        self.plans[rule].get_or_init(|| Plan::of(&self.rules[rule]))
    }

    /// Where a match of this rule may stand that this keyword is a sign of.
    pub(super) fn window(&self, rule: usize, keyword: &Range<usize>) -> Window {
        let compiled = &self.rules[rule];
        let longest = compiled
            .longest
            .map_or(UNBOUNDED_REACH, |longest| longest.min(UNBOUNDED_REACH));
        let within = compiled.context.as_ref().map_or(0, |context| context.within);
        let (before, after) = match self.plan(rule).lead {
            Some(lead) => (lead.min(longest), 0),
            None => (within + longest, within + 1),
        };
        let from = keyword.end.saturating_sub(before + 1);
        Window {
            from,
            to: (keyword.start + after).max(from),
            longest,
        }
    }

    /// Every secret in `text`, in the order of their places.
    pub fn look(&self, text: &[u8]) -> Vec<Hit> {
        self.look_at(text, self.windows(text, Text::New))
    }

    /// The same for a text much of which was seen before, as in a history.
    pub(super) fn look_again(&self, text: &[u8]) -> Vec<Hit> {
        self.look_at(text, self.windows(text, Text::SeenBefore))
    }

    fn look_at(&self, text: &[u8], windows: Windows) -> Vec<Hit> {
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
        parts::join_parts(&mut hits);
        hits.retain(|hit| hit.rule.confidence <= self.least);
        hits
    }

    /// Where each rule has to look: around its keywords, windows that touch joined.
    pub(super) fn windows(&self, text: &[u8], is: Text) -> Windows {
        let mut windows = Windows::new();
        let call = |rule, keyword| {
            windows.entry(rule).or_default().push(self.window(rule, &keyword));
        };
        match is {
            Text::New => self.calls(text, call),
            Text::SeenBefore => self.calls_again(text, call),
        }
        windows.values_mut().for_each(join);
        windows
    }

    fn search(&self, rule: usize, text: &[u8], window: Window, candidates: &mut Vec<Candidate>) {
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
                    self.rules[*rule].id == *id && parts::gap(range, &candidate.range) <= parts::WITHIN
                })
            })
        });
        candidates
    }

    /// Where two rules claim the same bytes, one that is told goes before one that is not sure enough for that, then one
    /// that does not yield wins, then the surer one, then the longer match, then one whose words stand near, then the
    /// earlier rule.
    fn strongest(&self, mut candidates: Vec<Candidate>) -> Vec<Candidate> {
        candidates.sort_by_key(|candidate| {
            let length = candidate.range.len();
            let rule = &self.rules[candidate.rule];
            (
                rule.confidence > self.least,
                rule.yields,
                rule.confidence,
                std::cmp::Reverse(length),
                rule.context
                    .as_ref()
                    .is_none_or(|context| context.words.is_empty()),
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
        let ranges: Vec<_> = candidates.iter().map(|one| one.range.clone()).collect();
        let excerpts = excerpt::around(text, &ranges);
        let hit = |((candidate, place), excerpt): ((Candidate, TextPlace), Excerpt)| {
            let rule = Arc::clone(&self.rules[candidate.rule]);
            let secret = Secret::new(&text[candidate.range.clone()]);
            Hit {
                fingerprint: self.key.fingerprint(&secret),
                suppression: ignore::mark_at(text, &candidate.range, &rule.id),
                allowed: allow::bits(&rule, text, &candidate.range),
                line_hash: hashes.get(&place.line).cloned(),
                excerpt,
                range: candidate.range,
                facts: candidate.facts,
                parts: Parts::new(),
                inside: Inside::default(),
                secret,
                place,
                rule,
            }
        };
        candidates
            .into_iter()
            .zip(places)
            .zip(excerpts)
            .map(hit)
            .collect()
    }
}

/// Where matches may begin, by what stands around them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) from: usize,
    /// The last place where one may.
    pub(super) to: usize,
    /// Bytes of the longest match.
    longest: usize,
}

impl Window {
    /// How far the text has to be looked at, one byte behind the longest match with it.
    pub(super) fn end(&self, text: &[u8]) -> usize {
        (self.to + self.longest + 1).min(text.len())
    }
}

/// Sorts the windows of one rule and joins those that touch.
fn join(windows: &mut Vec<Window>) {
    windows.sort_by_key(|window| window.from);
    windows.dedup_by(|next, last| {
        let touches = next.from <= last.to;
        if touches {
            last.to = last.to.max(next.to);
        }
        touches
    });
}
