//! A secret and its only name outside the process, the fingerprint.
//!
//! A [`Secret`] must never be printed: it has no `Display`, no `Serialize`, and its `Debug` shows a length.
//! Whoever needs the bytes writes `expose`, which is easy to search for.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The bytes of a secret, wiped from memory when dropped.
///
/// ```
/// let secret = unleak::secret::Secret::new(b"hunter2".to_vec());
/// assert_eq!(format!("{secret:?}"), "Secret([redacted; 7 bytes])");
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; the caller must not keep a copy.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes in clear. Every call of this is a place to look at in a review.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret as text, if it is UTF-8; only text can be put into a request.
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A form for people: the public prefix, an ellipsis, and the last four characters where the rest is long
    /// enough that they give nothing away.
    ///
    /// `prefix` is the literal that the rule's pattern begins with; anything of it that the secret does not carry
    /// is left out.
    pub fn redacted(&self, prefix: &str) -> String {
        let text = String::from_utf8_lossy(&self.0);
        let shown = if text.starts_with(prefix) { prefix } else { "" };
        let hidden = text.chars().count() - shown.chars().count();
        if hidden < 24 {
            return format!("{shown}…[{hidden} characters]");
        }
        let tail: Vec<char> = text.chars().rev().take(4).collect();
        let tail: String = tail
            .into_iter()
            .rev()
            .map(|c| if c.is_control() { '·' } else { c })
            .collect();
        format!("{shown}…{tail}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret([redacted; {} bytes])", self.0.len())
    }
}

/// Constant time, so that a comparison with a secret cannot be timed.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

/// The key under which fingerprints are made; one per installation, or shared by configuration.
#[derive(Clone)]
pub struct FingerprintKey(Zeroizing<Vec<u8>>);

impl FingerprintKey {
    /// Takes key bytes of any length; 32 random ones are what `unleak` makes itself.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// A fresh key from the operating system's random source.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0_u8; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self::new(bytes))
    }

    /// The bytes, for writing the key file.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The fingerprint of a secret under this key.
    pub fn fingerprint(&self, secret: &Secret) -> Fingerprint {
        let mac = mac_sha256(&self.0, &[b"unleak fingerprint v1\0", secret.expose()]);
        let mut short = [0_u8; 16];
        short.copy_from_slice(&mac[..16]);
        Fingerprint(short)
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey([redacted])")
    }
}

/// HMAC-SHA256 over the parts, one after the other.
pub fn mac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    #[expect(
        clippy::expect_used,
        reason = "HMAC takes keys of every length; new_from_slice cannot fail"
    )]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC accepts any key length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The alphabet of [`crc32_base62`] and of the tokens that the embedded token service makes.
pub const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// CRC-32 (IEEE 802.3) of `body` as six base-62 characters: the checksum that GitHub, npm and our own tokens carry.
pub fn crc32_base62(body: &[u8]) -> [u8; 6] {
    let mut rest = crc32fast::hash(body) as usize;
    let mut text = [b'0'; 6];
    for slot in text.iter_mut().rev() {
        *slot = BASE62[rest % 62];
        rest /= 62;
    }
    text
}

/// Keyed hash of a secret (HMAC-SHA256, first 16 bytes): its only name outside the process.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Reads the 32 lower-case hexadecimal digits that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32
            || !text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return None;
        }
        let mut bytes = [0_u8; 16];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a fingerprint is 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Fingerprint, FingerprintKey, Secret};

    #[test]
    fn a_short_secret_shows_only_its_prefix_and_length() {
        assert_eq!(Secret::new("pw_abcdef").redacted("pw_"), "pw_…[6 characters]");
    }

    #[test]
    fn a_long_secret_shows_its_prefix_and_last_four() {
        let secret = Secret::new(format!("exp_{}wxyz", "a".repeat(32)));
        assert_eq!(secret.redacted("exp_"), "exp_…wxyz");
    }

    #[test]
    fn a_fingerprint_reads_back_what_it_prints_and_depends_on_the_key() {
        let secret = Secret::new("s");
        let one = FingerprintKey::new("k1").fingerprint(&secret);
        assert_eq!(Fingerprint::parse(&one.to_string()), Some(one));
        assert_ne!(one, FingerprintKey::new("k2").fingerprint(&secret));
        assert_eq!(Fingerprint::parse("é".repeat(16).as_str()), None);
    }
}
