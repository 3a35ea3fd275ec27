//! Takes secrets and terminal tricks out of foreign text before anybody sees it.
//!
//! A path, an author's name or a service's answer may repeat a secret, or hold characters that move the cursor or turn
//! the reading direction; all of them come from whoever wrote the scanned bytes.

use std::io::{self, Write};

use aho_corasick::{AhoCorasick, MatchKind};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::Report;
use crate::finding::{Finding, Suppression};

/// What stands where a secret stood; SARIF names it in `redactionTokens`.
pub(super) const TOKEN: &str = "[REDACTED]";

/// Shorter secrets are not looked for: they would be found in half of all words.
const SHORTEST: usize = 8;

/// Every secret of one report, ready to be taken out of text.
pub(crate) struct Redactor {
    secrets: Option<AhoCorasick>,
}

impl Redactor {
    /// Knows every secret of the report and the parts found with them.
    pub(crate) fn of(report: &Report) -> anyhow::Result<Self> {
        // A placeholder is a word, and would be found where it means itself.
        let is_word = |finding: &&Finding| matches!(&finding.suppression, Some(Suppression::Refused(why)) if why.reason == "placeholder");
        let refused = report
            .refused
            .iter()
            .flatten()
            .filter(|finding| !is_word(finding));
        let secrets = report.findings.iter().chain(refused).flat_map(|finding| {
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
    pub(crate) fn line(&self, text: &str) -> String {
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

/// Writes JSON in which treacherous characters are escaped as JSON escapes them: the data stays the same.
pub(super) fn write_json(value: &impl Serialize, pretty: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if pretty {
        value.serialize(&mut Serializer::with_formatter(
            &mut *out,
            Escaping(PrettyFormatter::new()),
        ))?;
    } else {
        value.serialize(&mut Serializer::with_formatter(
            &mut *out,
            Escaping(CompactFormatter),
        ))?;
    }
    writeln!(out)?;
    Ok(())
}

/// Another formatter, with strings in which every character shows itself.
struct Escaping<F>(F);

/// Passes these methods on to the formatter inside.
macro_rules! pass_on {
    ($($method:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $method<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $kind)*) -> io::Result<()> {
            self.0.$method(writer $(, $argument)*)
        })*
    };
}

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(is_treacherous) {
            let (plain, found) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut after = found.chars();
            for unit in after.next().into_iter().flat_map(units) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = after.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    pass_on! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }
}

/// A character in UTF-16, as JSON's `\u` wants it.
fn units(c: char) -> impl Iterator<Item = u16> {
    let mut units = [0_u16; 2];
    let count = c.encode_utf16(&mut units).len();
    units.into_iter().take(count)
}

#[cfg(test)]
mod tests {
    use super::{escape, write_json};

    #[test]
    fn what_does_not_print_is_escaped_and_json_keeps_its_meaning() {
        let hostile = "a\u{1b}[2Jb\u{202e}c\u{9b}\r\nd";
        assert_eq!(escape(hostile), "a\\u{1b}[2Jb\\u{202e}c\\u{9b}\\r\\nd");
        let mut json = Vec::new();
        write_json(&hostile, false, &mut json).unwrap();
        let json = String::from_utf8(json).unwrap();
        assert_eq!(json, "\"a\\u001b[2Jb\\u202ec\\u009b\\r\\nd\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), hostile);
    }
}
