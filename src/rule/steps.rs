//! A pattern as a row of steps, for `scan::probe` to go: every choice that the pattern leaves is in them, but
//! for what is too long, which is believed. Must never leave out a text that the pattern matches.

use std::collections::{BTreeSet, HashSet};

use regex_syntax::hir::{Class, Hir, HirKind, Look, Repetition};

use super::lead::{WORD, Words};

/// Longest program; what would come behind is believed.
const LONGEST_PROGRAM: usize = 4000;

/// Most pairs of a step and a part of a keyword that are followed to find what comes behind one.
const MOST_PAIRS: usize = 50_000;

/// So many bytes of a run before the end of a keyword, or more, are not counted.
const UNCOUNTED: u32 = 4;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub [u64; 4]);

impl Bytes {
    /// Every byte.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// The set of this byte alone.
    pub fn one(byte: u8) -> Self {
        let mut set = Self::default();
        set.add(byte);
        set
    }

    /// Whether the byte is in the set.
    pub fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Adds every byte of another set.
    pub fn add_all(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }
}

/// One step; it goes on with the next one unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// This byte.
    Byte(u8),
    /// One byte of a set.
    One(u16),
    /// So many bytes of a set.
    Run {
        /// The set.
        set: u16,
        /// At least so many.
        least: u32,
        /// At most so many.
        most: u32,
    },
    /// Goes on here, or with the next one.
    Or(u32),
    /// Goes on here.
    To(u32),
    /// A boundary.
    Look(Look),
    /// Whatever comes, it matches.
    Believe,
}

/// What may come behind the first keyword of a match, as far as it was worked out when the rules were built in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Behind {
    /// Nobody asked.
    #[default]
    Unasked,
    /// It takes too long to tell.
    Untold,
    /// These steps.
    At {
        /// Runs, and how many bytes of each are taken, whose rests are steps as well: [`Steps::add_rests`].
        rests: &'static [(u32, u32)],
        /// The steps.
        steps: &'static [u32],
    },
}

/// A pattern as steps.
#[derive(Clone, Debug)]
pub struct Steps {
    /// The steps, from the first on.
    pub steps: Vec<Step>,
    /// The sets that they name.
    pub sets: Vec<Bytes>,
    /// The last step: a match is whole.
    end: u32,
    /// Whether repetitions go on without end, which takes fewer steps.
    is_loose: bool,
    /// Of a run, of which some bytes are taken, the rest: (the run, the bytes, its rest).
    rests: Vec<(u32, u32, u32)>,
}

impl Steps {
    /// Reads a pattern.
    pub fn of(hir: &Hir) -> Self {
        Self::read(hir, false)
    }

    /// Reads a pattern, with repetitions that go on without end: it says yes more often, and takes fewer steps.
    pub fn loose(hir: &Hir) -> Self {
        Self::read(hir, true)
    }

    fn read(hir: &Hir, is_loose: bool) -> Self {
        let mut all = Self {
            steps: Vec::new(),
            sets: Vec::new(),
            end: 0,
            is_loose,
            rests: Vec::new(),
        };
        all.add(hir);
        all.end = all.here();
        all.steps.push(Step::Believe);
        all
    }

    /// Follows every text that the steps spell until a word is whole; at the end one is, as every match holds one.
    pub fn behind(&mut self, words: &Words) -> Option<Vec<u32>> {
        let (mut behind, mut seen) = (BTreeSet::new(), HashSet::from([(0, 0, 0)]));
        let mut waiting = vec![(0_u32, 0_u32, 0_u32)];
        while let Some((at, state, taken)) = waiting.pop() {
            let mut go_in = |step, state, taken| {
                if seen.insert((step, state, taken)) {
                    waiting.push((step, state, taken));
                }
            };
            let mut go = |(step, state)| go_in(step, state, 0);
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
                    if by(&Bytes::one(byte), at + 1) {
                        behind.insert(at + 1);
                    }
                }
                Step::One(set) => {
                    if by(&self.sets[usize::from(set)], at + 1) {
                        behind.insert(at + 1);
                    }
                }
                Step::Run { set, .. } => {
                    // However many: it is left at once, or goes on.
                    go((at + 1, state));
                    let taken = (taken + 1).min(UNCOUNTED);
                    let mut is_whole = false;
                    for byte in (0..=255).filter(|&byte| self.sets[usize::from(set)].has(byte)) {
                        match words.after(state, byte) {
                            WORD => is_whole = true,
                            state => go_in(at, state, taken),
                        }
                    }
                    if is_whole {
                        behind.insert(self.rest_of(at, taken));
                    }
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

    /// The rests that [`Steps::behind`] has made, for [`Steps::add_rests`].
    pub fn rests(&self) -> Vec<(u32, u32)> {
        self.rests.iter().map(|&(run, taken, _)| (run, taken)).collect()
    }

    /// Makes the same rests of the same pattern again.
    pub fn add_rests(&mut self, rests: &[(u32, u32)]) {
        for &(run, taken) in rests {
            self.rest_of(run, taken);
        }
    }

    fn rest_of(&mut self, run: u32, taken: u32) -> u32 {
        let known = self.rests.iter().find(|known| (known.0, known.1) == (run, taken));
        if let Some((.., rest)) = known {
            return *rest;
        }
        let Step::Run { set, least, most } = self.steps[run as usize] else {
            return run;
        };
        let rest = self.here();
        let (least, most) = match taken {
            UNCOUNTED => (0, most),
            _ => (least.saturating_sub(taken), most.saturating_sub(taken)),
        };
        self.steps
            .extend([Step::Run { set, least, most }, Step::To(run + 1)]);
        self.rests.push((run, taken, rest));
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
        let may_end = |most: &u32| !self.is_loose || *most <= repetition.min.max(1);
        let Some(most) = repetition.max.filter(may_end) else {
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
    pub fn firsts(&self, steps: &[u32]) -> Bytes {
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
                Step::Believe => return Bytes::ALL,
            }
        }
        first
    }
}

/// Bytes that may stand behind the first of some words in a match; every match holds one of them.
pub fn after(hir: &Hir, words: &[String]) -> Bytes {
    let mut steps = Steps::of(hir);
    let behind = steps.behind(&Words::new(words));
    behind.map_or(Bytes::ALL, |behind| steps.firsts(&behind))
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
