//! The text of PDF: what its compressed streams draw.
//!
//! Streams packed by Flate are unpacked; of those that draw pages the strings are taken, others (metadata, scripts,
//! objects) as they are. Strings whose fonts have their own numbers for letters, and encrypted documents, stay closed:
//! that takes the whole of PDF, and those who paste a token into a document get one of the usual fonts.

use super::{Kind, Member, Unpacking, Way};

/// How far before a stream its dictionary is looked for, in bytes.
const DICTIONARY: usize = 2048;

/// A gap between two strings that is a blank, in thousandths of the font's size.
const BLANK: f32 = -200.0;

impl Unpacking<'_> {
    /// Hands over the document as it is, and then the text of its streams as one.
    pub(super) fn pdf(&mut self, bytes: &[u8], way: &Way) {
        let outside = way.via.strip_suffix(Kind::Pdf.name()).unwrap_or_default();
        self.taker.member(Member {
            path: &way.path,
            via: outside.trim_end_matches('>'),
            bytes,
        });
        let mut text = Vec::new();
        let mut at = 0;
        while let Some(found) = memchr::memmem::find(&bytes[at..], b"stream") {
            let keyword = at + found;
            at = keyword + b"stream".len();
            let start = match bytes.get(at..) {
                Some([b'\r', b'\n', ..]) => at + 2,
                Some([b'\n' | b'\r', ..]) => at + 1,
                _ => continue,
            };
            let head = &bytes[keyword.saturating_sub(DICTIONARY)..keyword];
            let head = memchr::memmem::rfind(head, b"obj").map_or(head, |object| &head[object..]);
            let end =
                memchr::memmem::find(&bytes[start..], b"endstream").map_or(bytes.len(), |end| start + end);
            at = (end + b"endstream".len()).min(bytes.len());
            let flate =
                memchr::memmem::find(head, b"/FlateDecode").or_else(|| memchr::memmem::find(head, b"/Fl "));
            let picture = memchr::memmem::find(head, b"/Image").is_some();
            if flate.is_none() || picture {
                continue;
            }
            if !self.next_entry(way) {
                break;
            }
            let packed = &bytes[start..end];
            let stream = self.drain(&mut flate2::read::ZlibDecoder::new(packed), packed.len(), way);
            append(&stream, &mut text);
        }
        if !text.is_empty() {
            self.taker.member(Member {
                path: &way.path,
                via: &way.via,
                bytes: &text,
            });
        }
    }
}

fn append(stream: &[u8], text: &mut Vec<u8>) {
    let draws = [&b"Tj"[..], b"TJ"]
        .iter()
        .any(|operator| memchr::memmem::find(stream, operator).is_some());
    if draws && memchr::memmem::find(stream, b"BT").is_some() {
        drawn(stream, text);
    } else if std::str::from_utf8(stream).is_ok() && !stream.contains(&0) {
        text.extend_from_slice(stream);
    }
    text.push(b'\n');
}

/// The strings that a page draws, in their order.
fn drawn(stream: &[u8], text: &mut Vec<u8>) {
    let mut at = 0;
    let mut number = 0.0_f32;
    while let Some(&byte) = stream.get(at) {
        match byte {
            b'(' => at = literal(stream, at + 1, text),
            b'<' if stream.get(at + 1) != Some(&b'<') => at = digits(stream, at + 1, text),
            b'-' | b'.' | b'0'..=b'9' => {
                let end = word(stream, at);
                number = std::str::from_utf8(&stream[at..end])
                    .ok()
                    .and_then(|word| word.parse().ok())
                    .unwrap_or(0.0);
                // In an array of strings a number moves back what follows.
                if number < BLANK && number > -5000.0 {
                    text.push(b' ');
                }
                at = end;
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'\'' | b'"' | b'*' => {
                let end = word(stream, at).max(at + 1);
                match &stream[at..end] {
                    // Along the line; anything else begins another.
                    b"Td" | b"TD" if number == 0.0 => {}
                    b"Td" | b"TD" | b"T*" | b"Tm" | b"ET" | b"'" | b"\"" => text.push(b'\n'),
                    _ => {}
                }
                at = end;
            }
            _ => at += 1,
        }
    }
}

fn word(stream: &[u8], at: usize) -> usize {
    let rest = &stream[at..];
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'*' | b'\'' | b'"');
    at + rest.iter().position(|byte| !inner(byte)).unwrap_or(rest.len())
}

/// A string in brackets, which may stand in each other; gives the place behind it.
fn literal(stream: &[u8], start: usize, text: &mut Vec<u8>) -> usize {
    let (mut at, mut depth) = (start, 1_usize);
    while let Some(&byte) = stream.get(at) {
        at += 1;
        match byte {
            b'\\' => {
                let octal = stream[at..]
                    .iter()
                    .take(3)
                    .take_while(|byte| matches!(byte, b'0'..=b'7'))
                    .count();
                if octal > 0 {
                    let digit = |value: u32, byte: &u8| value * 8 + u32::from(byte - b'0');
                    let value = stream[at..at + octal].iter().fold(0, digit);
                    text.push(u8::try_from(value & 0xFF).unwrap_or(b' '));
                    at += octal;
                } else if let Some(&escaped) = stream.get(at) {
                    at += 1;
                    match escaped {
                        b'n' | b'r' => text.push(b'\n'),
                        b't' => text.push(b'\t'),
                        b'\n' | b'\r' => {}
                        other => text.push(other),
                    }
                }
                continue;
            }
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
        text.push(byte);
    }
    at
}

/// A string in hexadecimal digits; gives the place behind it.
fn digits(stream: &[u8], start: usize, text: &mut Vec<u8>) -> usize {
    let rest = &stream[start..];
    let end = memchr::memchr(b'>', rest).unwrap_or(rest.len());
    let digits: Vec<u8> = rest[..end]
        .iter()
        .filter_map(|byte| (*byte as char).to_digit(16))
        .filter_map(|digit| u8::try_from(digit).ok())
        .collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0))
        .collect();
    if std::str::from_utf8(&bytes).is_ok() && !bytes.contains(&0) {
        text.extend_from_slice(&bytes);
    }
    start + end + 1
}
