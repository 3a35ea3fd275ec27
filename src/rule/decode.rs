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
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = match decode.format {
        DecodeFormat::Base64Json => GeneralPurpose::new(&alphabet::STANDARD, lenient),
        DecodeFormat::Base64urlJson => GeneralPurpose::new(&alphabet::URL_SAFE, lenient),
    };
    let json: serde_json::Value = serde_json::from_slice(&engine.decode(text).ok()?).ok()?;
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
        if value.len() <= LONGEST_FACT && !value.chars().any(char::is_control) {
            facts.insert(name.clone(), value);
        }
    }
    Some(facts)
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
