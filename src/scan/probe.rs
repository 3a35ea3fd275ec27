//! Whether a match may stand around a keyword: the pattern tried byte by byte, until it fails or enough of it holds,
//! first from behind the keyword on, then from where a match may begin.
//!
//! Asked before the pattern itself, whose automaton builds its states while it runs: for patterns that count ("up to
//! forty letters") and places that fail after a few bytes, building them was a third of a whole scan, and one automaton
//! for all beginnings of a keyword's rules another seventh. Must never say no where the pattern matches: it goes on
//! with every choice, says yes where that takes too long, and takes what a pattern says of its end for granted.

use std::collections::{BTreeSet, HashSet};

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use crate::rule::lead::{WORD, Words};

/// Bytes of a match after which it is believed.
pub(super) const BELIEVED: usize = 192;

/// Steps after which it is believed: about ten microseconds.
const MOST_STEPS: u32 = 3000;

/// Longest program; what would come behind is believed.
const LONGEST_PROGRAM: usize = 4000;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bytes([u64; 4]);

impl Bytes {
    fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn add_all(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }
}

/// One step; it goes on with the next one unless it says otherwise.
#[derive(Clone, Copy, Debug)]
enum Step {
    Byte(u8),
    One(u16),
    /// So many bytes of a set.
    Run {
        set: u16,
        least: u32,
        most: u32,
    },
    /// Goes on here, or with the next one.
    Or(u32),
    To(u32),
    Look(Look),
    Believe,
}

/// A pattern's beginning, compiled.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    steps: Vec<Step>,
    sets: Vec<Bytes>,
    /// Bytes with which a match may begin.
    first: Bytes,
    /// The steps that may come behind the first keyword of a match; none if that takes too long to tell.
    behind: Option<Vec<u32>>,
    /// Bytes that may.
    next: Bytes,
}

/// Most pairs of a step and a part of a keyword that are followed to find what comes behind one.
const MOST_PAIRS: usize = 50_000;

/// A choice that was put off: a step, and the first and last place at which it is tried.
pub(super) type Choice = (u32, usize, usize);

impl Probe {
    /// For a pattern whose every match holds one of these words, in lower case.
    pub(super) fn of(hir: &Hir, words: &[String]) -> Self {
        let mut probe = Self {
            steps: Vec::new(),
            sets: Vec::new(),
            first: Bytes::default(),
            behind: None,
            next: Bytes([u64::MAX; 4]),
        };
        probe.add(hir);
        let end = probe.here();
        probe.steps.push(Step::Believe);
        probe.first = probe.firsts(&[0]);
        probe.behind = probe.behind(&Words::new(words), end);
        if let Some(behind) = &probe.behind {
            probe.next = probe.firsts(behind);
        }
        probe
    }

    /// Follows every text that the steps spell until a word is whole; at the end one is, as every match holds one.
    fn behind(&mut self, words: &Words, end: u32) -> Option<Vec<u32>> {
        let (mut behind, mut seen) = (BTreeSet::new(), HashSet::from([(0, 0)]));
        let mut waiting = vec![(0_u32, 0_u32)];
        // For a run the rest of it, as long as it may be: (the run, its rest).
        let mut rests: Vec<(u32, u32)> = Vec::new();
        while let Some((at, state)) = waiting.pop() {
            let mut go = |pair| {
                if seen.insert(pair) {
                    waiting.push(pair);
                }
            };
            let mut by = |set: &Bytes, to: u32| {
                let states = (0..=255)
                    .filter(|&byte| set.has(byte))
                    .map(|byte| words.after(state, byte));
                let (whole, parts): (BTreeSet<u32>, BTreeSet<u32>) = states.partition(|state| *state == WORD);
                parts.into_iter().for_each(|state| go((to, state)));
                !whole.is_empty()
            };
            match self.steps[at as usize] {
                Step::Byte(byte) => {
                    let mut set = Bytes::default();
                    set.add(byte);
                    if by(&set, at + 1) {
                        behind.insert(at + 1);
                    }
                }
                Step::One(set) => {
                    if by(&self.sets[usize::from(set)], at + 1) {
                        behind.insert(at + 1);
                    }
                }
                Step::Run { set, most, .. } => {
                    // However many: it is left at once, or goes on.
                    if by(&self.sets[usize::from(set)], at) {
                        let known = rests.iter().find(|(run, _)| *run == at).map(|(_, rest)| *rest);
                        let rest = known.unwrap_or_else(|| {
                            let rest = self.here();
                            self.steps
                                .extend([Step::Run { set, least: 0, most }, Step::To(at + 1)]);
                            rests.push((at, rest));
                            rest
                        });
                        behind.insert(rest);
                    }
                    go((at + 1, state));
                }
                Step::Or(other) => {
                    go((at + 1, state));
                    go((other, state));
                }
                Step::To(to) => go((to, state)),
                Step::Look(_) => go((at + 1, state)),
                Step::Believe if at == end => {}
                Step::Believe => return None,
            }
            if seen.len() > MOST_PAIRS {
                return None;
            }
        }
        // Alternatives that end at the same place go on as one.
        let ends: BTreeSet<u32> = behind.into_iter().map(|step| self.end_of_jumps(step)).collect();
        Some(ends.into_iter().collect())
    }

    fn end_of_jumps(&self, mut step: u32) -> u32 {
        for _ in 0..LONGEST_PROGRAM {
            match self.steps.get(step as usize) {
                Some(Step::To(to)) => step = *to,
                _ => break,
            }
        }
        step
    }

    fn set(&mut self, set: Bytes) -> u16 {
        let known = self.sets.iter().position(|known| *known == set);
        let at = known.unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        u16::try_from(at).unwrap_or(u16::MAX)
    }

    fn here(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    fn add(&mut self, hir: &Hir) {
        if self.steps.len() > LONGEST_PROGRAM || self.sets.len() > LONGEST_PROGRAM {
            self.steps.push(Step::Believe);
            return;
        }
        match hir.kind() {
            HirKind::Empty => {}
            HirKind::Look(look) => self.steps.push(Step::Look(*look)),
            HirKind::Literal(literal) => self.steps.extend(literal.0.iter().map(|&byte| Step::Byte(byte))),
            HirKind::Class(_) => {
                let step = bytes_of(hir).map_or(Step::Believe, |set| Step::One(self.set(set)));
                self.steps.push(step);
            }
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.add(part)),
            HirKind::Alternation(parts) => {
                let mut ends = Vec::new();
                for (at, part) in parts.iter().enumerate() {
                    let choice = self.steps.len();
                    if at + 1 < parts.len() {
                        self.steps.push(Step::Believe);
                    }
                    self.add(part);
                    if at + 1 < parts.len() {
                        ends.push(self.steps.len());
                        self.steps.push(Step::Believe);
                        self.steps[choice] = Step::Or(self.here());
                    }
                }
                for end in ends {
                    self.steps[end] = Step::To(self.here());
                }
            }
            HirKind::Repetition(repetition) => self.repeat(repetition),
        }
    }

    fn repeat(&mut self, repetition: &Repetition) {
        if let Some(set) = bytes_of(&repetition.sub) {
            let set = self.set(set);
            self.steps.push(Step::Run {
                set,
                least: repetition.min,
                most: repetition.max.unwrap_or(u32::MAX),
            });
            return;
        }
        for _ in 0..repetition.min {
            self.add(&repetition.sub);
            if self.steps.len() > LONGEST_PROGRAM {
                return;
            }
        }
        let Some(most) = repetition.max else {
            let start = self.here();
            let choice = self.steps.len();
            self.steps.push(Step::Believe);
            self.add(&repetition.sub);
            self.steps.push(Step::To(start));
            self.steps[choice] = Step::Or(self.here());
            return;
        };
        let mut choices = Vec::new();
        for _ in repetition.min..most {
            choices.push(self.steps.len());
            self.steps.push(Step::Believe);
            self.add(&repetition.sub);
            if self.steps.len() > LONGEST_PROGRAM {
                break; // the last one ended in belief
            }
        }
        for choice in choices {
            self.steps[choice] = Step::Or(self.here());
        }
    }

    /// Bytes that may come next at these steps; all if that cannot be told.
    fn firsts(&self, steps: &[u32]) -> Bytes {
        let (mut first, mut seen) = (Bytes::default(), vec![false; self.steps.len()]);
        let mut next: Vec<usize> = steps.iter().map(|&step| step as usize).collect();
        while let Some(at) = next.pop() {
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            match self.steps[at] {
                Step::Byte(byte) => first.add(byte),
                Step::One(set) => first.add_all(&self.sets[usize::from(set)]),
                Step::Run { set, least, .. } => {
                    first.add_all(&self.sets[usize::from(set)]);
                    if least == 0 {
                        next.push(at + 1);
                    }
                }
                Step::Or(other) => next.extend([at + 1, other as usize]),
                Step::To(to) => next.push(to as usize),
                Step::Look(_) => next.push(at + 1),
                Step::Believe => return Bytes([u64::MAX; 4]),
            }
        }
        first
    }

    /// Whether a match may go on behind a keyword that ends at `end`. `choices` is room to work in.
    pub(super) fn goes_on(&self, text: &[u8], end: usize, choices: &mut Vec<Choice>) -> bool {
        let Some(behind) = &self.behind else {
            return true;
        };
        let mut left = MOST_STEPS;
        text.get(end).is_none_or(|&byte| self.next.has(byte))
            && behind
                .iter()
                .any(|&step| self.stands_at(text, step, end, choices, &mut left))
    }

    /// Whether a match may begin at one of the places from `from` to `to`.
    pub(super) fn begins(&self, text: &[u8], from: usize, to: usize, choices: &mut Vec<Choice>) -> bool {
        let (mut places, mut left) = (from..=to.min(text.len()), MOST_STEPS);
        places.any(|at| {
            text.get(at).is_none_or(|&byte| self.first.has(byte))
                && self.stands_at(text, 0, at, choices, &mut left)
        })
    }

    /// Whether the text goes on from `start` as the steps from `step` on do; yes when no steps are left.
    fn stands_at(
        &self,
        text: &[u8],
        step: u32,
        start: usize,
        choices: &mut Vec<Choice>,
        left: &mut u32,
    ) -> bool {
        choices.clear();
        let believed = start + BELIEVED;
        let (mut step, mut at) = (step as usize, start);
        while *left > 0 {
            *left -= 1;
            let next = match self.steps[step] {
                _ if at >= believed => return true,
                Step::Byte(byte) => (text.get(at) == Some(&byte)).then(|| (step + 1, at + 1)),
                Step::One(set) => {
                    let stands = text
                        .get(at)
                        .is_some_and(|&byte| self.sets[usize::from(set)].has(byte));
                    stands.then(|| (step + 1, at + 1))
                }
                Step::Run { set, least, most } => {
                    let set = &self.sets[usize::from(set)];
                    let end = at.saturating_add(most as usize).min(text.len()).min(believed);
                    let run = text[at.min(end)..end]
                        .iter()
                        .take_while(|&&byte| set.has(byte))
                        .count();
                    let least = least as usize;
                    (run >= least || at + run >= believed).then(|| {
                        if run > least {
                            choices.push((step as u32 + 1, at + least, at + run - 1));
                        }
                        (step + 1, at + run)
                    })
                }
                Step::Or(other) => {
                    choices.push((other, at, at));
                    Some((step + 1, at))
                }
                Step::To(to) => Some((to as usize, at)),
                Step::Look(look) => holds(look, text, at).then(|| (step + 1, at)),
                Step::Believe => return true,
            };
            (step, at) = match next {
                Some(next) => next,
                None => match choices.last_mut() {
                    None => return false,
                    Some((step, first, last)) => {
                        // Where the next byte would fail, the one before is tried.
                        while first < last && !self.may_follow(*step, text.get(*last)) {
                            *last -= 1;
                        }
                        let choice = (*step as usize, *last);
                        if first == last {
                            choices.pop();
                        } else {
                            *last -= 1;
                        }
                        choice
                    }
                },
            };
        }
        true
    }

    /// Whether a step may go on with this byte; nothing is the end of the text.
    fn may_follow(&self, step: u32, byte: Option<&u8>) -> bool {
        match self.steps[step as usize] {
            Step::Byte(known) => byte == Some(&known),
            Step::One(set) | Step::Run { set, least: 1.., .. } => {
                byte.is_some_and(|&byte| self.sets[usize::from(set)].has(byte))
            }
            _ => true,
        }
    }
}

/// The bytes of a part that matches exactly one of some.
fn bytes_of(hir: &Hir) -> Option<Bytes> {
    let mut set = Bytes::default();
    match hir.kind() {
        HirKind::Literal(literal) if literal.0.len() == 1 => set.add(literal.0[0]),
        HirKind::Class(Class::Bytes(class)) => {
            for range in class.ranges() {
                (range.start()..=range.end()).for_each(|byte| set.add(byte));
            }
        }
        HirKind::Capture(capture) => return bytes_of(&capture.sub),
        _ => return None,
    }
    Some(set)
}

/// Boundaries that are told by what stands around; others are taken for granted.
fn holds(look: Look, text: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| text.get(before));
    let word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    match look {
        Look::Start => at == 0,
        Look::StartLF => before.is_none_or(|&byte| byte == b'\n'),
        Look::WordAscii => word(before) != word(text.get(at)),
        Look::WordAsciiNegate => word(before) == word(text.get(at)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::Probe;
    use crate::scan::plan::parse;

    fn allows(pattern: &str, text: &str) -> bool {
        let probe = Probe::of(&parse(pattern).unwrap(), &[]);
        probe.begins(text.as_bytes(), 0, text.len(), &mut Vec::new())
    }

    #[test]
    fn what_stands_behind_a_keyword_is_seen() {
        let goes_on = |pattern: &str, words: &[&str], text: &str, end: usize| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            Probe::of(&parse(pattern).unwrap(), &words).goes_on(text.as_bytes(), end, &mut Vec::new())
        };
        let pattern = r"(?i:api[_.-]?key|secret(?:_key)?)s?\s{0,4}[=:]";
        assert!(goes_on(pattern, &["key", "secret"], "API_KEY =", 7));
        assert!(goes_on(pattern, &["key", "secret"], "secret_keys:", 6));
        assert!(!goes_on(pattern, &["key", "secret"], "monkeys and", 6));
        // The word ends inside a run, whose rest comes behind.
        assert!(goes_on(r"[a-z_]{3,20}=x", &["key"], "my_key_two=x", 6));
        assert!(!goes_on(r"[a-z_]{3,20}=x", &["key"], "my_key two=x", 6));
    }

    #[test]
    fn what_matches_is_allowed_and_what_fails_early_is_not() {
        for (pattern, text) in [
            (r"\bkey=[a-z]{3,9}?;", " key=abcd;"),
            (r"(?i:api[_.-]?key|secret)s?\s{0,4}[=:]", "my_API-KEYs  :"),
            (r"x(?:ab?){2,5}y", "xaababy"),
            (r"x(?:ab?)*y", "xaababy"),
            (r"(?m:^[ \t]{1,4})a", "b\n  a"),
            (r"x[0-9]{4}(?:[0-9]{3})?!", "x0123!"),
            (r"(?:[a-z]{1,9}:){0,3}[a-z]{2}=", "ab:cd="),
            (r"(?u:é)x", "éx"),
            (r"a(?:|b)c$", "ac"),
        ] {
            assert!(allows(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            (r"\bkey=[a-z]{3,9}?;", "monkey=abcd;"),
            (r"(?i:api[_.-]?key|secret)s?\s{0,4}[=:]", "API--KEY="),
            (r"x(?:ab?){2,5}y", "xay"),
            (r"(?m:^[ \t]{1,4})a", "b  a"),
            (r"x[0-9]{4}(?:[0-9]{3})?!", "x01234!"),
        ] {
            assert!(!allows(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_takes_too_long_is_believed() {
        let text = "a".repeat(180);
        assert!(allows(r"(?:a*)*(?:a*)*b", &text));
        assert!(allows(r"[a-z]{200,4000}!", &"a".repeat(300)));
    }
}
