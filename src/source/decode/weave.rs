//! Puts decoded pieces back into their surroundings, so that the name before a value keeps working as its context.
//!
//! Only what stands around a piece is copied, never the whole text for one escape in it.

use std::ops::Range;

use super::map::{Made, Map};

/// How much of the original stands before and behind a decoded piece, in bytes.
const AROUND: usize = 400;

/// Pieces no farther from each other than this are one group, in bytes.
const NEAR: usize = 16;

/// What one decoder found in a text, in the order of the text and without overlaps.
#[derive(Default)]
pub(super) struct Pieces {
    bytes: Vec<u8>,
    list: Vec<Piece>,
}

struct Piece {
    from: Range<usize>,
    /// Where its text ends in `bytes`.
    to: usize,
    made: Made,
}

impl Pieces {
    /// This range of the text stands for these bytes. A range before the last one's end is left out.
    pub(super) fn push(&mut self, from: Range<usize>, bytes: &[u8], made: Made) {
        if self.list.last().is_some_and(|last| from.start < last.from.end) {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        self.list.push(Piece {
            from,
            to: self.bytes.len(),
            made,
        });
    }

    /// A character for an escape.
    pub(super) fn push_char(&mut self, from: Range<usize>, c: char) {
        self.push(from, c.encode_utf8(&mut [0; 4]).as_bytes(), Made::AsOne);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Keeps the groups of pieces of which one passes: an encoded text that was cut in two is decoded on both sides.
    pub(super) fn retain(&mut self, keep: impl Fn(&Range<usize>) -> bool) {
        let mut kept = Self::default();
        let mut at = 0;
        let follows = |a: &Piece, b: &Piece| b.from.start - a.from.end <= NEAR;
        for group in self.list.chunk_by(follows) {
            let passes = group.iter().any(|piece| keep(&piece.from));
            for piece in group {
                if passes {
                    kept.push(piece.from.clone(), &self.bytes[at..piece.to], piece.made.clone());
                }
                at = piece.to;
            }
        }
        *self = kept;
    }
}

/// A stretch of text with its decoded pieces in place.
pub(super) struct Woven {
    pub(super) bytes: Vec<u8>,
    pub(super) map: Map,
}

/// The stretches of `text` that hold pieces, each decoded, with their surroundings.
pub(super) fn weave(text: &[u8], pieces: &Pieces) -> Vec<Woven> {
    let mut woven = Vec::new();
    let mut number = 0;
    while let Some(first) = pieces.list.get(number) {
        let mut stretch = Woven {
            bytes: Vec::new(),
            map: Map::default(),
        };
        let mut at = begin(text, first.from.start);
        loop {
            let piece = &pieces.list[number];
            stretch.copy(text, at..piece.from.start);
            let start = number.checked_sub(1).map_or(0, |last| pieces.list[last].to);
            let bytes = &pieces.bytes[start..piece.to];
            stretch.bytes.extend_from_slice(bytes);
            stretch
                .map
                .push(bytes.len(), piece.from.clone(), piece.made.clone());
            at = piece.from.end;
            number += 1;
            match pieces.list.get(number) {
                Some(next) if next.from.start - at <= 2 * AROUND => {}
                _ => break,
            }
        }
        let end = end(text, at);
        stretch.copy(text, at..end);
        woven.push(stretch);
    }
    woven
}

impl Woven {
    fn copy(&mut self, text: &[u8], from: Range<usize>) {
        self.bytes.extend_from_slice(&text[from.clone()]);
        self.map.push(from.len(), from, Made::Copied);
    }
}

/// Where the surroundings begin: at a line or a word where there is one, so that no token is cut into another shape.
fn begin(text: &[u8], piece: usize) -> usize {
    let far = piece.saturating_sub(AROUND);
    if far == 0 {
        return 0;
    }
    let before = &text[far..piece];
    let line = memchr::memchr(b'\n', before);
    let word = || before.iter().position(u8::is_ascii_whitespace);
    line.or_else(word).map_or(far, |at| far + at + 1)
}

fn end(text: &[u8], piece: usize) -> usize {
    let far = (piece + AROUND).min(text.len());
    if far == text.len() {
        return far;
    }
    let behind = &text[piece..far];
    let line = memchr::memrchr(b'\n', behind);
    let word = || behind.iter().rposition(u8::is_ascii_whitespace);
    line.or_else(word).map_or(far, |at| piece + at)
}
