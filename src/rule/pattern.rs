//! Patterns that a file gives at run time: bounded before they are compiled, compiled when they are first needed.
//!
//! A pattern of a few characters can ask for gigabytes (`((a{1000}){1000}){1000}`). What it would take is reckoned from its
//! syntax tree; only one that may be too large is compiled at once, within the bound, to see whether it is. It must never
//! hand out a pattern that cannot be compiled later.

use std::sync::OnceLock;

use anyhow::{Result, anyhow, bail};
use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

/// Largest compiled program of one pattern, in bytes.
pub(super) const LARGEST_PROGRAM: usize = 4 << 20;

/// What a state of a program takes at most, in bytes, with what is kept beside it.
const STATE: usize = 128;

/// Longest pattern, in bytes.
const LONGEST: usize = 64 << 10;

/// Builds the pattern; bounded, so that a hostile rule file cannot take the memory.
pub(super) fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(LARGEST_PROGRAM)
        .build()
}

/// Proves that the pattern can be built, without building it where that is certain.
///
/// # Errors
/// A pattern that cannot be read, or is too large.
pub(super) fn prove(pattern: &str) -> Result<()> {
    if pattern.len() > LONGEST {
        bail!(
            "its pattern has {} bytes; at most {LONGEST} are read",
            pattern.len()
        );
    }
    let hir = regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .build()
        .parse(pattern)
        .map_err(|error| anyhow!("its pattern cannot be read: {error}"))?;
    if states(&hir).saturating_mul(STATE) <= LARGEST_PROGRAM {
        return Ok(());
    }
    match build(pattern) {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(most)) => bail!(
            "its pattern is too large: compiled it would take more than {} MiB; shorten its counted repetitions",
            most >> 20
        ),
        Err(error) => bail!("its pattern cannot be compiled: {error}"),
    }
}

/// States that the program of this tree has at most.
fn states(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len(),
        HirKind::Class(Class::Bytes(class)) => 1 + class.ranges().len() / 8,
        HirKind::Class(Class::Unicode(class)) => class.ranges().len().saturating_mul(8),
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) => parts.iter().map(states).fold(0, usize::saturating_add),
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(|part| states(part).saturating_add(1));
            parts.fold(1, usize::saturating_add)
        }
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
            let one = states(&repetition.sub).saturating_add(1);
            one.saturating_mul(usize::try_from(times).unwrap_or(usize::MAX))
                .saturating_add(1)
        }
    }
}

/// A pattern that was proved.
#[derive(Debug)]
pub struct Pattern {
    text: String,
    regex: OnceLock<Regex>,
}

impl Pattern {
    /// Proves the text, in the syntax of the `regex` crate without Unicode.
    ///
    /// # Errors
    /// As [`prove`].
    pub(super) fn new(text: String) -> Result<Self> {
        prove(&text)?;
        Ok(Self {
            text,
            regex: OnceLock::new(),
        })
    }

    /// Whether it matches somewhere in the text.
    pub fn is_match(&self, text: &[u8]) -> bool {
        #[expect(clippy::expect_used, reason = "new() proved that it can be built")]
        self.regex
            .get_or_init(|| build(&self.text).expect("the pattern was proved"))
            .is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{build, prove};

    #[test]
    fn a_pattern_that_asks_for_too_much_is_refused_quickly() {
        for pattern in [
            "((a{1000}){1000}){1000}",
            "(?:[a-z]{1,1000}){1000}",
            r"(?u:\pL{10000})",
            "(((((((((x{100}){100}){100}){100}){100}){100}){100}){100}){100})",
        ] {
            let error = prove(pattern).unwrap_err().to_string();
            assert!(error.contains("too large"), "{error}");
        }
        assert!(prove(&"a".repeat(100_000)).is_err());
        assert!(prove(&"(".repeat(10_000)).is_err());
    }

    #[test]
    fn what_is_taken_without_a_trial_can_be_built() {
        for pattern in [
            "[a-z]{400}",
            r"(?i:key)\s{0,200}[:=]\s{0,200}[0-9a-zA-Z_-]{20,800}",
            r"(?u:\pL)(?u:\p{Greek}){3}",
            "(a|b|c|dd|eee){1,200}",
            r"(?i:[^\x00-\x08]{1,900}é)",
        ] {
            prove(pattern).unwrap();
            build(pattern).unwrap();
        }
    }
}
