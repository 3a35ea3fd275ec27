//! The archives of Unix packages: ar (deb), cpio and rpm.
//!
//! Their headers are a few fields each, so that a library would be more to keep than this.

use super::{Unpacking, Way, kind};

const CUT_OFF: &str = "damaged or cut off: the archive ends inside it";

impl Unpacking<'_> {
    /// Headers of 60 bytes; names are in them, in a table of long names (GNU), or before the data (BSD).
    pub(super) fn ar(&mut self, bytes: &[u8], way: &Way) {
        const HEADER: usize = 60;
        let mut at = 8;
        let mut long: &[u8] = &[];
        while at + 1 < bytes.len() {
            let header = bytes.get(at..at + HEADER);
            let Some((header, length)) =
                header.and_then(|header| Some((header, number(&header[48..58], 10)?)))
            else {
                return self.taker.skip(&way.path, CUT_OFF.to_owned());
            };
            if !self.next_entry(way) {
                return;
            }
            let data = rest(bytes, at + HEADER, length);
            let name = header[..16].trim_ascii_end();
            let (name, data, whole) = match name {
                b"//" => {
                    long = data;
                    at += HEADER + length + length % 2;
                    continue;
                }
                [b'#', b'1', b'/', digits @ ..] => {
                    let split = number(digits, 10).unwrap_or(0).min(data.len());
                    let (name, inner) = data.split_at(split);
                    (until(name, 0), inner, data.len() == length)
                }
                [b'/', digits @ ..] if !digits.is_empty() => {
                    let start = number(digits, 10).unwrap_or(usize::MAX);
                    let name = until(long.get(start..).unwrap_or_default(), b'\n');
                    (name, data, data.len() == length)
                }
                name => (name, data, data.len() == length),
            };
            let name = name.strip_suffix(b"/").unwrap_or(name);
            let member = way.to(name);
            if !whole {
                self.taker.skip(&member.path, CUT_OFF.to_owned());
            }
            self.give(data, &member);
            at = at.saturating_add(HEADER + length + length % 2);
        }
    }

    /// The "new" format: headers of 110 bytes in hexadecimal digits, name and data padded to four bytes.
    pub(super) fn cpio(&mut self, bytes: &[u8], way: &Way) {
        const HEADER: usize = 110;
        const KIND: usize = 0o170_000;
        const FILE: usize = 0o100_000;
        let mut at = 0;
        while at < bytes.len() {
            let header = bytes.get(at..at + HEADER).filter(|header| kind(header).is_some());
            let field = |number: usize| self::number(header?.get(6 + 8 * number..14 + 8 * number)?, 16);
            let (Some(mode), Some(length), Some(named)) = (field(1), field(6), field(11)) else {
                return self.taker.skip(&way.path, CUT_OFF.to_owned());
            };
            let name = until(rest(bytes, at + HEADER, named), 0);
            if name == b"TRAILER!!!" || !self.next_entry(way) {
                return;
            }
            let start = padded(at + HEADER + named);
            if mode & KIND == FILE && length > 0 {
                let data = rest(bytes, start, length);
                let member = way.to(name);
                if data.len() < length {
                    self.taker.skip(&member.path, CUT_OFF.to_owned());
                }
                self.give(data, &member);
            }
            at = padded(start.saturating_add(length));
        }
    }

    /// A lead, a header of signatures, a header, and behind them a compressed cpio archive.
    pub(super) fn rpm(&mut self, bytes: &[u8], way: &Way) {
        const LEAD: usize = 96;
        let payload = header_end(bytes, LEAD)
            .map(|end| end.next_multiple_of(8))
            .and_then(|start| header_end(bytes, start))
            .and_then(|start| bytes.get(start..))
            .filter(|payload| kind(payload).is_some());
        match payload {
            Some(payload) => self.give(payload, way),
            None => self.taker.skip(
                &way.path,
                "damaged, or packed in a way that is not read here".to_owned(),
            ),
        }
    }
}

/// Where the header that begins at `start` ends: 16 bytes for each entry, and the store.
fn header_end(bytes: &[u8], start: usize) -> Option<usize> {
    let header = bytes.get(start..start + 16)?;
    let word = |at: usize| -> Option<usize> {
        let word = u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?);
        usize::try_from(word).ok()
    };
    let magic = header.starts_with(&[0x8E, 0xAD, 0xE8]);
    let length = word(8)?.checked_mul(16)?.checked_add(word(12)?)?;
    magic.then_some(start + 16 + length)
}

fn padded(at: usize) -> usize {
    at.checked_next_multiple_of(4).unwrap_or(usize::MAX)
}

/// At most `length` bytes from there, as far as there are any.
fn rest(bytes: &[u8], start: usize, length: usize) -> &[u8] {
    let rest = bytes.get(start..).unwrap_or_default();
    &rest[..rest.len().min(length)]
}

fn until(bytes: &[u8], end: u8) -> &[u8] {
    &bytes[..memchr::memchr(end, bytes).unwrap_or(bytes.len())]
}

fn number(digits: &[u8], radix: u32) -> Option<usize> {
    let digits = std::str::from_utf8(digits).ok()?.trim();
    u32::from_str_radix(digits, radix)
        .ok()
        .and_then(|number| usize::try_from(number).ok())
}
