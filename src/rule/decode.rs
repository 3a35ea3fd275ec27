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
