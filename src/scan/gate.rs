//! The gate: where in a text do the rules' keywords stand?
//!
//! One pass over four bytes at a time, upper case folded into lower, against a table of 8,192 words of 64 bits: three
//! bytes choose the word, the fourth the bit. What a position costs does not depend on how many rules there are, and
//! nothing is compiled at start-up. Of each keyword only its rarest four bytes are in the table; the keyword is compared
//! in full where they occur. What is rare is read off a list (`frequent.txt`): the two thousand most frequent runs of
//! four characters in the sources of git, Rails, Ansible, Spring, Vue, tokio and redis, the most frequent first. By the
//! letters' own frequency "mandrill" was looked for at every "command", and two thirds of all comparisons were vain.
//!
//! Beside it an Aho-Corasick automaton was measured, which the rest of the field uses: facts/speed.md B1 has it at
//! 0.07 GB/s with 1,000 rules (built in 5.5 ms at every start) where such a table keeps 0.46 GB/s. Three bytes at a
//! time were slower: two and a half times as many places to be looked at. One branch a position was slower than one
//! for sixteen. With all four bytes in one hash a keyword of three had to be entered with whatever may follow it, and
//! seventy of them made every twentieth position a place to be looked at; now each fills what it needs of one word: with
//! whole words, three hundred keywords of three bytes made every sixteenth position such a place.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::rule::steps::Bytes;

/// Words of the table: 64 KiB in all.
const WORDS: usize = 1 << 13;

/// Keywords shorter than this many bytes have a way of their own.
const GRAM: usize = 4;

/// Positions that are asked about before anything is decided.
const BLOCK: usize = 16;

/// Bytes that a block looks at.
const BLOCK_READS: usize = BLOCK + 4;

/// Runs of four characters that are no sign of anything.
const FREQUENT_RUNS: &str = include_str!("frequent.txt");

/// Lower-case letters from the most frequent in source text to the least; other characters are rarer still.
const FREQUENT: &[u8] = b" etaoinrslcdupmfhg_ybv.-kwx/jzq";

/// A keyword and the window of it that the table knows.
struct Keyword {
    text: Vec<u8>,
    /// Where the window begins in it.
    window: usize,
}

/// A keyword as a word of the table leads to it. What it holds of the keyword's text spares most looks at that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Member {
    word: u32,
    /// The window's bytes, folded.
    gram: u32,
    /// Which of its bytes are the keyword's.
    mask: u32,
    number: u32,
}

/// The compiled keywords.
pub(super) struct Gate {
    keywords: Vec<Keyword>,
    bitmap: Box<[u64; WORDS]>,
    /// Sorted by word of the table: the keywords whose window leads to it.
    members: Vec<Member>,
    /// For each word the first of `members` that is not before it.
    first: Vec<u32>,
    /// Keywords of two bytes; most rule sets have none.
    pairs: Vec<([u8; 2], u32)>,
}

impl Gate {
    /// Takes keywords of two bytes or more, each with the bytes that may stand behind it; [`Gate::find`] names them by
    /// their place in this list, and may pass over one behind which another byte stands.
    pub(super) fn new<'a>(words: impl IntoIterator<Item = (&'a str, Bytes)>) -> Self {
        let mut gate = Self {
            keywords: Vec::new(),
            bitmap: Box::new([0; WORDS]),
            members: Vec::new(),
            first: vec![0; WORDS + 1],
            pairs: Vec::new(),
        };
        let ranks = ranks();
        for (number, (word, next)) in words.into_iter().enumerate() {
            let text = word.to_ascii_lowercase().into_bytes();
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            let window = gate.enter(number, &text, next, &ranks);
            gate.keywords.push(Keyword { text, window });
        }
        gate.members.sort_unstable();
        gate.members.dedup();
        for member in &gate.members {
            gate.first[member.word as usize + 1] += 1;
        }
        let mut sum = 0;
        for first in &mut gate.first {
            sum += *first;
            *first = sum;
        }
        gate
    }

    /// Puts a keyword's window into its table; gives the window's beginning.
    fn enter(&mut self, number: u32, text: &[u8], next: Bytes, ranks: &Ranks) -> usize {
        match *text {
            [] | [_] => 0,
            [a, b] => {
                self.pairs.push(([a, b], number));
                0
            }
            [a, b, c] => {
                let gram = u32::from_le_bytes([a, b, c, 0]);
                let word = word(gram);
                // Nothing may stand behind it too: the text's end reads as NUL.
                let bits = (0..=255).filter(|&byte| byte == 0 || next.has(byte));
                self.bitmap[word] |= bits.fold(0, |bits, byte| bits | 1 << (byte & 63));
                self.add(number, gram, 0x00FF_FFFF);
                0
            }
            _ => {
                let rarest = |window: &[u8]| {
                    // Rows of one sign underline what stands above them.
                    let is_row = window.iter().all(|byte| *byte == window[0]);
                    let common = window.iter().map(|byte| commonness(*byte)).sum::<usize>();
                    let run = ranks.get(&folded(gram(window))).copied().unwrap_or_default();
                    (is_row, run, common)
                };
                let windows = text.windows(GRAM).enumerate();
                let (start, window) = windows
                    .min_by_key(|(_, window)| rarest(window))
                    .unwrap_or((0, text));
                let (gram, last) = (gram(window), window[GRAM - 1]);
                let word = word(gram);
                for byte in [last, last.to_ascii_uppercase()] {
                    self.bitmap[word] |= 1 << (byte & 63);
                }
                self.add(number, gram, u32::MAX);
                start
            }
        }
    }

    fn add(&mut self, number: u32, gram: u32, mask: u32) {
        self.members.push(Member {
            word: word(gram) as u32,
            gram: folded(gram) & mask,
            mask,
            number,
        });
    }

    /// Calls `found` with the number, start and end of every keyword in the text, in no certain order.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(usize, usize, usize)) {
        let mut at = 0;
        while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<BLOCK_READS>) {
            let mut mask =
                self.four(block, 0) | self.four(block, 4) | self.four(block, 8) | self.four(block, 12);
            while mask != 0 {
                self.confirm(text, at + mask.trailing_zeros() as usize, &mut found);
                mask &= mask - 1;
            }
            at += BLOCK;
        }
        for at in at..text.len() {
            self.confirm(text, at, &mut found);
        }
        for pair in &self.pairs {
            find_pair(text, *pair, &mut found);
        }
    }

    /// Which of the four positions from `from` on lead to a keyword, as bits `from` to `from + 3`.
    #[inline]
    fn four(&self, block: &[u8; BLOCK_READS], from: usize) -> u32 {
        let eight = block[from..].first_chunk::<8>().copied().unwrap_or_default();
        let eight = u64::from_le_bytes(eight);
        let bit = |by: u32| {
            let gram = (eight >> (8 * by)) as u32;
            (self.bitmap[word(gram)] >> (gram >> 24 & 63)) as u32 & 1
        };
        (bit(0) | bit(1) << 1 | bit(2) << 2 | bit(3) << 3) << from
    }

    /// Compares in full the keywords whose window begins at `at`.
    #[inline(never)]
    fn confirm(&self, text: &[u8], at: usize, found: &mut impl FnMut(usize, usize, usize)) {
        let gram = gram(&text[at..]);
        let word = word(gram);
        let members = self.first[word] as usize..self.first[word + 1] as usize;
        for member in &self.members[members] {
            if folded(gram) & member.mask != member.gram {
                continue;
            }
            let number = member.number as usize;
            let keyword = &self.keywords[number];
            let Some(start) = at.checked_sub(keyword.window) else {
                continue;
            };
            let stop = start + keyword.text.len();
            let same = |part: &[u8]| {
                let mut pairs = part.iter().zip(&keyword.text);
                pairs.all(|(byte, known)| byte.to_ascii_lowercase() == *known)
            };
            if text.get(start..stop).is_some_and(same) {
                found(number, start, stop);
            }
        }
    }
}

/// Two bytes are too common for the table; compared one by one in blocks they are quick all the same.
fn find_pair(text: &[u8], (pair, number): ([u8; 2], u32), found: &mut impl FnMut(usize, usize, usize)) {
    const STEP: usize = 64;
    let is =
        |at: usize| text[at].to_ascii_lowercase() == pair[0] && text[at + 1].to_ascii_lowercase() == pair[1];
    let mut at = 0;
    while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk::<{ STEP + 1 }>) {
        let mut any = 0;
        for i in 0..STEP {
            any |= u8::from((block[i] | 0x20) == (pair[0] | 0x20))
                & u8::from((block[i + 1] | 0x20) == (pair[1] | 0x20));
        }
        if any != 0 {
            for at in (at..at + STEP).filter(|&at| is(at)) {
                found(number as usize, at, at + 2);
            }
        }
        at += STEP;
    }
    for at in (at..text.len().saturating_sub(1)).filter(|&at| is(at)) {
        found(number as usize, at, at + 2);
    }
}

/// The first four bytes; NULs where there are fewer.
#[inline]
fn gram(text: &[u8]) -> u32 {
    if let Some(gram) = text.first_chunk::<GRAM>() {
        return u32::from_le_bytes(*gram);
    }
    let mut bytes = [0; GRAM];
    for (to, from) in bytes.iter_mut().zip(text) {
        *to = *from;
    }
    u32::from_le_bytes(bytes)
}

/// One bit folds the case of letters, and a few other characters into each other.
#[inline]
fn folded(gram: u32) -> u32 {
    gram | 0x2020_2020
}

/// The word of the table that the first three of four bytes choose.
#[inline]
fn word(gram: u32) -> usize {
    let three = folded(gram) << 8;
    // The mask is the table's size: it spares the check of a bound that always holds.
    (three.wrapping_mul(0x9E37_79B1) >> 19) as usize & (WORDS - 1)
}

/// Ranks by the bytes of a run. It is made and asked twelve thousand times at every start, and all its keys are ours.
type Ranks = HashMap<u32, usize, BuildHasherDefault<Spread>>;

/// A hash of four bytes.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u32(byte.into());
        }
    }

    fn write_u32(&mut self, four: u32) {
        // The table takes the uppermost bits and the lowest ones.
        let product = (self.0 ^ u64::from(four)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ product >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// How often a run of four characters occurs, by its folded bytes; higher is more often.
fn ranks() -> Ranks {
    let runs = FREQUENT_RUNS.lines().rev().flat_map(|line| line.split('|').rev());
    let folded = runs.map(|run| folded(gram(run.as_bytes())));
    folded.zip(1..).collect()
}

/// How often a byte occurs in source text, roughly; higher is more often.
fn commonness(byte: u8) -> usize {
    FREQUENT
        .iter()
        .position(|frequent| *frequent == byte)
        .map_or(0, |place| FREQUENT.len() - place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, proptest};

    use super::{Bytes, Gate};

    fn found(words: &[&str], text: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        let words_and_next = words.iter().map(|word| (*word, Bytes::ALL));
        Gate::new(words_and_next).find(text, |number, start, stop| {
            assert!(text[start..stop].eq_ignore_ascii_case(words[number].as_bytes()));
            all.push((number, start));
        });
        all.sort_unstable();
        all
    }

    #[test]
    fn keywords_are_found_in_any_case_at_both_ends_and_on_top_of_each_other() {
        assert_eq!(
            found(&["ghp_", "sg.", "sk", "token"], b"GHP_tokensg."),
            [(0, 0), (1, 9), (3, 4)]
        );
        assert_eq!(found(&["sk"], b"SKsk"), [(0, 0), (0, 2)]);
        assert_eq!(
            found(&["abc", "abcd", "bcde"], b"xabcde"),
            [(0, 1), (1, 1), (2, 2)]
        );
        assert_eq!(found(&["abcd"], b"abc"), []);
        assert_eq!(found(&["abc"], b""), []);
    }

    proptest! {
        #[test]
        fn what_a_plain_search_finds_the_gate_finds(
            words in prop::collection::vec("[a-c_]{2,7}", 1..9),
            text in "[a-cA-C_ é]{0,120}",
        ) {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let folded = text.to_ascii_lowercase();
            let mut plain = Vec::new();
            for (number, word) in words.iter().enumerate() {
                for start in 0..folded.len() {
                    if folded.as_bytes()[start..].starts_with(word.as_bytes()) {
                        plain.push((number, start));
                    }
                }
            }
            assert_eq!(found(&words, text.as_bytes()), plain);
        }
    }
}
