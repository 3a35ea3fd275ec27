//! A pattern as a row of steps, for [`super::probe::Probe`] to go: every choice that the pattern leaves is in them, but
//! for what is too long, which is believed. Must never leave out a text that the pattern matches.

use std::collections::{BTreeSet, HashSet};

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use crate::rule::lead::{WORD, Words};

/// Longest program; what would come behind is believed.
const LONGEST_PROGRAM: usize = 4000;

/// Most pairs of a step and a part of a keyword that are followed to find what comes behind one.
const MOST_PAIRS: usize = 50_000;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) [u64; 4]);

impl Bytes {
    pub(super) fn has(&self, byte: u8) -> bool {
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
pub(super) enum Step {
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

/// A pattern as steps.
#[derive(Clone, Debug)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    pub(super) sets: Vec<Bytes>,
    /// The last step: a match is whole.
    end: u32,
}

impl Steps {
    pub(super) fn of(hir: &Hir) -> Self {
        let mut all = Self {
            steps: Vec::new(),
            sets: Vec::new(),
            end: 0,
        };
        all.add(hir);
        all.end = all.here();
        all.steps.push(Step::Believe);
        all
    }

    /// Follows every text that the steps spell until a word is whole; at the end one is, as every match holds one.
    pub(super) fn behind(&mut self, words: &Words) -> Option<Vec<u32>> {
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
                        let rest = self.rest_of(at, set, most, &mut rests);
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
                Step::Believe if at == self.end => {}
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

    fn rest_of(&mut self, run: u32, set: u16, most: u32, rests: &mut Vec<(u32, u32)>) -> u32 {
        if let Some((_, rest)) = rests.iter().find(|(known, _)| *known == run) {
            return *rest;
        }
        let (rest, least) = (self.here(), 0);
        self.steps
            .extend([Step::Run { set, least, most }, Step::To(run + 1)]);
        rests.push((run, rest));
        rest
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
    pub(super) fn firsts(&self, steps: &[u32]) -> Bytes {
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
