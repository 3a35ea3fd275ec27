//! Checksums of tokens that are written in a base 32 of their own.

/// BIP 173: the polynomial over the prefix, a zero, and the data comes to 1.
pub(super) fn bech32(secret: &[u8]) -> bool {
    const LETTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let Some(split) = secret.iter().rposition(|&b| b == b'1') else {
        return false;
    };
    let (prefix, data) = (&secret[..split], &secret[split + 1..]);
    let data: Option<Vec<u8>> = data
        .iter()
        .map(|byte| {
            LETTERS
                .iter()
                .position(|letter| letter == byte)
                .map(|value| value as u8)
        })
        .collect();
    let Some(data) = data.filter(|data| data.len() > 6) else {
        return false;
    };
    let high = prefix.iter().map(|byte| byte >> 5);
    let low = prefix.iter().map(|byte| byte & 31);
    let sum = high.chain([0]).chain(low).chain(data).fold(1_u32, |sum, value| {
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ u32::from(value);
        GENERATOR
            .iter()
            .enumerate()
            .filter(|(bit, _)| top >> bit & 1 == 1)
            .fold(next, |next, (_, term)| next ^ term)
    });
    sum == 1
}

/// NATS: CRC-16 (XMODEM) of the bytes before the last two.
pub(super) fn nkey(secret: &[u8]) -> bool {
    let mut bytes = Vec::with_capacity(secret.len() * 5 / 8);
    let (mut bits, mut held) = (0_u32, 0);
    for &byte in secret {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return false,
        };
        bits = (bits << 5 | u32::from(value)) & 0xffff;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    let Some((body, check)) = bytes.split_last_chunk::<2>() else {
        return false;
    };
    let crc = body.iter().fold(0_u16, |crc, &byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                crc << 1 ^ 0x1021
            }
        })
    });
    !body.is_empty() && crc == u16::from_le_bytes(*check)
}
