//! UTF-16 text, with a byte order mark or without.

/// How much of the head tells UTF-16 without a mark from binary data, in bytes; even.
const HEAD: usize = 256;

/// Fewer characters say nothing.
const FEWEST: usize = 6;

/// The order of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Low byte first.
    Little,
    /// High byte first.
    Big,
}

impl Order {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Little => "utf-16le",
            Self::Big => "utf-16be",
        }
    }
}

/// Whether these bytes are UTF-16, and how many of them are its mark. Looks at the head alone.
pub fn order(bytes: &[u8]) -> Option<(Order, usize)> {
    match bytes {
        [0xFF, 0xFE, ..] => return Some((Order::Little, 2)),
        [0xFE, 0xFF, ..] => return Some((Order::Big, 2)),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(HEAD)];
    let units = head.len() / 2;
    if units < FEWEST || !head.contains(&0) {
        return None;
    }
    let written = |first: usize, other: usize| {
        let plain = |pair: &[u8]| {
            let byte = pair[first];
            pair[other] == 0 && (byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
        };
        let plain = head.chunks_exact(2).filter(|pair| plain(pair)).count();
        let empty = head.chunks_exact(2).any(|pair| pair == [0, 0]);
        // Text of another script is told by its mark alone.
        !empty && plain * 10 >= units * 9
    };
    if written(0, 1) {
        Some((Order::Little, 0))
    } else if written(1, 0) {
        Some((Order::Big, 0))
    } else {
        None
    }
}

/// The text, as UTF-8; units that are no character become U+FFFD.
pub fn narrow(bytes: &[u8], order: Order) -> Vec<u8> {
    let units = bytes.chunks_exact(2).map(|pair| match order {
        Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
        Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
    });
    let text: String = char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    text.into_bytes()
}
