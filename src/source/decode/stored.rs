//! Texts in files that are no text: rows of SQLite databases, constants of Python and Java bytecode.
//!
//! There a value's neighbour may end right where the value begins; laid open, every value stands for itself.

use std::ops::Range;

use super::Decoded;
use super::map::{Made, Map};

/// Shortest value that is laid open, in bytes.
const SHORTEST: usize = 4;

const SQLITE: &[u8] = b"SQLite format 3\0";

/// The texts in a database or in bytecode, known by its content, each on a line of its own (a row's values parted by
/// tabs); nothing for other files.
pub fn stored(raw: &[u8]) -> Option<Decoded<'static>> {
    let mut open = Open {
        raw,
        bytes: Vec::new(),
        map: Map::default(),
    };
    let via = format(raw)?;
    match via {
        "sqlite" => open.sqlite()?,
        "pyc" => open.constants(16, python_constant),
        _ => open.constants(10, java_constant),
    }
    Some(Decoded {
        bytes: open.bytes,
        via: via.to_owned(),
        map: open.map,
        parent: None,
    })
}

/// Whether the head is that of a file that [`stored`] opens.
pub fn is_stored(raw: &[u8]) -> bool {
    format(raw).is_some()
}

fn format(raw: &[u8]) -> Option<&'static str> {
    match raw {
        // CPython 2.7 or 3: a version, then a line end that text modes would spoil.
        [_, 0x0C..=0x0F | 0xF2..=0xF3, b'\r', b'\n', ..] if raw.len() > 16 => Some("pyc"),
        // Java; the version tells it from a universal binary of macOS.
        [0xCA, 0xFE, 0xBA, 0xBE, _, _, 0, 41..=99, ..] => Some("class"),
        _ => raw.starts_with(SQLITE).then_some("sqlite"),
    }
}

/// A constant that begins at this place: where its text stands.
type Constant = fn(&[u8], usize) -> Option<Range<usize>>;

/// Marshalled strings: a type, of which the top bit says that it may be referred to, and a length.
fn python_constant(raw: &[u8], at: usize) -> Option<Range<usize>> {
    let (start, length) = match raw.get(at)? & 0x7F {
        b'z' | b'Z' => (at + 2, usize::from(*raw.get(at + 1)?)),
        b'a' | b'A' | b'u' | b's' | b't' => {
            let length = raw.get(at + 1..at + 5)?;
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
            (at + 5, usize::try_from(length).ok()?)
        }
        _ => return None,
    };
    Some(start..start.checked_add(length)?)
}

/// `CONSTANT_Utf8`: a type and a length of two bytes.
fn java_constant(raw: &[u8], at: usize) -> Option<Range<usize>> {
    let [1, high, low] = *raw.get(at..at + 3)? else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    Some(at + 3..at + 3 + length)
}

struct Open<'r> {
    raw: &'r [u8],
    bytes: Vec<u8>,
    map: Map,
}

impl Open<'_> {
    fn value(&mut self, places: &[Range<usize>], behind: u8) {
        let mut last = 0;
        for place in places {
            let Some(bytes) = self.raw.get(place.clone()) else {
                continue;
            };
            self.bytes.extend_from_slice(bytes);
            self.map.push(bytes.len(), place.clone(), Made::Copied);
            last = place.end;
        }
        self.bytes.push(behind);
        self.map.push(1, last..last, Made::AsOne);
    }

    fn constants(&mut self, from: usize, constant: Constant) {
        let mut at = from;
        while at < self.raw.len() {
            let place = constant(self.raw, at).filter(|place| place.len() >= SHORTEST);
            let text = place.filter(|place| self.raw.get(place.clone()).is_some_and(super::is_text));
            match text {
                Some(place) => {
                    at = place.end;
                    self.value(&[place], b'\n');
                }
                None => at += 1,
            }
        }
    }

    /// Walks every page for itself, so that a damaged one spoils no other and no loop can be built.
    fn sqlite(&mut self) -> Option<()> {
        let size = match u16::from_be_bytes(self.raw.get(16..18)?.try_into().ok()?) {
            1 => 65536,
            size => usize::from(size),
        };
        let usable = size.checked_sub(usize::from(*self.raw.get(20)?))?;
        if !size.is_power_of_two() || size < 512 || usable < 480 {
            return None;
        }
        let pages = self.raw.len().div_ceil(size);
        let mut overflow = self.raw.len();
        for page in 0..pages {
            let start = page * size;
            let header = if page == 0 { 100 } else { 0 };
            self.page(start, header, size, usable, &mut overflow);
        }
        Some(())
    }

    /// A leaf of a table (13) or an index (10); other pages hold no values.
    fn page(
        &mut self,
        start: usize,
        header: usize,
        size: usize,
        usable: usize,
        overflow: &mut usize,
    ) -> Option<()> {
        let raw = self.raw;
        let page = raw.get(start..raw.len().min(start + size))?;
        let kind = *page.get(header)?;
        if !matches!(kind, 10 | 13) {
            return None;
        }
        let cells = usize::from(short(page, header + 3)?);
        for cell in 0..cells.min(size / 4) {
            // Cells may claim the same bytes; those of a sound file hold no more than the file.
            if self.bytes.len() > 2 * raw.len() {
                break;
            }
            let at = usize::from(short(page, header + 8 + 2 * cell)?);
            let Some((payload, at)) = varint(page, at) else {
                continue;
            };
            let at = if kind == 13 {
                varint(page, at).map(|(_, at)| at)
            } else {
                Some(at)
            };
            let Some(at) = at else { continue };
            let payload = usize::try_from(payload).unwrap_or(usize::MAX);
            let places = pieces(raw, start + at, payload, (kind, size, usable), overflow);
            self.record(&places);
        }
        Some(())
    }

    /// The text values of a record whose bytes stand at these places one after the other.
    fn record(&mut self, places: &[Range<usize>]) -> Option<()> {
        let first = self.raw.get(places.first()?.clone())?;
        let (header, mut at) = varint(first, 0)?;
        let header = usize::try_from(header).ok()?;
        let mut body = header;
        let mut row = 0;
        while at < header.min(first.len()) {
            let (kind, next) = varint(first, at)?;
            at = next;
            let length = match kind {
                0 | 8 | 9 => 0,
                1..=4 => usize::try_from(kind).ok()?,
                5 => 6,
                6 | 7 => 8,
                10 | 11 => return None,
                _ => usize::try_from((kind - 12) / 2).ok()?,
            };
            let end = body.checked_add(length)?;
            if kind > 12 && length >= SHORTEST {
                self.value(&within(places, body..end), b'\t');
                row += 1;
            }
            body = end;
        }
        if row > 0
            && let Some(last) = self.bytes.last_mut()
        {
            *last = b'\n';
        }
        Some(())
    }
}

/// Where a cell's payload stands: on its page, and on the pages that go on where it is too long for it. `left` is how
/// many bytes of such pages may still be followed, so that cells which share a chain cost no more than the file.
fn pieces(
    raw: &[u8],
    start: usize,
    payload: usize,
    (kind, size, usable): (u8, usize, usize),
    left: &mut usize,
) -> Vec<Range<usize>> {
    let most = if kind == 13 {
        usable - 35
    } else {
        (usable - 12) * 64 / 255 - 23
    };
    if payload <= most {
        return std::iter::once(start..start + payload).collect();
    }
    let least = (usable - 12) * 32 / 255 - 23;
    let fitting = least + (payload - least) % (usable - 4);
    let local = if fitting <= most { fitting } else { least };
    let mut places: Vec<Range<usize>> = std::iter::once(start..start + local).collect();
    let mut rest = payload - local;
    let mut pointer = start + local;
    while rest > 0 {
        let Some(next) = raw.get(pointer..pointer + 4) else {
            break;
        };
        let next = u32::from_be_bytes([next[0], next[1], next[2], next[3]]) as usize;
        let Some(page) = next.checked_sub(1).and_then(|page| page.checked_mul(size)) else {
            break;
        };
        let length = rest.min(usable - 4);
        if page + 4 + length > raw.len() || *left < size {
            break;
        }
        *left -= size;
        places.push(page + 4..page + 4 + length);
        rest -= length;
        pointer = page;
    }
    places
}

/// A range of what stands at these places.
fn within(places: &[Range<usize>], range: Range<usize>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut before = 0;
    for place in places {
        let start = range.start.max(before);
        let end = range.end.min(before + place.len());
        if start < end {
            found.push(place.start + start - before..place.start + end - before);
        }
        before += place.len();
    }
    found
}

fn short(page: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(page.get(at..at + 2)?.try_into().ok()?))
}

/// SQLite's variable-length integer, and where it ends.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for count in 0..9 {
        let byte = *bytes.get(at + count)?;
        if count == 8 {
            return Some((value << 8 | u64::from(byte), at + 9));
        }
        value = value << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 == 0 {
            return Some((value, at + count + 1));
        }
    }
    None
}
