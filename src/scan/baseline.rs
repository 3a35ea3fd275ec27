//! The baseline: fingerprints of what was known when it was written, one a line, sorted.
//!
//! It carries its own random key, so that it reads the same on every machine; two branches merge by union, and a line
//! that moves changes nothing. It holds no secret, and a fingerprint cannot be turned back into one.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::finding::{Finding, Suppression};
use crate::secret::{Fingerprint, FingerprintKey};

/// Largest baseline that is read, in bytes.
const LARGEST: u64 = 64 << 20;

/// A baseline file.
pub struct Baseline {
    key: FingerprintKey,
    known: BTreeSet<Fingerprint>,
}

impl Baseline {
    /// An empty one with a fresh key.
    ///
    /// # Errors
    /// No random bytes from the operating system.
    pub fn fresh() -> Result<Self> {
        let random = FingerprintKey::random().context("the operating system gives no random bytes")?;
        // The key is kept as text, so that a line of the file is the key itself.
        let text: String = random.expose().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            key: FingerprintKey::new(text.into_bytes()),
            known: BTreeSet::new(),
        })
    }

    /// Reads a baseline file.
    ///
    /// # Errors
    /// A file that is not there or not a baseline; the message names the line.
    pub fn load(path: &Path) -> Result<Self> {
        let shown = path.display();
        let size = std::fs::metadata(path)
            .with_context(|| format!("cannot read the baseline {shown}"))?
            .len();
        if size > LARGEST {
            bail!("the baseline {shown} has {size} bytes; at most {LARGEST} are read");
        }
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read the baseline {shown}"))?;
        Self::parse(&text).with_context(|| format!("{shown} is not a baseline of unleak"))
    }

    fn parse(text: &str) -> Result<Self> {
        let mut key = None;
        let mut known = BTreeSet::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if let Some(written) = line.strip_prefix("# key ") {
                // Two branches that each began a baseline cannot be joined: their fingerprints differ.
                match &key {
                    Some(first) if first != written => {
                        bail!("line {}: a second key; write it anew", number + 1)
                    }
                    _ => key = Some(written.to_owned()),
                }
            } else if !line.is_empty() && !line.starts_with('#') {
                let fingerprint = Fingerprint::parse(line)
                    .with_context(|| format!("line {}: not a fingerprint", number + 1))?;
                known.insert(fingerprint);
            }
        }
        let key = key.context("there is no line '# key …'")?;
        Ok(Self {
            key: FingerprintKey::new(key.into_bytes()),
            known,
        })
    }

    /// Marks the findings that it knows.
    pub fn apply(&self, findings: &mut [Finding]) {
        for finding in findings
            .iter_mut()
            .filter(|finding| finding.suppression.is_none())
        {
            if self.known.contains(&self.key.fingerprint(&finding.secret)) {
                finding.suppression = Some(Suppression::Baseline);
            }
        }
    }

    /// Takes in everything that was found and is not marked inline or listed otherwise.
    pub fn add(&mut self, findings: &[Finding]) {
        let counted = findings
            .iter()
            .filter(|f| matches!(f.suppression, None | Some(Suppression::Baseline)));
        self.known
            .extend(counted.map(|finding| self.key.fingerprint(&finding.secret)));
    }

    /// How many secrets it knows.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Its entries that none of these findings has: what they hid is gone, or was not looked at.
    pub fn unused(&self, findings: &[Finding]) -> Vec<Fingerprint> {
        let found: BTreeSet<Fingerprint> = findings
            .iter()
            .map(|finding| self.key.fingerprint(&finding.secret))
            .collect();
        self.known.difference(&found).copied().collect()
    }

    /// Forgets these entries.
    pub fn forget(&mut self, entries: &[Fingerprint]) {
        entries.iter().for_each(|entry| {
            self.known.remove(entry);
        });
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let mut text = String::from("# unleak baseline: known findings, one keyed fingerprint a line\n");
        text.push_str(&format!("# key {}\n", String::from_utf8_lossy(self.key.expose())));
        for fingerprint in &self.known {
            text.push_str(&format!("{fingerprint}\n"));
        }
        text
    }
}
