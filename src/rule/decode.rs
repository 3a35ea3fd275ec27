//! Reads what a token says about itself, offline. What it says is untrusted text.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::file::{DecodeFile, DecodeFormat};

/// Longest text taken out of a token, in bytes.
const LONGEST_FACT: usize = 512;

/// The facts in `text`, or nothing if it is not what the rule says a token of this kind holds.
pub fn read(decode: &DecodeFile, text: &[u8]) -> Option<BTreeMap<String, String>> {
    let json = match decode.format {
        DecodeFormat::Base64Json => json(&alphabet::STANDARD, text)?,
        DecodeFormat::Base64urlJson => json(&alphabet::URL_SAFE, text)?,
        DecodeFormat::AwsAccount => serde_json::json!({ "account": aws_account(text) }),
    };
    if !decode
        .require
        .iter()
        .all(|pointer| json.pointer(pointer).is_some())
    {
        return None;
    }
    let mut facts = BTreeMap::new();
    for (name, pointer) in &decode.take {
        let value = match json.pointer(pointer) {
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Number(number)) => number.to_string(),
            _ => continue,
        };
        if is_fact(&value) {
            facts.insert(name.clone(), value);
        }
    }
    Some(facts)
}

fn json(alphabet: &alphabet::Alphabet, text: &[u8]) -> Option<serde_json::Value> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(alphabet, lenient);
    serde_json::from_slice(&engine.decode(text).ok()?).ok()
}

/// Whether a text of a token is short and plain enough to be kept as a fact.
pub(super) fn is_fact(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_FACT && !text.chars().any(char::is_control)
}

/// The twelve digits of the account that an access key id names: base32, of which the bits 1 to 40 count. Ids that were
/// made before 2019 (`AKIAI…`, `AKIAJ…`) hold none.
fn aws_account(id: &[u8]) -> Option<String> {
    let body = id.get(4..)?;
    if body.len() < 10 || matches!(body[0], b'I' | b'J') {
        return None;
    }
    let mut bits: u64 = 0;
    for byte in &body[..10] {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'2'..=b'7' => byte - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u64::from(value);
    }
    // Fifty bits were read, of which the first forty-eight are meant.
    let account = (bits >> 2 & 0x7fff_ffff_ff80) >> 7;
    Some(format!("{account:012}"))
}

/// The printable text that `text` is base64 of, and of `user:password` the password; nothing if it is anything else.
pub fn written(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = printable(text)?;
    let start = plain.iter().position(|&byte| byte == b':').map_or(0, |at| at + 1);
    Some(plain.split_off(start))
}

/// Shorter passwords are those of examples.
const SHORTEST_PASSWORD: usize = 4;

/// The password of the `user:password` that `text` is base64 of.
pub fn password(text: &[u8]) -> Option<Vec<u8>> {
    let mut plain = printable(text)?;
    let colon = plain.iter().position(|&byte| byte == b':')?;
    let password = plain.split_off(colon + 1);
    (password.len() >= SHORTEST_PASSWORD).then_some(password)
}

fn printable(text: &[u8]) -> Option<Vec<u8>> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let mut plain = GeneralPurpose::new(&alphabet::STANDARD, lenient)
        .decode(text)
        .ok()?;
    while plain.last().is_some_and(u8::is_ascii_whitespace) {
        plain.pop();
    }
    let printable = plain.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    printable.then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::aws_account;

    /// An id whose account is known from AWS's own answer, published with the account.
    #[test]
    fn an_access_key_id_tells_its_account() {
        let id = ["ASIA", "QNZGKIQY56JQ7WML"].concat();
        assert_eq!(aws_account(id.as_bytes()).as_deref(), Some("029608264753"));
        let old = ["AKIA", "IOSFODNN7EXAMPLE"].concat();
        assert_eq!(aws_account(old.as_bytes()), None);
        assert_eq!(aws_account(b"AKIA"), None);
    }
}
