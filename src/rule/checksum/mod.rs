//! Checksums that tokens carry, verified offline before anything is sent anywhere.
//!
//! Facts and vectors: `facts/protocols.md` sections 10 and 12.7. CRC-32 is IEEE 802.3 throughout.

mod base32;

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

pub use crate::secret::crc32_base62;

/// A built-in checksum, by the name that rule files use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// `crc32-base62`: the last six characters are CRC-32 of what stands between the last `_` and them, in base 62
    /// (digits, upper, lower), padded with `0`. GitHub, npm, unleak.
    Crc32Base62,
    /// `crc32-base62-lower-first`: the last six are CRC-32 of everything before them, in base 62 with digits, lower,
    /// upper. Apify.
    Crc32Base62LowerFirst,
    /// `crc32-base62-after-underscore`: what follows the last `_` is CRC-32 of everything before it, in base 62 (digits,
    /// upper, lower). Synapse.
    Crc32Base62AfterUnderscore,
    /// `crc32-hex-body`: the last eight are CRC-32 of what stands between the last `_` and them, in lower-case hex.
    /// Cloudflare.
    Crc32HexBody,
    /// `crc32-hex-little-endian`: what follows the last `_` is CRC-32 of everything before it, its bytes in
    /// little-endian order, in lower-case hex. Grafana.
    Crc32HexLittleEndian,
    /// `crc32-upper-hex`: the last eight are CRC-32 of everything before them, in upper-case hex. Atlassian.
    Crc32UpperHex,
    /// `crc32-base64-little-endian`: the last six are the beginning of the Base64 of CRC-32, its bytes in little-endian
    /// order, of what stands between the prefix of four and them. Confluent.
    Crc32Base64LittleEndian,
    /// `xor-base62`: the last character is the exclusive or of the bytes between the last `_` and it, modulo 62 (upper,
    /// lower, digits). crates.io.
    XorBase62,
    /// `gitlab-routable`: the last seven characters are CRC-32 of everything before them, prefix included, in base 36.
    GitlabRoutable,
    /// `crc32-base62-body`: as `crc32-base62`, but the body begins after the first `_` and may hold more of them. Vercel.
    Crc32Base62Body,
    /// `crc32-base62-whole`: as `crc32-base62`, over everything before the last six, prefix included. W&B.
    Crc32Base62Whole,
    /// `crc32-hex-part`: `prefix_body_check`, the check being CRC-32 of the body in 8 lower-case hex digits. Zuplo.
    Crc32HexPart,
    /// `bech32`: BIP 173, as in Nostr's `nsec1`.
    Bech32,
    /// `nkey`: base 32 whose last two bytes are CRC-16 (XMODEM, little-endian) of those before. NATS.
    Nkey,
}

/// Every checksum with its name.
const ALL: [(&str, Checksum); 14] = [
    ("crc32-base62", Checksum::Crc32Base62),
    ("crc32-base62-lower-first", Checksum::Crc32Base62LowerFirst),
    (
        "crc32-base62-after-underscore",
        Checksum::Crc32Base62AfterUnderscore,
    ),
    ("crc32-hex-body", Checksum::Crc32HexBody),
    ("crc32-hex-little-endian", Checksum::Crc32HexLittleEndian),
    ("crc32-upper-hex", Checksum::Crc32UpperHex),
    ("crc32-base64-little-endian", Checksum::Crc32Base64LittleEndian),
    ("xor-base62", Checksum::XorBase62),
    ("gitlab-routable", Checksum::GitlabRoutable),
    ("crc32-base62-body", Checksum::Crc32Base62Body),
    ("crc32-base62-whole", Checksum::Crc32Base62Whole),
    ("crc32-hex-part", Checksum::Crc32HexPart),
    ("bech32", Checksum::Bech32),
    ("nkey", Checksum::Nkey),
];

impl Checksum {
    /// Its name.
    pub fn name(self) -> &'static str {
        ALL.iter()
            .find(|(_, known)| *known == self)
            .map_or("", |(name, _)| name)
    }

    /// Looks a name up.
    pub fn named(name: &str) -> Result<Self> {
        let Some((_, found)) = ALL.iter().find(|(known, _)| *known == name) else {
            let names: Vec<_> = ALL.iter().map(|(name, _)| *name).collect();
            bail!("unknown checksum {name:?}; there are {}", names.join(", "))
        };
        Ok(*found)
    }

    /// Whether the secret passes.
    pub fn holds(self, secret: &[u8]) -> bool {
        let body = secret.rsplit(|&b| b == b'_').next().unwrap_or_default();
        let after_underscore = || {
            let at = secret.iter().rposition(|&b| b == b'_')?;
            Some((&secret[..at], &secret[at + 1..]))
        };
        match self {
            Self::Crc32Base62 => last_six(body),
            Self::Crc32Base62LowerFirst => split(secret, 6).is_some_and(|(head, tail)| {
                // The two alphabets differ in the case of their letters alone.
                let swapped = tail
                    .iter()
                    .map(|&b| if b.is_ascii_alphabetic() { b ^ 0x20 } else { b });
                crc32_base62(head).into_iter().eq(swapped)
            }),
            Self::Crc32Base62AfterUnderscore => {
                after_underscore().is_some_and(|(head, tail)| crc32_base62(head) == tail)
            }
            Self::Crc32HexBody => split(body, 8)
                .is_some_and(|(head, tail)| format!("{:08x}", crc32fast::hash(head)).as_bytes() == tail),
            Self::Crc32HexLittleEndian => after_underscore().is_some_and(|(head, tail)| {
                format!("{:08x}", crc32fast::hash(head).swap_bytes()).as_bytes() == tail
            }),
            Self::Crc32UpperHex => split(secret, 8)
                .is_some_and(|(head, tail)| format!("{:08X}", crc32fast::hash(head)).as_bytes() == tail),
            Self::Crc32Base64LittleEndian => {
                secret
                    .get(4..)
                    .and_then(|body| split(body, 6))
                    .is_some_and(|(head, tail)| {
                        STANDARD_NO_PAD
                            .encode(crc32fast::hash(head).to_le_bytes())
                            .as_bytes()
                            == tail
                    })
            }
            Self::XorBase62 => split(body, 1).is_some_and(|(head, tail)| {
                let sum = head.iter().fold(0, |sum, byte| sum ^ byte);
                UPPER_LOWER_DIGITS[usize::from(sum % 62)] == tail[0]
            }),
            Self::GitlabRoutable => gitlab_routable(secret),
            Self::Crc32Base62Body => last_six(secret.splitn(2, |&b| b == b'_').nth(1).unwrap_or_default()),
            Self::Crc32Base62Whole => last_six(secret),
            Self::Crc32HexPart => crc32_hex_part(secret),
            Self::Bech32 => base32::bech32(secret),
            Self::Nkey => base32::nkey(secret),
        }
    }
}

const UPPER_LOWER_DIGITS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// What stands before the last `tail` bytes, and those; nothing if nothing stands before them.
fn split(text: &[u8], tail: usize) -> Option<(&[u8], &[u8])> {
    let at = text.len().checked_sub(tail).filter(|&at| at > 0)?;
    Some(text.split_at(at))
}

/// Whether the last six characters are CRC-32 of all before them, in base 62.
fn last_six(text: &[u8]) -> bool {
    split(text, 6).is_some_and(|(head, tail)| crc32_base62(head) == tail)
}

fn crc32_hex_part(secret: &[u8]) -> bool {
    let mut parts = secret.rsplitn(3, |&b| b == b'_');
    match (parts.next(), parts.next()) {
        (Some(check), Some(body)) => format!("{:08x}", crc32fast::hash(body)).as_bytes() == check,
        _ => false,
    }
}

fn gitlab_routable(secret: &[u8]) -> bool {
    let Some(split) = secret.len().checked_sub(7) else {
        return false;
    };
    let (head, tail) = secret.split_at(split);
    let mut rest = crc32fast::hash(head);
    let crc_holds = tail.iter().rev().all(|&c| {
        let digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(rest % 36) as usize];
        rest /= 36;
        digit == c
    });
    crc_holds && rest == 0
}

#[cfg(test)]
mod tests {
    use super::Checksum;

    fn holds(checksum: Checksum, parts: &[&str]) -> bool {
        checksum.holds(parts.concat().as_bytes())
    }

    /// The token passes; altered in its last character, empty, or cut down to that character it does not.
    fn tells(name: &str, token: &str) {
        let checksum = Checksum::named(name).unwrap();
        assert!(checksum.holds(token.as_bytes()), "{name}");
        let (head, last) = token.split_at(token.len() - 1);
        let other = if last == "7" { "8" } else { "7" };
        assert!(!checksum.holds([head, other].concat().as_bytes()), "{name}");
        assert!(!checksum.holds(b"") && !checksum.holds(last.as_bytes()));
    }

    #[test]
    fn published_github_and_npm_tokens_pass_and_an_altered_one_does_not() {
        let crc = Checksum::Crc32Base62;
        assert!(holds(crc, &["ghp_", "M7H4jxUDDWHP4kZ6A4dxlQYsQIWJuq11T4V4"]));
        assert!(holds(crc, &["npm_", "UEuirnhN6qyDNigmWWTIEHMNquQHF54FKSCV"]));
        assert!(
            holds(crc, &["x_", "000000000000000000000000000405", "00azb7"]),
            "zero padding counts"
        );
        assert!(!holds(crc, &["ghp_", "M7H4jxUDDWHP4kZ6A4dxlQYsQIWJuq11T4V3"]));
        assert!(
            !holds(crc, &["ghp_", "M7H4jxUDDWHP4kZ6A4dxlQYsQIWJuq11T4Vñ"]),
            "bytes, not characters"
        );
        assert!(!holds(crc, &["ghp_", "T4V4"]));
        assert!(!holds(crc, &[""]));
    }

    #[test]
    fn published_tokens_of_other_services_pass_and_altered_ones_do_not() {
        let samples: [(&str, &[&str]); 5] = [
            ("xor-base62", &["cio_tp_", "gGK6jurSwKyl9V3Az19z7YEFQI9aoOOd"]),
            ("xor-base62", &["cio_tp_", "0000000000000000000000000000000w"]),
            (
                "crc32-hex-little-endian",
                &["glsa_", "ThisI5NtTheTok3nYou8reLo0k1ngF0r", "_0a2a3df7"],
            ),
            (
                "crc32-hex-little-endian",
                &["glsa_", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "_d8dc8af3"],
            ),
            (
                "crc32-upper-hex",
                &[
                    "ATATT3xFfGF0",
                    "YZuf-EBmAHs1FyiNmk0cYQKtD9zx2LIv8d_zB-yk5Zp8nkug2Rp_ZnYJwq9ys-lS0PRAXLS4vL-crh5tbBbGQISteyOC",
                    "pgUGgKjckD2MF9A6EZVGdTXikj52U2VDS8HeDlUq9Gmw8KYs5Kb0hS-LZo4Sb2PMpT1Zx0MmTXs_EyA=E2826606",
                ],
            ),
        ];
        for (name, parts) in samples {
            tells(name, &parts.concat());
            assert!(!Checksum::named(name).unwrap().holds(b"_"));
        }
    }

    /// No published sample of these is at hand here; what stands before the checksum was made up, and the checksum of it
    /// was reckoned elsewhere.
    #[test]
    fn made_up_tokens_of_further_forms_pass_and_altered_ones_do_not() {
        let samples = [
            (
                "crc32-base62-lower-first",
                ["apify_api_", "q7RtZ2mWkx8LbN4cVy0PsD9fGh3JaE", "2QIzXu"],
            ),
            (
                "crc32-hex-body",
                ["cfut_", "Zt4Kq8WnR2xVb6Ly0Jd3Hs7Fg1Pm5Cc9AeTuIoPq", "c2a4fbcd"],
            ),
            (
                "crc32-base64-little-endian",
                [
                    "cflt",
                    "m3Q8vT1zXy7Lb2Kc9Wn4Rd6Fs0Gh5Jp+PaEeUuIiOoTtRrSsDdFfGg",
                    "V0QJXA",
                ],
            ),
            (
                "crc32-base62-after-underscore",
                ["syt_", "YWxpY2U_qWeRtYuIoPaSdFgHjKlZ", "_4RH243"],
            ),
        ];
        for (name, parts) in samples {
            tells(name, &parts.concat());
        }
    }

    #[test]
    fn published_gitlab_routable_tokens_pass_and_an_altered_one_does_not() {
        let crc = Checksum::GitlabRoutable;
        assert!(holds(
            crc,
            &[
                "glrtr-",
                "W5m1cHR6skC98Bx7XkuYjmM6MQpnOjgKbzpyegp0OjIQ.01.181uebm4k"
            ]
        ));
        assert!(holds(
            crc,
            &["glpat-", "YWFhYWFhYWFhYWFhYWFhYW86MQp1OjEH.01.0w082kcij"]
        ));
        assert!(!holds(
            crc,
            &[
                "glrtr-",
                "W5m1cHR6skC98Bx7XkuYjmM6MQpnOjgKbzpyegp0OjIQ.01.181uebm4l"
            ]
        ));
    }
}
