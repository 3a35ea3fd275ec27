//! Which bytes of the original each byte of a decoded text was made of.
//!
//! A list of segments in the order of the decoded text; a question is a binary search. Must never answer with a range
//! outside the original, whatever is asked.

use std::ops::Range;

/// How the bytes of a segment came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Byte for byte.
    Copied,
    /// All of it out of the whole range: an entity, an escape, a joint that vanished.
    AsOne,
    /// Out of symbols of `bits` bits each, `bytes` of them for one byte of the text. `pieces` says where runs of
    /// symbols begin: the number of the first symbol, and its place in the original.
    Symbols {
        /// 6 for base64, 4 for hexadecimal digits.
        bits: usize,
        /// Decoded bytes that one byte of the text was made of: 2 where they were UTF-16.
        bytes: usize,
        /// Symbols so far, and the place of the next.
        pieces: Vec<(usize, usize)>,
    },
}

#[derive(Clone, Debug)]
struct Segment {
    out: usize,
    length: usize,
    from: Range<usize>,
    made: Made,
}

/// The way from a decoded text to its original.
#[derive(Clone, Debug, Default)]
pub(super) struct Map {
    segments: Vec<Segment>,
    length: usize,
}

impl Map {
    /// The next `length` bytes were made of this range in this way.
    pub(super) fn push(&mut self, length: usize, from: Range<usize>, made: Made) {
        if made == Made::Copied && length == 0 {
            return;
        }
        self.segments.push(Segment {
            out: self.length,
            length,
            from,
            made,
        });
        self.length += length;
    }

    /// The bytes of the original that a range of the decoded text was made of.
    pub(super) fn original(&self, range: &Range<usize>) -> Range<usize> {
        let first = self
            .segments
            .partition_point(|segment| segment.out + segment.length <= range.start);
        let start = self.segments.get(first).map_or_else(
            || self.segments.last().map_or(0, |last| last.from.end),
            |segment| segment.start(range.start),
        );
        let last = self.segments.partition_point(|segment| segment.out < range.end);
        let end = match last.checked_sub(1).and_then(|last| self.segments.get(last)) {
            Some(segment) if range.end > range.start => segment.end(range.end),
            _ => start,
        };
        start..end.max(start)
    }

    /// Whether anything in this range, or right at its ends, is not copied byte for byte.
    pub(super) fn is_made(&self, range: &Range<usize>) -> bool {
        let first = self
            .segments
            .partition_point(|segment| segment.out + segment.length < range.start);
        self.segments[first..]
            .iter()
            .take_while(|segment| segment.out <= range.end)
            .any(|segment| segment.made != Made::Copied)
    }
}

impl Segment {
    /// Where the original of the byte at `out` begins.
    fn start(&self, out: usize) -> usize {
        let inner = out.saturating_sub(self.out);
        match &self.made {
            Made::Copied => self.from.start + inner,
            Made::AsOne => self.from.start,
            Made::Symbols { bits, bytes, pieces } => {
                symbol(pieces, inner * bytes * 8 / bits, self.from.start)
            }
        }
        .min(self.from.end)
    }

    /// Where the original of the bytes before `out` ends.
    fn end(&self, out: usize) -> usize {
        let inner = (out - self.out).min(self.length);
        match &self.made {
            Made::Copied => self.from.start + inner,
            Made::AsOne => self.from.end,
            Made::Symbols { bits, bytes, pieces } => {
                // The last symbol that holds a bit of the last byte.
                let last = (inner * bytes * 8).div_ceil(*bits).saturating_sub(1);
                symbol(pieces, last, self.from.start) + 1
            }
        }
        .min(self.from.end)
    }
}

fn symbol(pieces: &[(usize, usize)], number: usize, otherwise: usize) -> usize {
    let piece = pieces.partition_point(|(first, _)| *first <= number);
    piece
        .checked_sub(1)
        .and_then(|piece| pieces.get(piece))
        .map_or(otherwise, |(first, place)| place + number - first)
}

#[cfg(test)]
mod tests {
    use super::{Made, Map};

    #[test]
    fn a_range_leads_back_over_copies_joints_and_symbols() {
        let mut map = Map::default();
        map.push(4, 10..14, Made::Copied);
        map.push(0, 14..19, Made::AsOne);
        map.push(3, 19..22, Made::Copied);
        let pieces = vec![(0, 22), (4, 30)];
        map.push(
            6,
            22..34,
            Made::Symbols {
                bits: 6,
                bytes: 1,
                pieces,
            },
        );
        assert_eq!(map.original(&(0..4)), 10..14);
        assert_eq!(map.original(&(3..5)), 13..20);
        assert_eq!(map.original(&(7..13)), 22..34);
        assert_eq!(
            map.original(&(7..8)),
            22..24,
            "the first byte stands in two symbols"
        );
        assert_eq!(map.original(&(9..10)), 24..26);
        assert_eq!(map.original(&(10..11)), 30..32, "in the second line");
        assert!(map.is_made(&(3..5)) && map.is_made(&(4..4)) && !map.is_made(&(0..3)));
        assert_eq!(map.original(&(40..50)), 34..34, "nothing lies behind the end");
    }
}
