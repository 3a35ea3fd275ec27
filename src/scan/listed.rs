//! `.gitleaksignore` and `.betterleaksignore`: the peers' lists of findings to pass over, one fingerprint a line.
//!
//! They are honoured as inline marks are, because who can write the one can write the other; what they hide is reported
//! as suppressed. A line is `commit:path:rule:line` or `path:rule:line`. A rule that is one of ours, or was imported,
//! must be that of the finding; any other id is of a rule that we do not have, and the place alone decides.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use crate::finding::{Finding, Suppression};
use crate::source::Tally;

/// Names that are looked for in the folder that is scanned.
const NAMES: [&str; 2] = [".gitleaksignore", ".betterleaksignore"];

/// Largest list that is read, in bytes.
const LARGEST: u64 = 16 << 20;

/// The lists of one folder.
#[derive(Debug, Default)]
pub(super) struct Listed {
    /// By path and line.
    entries: BTreeMap<(Vec<u8>, usize), Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    commit: Option<String>,
    rule: String,
    list: &'static str,
    line: usize,
}

impl Listed {
    /// Reads the lists that stand in this folder. One that is there and cannot be read is told to the tally.
    pub(super) fn of(folder: &Path, tally: &Tally) -> Self {
        let mut listed = Self::default();
        for name in NAMES {
            let path = folder.join(name);
            // A link or a pipe could lead anywhere, or nowhere.
            if !std::fs::symlink_metadata(&path).is_ok_and(|data| data.is_file()) {
                continue;
            }
            let mut text = Vec::new();
            let read = std::fs::File::open(&path).and_then(|file| file.take(LARGEST).read_to_end(&mut text));
            match read {
                Ok(_) => listed.add(name, &String::from_utf8_lossy(&text)),
                Err(error) => tally.skip(
                    path.display().to_string(),
                    format!("cannot be read: {error}; what it names is reported"),
                ),
            }
        }
        listed
    }

    fn add(&mut self, list: &'static str, text: &str) {
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some((key, commit, rule)) = parse(line) {
                self.entries.entry(key).or_default().push(Entry {
                    commit,
                    rule,
                    list,
                    line: at + 1,
                });
            }
        }
    }

    /// Marks the findings that the lists name; `is_ours` tells whether there is a rule of this id.
    pub(super) fn apply(&self, findings: &mut [Finding], is_ours: impl Fn(&str) -> bool) {
        if self.entries.is_empty() {
            return;
        }
        for finding in findings
            .iter_mut()
            .filter(|finding| finding.suppression.is_none())
        {
            let at = &finding.location;
            let commit = at.origin.commit().map(|commit| commit.id.as_str());
            let names = |entry: &&Entry| {
                (entry.commit.is_none() || entry.commit.as_deref() == commit)
                    && (entry.rule == finding.rule.as_str()
                        || entry.rule == finding.rule.rule()
                        || !is_ours(&entry.rule))
            };
            let entries = self.entries.get(&(at.path.as_bytes().to_vec(), at.line));
            if let Some(entry) = entries.and_then(|entries| entries.iter().find(names)) {
                finding.suppression = Some(Suppression::Listed {
                    list: entry.list.to_owned(),
                    line: entry.line,
                });
            }
        }
    }
}

type Parsed = ((Vec<u8>, usize), Option<String>, String);

fn parse(line: &str) -> Option<Parsed> {
    let (rest, number) = line.rsplit_once(':')?;
    let (place, rule) = rest.rsplit_once(':')?;
    let number: usize = number.trim().parse().ok()?;
    let is_commit =
        |text: &str| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (commit, path) = match place.split_once(':') {
        Some((commit, path)) if is_commit(commit) => (Some(commit.to_ascii_lowercase()), path),
        _ => (None, place),
    };
    let path = path.strip_prefix("./").unwrap_or(path).replace('\\', "/");
    Some(((path.into_bytes(), number), commit, rule.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn both_forms_of_a_fingerprint_are_read_and_anything_else_is_passed_over() {
        let id = "a".repeat(40);
        let (key, commit, rule) = parse(&format!("{id}:src/a b.py:aws-access-token:12")).unwrap();
        assert_eq!(
            (key, commit, rule.as_str()),
            ((b"src/a b.py".to_vec(), 12), Some(id), "aws-access-token")
        );
        let (key, commit, _) = parse("./src/a.py:generic-api-key:3").unwrap();
        assert_eq!((key, commit), ((b"src/a.py".to_vec(), 3), None));
        for line in ["", "src/a.py", "src/a.py:rule:", "src/a.py:rule:x", ":"] {
            assert!(parse(line).is_none(), "{line}");
        }
    }
}
