//! What was found in stretches of text that come again.
//!
//! History repeats itself: of 1,360 MB that are new in their blobs in the history of redis, each in its surroundings,
//! 38 MB are lines that were never seen before. A stretch is some lines, cut where their bytes say so, so that text
//! that moved is cut in the same way. Must never take a stretch for another: it is known by a keyed hash (SipHash) of
//! all its bytes, whose key is random in every run.
//!
//! Tried and lost: lines alone (looking each up costs what looking at it costs), carrying keywords over from the base of
//! a delta (the copies to be gone through were as many as the bytes that it spared).

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::ops::Range;

/// Stretches that are remembered at once.
const SLOTS: usize = 1 << 19;

/// Calls that are remembered at once; with more of them all is forgotten.
const MOST_CALLS: usize = 1 << 21;

/// No stretch is cut shorter, in bytes.
const SHORTEST: usize = 192;

/// Behind so many bytes a stretch ends with the line.
const LONGEST: usize = 2048;

/// One line in so many ends a stretch.
const RARITY: u64 = 4;

/// A rule that may match around a keyword, by their places in the stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Called {
    pub(super) rule: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

/// Stretches that one thread has seen.
#[derive(Debug)]
pub(super) struct Memory {
    key: RandomState,
    /// By their hash: the hash, and where their calls are (first and count).
    seen: Box<[[u64; 2]]>,
    calls: Vec<Called>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            key: RandomState::new(),
            seen: vec![[0; 2]; SLOTS].into_boxed_slice(),
            calls: Vec::new(),
        }
    }
}

impl Memory {
    /// Calls `found` with every rule that `look` names in the text, and where. `look` is asked about stretches that are
    /// not remembered.
    pub(super) fn calls(
        &mut self,
        text: &[u8],
        mut look: impl FnMut(&[u8], &mut Vec<Called>),
        mut found: impl FnMut(usize, Range<usize>),
    ) {
        let mut at = 0;
        while at < text.len() {
            let end = at + stretch(&text[at..]);
            for called in self.of(&text[at..end], &mut look) {
                let place = at + called.start as usize..at + called.end as usize;
                found(called.rule as usize, place);
            }
            at = end;
        }
    }

    /// The calls in one stretch.
    fn of(&mut self, stretch: &[u8], look: &mut impl FnMut(&[u8], &mut Vec<Called>)) -> &[Called] {
        let mut hasher = self.key.build_hasher();
        hasher.write(stretch);
        // An empty slot has the hash 0.
        let hash = hasher.finish() | 1;
        let slot = (hash >> 32) as usize % SLOTS;
        if self.seen[slot][0] != hash {
            if self.calls.len() > MOST_CALLS {
                self.calls.clear();
                self.seen.fill([0; 2]);
            }
            let first = self.calls.len();
            look(stretch, &mut self.calls);
            let count = self.calls.len() - first;
            self.seen[slot] = [hash, (first as u64) << 32 | count as u64];
        }
        let calls = self.seen[slot][1];
        let (first, count) = ((calls >> 32) as usize, calls as u32 as usize);
        &self.calls[first..first + count]
    }
}

/// Bytes of the first stretch of a text: to a NUL, or to the end of a line that says by what stands around it that a
/// stretch ends there.
fn stretch(text: &[u8]) -> usize {
    let mut at = SHORTEST;
    while let Some(end) = text.get(at..).and_then(|rest| memchr::memchr2(b'\n', 0, rest)) {
        at += end + 1;
        // What stands before it differs also where all lines begin with blanks.
        let Some(around) = text.get(at - 5..).and_then(<[u8]>::first_chunk::<8>) else {
            break;
        };
        let around = u64::from_le_bytes(*around).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        if text[at - 1] == 0 || at > LONGEST || around >> 32 & (RARITY - 1) == 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::prelude::{prop, proptest};

    use super::{Called, Memory, stretch};
    use crate::rule::RuleSet;
    use crate::scan::Scanner;
    use crate::secret::FingerprintKey;

    /// Every "ab" of the text.
    fn look(text: &[u8], calls: &mut Vec<Called>) {
        let starts = memchr::memmem::find_iter(text, "ab");
        calls.extend(starts.map(|start| Called {
            rule: 7,
            start: start as u32,
            end: start as u32 + 2,
        }));
    }

    proptest! {
        #[test]
        fn what_comes_again_is_found_again_at_its_new_place(
            lines in prop::collection::vec("[ab ]{0,90}\n", 1..9),
            order in prop::collection::vec(0_usize..9, 0..60),
        ) {
            let mut memory = Memory::default();
            for turn in 0..3 {
                let text: String = order.iter().skip(turn).map(|at| lines[at % lines.len()].as_str()).collect();
                let mut found: Vec<Range<usize>> = Vec::new();
                memory.calls(text.as_bytes(), look, |_, place| found.push(place));
                let starts = memchr::memmem::find_iter(text.as_bytes(), "ab");
                assert_eq!(found, starts.map(|start| start..start + 2).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_stretch_ends_at_a_line_or_a_nul_and_text_that_moved_is_cut_in_the_same_way() {
        let text: String = (0..400)
            .map(|number| format!("the line of the text {number}\n"))
            .collect();
        let cuts = |mut text: &str| {
            let mut lengths = Vec::new();
            while !text.is_empty() {
                let length = stretch(text.as_bytes());
                assert!(text[..length].ends_with('\n'));
                lengths.push(text.len());
                text = &text[length..];
            }
            lengths
        };
        let (all, moved) = (cuts(&text), cuts(&text[700..]));
        assert!(all.len() > 10, "{all:?}");
        assert_eq!(all[all.len() - 8..], moved[moved.len() - 8..]);
        assert_eq!(stretch(&[&[b'a'; 500][..], &[0], &[b'b'; 9]].concat()), 501);
        assert_eq!(stretch(&[b'a'; 5000]), 5000);
    }

    #[test]
    fn the_same_secrets_are_found_whatever_stood_around_them_before() {
        let rules = RuleSet::bundled().unwrap();
        let scanner = Scanner::new(&rules, FingerprintKey::new("a test"));
        let texts = || rules.rules.iter().step_by(3).flat_map(|rule| rule.accepts());
        let mut count = 0;
        for turn in 0..2 {
            let mut file = String::new();
            for (number, text) in texts().enumerate() {
                file.push_str(&format!("{}{text}\n", "# a line\n".repeat((number + turn) % 9)));
                if file.len() > 3000 {
                    let places = |hits: Vec<crate::scan::Hit>| -> Vec<_> {
                        hits.into_iter()
                            .map(|hit| (hit.rule.id.clone(), hit.range))
                            .collect()
                    };
                    let found = places(scanner.look(file.as_bytes()));
                    count += found.len();
                    assert_eq!(places(scanner.look_again(file.as_bytes())), found, "{file}");
                    file.clear();
                }
            }
        }
        assert!(count > 500, "{count}");
    }
}
