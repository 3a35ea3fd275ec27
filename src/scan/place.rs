//! Lines and columns of a byte range, from 1, in characters and in UTF-16 units.

use std::ops::Range;

/// Where a range of bytes stands in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPlace {
    /// First line.
    pub line: usize,
    /// First column, in characters.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// Column after the last character.
    pub end_column: usize,
    /// First column, in UTF-16 units.
    pub column_utf16: usize,
    /// Column after the last character, in UTF-16 units.
    pub end_column_utf16: usize,
}

/// Counts lines up to one position after the other; positions must not go back.
pub(super) struct Lines<'a> {
    text: &'a [u8],
    line: usize,
    start: usize,
    at: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self {
            text,
            line: 1,
            start: 0,
            at: 0,
        }
    }

    fn advance(&mut self, to: usize) {
        for newline in memchr::memchr_iter(b'\n', &self.text[self.at..to]) {
            self.line += 1;
            self.start = self.at + newline + 1;
        }
        self.at = to;
    }

    pub(super) fn place(&mut self, range: &Range<usize>) -> TextPlace {
        self.advance(range.start);
        let (line, start) = (self.line, self.start);
        let (column, column_utf16) = columns(&self.text[start..range.start]);
        // The end is counted by a copy, because the next range may begin before this one ends.
        let mut end = Lines {
            text: self.text,
            line,
            start,
            at: self.at,
        };
        end.advance(range.end);
        let (end_column, end_column_utf16) = columns(&self.text[end.start..range.end]);
        TextPlace {
            line,
            column,
            end_line: end.line,
            end_column,
            column_utf16,
            end_column_utf16,
        }
    }
}

/// Characters and UTF-16 units before the next one, plus one. Invalid bytes count one each.
fn columns(text: &[u8]) -> (usize, usize) {
    let (mut characters, mut units) = (1, 1);
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            characters += 1;
            units += c.len_utf16();
        }
        characters += chunk.invalid().len();
        units += chunk.invalid().len();
    }
    (characters, units)
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn columns_count_characters_and_utf16_units_after_wide_ones() {
        let text = "eins\n𝒳é=geheim\n".as_bytes();
        let start = text.windows(6).position(|w| w == b"geheim").unwrap();
        let place = Lines::new(text).place(&(start..start + 6));
        assert_eq!((place.line, place.column, place.column_utf16), (2, 4, 5));
        assert_eq!(
            (place.end_line, place.end_column, place.end_column_utf16),
            (2, 10, 11)
        );
    }

    #[test]
    fn a_range_over_several_lines_ends_on_the_last() {
        let text = b"a\nbc\nd";
        let mut lines = Lines::new(text);
        let place = lines.place(&(2..6));
        assert_eq!(
            (place.line, place.column, place.end_line, place.end_column),
            (2, 1, 3, 2)
        );
        assert_eq!(lines.place(&(5..6)).line, 3);
    }
}
