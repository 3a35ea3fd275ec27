//! GitHub's `primaryLocationLineHash`: what tells code scanning that an alert is the same after lines have moved.
//!
//! The algorithm is that of codeql-action (`src/fingerprints.ts`). The hash of a line covers up to 100 characters of
//! text without blanks, the line's own among them, so a short secret can be guessed from it: never make one of text
//! that is not in the repository anyway.

use std::collections::{BTreeMap, BTreeSet};

/// How many UTF-16 units one hash covers.
const BLOCK: usize = 100;
/// Base of the rolling hash; arithmetic is modulo 2^64.
const BASE: u64 = 37;
/// `BASE` to the power of `BLOCK`: the weight of the unit that leaves the window.
const FIRST: u64 = power(BASE, BLOCK);
/// The unit that stands for the end of the file.
const END_OF_FILE: u16 = 65535;

const fn power(base: u64, exponent: usize) -> u64 {
    let mut product = 1_u64;
    let mut left = exponent;
    while left > 0 {
        product = product.wrapping_mul(base);
        left -= 1;
    }
    product
}

/// The value of `primaryLocationLineHash` for each of these lines (counted from 1) that `text` has: the hash of the
/// line, a colon, and how many lines down to this one share it.
///
/// Reads twice, and no further than 100 characters behind the last wanted line; memory grows with the number of wanted
/// lines, not with the text.
pub fn of_lines(text: &[u8], wanted: &[usize]) -> BTreeMap<usize, String> {
    let wanted: BTreeSet<usize> = wanted.iter().copied().collect();
    let Some(&last) = wanted.last() else {
        return BTreeMap::new();
    };
    let hashes: BTreeMap<usize, u64> = up_to(text, last)
        .filter(|(line, _)| wanted.contains(line))
        .collect();
    let mut seen: BTreeMap<u64, usize> = hashes.values().map(|hash| (*hash, 0)).collect();
    let mut named = BTreeMap::new();
    for (line, hash) in up_to(text, last) {
        let Some(count) = seen.get_mut(&hash) else {
            continue;
        };
        *count += 1;
        if hashes.contains_key(&line) {
            named.insert(line, format!("{hash:x}:{count}"));
        }
    }
    named
}

/// Lines come out in order and without gaps, so taking `last` of them stops right behind it.
fn up_to(text: &[u8], last: usize) -> impl Iterator<Item = (usize, u64)> + '_ {
    line_hashes(text).take(last)
}

/// The line number (from 1) and hash of every line, in order; reads only as far as the caller asks.
///
/// What is not UTF-8 counts as U+FFFD; a lone carriage return ends a line too.
pub fn line_hashes(text: &[u8]) -> impl Iterator<Item = (usize, u64)> + '_ {
    let units = text.utf8_chunks().flat_map(|chunk| {
        let broken = (!chunk.invalid().is_empty()).then_some('\u{fffd}');
        chunk.valid().chars().chain(broken).flat_map(|c| {
            let mut buffer = [0_u16; 2];
            let length = c.encode_utf16(&mut buffer).len();
            buffer.into_iter().take(length)
        })
    });
    let mut window = Window::new();
    let mut after_return = false;
    let content = units
        .filter_map(move |unit| without_blanks(unit, &mut after_return))
        .chain([END_OF_FILE])
        .map(Step::Text);
    content
        .chain(std::iter::repeat_n(Step::Padding, BLOCK))
        .filter_map(move |step| window.take(step))
}

/// Drops blanks and makes every line end a line feed.
fn without_blanks(unit: u16, after_return: &mut bool) -> Option<u16> {
    const TAB: u16 = 9;
    const LINE_FEED: u16 = 10;
    const RETURN: u16 = 13;
    const SPACE: u16 = 32;
    let ends_pair = *after_return && unit == LINE_FEED;
    *after_return = unit == RETURN;
    match unit {
        SPACE | TAB => None,
        LINE_FEED if ends_pair => None,
        RETURN => Some(LINE_FEED),
        other => Some(other),
    }
}

/// What enters the window next.
#[derive(Clone, Copy)]
enum Step {
    /// A unit of the text, or its end.
    Text(u16),
    /// A zero that pushes the last lines out.
    Padding,
}

/// The last hundred units, as a ring, with the lines that begin in it.
struct Window {
    units: [u16; BLOCK],
    lines: [Option<usize>; BLOCK],
    slot: usize,
    hash: u64,
    line: usize,
    at_line_start: bool,
}

impl Window {
    fn new() -> Self {
        Self {
            units: [0; BLOCK],
            lines: [None; BLOCK],
            slot: 0,
            hash: 0,
            line: 0,
            at_line_start: true,
        }
    }

    /// Moves the window on by one unit; a line whose first unit leaves it is complete.
    fn take(&mut self, step: Step) -> Option<(usize, u64)> {
        let complete = self.lines[self.slot].take().map(|line| (line, self.hash));
        let unit = match step {
            Step::Padding => 0,
            Step::Text(unit) => {
                if self.at_line_start {
                    self.line += 1;
                    self.lines[self.slot] = Some(self.line);
                }
                self.at_line_start = unit == u16::from(b'\n');
                unit
            }
        };
        let leaving = u64::from(std::mem::replace(&mut self.units[self.slot], unit));
        self.hash = self
            .hash
            .wrapping_mul(BASE)
            .wrapping_add(u64::from(unit))
            .wrapping_sub(FIRST.wrapping_mul(leaving));
        self.slot = (self.slot + 1) % BLOCK;
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::{line_hashes, of_lines};

    fn all(text: &str) -> String {
        let lines: Vec<usize> = line_hashes(text.as_bytes()).map(|(line, _)| line).collect();
        let hashes: Vec<String> = of_lines(text.as_bytes(), &lines).into_values().collect();
        hashes.join(" ")
    }

    #[test]
    fn the_published_vectors_are_met() {
        assert_eq!(all(""), "c129715d7a2bc9a3:1");
        assert_eq!(
            all(" a\nb\n  \t\tc\n d"),
            "271789c17abda88f:1 54703d4cd895b18:1 180aee12dab6264:1 a23a3dc5e078b07b:1"
        );
        assert_eq!(
            all("x = 2\nx = 1\nprint(x)\nx = 3\nprint(x)\nx = 4\nprint(x)\n"),
            "e54938cc54b302f1:1 bb609acbe9138d60:1 1131fd5871777f34:1 5c482a0f8b35ea28:1 \
             54517377da7028d2:1 2c644846cb18d53e:1 f1b89f20de0d133:1 c129715d7a2bc9a3:1"
        );
    }

    #[test]
    fn every_kind_of_line_end_gives_the_same_hashes() {
        let expected = "e9496ae3ebfced30:1 fb7c023a8b9ccb3f:1 ce8ba1a563dcdaca:1 e20e36e16fcb0cc8:1 \
                        b3edc88f2938467e:1 c8e28b0b4002a3a0:1 c129715d7a2bc9a3:1";
        let text = " hello; \t\nworld!!!\n\n\n  \t\tGreetings\n End\n";
        assert_eq!(all(text), expected);
        assert_eq!(all(&text.replace('\n', "\r")), expected);
        assert_eq!(all(&text.replace('\n', "\r\n")), expected);
        assert_eq!(
            all(" hello; \t\nworld!!!\r\n\n\r  \t\tGreetings\r End\r\n"),
            expected
        );
    }

    #[test]
    fn lines_with_the_same_hash_are_counted() {
        let repeated: Vec<String> = (1..=6).map(|n| format!("a7f2ff13bc495cf2:{n}")).collect();
        let expected = [
            repeated.join(" ").as_str(),
            "a7f2ff1481e87703:1 a9cf91f7bbf1862b:1 55ec222b86bcae53:1 cc97dc7b1d7d8f7b:1 c129715d7a2bc9a3:1",
        ]
        .join(" ");
        assert_eq!(all(&"Lorem ipsum dolor sit amet.\n".repeat(10)), expected);
    }

    #[test]
    fn a_wanted_line_is_counted_among_lines_that_are_not_wanted() {
        let text = "Lorem ipsum dolor sit amet.\n".repeat(10);
        let named = of_lines(text.as_bytes(), &[99, 4]);
        assert_eq!(
            named.into_iter().collect::<Vec<_>>(),
            [(4, "a7f2ff13bc495cf2:4".to_owned())]
        );
        assert!(of_lines(text.as_bytes(), &[]).is_empty());
    }

    #[test]
    fn no_more_is_read_than_the_wanted_line_needs() {
        let mut first = vec![b'a'; 300];
        first.extend(b"\nsecond");
        let mut other = vec![b'a'; 300];
        other.extend(b"\nsomething else");
        assert_eq!(of_lines(&first, &[1]), of_lines(&other, &[1]));
        assert_eq!(
            line_hashes(&vec![b'x'; 1 << 20]).next().map(|(line, _)| line),
            Some(1)
        );
    }

    #[test]
    fn broken_utf8_counts_as_the_replacement_character_and_wide_characters_as_two_units() {
        assert_eq!(
            of_lines(b"a\xffb\nc", &[1, 2]),
            of_lines("a\u{fffd}b\nc".as_bytes(), &[1, 2])
        );
        let weights: [(u64, u32); 3] = [(0xd83d, 99), (0xde00, 98), (0xffff, 97)];
        let hash = weights.iter().fold(0_u64, |sum, (unit, exponent)| {
            sum.wrapping_add(unit.wrapping_mul(37_u64.wrapping_pow(*exponent)))
        });
        assert_eq!(of_lines("😀".as_bytes(), &[1])[&1], format!("{hash:x}:1"));
    }
}
