//! Strings that are written in pieces: the joints are taken out.
//!
//! `"a" + "b"`, `'a' . 'b'`, `"a" & "b"`, `"a" .. "b"`, `"a" <> "b"`, `"a" || "b"`, `"a" ~ "b"`, `"a" "b"`, and a
//! backslash at the end of a line. A comma is no joint: it parts the members of a list.

use super::map::Made;
use super::weave::Pieces;

/// Most blanks, line ends included, on either side of an operator, in bytes.
const BLANKS: usize = 160;

/// Longest first, where one begins with another.
const OPERATORS: [&[u8]; 9] = [b".concat(", b"<>", b"||", b"++", b"..", b"+", b".", b"&", b"~"];

pub(super) fn find(text: &[u8]) -> Pieces {
    let mut pieces = Pieces::default();
    let mut quotes = memchr::memchr2_iter(b'"', b'\'', text).peekable();
    let mut broken = memchr::memmem::find_iter(text, b"\\\n")
        .chain(memchr::memmem::find_iter(text, b"\\\r\n"))
        .collect::<Vec<_>>();
    broken.sort_unstable();
    let mut broken = broken.into_iter().peekable();
    // Both in the order of the text, because pieces come in that order.
    loop {
        let range = match (quotes.peek(), broken.peek()) {
            (Some(quote), Some(line)) if quote < line => quotes.next().and_then(|at| joint(text, at)),
            (Some(_), None) => quotes.next().and_then(|at| joint(text, at)),
            (_, Some(_)) => broken.next().and_then(|at| line_end(text, at)),
            (None, None) => return pieces,
        };
        if let Some(range) = range {
            pieces.push(range, b"", Made::AsOne);
        }
    }
}

/// Whether a byte may be part of a token or of the name before it.
fn is_inner(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'_' | b'-' | b'+' | b'/' | b'=' | b'.' | b':' | b'@' | b'%')
}

/// The joint that begins with the quote at `at`.
fn joint(text: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let before = *text.get(at.checked_sub(1)?)?;
    if !is_inner(before) && before != b' ' {
        return None;
    }
    let quote = text[at];
    let mut next = blanks(text, at + 1);
    let operator = OPERATORS
        .iter()
        .find(|operator| text[next..].starts_with(operator));
    match operator {
        Some(operator) => next = blanks(text, next + operator.len()),
        // Literals that stand side by side: of C and Python with a blank between, of a shell without and unlike.
        None if !is_inner(before) => return None,
        None => {}
    }
    let bare = next == at + 1;
    let prefix = text[next..]
        .iter()
        .take(2)
        .take_while(|byte| is_prefix(**byte))
        .count();
    if operator.is_some() || !bare {
        next += prefix;
    }
    let opens = *text.get(next).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let side_by_side = if bare { opens != quote } else { opens == quote };
    let inner = text.get(next + 1).is_some_and(|byte| is_inner(*byte));
    (inner && (operator.is_some() || side_by_side)).then_some(at..next + 1)
}

/// Letters before a literal: of Python, C, C#.
fn is_prefix(byte: u8) -> bool {
    matches!(
        byte,
        b'f' | b'F' | b'b' | b'B' | b'r' | b'R' | b'u' | b'U' | b'L' | b'@' | b'$'
    )
}

/// Behind blanks, line ends and what says that a line goes on.
fn blanks(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while at - start < BLANKS {
        match text.get(at..) {
            Some([b' ' | b'\t' | b'\r' | b'\n', ..]) => at += 1,
            Some([b'\\' | b'_' | b'`', b'\n', ..]) => at += 2,
            Some([b'\\' | b'_' | b'`', b'\r', b'\n', ..]) => at += 3,
            _ => break,
        }
    }
    at.min(text.len())
}

/// The backslash at `at`, its line end, and the next line's indentation.
fn line_end(text: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let before = *text.get(at.checked_sub(1)?)?;
    let newline = at + text[at..].iter().position(|byte| *byte == b'\n')?;
    let indented = text[newline + 1..]
        .iter()
        .take(BLANKS)
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let end = newline + 1 + indented;
    let next = *text.get(end)?;
    (is_inner(before) && is_inner(next)).then_some(at..end)
}
