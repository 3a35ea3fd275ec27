//! What a scan yields: one secret at one place, with the rule that knew it.
//!
//! A [`Finding`] carries the secret itself and therefore never implements `Serialize`: reports pick its fields.

mod suppression;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use suppression::{Mark, Refusal, Suppression};

use crate::secret::{Fingerprint, Secret};

/// Full name of a rule, `service/rule`; it never changes once published.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(String);

impl RuleId {
    /// Joins the service's file name and the rule's id.
    pub fn new(service: &str, rule: &str) -> Self {
        Self(format!("{service}/{rule}"))
    }

    /// The whole name, `service/rule`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the slash: the name of the rule file.
    pub fn service(&self) -> &str {
        self.0
            .split_once('/')
            .map_or(self.0.as_str(), |(service, _)| service)
    }

    /// The part after the slash.
    pub fn rule(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, rule)| rule)
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How bad a live secret of this kind is; ordered from worst to least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Severity {
    Critical,
    High,
    Medium,
    #[default]
    Low,
    /// Public by design: worth knowing, never a leak.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        })
    }
}

/// The fact that several different secrets near one could be the same part of it, by the rule of one of them: which is its
/// own is not known.
pub const SEVERAL: &str = "several";

/// How sure the rule is that a match is a secret; ordered from surest to least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Confidence {
    High,
    Medium,
    #[default]
    Low,
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        })
    }
}

/// A path as the file system or git gives it: bytes, not necessarily UTF-8, `/` between folders.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScanPath(Vec<u8>);

impl ScanPath {
    /// Takes the raw bytes over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// A percent-encoded relative URI reference (RFC 3986), as SARIF wants it.
    pub fn to_uri(&self) -> String {
        let mut uri = String::with_capacity(self.0.len());
        for &byte in &self.0 {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    uri.push(byte as char)
                }
                _ => uri.push_str(&format!("%{byte:02X}")),
            }
        }
        uri
    }
}

/// Invalid UTF-8 and control characters are shown as `\xNN`, so that a path can never break a line or a terminal.
impl fmt::Display for ScanPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    let mut buffer = [0_u8; 4];
                    for byte in c.encode_utf8(&mut buffer).bytes() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                } else {
                    write!(f, "{c}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ScanPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScanPath({self})")
    }
}

impl Serialize for ScanPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The commit that introduced a blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitInfo {
    /// Object id in hexadecimal.
    pub id: String,
    /// Author's name as git has it.
    pub author: String,
    /// Author's e-mail as git has it.
    pub email: String,
    /// Author's date.
    pub date: Timestamp,
}

/// Where bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file of a folder or working tree.
    Worktree,
    /// git's index: what the next commit would hold.
    Staged,
    /// git's history; the commit that brought it in.
    Commit(CommitInfo),
    /// An object of git's history that no commit holds, such as one that only a tag names; its id.
    Object(String),
    /// An object that no ref reaches: taken back by force, or never named; its id.
    Unreachable(String),
    /// Standard input.
    Stdin,
}

impl Origin {
    /// The word used in reports: `worktree`, `staged`, `history`, `unreachable`, `stdin`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Worktree => "worktree",
            Self::Staged => "staged",
            Self::Commit(_) | Self::Object(_) => "history",
            Self::Unreachable(_) => "unreachable",
            Self::Stdin => "stdin",
        }
    }

    /// The commit, for a finding in history.
    pub fn commit(&self) -> Option<&CommitInfo> {
        match self {
            Self::Commit(commit) => Some(commit),
            Self::Worktree | Self::Staged | Self::Object(_) | Self::Unreachable(_) | Self::Stdin => None,
        }
    }
}

/// Where a secret stands. Lines and columns count from 1; an end column is the one after the last character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Path below the scanned target (or the target itself where it is a file); for a member of an archive with
    /// `!member` behind it, and lines and columns are the member's.
    pub path: ScanPath,
    /// First line.
    pub line: usize,
    /// First column in characters.
    pub column: usize,
    /// Last line.
    pub end_line: usize,
    /// Column after the last character, in characters.
    pub end_column: usize,
    /// First column in UTF-16 units, as SARIF counts.
    pub column_utf16: usize,
    /// Column after the last character, in UTF-16 units.
    pub end_column_utf16: usize,
    /// Where the bytes came from.
    pub origin: Origin,
}

/// The other parts of a multi-part credential, by rule id of the same service.
pub type Parts = BTreeMap<String, Secret>;

/// One secret at one place.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that knew it.
    pub rule: RuleId,
    /// The secret itself.
    pub secret: Secret,
    /// Parts found near it, where the rule needs them.
    pub parts: Parts,
    /// What the secret says about itself, read offline (`payload.org`), by name; untrusted text.
    pub facts: BTreeMap<String, String>,
    /// The secret's name outside the process.
    pub fingerprint: Fingerprint,
    /// The form that people may see.
    pub redacted: String,
    /// How bad it is; `Info` for what is public by design.
    pub severity: Severity,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// Where it stands.
    pub location: Location,
    /// The formats and encodings it was found behind, from the outside in, such as `base64` or `zip>utf-16le`.
    pub decoded_via: Option<String>,
    /// GitHub's `primaryLocationLineHash` of the line, where the file was at hand.
    pub line_hash: Option<String>,
    /// What stands around it on its line, for people.
    pub excerpt: Option<Excerpt>,
    /// Set where the finding does not count.
    pub suppression: Option<Suppression>,
}

/// The line that a secret begins on, without the secret, and with what else looks like one masked. Foreign text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// What stands before it, without the indentation; cut at the front where it is long.
    pub before: String,
    /// What stands behind it; cut at the end where it is long.
    pub after: String,
}

impl Finding {
    /// Whether it counts towards the exit code: not suppressed, and not public by design.
    pub fn counts(&self) -> bool {
        self.suppression.is_none() && self.severity != Severity::Info
    }

    /// Whether it is no finding at all, and here for its reason alone.
    pub fn is_refused(&self) -> bool {
        matches!(self.suppression, Some(Suppression::Refused(_)))
    }
}

/// What a report needs to know of a rule; made by `rule`, read by `report`.
#[derive(Clone, Debug)]
pub struct RuleCard {
    /// Full id.
    pub id: RuleId,
    /// What the token is called, "GitHub personal access token".
    pub title: String,
    /// The service's name, "GitHub".
    pub service: String,
    /// The service's documentation of this token.
    pub docs: String,
    /// The page where a person revokes it by hand, if known.
    pub page: Option<String>,
    /// How bad a live one is.
    pub severity: Severity,
    /// How sure a match is.
    pub confidence: Confidence,
}

/// One thing that was not scanned, or not scanned whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// What: a path, a ref, an object id.
    pub what: String,
    /// Why, with the next step where there is one.
    pub why: String,
}

/// What a scan went through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// Files of folders and working trees, or staged files.
    pub files: u64,
    /// Bytes scanned.
    pub bytes: u64,
    /// Distinct blobs of git's history.
    pub blobs: u64,
    /// Commits walked.
    pub commits: u64,
    /// Binary files and blobs that were passed over by design.
    pub binary: u64,
    /// What was not scanned although it should have been; anything here makes the scan incomplete.
    pub skipped: Vec<Skipped>,
}

#[cfg(test)]
mod tests {
    use super::ScanPath;

    #[test]
    fn a_path_that_is_not_utf8_is_shown_escaped_and_encoded() {
        let path = ScanPath::new(b"a b/\xff\n.txt".to_vec());
        assert_eq!(path.to_string(), "a b/\\xff\\x0a.txt");
        assert_eq!(path.to_uri(), "a%20b/%FF%0A.txt");
    }
}
