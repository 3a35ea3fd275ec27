//! What mail and the web write characters as: `%5F`, `&#x5f;`, `&lowbar;`, `=5F`.

use super::escape::{hexadecimal, is_shown};
use super::map::Made;
use super::weave::Pieces;

/// Percent-encoding (RFC 3986); bytes that are no printable ASCII stay as they are.
pub(super) fn percent(text: &[u8]) -> Pieces {
    let mut pieces = Pieces::default();
    for at in memchr::memchr_iter(b'%', text) {
        if let Some(c) = text.get(at + 1..at + 3).and_then(ascii) {
            pieces.push_char(at..at + 3, c);
        }
    }
    pieces
}

/// The ASCII character that two hexadecimal digits stand for.
fn ascii(digits: &[u8]) -> Option<char> {
    let value = hexadecimal(digits).filter(|value| *value < 0x80)?;
    char::from_u32(value).filter(|c| is_shown(*c))
}

/// Longest name in [`NAMED`], and longest number, in bytes.
const LONGEST_ENTITY: usize = 10;

/// The characters that stand in tokens, addresses and code, as HTML names them.
const NAMED: &[(&[u8], char)] = &[
    (b"amp", '&'),
    (b"AMP", '&'),
    (b"apos", '\''),
    (b"ast", '*'),
    (b"bsol", '\\'),
    (b"colon", ':'),
    (b"comma", ','),
    (b"commat", '@'),
    (b"dollar", '$'),
    (b"equals", '='),
    (b"excl", '!'),
    (b"gt", '>'),
    (b"GT", '>'),
    (b"hyphen", '-'),
    (b"dash", '-'),
    (b"lbrace", '{'),
    (b"lcub", '{'),
    (b"lbrack", '['),
    (b"lsqb", '['),
    (b"lowbar", '_'),
    (b"UnderBar", '_'),
    (b"lpar", '('),
    (b"lt", '<'),
    (b"LT", '<'),
    (b"nbsp", ' '),
    (b"NewLine", '\n'),
    (b"num", '#'),
    (b"percnt", '%'),
    (b"period", '.'),
    (b"plus", '+'),
    (b"quest", '?'),
    (b"quot", '"'),
    (b"QUOT", '"'),
    (b"rbrace", '}'),
    (b"rcub", '}'),
    (b"rbrack", ']'),
    (b"rsqb", ']'),
    (b"rpar", ')'),
    (b"semi", ';'),
    (b"shy", '-'),
    (b"sol", '/'),
    (b"Tab", '\t'),
    (b"Hat", '^'),
    (b"grave", '`'),
    (b"vert", '|'),
    (b"verbar", '|'),
];

/// Character references of HTML and XML.
pub(super) fn entities(text: &[u8]) -> Pieces {
    let mut pieces = Pieces::default();
    for at in memchr::memchr_iter(b'&', text) {
        let window = &text[at + 1..text.len().min(at + 2 + LONGEST_ENTITY)];
        let Some(length) = memchr::memchr(b';', window) else {
            continue;
        };
        let name = &window[..length];
        let found = match name {
            [b'#', b'x' | b'X', digits @ ..] => hexadecimal(digits).and_then(char::from_u32),
            [b'#', digits @ ..] => decimal(digits).and_then(char::from_u32),
            _ => NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| *c),
        };
        if let Some(c) = found.filter(|c| is_shown(*c)) {
            pieces.push_char(at..at + length + 2, c);
        }
    }
    pieces
}

fn decimal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Longest line of quoted-printable text (RFC 2045), and the shortest that a writer of it breaks softly, in bytes.
const LINE: std::ops::RangeInclusive<usize> = 70..=76;

/// Quoted-printable: where a header says so, or lines are broken softly at its width and an `=` is written as `=3D`.
pub(super) fn quoted_printable(text: &[u8]) -> Pieces {
    let mut pieces = Pieces::default();
    let Some(first) = memchr::memchr(b'=', text) else {
        return pieces;
    };
    let said = || memchr::memmem::find(text, b"uoted-printable").is_some();
    let seen = || memchr::memmem::find(&text[first..], b"=3D").is_some() && breaks_softly(text);
    if !said() && !seen() {
        return pieces;
    }
    for at in memchr::memchr_iter(b'=', text) {
        match text.get(at + 1..) {
            Some([b'\n', ..]) => pieces.push(at..at + 2, b"", Made::AsOne),
            Some([b'\r', b'\n', ..]) => pieces.push(at..at + 3, b"", Made::AsOne),
            Some([high, low, ..]) if !high.is_ascii_lowercase() && !low.is_ascii_lowercase() => {
                if let Some(c) = ascii(&[*high, *low]) {
                    pieces.push_char(at..at + 3, c);
                }
            }
            _ => {}
        }
    }
    pieces
}

fn breaks_softly(text: &[u8]) -> bool {
    let mut start = 0;
    memchr::memchr_iter(b'\n', text).any(|newline| {
        let line = &text[start..newline];
        start = newline + 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.ends_with(b"=") && LINE.contains(&line.len())
    })
}
