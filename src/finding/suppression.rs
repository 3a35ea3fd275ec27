//! Why something that was matched does not count. It holds no part of a secret.

use std::fmt;

use serde::Serialize;

use super::ScanPath;

/// Why a match of a rule's pattern is no finding, in words that hold no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// One word for programs: `placeholder`, `entropy`, `checksum`, `context`, `yields`, …
    pub reason: &'static str,
    /// A sentence for people, with figures.
    pub why: String,
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(reason: &'static str, why: impl Into<String>) -> Self {
        Self {
            reason,
            why: why.into(),
        }
    }
}

/// Why a finding does not count: a mark in its source, a line in the baseline or in another tool's list, or because it
/// is none (told by `scan --explain` alone).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Suppression {
    /// An inline mark such as `unleak:ignore`, with the reason that stands behind it.
    Inline {
        /// The mark that was honoured.
        mark: String,
        /// Text after the mark, empty if none was given.
        reason: String,
    },
    /// The fingerprint stands in the baseline.
    Baseline,
    /// Another tool's list of what to pass over, found in the scanned folder, names its place.
    Listed {
        /// The list's file name.
        list: String,
        /// The line of the list, counted from 1.
        line: usize,
    },
    /// It is no finding at all.
    Refused(Refusal),
}

/// One sentence for people.
impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline { mark, reason } if reason.is_empty() => write!(f, "{mark}, without a reason"),
            Self::Inline { mark, reason } => write!(f, "{mark}: {reason}"),
            Self::Baseline => f.write_str("The fingerprint stands in the baseline."),
            Self::Listed { list, line } => write!(f, "{list} names it in line {line}."),
            Self::Refused(refusal) => f.write_str(&refusal.why),
        }
    }
}

/// An inline mark somewhere in a text, whether or not it has to do with a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mark {
    /// The file.
    pub path: ScanPath,
    /// Its line, from 1.
    pub line: usize,
    /// The mark as it is written: `unleak:ignore`, `gitleaks:allow`.
    pub mark: String,
    /// The rule or service that it names.
    pub rule: Option<String>,
    /// Text after it, empty if none was given.
    pub reason: String,
    /// Whether a finding was passed over because of it.
    pub used: bool,
}
