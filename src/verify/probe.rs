//! Makes up tokens that look like a real one and are none. A made-up token is never the real one, nor a part of it.

use crate::leak::Held;
use crate::rule::Rule;
use crate::secret::Secret;

/// How often a made-up token is thrown away for being the real one.
const MOST_TRIES: usize = 8;

/// The same question about a made-up secret, with made-up parts; nothing, where none can be made up.
pub(super) fn of(rule: &Rule, held: &Held) -> Option<Held> {
    let mut probe = held.clone();
    probe.secret = made_up(&held.secret, &rule.prefix)?;
    for part in probe.parts.values_mut() {
        *part = made_up(part, "")?;
    }
    Some(probe)
}

/// A random secret of the same length and structure: `prefix` stays, letters stay letters of the same case, digits
/// stay digits, hexadecimal stretches stay hexadecimal, and everything else stays as it is.
///
/// Nothing if the secret leaves no room for another, is not text, or the system gives no random bytes.
pub fn made_up(secret: &Secret, prefix: &str) -> Option<Secret> {
    let text = secret.expose_str()?;
    let kept = if text.starts_with(prefix) { prefix.len() } else { 0 };
    let (prefix, rest) = text.split_at(kept);
    for _ in 0..MOST_TRIES {
        let mut random = vec![0_u8; rest.len()];
        getrandom::fill(&mut random).ok()?;
        let mut made = prefix.as_bytes().to_vec();
        let mut from = 0;
        for stretch in rest.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            let random = &random[from..from + stretch.len()];
            from += stretch.len();
            let alphabet = lower_and_digits(stretch);
            made.extend(
                stretch
                    .bytes()
                    .zip(random)
                    .map(|(byte, random)| replaced(byte, *random, alphabet)),
            );
        }
        let made = Secret::new(made);
        if made != *secret {
            return Some(made);
        }
    }
    None
}

/// What lower-case letters and digits of a stretch are replaced from: both from the same, where it is hexadecimal.
fn lower_and_digits(stretch: &str) -> (&'static [u8], &'static [u8]) {
    let mut seen = stretch.bytes().filter(u8::is_ascii_alphanumeric);
    let hexadecimal = seen.all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    match (hexadecimal, stretch.bytes().any(|b| b.is_ascii_digit())) {
        (true, true) if stretch.bytes().any(|b| b.is_ascii_lowercase()) => {
            (b"0123456789abcdef", b"0123456789abcdef")
        }
        (true, _) => (b"abcdef", b"0123456789"),
        (false, _) => (b"abcdefghijklmnopqrstuvwxyz", b"0123456789"),
    }
}

fn replaced(byte: u8, random: u8, (lower, digits): (&[u8], &[u8])) -> u8 {
    let from = |alphabet: &[u8]| alphabet[usize::from(random) % alphabet.len()];
    match byte {
        b'0'..=b'9' => from(digits),
        b'a'..=b'z' => from(lower),
        b'A'..=b'Z' => from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        other => other,
    }
}
