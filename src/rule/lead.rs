//! How far behind the beginning of a match the first of some words ends, read off the pattern's syntax tree.
//!
//! Exact but for what a pattern says of boundaries, which is passed over: every text that the tree spells is followed,
//! all at once, through an automaton that knows how much of a word stands at its end. Must never say less than is true.

use std::collections::{BTreeMap, VecDeque};

use regex_syntax::hir::{Class, Hir, HirKind};

/// From so many bytes on, a length counts as unbounded.
const UNBOUNDED: usize = 1 << 16;

/// Where the first of some words stands in a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// Every match holds one, which ends at most so many bytes behind the match's beginning.
    Within(usize),
    /// Every match holds one.
    Anywhere,
    /// There are matches without any.
    Missing,
}

impl Lead {
    /// For words in lower case; the case of what matches is folded.
    pub(super) fn of(hir: &Hir, words: &[String]) -> Self {
        let walk = Walk {
            words: &Words::new(words),
            end: 0,
        };
        walk.run(hir)
    }
}

/// Which part of a word stands at the end of a text: an automaton over the bytes that occur in words.
pub struct Words {
    /// By byte: its column in `next`; 0 for bytes that are in no word.
    column: [u8; 256],
    /// By state: the state behind each column, [`WORD`] where a word ends.
    next: Vec<Vec<u32>>,
}

/// The state behind a whole word; that behind no text at all is 0.
pub const WORD: u32 = u32::MAX;

impl Words {
    /// For words in lower case.
    pub fn new(words: &[String]) -> Self {
        let mut column = [0; 256];
        let mut columns: u8 = 1;
        for byte in words.iter().flat_map(|word| word.bytes()) {
            let byte = usize::from(byte.to_ascii_lowercase());
            if column[byte] == 0 {
                column[byte] = columns;
                columns = columns.saturating_add(1);
            }
        }
        for upper in b'A'..=b'Z' {
            column[usize::from(upper)] = column[usize::from(upper.to_ascii_lowercase())];
        }
        let mut all = Self {
            column,
            next: Vec::new(),
        };
        all.build(words, usize::from(columns));
        all
    }

    /// The tree of the words, then what is left of each text where no word goes on.
    fn build(&mut self, words: &[String], columns: usize) {
        const NONE: u32 = u32::MAX - 1;
        self.next.push(vec![NONE; columns]);
        for word in words.iter().filter(|word| !word.is_empty()) {
            let mut state = 0_usize;
            for (at, byte) in word.bytes().enumerate() {
                let column = usize::from(self.column[usize::from(byte)]);
                let last = at + 1 == word.len();
                match self.next[state][column] {
                    WORD => break, // a shorter word ends before
                    _ if last => self.next[state][column] = WORD,
                    NONE => {
                        self.next[state][column] = u32::try_from(self.next.len()).unwrap_or(NONE);
                        state = self.next.len();
                        self.next.push(vec![NONE; columns]);
                    }
                    known => state = known as usize,
                }
            }
        }
        // In the order of their lengths: what is left of a text is shorter than it, so it is known already.
        let mut rest = vec![0_u32; self.next.len()];
        let mut queue = VecDeque::from([0_u32]);
        while let Some(state) = queue.pop_front() {
            for column in 0..columns {
                let other = match state {
                    0 => 0,
                    _ => self.next[rest[state as usize] as usize][column],
                };
                match self.next[state as usize][column] {
                    WORD => {}
                    NONE => self.next[state as usize][column] = other,
                    // A word that ends inside a longer one's beginning ends there.
                    _ if state != 0 && other == WORD => self.next[state as usize][column] = WORD,
                    child => {
                        rest[child as usize] = other;
                        queue.push_back(child);
                    }
                }
            }
        }
    }

    /// The state behind a further byte, whose case is folded.
    pub fn after(&self, state: u32, byte: u8) -> u32 {
        self.next[state as usize][usize::from(self.column[usize::from(byte)])]
    }
}

/// By state: most bytes of a text without a word that ends in it.
type Front = BTreeMap<u32, usize>;

fn join(all: &mut Front, state: u32, length: usize) {
    let known = all.entry(state).or_default();
    *known = length.min(UNBOUNDED).max(*known);
}

fn join_all(all: &mut Front, more: &Front) {
    for (&state, &length) in more {
        join(all, state, length);
    }
}

struct Walk<'w> {
    words: &'w Words,
    /// Farthest end of a first word.
    end: usize,
}

impl Walk<'_> {
    fn run(mut self, hir: &Hir) -> Lead {
        let without = self.pass(hir, Front::from([(0, 0)]));
        match self.end {
            _ if !without.is_empty() => Lead::Missing,
            UNBOUNDED.. => Lead::Anywhere,
            end => Lead::Within(end),
        }
    }

    /// Goes on with every text of `front` by every text of `hir`; those with a word in them end.
    fn pass(&mut self, hir: &Hir, front: Front) -> Front {
        if front.is_empty() {
            return front;
        }
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => front,
            HirKind::Literal(literal) => literal
                .0
                .iter()
                .fold(front, |front, &byte| self.step(&front, &[byte])),
            HirKind::Class(Class::Bytes(class)) => {
                let ranges = class.ranges().iter();
                let bytes: Vec<u8> = ranges.flat_map(|range| range.start()..=range.end()).collect();
                self.step(&front, &self.distinct(&bytes))
            }
            HirKind::Class(Class::Unicode(class)) => {
                // Letters of one byte as they are; of longer ones every byte may be any that is in no word of ours.
                let bytes: Vec<u8> = (0..0x80_u8)
                    .filter(|&byte| {
                        let letter = char::from(byte);
                        class
                            .ranges()
                            .iter()
                            .any(|range| (range.start()..=range.end()).contains(&letter))
                    })
                    .collect();
                let mut next = self.step(&front, &self.distinct(&bytes));
                if class.maximum_len().is_some_and(|length| length > 1) {
                    let any: Vec<u8> = self.distinct(&(0x80..=0xFF).collect::<Vec<u8>>());
                    let mut long = front;
                    for _ in 0..4 {
                        long = self.step(&long, &any);
                        join_all(&mut next, &long);
                    }
                }
                next
            }
            HirKind::Capture(capture) => self.pass(&capture.sub, front),
            HirKind::Concat(parts) => parts.iter().fold(front, |front, part| self.pass(part, front)),
            HirKind::Alternation(parts) => {
                let mut next = Front::new();
                for part in parts {
                    let after = self.pass(part, front.clone());
                    join_all(&mut next, &after);
                }
                next
            }
            HirKind::Repetition(repetition) => {
                self.repeat(&repetition.sub, repetition.min, repetition.max, front)
            }
        }
    }

    /// One byte of each kind.
    fn distinct(&self, bytes: &[u8]) -> Vec<u8> {
        let mut kinds: Vec<u8> = Vec::new();
        for &byte in bytes {
            let column = self.words.column[usize::from(byte)];
            if !kinds
                .iter()
                .any(|&known| self.words.column[usize::from(known)] == column)
            {
                kinds.push(byte);
            }
        }
        kinds
    }

    fn step(&mut self, front: &Front, bytes: &[u8]) -> Front {
        let mut next = Front::new();
        for (&state, &length) in front {
            let length = (length + 1).min(UNBOUNDED);
            for &byte in bytes {
                match self.words.after(state, byte) {
                    WORD => self.end = self.end.max(length),
                    state => join(&mut next, state, length),
                }
            }
        }
        next
    }

    fn repeat(&mut self, sub: &Hir, least: u32, most: Option<u32>, front: Front) -> Front {
        let mut front = front;
        for _ in 0..least {
            front = self.pass(sub, front);
        }
        let mut all = front.clone();
        if let Some(most) = most {
            for _ in least..most {
                front = self.pass(sub, front);
                if front.is_empty() {
                    break;
                }
                join_all(&mut all, &front);
            }
            return all;
        }
        // As often as leads to new states; then their lengths have no bound.
        loop {
            front = self.pass(sub, front);
            for length in front.values_mut() {
                *length = UNBOUNDED;
            }
            let before = all.clone();
            join_all(&mut all, &front);
            if all == before {
                return all;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lead;

    fn lead(pattern: &str, words: &[&str]) -> Lead {
        let hir = regex_syntax::ParserBuilder::new()
            .utf8(false)
            .unicode(false)
            .build()
            .parse(pattern)
            .unwrap();
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        Lead::of(&hir, &words)
    }

    #[test]
    fn the_first_word_is_found_whatever_the_pattern_is_made_of() {
        assert_eq!(lead(r"\bghp_[A-Za-z0-9]{36}", &["ghp_"]), Lead::Within(4));
        assert_eq!(lead(r"(?i)(?:a|xyz)?token=[a-z]{9}", &["token"]), Lead::Within(8));
        assert_eq!(lead(r"[a-z]{2,5}key", &["key"]), Lead::Within(8));
        assert_eq!(
            lead(r"(?i:pass(?:word)?|pwd)=", &["pass", "pwd"]),
            Lead::Within(4)
        );
        assert_eq!(
            lead(r"(?i:identified\s{1,4}by|password)'", &["password", "identified"]),
            Lead::Within(10)
        );
        assert_eq!(lead(r"\w*key", &["key"]), Lead::Anywhere);
        assert_eq!(lead(r"creds?|keys?", &["key"]), Lead::Missing);
        assert_eq!(lead(r"(?:ab)*c", &["abc"]), Lead::Missing);
        assert_eq!(lead(r"(?:ab){1,3}c", &["abc"]), Lead::Within(7));
        assert_eq!(lead(r"x[ab]{3}c", &["aac", "bbc", "abc", "bac"]), Lead::Within(5));
    }

    #[test]
    fn a_word_inside_another_ends_first() {
        assert_eq!(lead("xsecret_key", &["secret_key", "cre"]), Lead::Within(6));
        assert_eq!(lead("aab", &["ab", "aaa"]), Lead::Within(3));
        assert_eq!(lead("abab", &["abac", "bab"]), Lead::Within(4));
    }
}
