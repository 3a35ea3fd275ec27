//! Escapes in strings: `\uXXXX`, `\u{…}`, `\xNN`, octal, and of JSON written into a string the quotes.
//!
//! Any number of backslashes before the `u` counts as one, because every level of quoting doubles them.

use super::map::Made;
use super::weave::Pieces;

/// Says that quotes are escaped around a value: JSON in JSON, code in a notebook.
const QUOTED: [&[u8]; 4] = [b"\\\":", b"= \\\"", b"=\\\"", b": \\\""];

pub(super) fn find(text: &[u8]) -> Pieces {
    let mut pieces = Pieces::default();
    let Some(first) = memchr::memchr(b'\\', text) else {
        return pieces;
    };
    let quoted = QUOTED
        .iter()
        .any(|sign| memchr::memmem::find(&text[first.saturating_sub(2)..], sign).is_some());
    let mut at = first;
    while let Some(step) = memchr::memchr(b'\\', &text[at..]) {
        let start = at + step;
        let run = text[start..].iter().take_while(|byte| **byte == b'\\').count();
        let letter = start + run;
        at = letter;
        if let Some((c, end)) = character(text, letter).filter(|(c, _)| is_shown(*c)) {
            pieces.push_char(start..end, c);
            at = end;
        } else if quoted && let Some(byte) = text.get(letter).and_then(|byte| simple(*byte)) {
            pieces.push(start..letter + 1, &[byte], Made::AsOne);
            at = letter + 1;
        }
    }
    pieces
}

fn simple(letter: u8) -> Option<u8> {
    match letter {
        b'"' | b'\'' | b'/' => Some(letter),
        b'n' | b'r' => Some(b'\n'),
        b't' => Some(b'\t'),
        _ => None,
    }
}

/// Whether a character may stand in a text; what is none is better left as it is written.
pub(super) fn is_shown(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r') || !c.is_control()
}

/// The character that an escape stands for whose backslash is over, and where the escape ends.
fn character(text: &[u8], at: usize) -> Option<(char, usize)> {
    match text.get(at)? {
        b'u' if text.get(at + 1) == Some(&b'{') => braced(text, at + 2),
        b'x' if text.get(at + 1) == Some(&b'{') => braced(text, at + 2),
        b'u' => unit(text, at),
        b'U' => Some((char::from_u32(hexadecimal(text.get(at + 1..at + 9)?)?)?, at + 9)),
        b'x' => {
            let value = hexadecimal(text.get(at + 1..at + 3)?)?;
            (value < 0x80).then_some((char::from_u32(value)?, at + 3))
        }
        b'0'..=b'1' => {
            let digits = text.get(at..at + 3)?;
            let octal = |value: u32, digit: &u8| {
                matches!(digit, b'0'..=b'7').then(|| value * 8 + u32::from(digit - b'0'))
            };
            let value = digits.iter().try_fold(0, octal)?;
            Some((char::from_u32(value)?, at + 3))
        }
        _ => None,
    }
}

fn braced(text: &[u8], start: usize) -> Option<(char, usize)> {
    let window = &text[start..text.len().min(start + 7)];
    let length = memchr::memchr(b'}', window).filter(|length| *length > 0)?;
    let c = char::from_u32(hexadecimal(&window[..length])?)?;
    Some((c, start + length + 1))
}

/// `uXXXX`, or two of them that make one character.
fn unit(text: &[u8], at: usize) -> Option<(char, usize)> {
    let high = hexadecimal(text.get(at + 1..at + 5)?)?;
    if let Some(c) = char::from_u32(high) {
        return Some((c, at + 5));
    }
    let second = text.get(at + 5..at + 11)?;
    let low = hexadecimal(second.strip_prefix(b"\\u")?)?;
    let pair = [u16::try_from(high).ok()?, u16::try_from(low).ok()?];
    let c = char::decode_utf16(pair).next()?.ok()?;
    Some((c, at + 11))
}

/// The value of hexadecimal digits; nothing but digits, at least one, at most eight.
pub(super) fn hexadecimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0_u32, |value, digit| {
        Some(value << 4 | (*digit as char).to_digit(16)?)
    })
}
