//! Takes secrets and terminal tricks out of foreign text before anybody sees it.
//!
//! A path, an author's name or a service's answer may repeat a secret, or hold characters that move the cursor or turn
//! the reading direction; all of them come from whoever wrote the scanned bytes.

use std::fmt::Write as _;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Report;

/// What stands where a secret stood; SARIF names it in `redactionTokens`.
pub(super) const TOKEN: &str = "[REDACTED]";

/// Shorter secrets are not looked for: they would be found in half of all words.
const SHORTEST: usize = 8;

/// Every secret of one report, ready to be taken out of text.
pub(super) struct Redactor {
    secrets: Option<AhoCorasick>,
}

impl Redactor {
    /// Knows every secret of the report and the parts found with them.
    pub(super) fn of(report: &Report) -> anyhow::Result<Self> {
        let secrets = report.findings.iter().flat_map(|finding| {
            let parts = finding.parts.values();
            std::iter::once(&finding.secret).chain(parts)
        });
        let mut patterns: Vec<&[u8]> = secrets
            .map(|secret| secret.expose())
            .filter(|bytes| bytes.len() >= SHORTEST)
            .collect();
        patterns.sort_unstable();
        patterns.dedup();
        if patterns.is_empty() {
            return Ok(Self::nothing());
        }
        let secrets = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns)?;
        Ok(Self {
            secrets: Some(secrets),
        })
    }

    /// Lets secrets through, for `--show-secrets`.
    pub(super) fn nothing() -> Self {
        Self { secrets: None }
    }

    /// The bytes with [`TOKEN`] for every secret.
    pub(super) fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        match &self.secrets {
            None => bytes.to_vec(),
            Some(secrets) => {
                let mut redacted = Vec::with_capacity(bytes.len());
                secrets.replace_all_with_bytes(bytes, &mut redacted, |_, _, into| {
                    into.extend_from_slice(TOKEN.as_bytes());
                    true
                });
                redacted
            }
        }
    }

    /// The text with [`TOKEN`] for every secret.
    pub(super) fn text(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.bytes(text.as_bytes())).into_owned()
    }

    /// The same for a terminal: what does not print is escaped too.
    pub(super) fn line(&self, text: &str) -> String {
        escape(&self.text(text))
    }
}

/// Whether a character may change how the text around it looks: controls, zero widths, reading direction.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Escapes treacherous characters as Rust writes them, `\u{1b}`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_treacherous(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Escapes the treacherous characters that JSON allows in strings, as JSON writes them; the data stays the same.
///
/// `json` must be JSON: outside of strings it holds none of these but line feeds, which are left alone.
pub(super) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && is_treacherous(c) {
            let mut units = [0_u16; 2];
            for unit in c.encode_utf16(&mut units) {
                let _infallible = write!(escaped, "\\u{unit:04x}");
            }
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{escape, escape_json};

    #[test]
    fn what_does_not_print_is_escaped_and_json_keeps_its_meaning() {
        let hostile = "a\u{1b}[2Jb\u{202e}c\u{9b}\r\nd";
        assert_eq!(escape(hostile), "a\\u{1b}[2Jb\\u{202e}c\\u{9b}\\r\\nd");
        let json = serde_json::to_string(hostile).unwrap();
        let escaped = escape_json(&json);
        assert!(!escaped.contains(['\u{202e}', '\u{9b}', '\u{1b}']));
        assert_eq!(serde_json::from_str::<String>(&escaped).unwrap(), hostile);
    }
}
