//! The gate: where in a text do the rules' keywords stand?
//!
//! One pass over four bytes at a time, upper case folded into lower, against a table of 65,536 bits: what a position
//! costs does not depend on how many rules there are, and nothing is compiled at start-up. Of each keyword only its
//! rarest four bytes are in the table; the keyword is compared in full where they occur.
//!
//! Beside it an Aho-Corasick automaton was measured, which the rest of the field uses: facts/speed.md B1 has it at
//! 0.07 GB/s with 1,000 rules (built in 5.5 ms at every start) where such a table keeps 0.46 GB/s.

/// Bits of the table's index.
const BITS: u32 = 16;

/// Keywords shorter than this many bytes go into a table of their own.
const GRAM: usize = 4;

/// Lower-case letters from the most frequent in source text to the least; other characters are rarer still.
const FREQUENT: &[u8] = b" etaoinrslcdupmfhg_ybv.-kwx/jzq";

/// A keyword and the window of it that the table knows.
struct Keyword {
    text: Vec<u8>,
    /// Where the window ends in the text, counted from its start.
    window_end: usize,
}

/// The compiled keywords.
pub(super) struct Gate {
    keywords: Vec<Keyword>,
    bitmap: Vec<u64>,
    /// Sorted: the four bytes of a window, and whose it is.
    grams: Vec<(u32, u32)>,
    /// Keywords of two bytes, by their two bytes; most rule sets have none.
    pairs: Vec<(u32, u32)>,
    pair_bitmap: Vec<u64>,
}

const fn folded() -> [u8; 256] {
    let mut table = [0_u8; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = (i as u8).to_ascii_lowercase();
        i += 1;
    }
    table
}

static FOLDED: [u8; 256] = folded();

impl Gate {
    /// Takes keywords of two bytes or more; [`Gate::find`] names them by their place in this list.
    pub(super) fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut gate = Self {
            keywords: Vec::new(),
            bitmap: bits(),
            grams: Vec::new(),
            pairs: Vec::new(),
            pair_bitmap: Vec::new(),
        };
        for (number, word) in words.into_iter().enumerate() {
            let text = word.to_ascii_lowercase().into_bytes();
            let window_end = gate.enter(u32::try_from(number).unwrap_or(u32::MAX), &text);
            gate.keywords.push(Keyword { text, window_end });
        }
        gate.grams.sort_unstable();
        gate.pairs.sort_unstable();
        gate
    }

    /// Puts a keyword's window into its table; gives the window's end.
    fn enter(&mut self, number: u32, text: &[u8]) -> usize {
        match text.len() {
            0..2 => 0,
            2 => {
                if self.pair_bitmap.is_empty() {
                    self.pair_bitmap = bits();
                }
                let pair = value(text);
                set(&mut self.pair_bitmap, pair);
                self.pairs.push((pair, number));
                2
            }
            // Whatever may follow a keyword of three bytes is in the table with it.
            3 => {
                for next in (0..=255_u8).filter(|next| FOLDED[usize::from(*next)] == *next) {
                    self.gram(value(&[text, &[next]].concat()), number);
                }
                GRAM
            }
            _ => {
                let rarest = |start: &usize| {
                    text[*start..start + GRAM]
                        .iter()
                        .map(|b| commonness(*b))
                        .sum::<usize>()
                };
                let start = (0..=text.len() - GRAM).min_by_key(rarest).unwrap_or(0);
                self.gram(value(&text[start..start + GRAM]), number);
                start + GRAM
            }
        }
    }

    fn gram(&mut self, gram: u32, number: u32) {
        set(&mut self.bitmap, hash(gram));
        self.grams.push((gram, number));
    }

    /// Calls `found` with the number, start and end of every keyword in the text, in no certain order.
    pub(super) fn find(&self, text: &[u8], mut found: impl FnMut(usize, usize, usize)) {
        let mut last = 0_u32;
        for (at, byte) in text.iter().enumerate() {
            last = (last << 8) | u32::from(FOLDED[usize::from(*byte)]);
            if get(&self.bitmap, hash(last)) {
                self.confirm(&self.grams, last, text, at + 1, &mut found);
            }
        }
        // A keyword of three bytes may end the text: nothing follows, which stands in the table as a NUL.
        self.confirm(&self.grams, last << 8, text, text.len() + 1, &mut found);
        if !self.pair_bitmap.is_empty() {
            self.find_pairs(text, &mut found);
        }
    }

    fn find_pairs(&self, text: &[u8], found: &mut impl FnMut(usize, usize, usize)) {
        let mut last = 0_u32;
        for (at, byte) in text.iter().enumerate() {
            last = ((last << 8) | u32::from(FOLDED[usize::from(*byte)])) & 0xFFFF;
            if get(&self.pair_bitmap, last) {
                self.confirm(&self.pairs, last, text, at + 1, found);
            }
        }
    }

    /// Compares in full the keywords whose window ends at `end`.
    #[inline(never)]
    fn confirm(
        &self,
        table: &[(u32, u32)],
        window: u32,
        text: &[u8],
        end: usize,
        found: &mut impl FnMut(usize, usize, usize),
    ) {
        let first = table.partition_point(|(gram, _)| *gram < window);
        for (_, number) in table[first..].iter().take_while(|(gram, _)| *gram == window) {
            let number = *number as usize;
            let keyword = &self.keywords[number];
            let Some(start) = end.checked_sub(keyword.window_end) else {
                continue;
            };
            let stop = start + keyword.text.len();
            if text
                .get(start..stop)
                .is_some_and(|part| part.eq_ignore_ascii_case(&keyword.text))
            {
                found(number, start, stop);
            }
        }
    }
}

fn bits() -> Vec<u64> {
    vec![0; 1 << (BITS - 6)]
}

fn value(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |value, byte| (value << 8) | u32::from(*byte))
}

#[inline]
fn hash(gram: u32) -> u32 {
    gram.wrapping_mul(0x9E37_79B1) >> (32 - BITS)
}

fn set(bitmap: &mut [u64], bit: u32) {
    bitmap[(bit >> 6) as usize] |= 1 << (bit & 63);
}

#[inline]
fn get(bitmap: &[u64], bit: u32) -> bool {
    // The mask is the table's size: it spares the check of a bound that always holds.
    bitmap
        .get((bit >> 6) as usize & ((1 << (BITS - 6)) - 1))
        .is_some_and(|word| word >> (bit & 63) & 1 == 1)
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

    use super::Gate;

    fn found(words: &[&str], text: &[u8]) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        Gate::new(words.iter().copied()).find(text, |number, start, stop| {
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
