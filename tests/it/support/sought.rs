//! Looks for secrets, and for what is as good as one, in everything that a program leaves behind.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A shorter piece could be there by chance, or is what redaction shows.
const SHORTEST: usize = 16;

/// The forms in which a secret is as good as in clear, each with its name.
pub(crate) fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<u8>>();
    let hex = |upper: bool, before: &str| -> Vec<u8> {
        let one = |byte: &u8| {
            let digits = if upper {
                format!("{byte:02X}")
            } else {
                format!("{byte:02x}")
            };
            format!("{before}{digits}")
        };
        bytes.iter().map(one).collect::<String>().into_bytes()
    };
    let mut forms = vec![
        ("whole", bytes.to_vec()),
        ("first half", first.to_vec()),
        ("second half", second.to_vec()),
        ("reversed", reversed(bytes)),
        ("first half, reversed", reversed(first)),
        ("second half, reversed", reversed(second)),
        ("percent-encoded", hex(true, "%")),
        ("percent-encoded in lower case", hex(false, "%")),
        ("percent-encoded where a URL wants it", url_encoded(secret)),
        ("hexadecimal", hex(false, "")),
        (
            "UTF-16",
            secret.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            "a list of numbers",
            format!("{bytes:?}").trim_matches(['[', ']']).into(),
        ),
    ];
    for padding in 0..3 {
        let base64 = base64_within(bytes, padding);
        let url_safe = base64.replace('+', "-").replace('/', "_");
        forms.push(("base64", base64.into_bytes()));
        forms.push(("base64 for URLs", url_safe.into_bytes()));
    }
    forms.retain(|(_, form)| form.len() >= SHORTEST);
    forms
}

fn url_encoded(secret: &str) -> Vec<u8> {
    percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC)
        .to_string()
        .into_bytes()
}

/// What base64 of a longer text shows of a secret that stands `padding` bytes behind a group's beginning.
fn base64_within(secret: &[u8], padding: usize) -> String {
    let mut text = vec![0_u8; padding];
    text.extend_from_slice(secret);
    let encoded = STANDARD_NO_PAD.encode(&text);
    // The first characters hold bits of the padding, the last one may lack bits of what follows.
    let from = (padding * 8).div_ceil(6);
    encoded[from..encoded.len() - 1].to_owned()
}

/// Every place where a form of a secret stands, without the secret.
pub(crate) fn found(secrets: &[String], places: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (number, secret) in secrets.iter().enumerate() {
        for (form, bytes) in forms(secret) {
            for (place, text) in places {
                if let Some(at) = memchr::memmem::find(text, &bytes) {
                    found.push(format!("secret {number} ({form}) in {place} at byte {at}"));
                }
            }
        }
    }
    found
}

/// Every file below a folder, with its path and bytes; links are not followed.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return files;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        // A side file of SQLite may be gone by now.
        let Ok(kind) = path.symlink_metadata().map(|data| data.file_type()) else {
            continue;
        };
        if kind.is_dir() {
            files.extend(self::files(&path));
        } else if kind.is_file() {
            files.extend(
                std::fs::read(&path)
                    .ok()
                    .map(|bytes| (path.display().to_string(), bytes)),
            );
        }
    }
    files
}
