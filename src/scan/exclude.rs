//! Paths whose findings do not count, by patterns as `.gitignore` has them. They are scanned, and what is found there is
//! reported as suppressed: nothing is passed over in silence.

use anyhow::{Context as _, Result};
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::finding::{Finding, Suppression};

/// The patterns.
#[derive(Clone, Debug)]
pub struct Exclude {
    matcher: Gitignore,
    patterns: Vec<String>,
}

impl Exclude {
    /// Reads the patterns; a later one wins over an earlier one, and `!` takes back.
    ///
    /// # Errors
    /// A pattern that is none.
    pub fn new(patterns: &[String]) -> Result<Self> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            let added = builder.add_line(None, pattern);
            added.with_context(|| format!("{pattern:?} is no pattern as .gitignore has them"))?;
        }
        Ok(Self {
            matcher: builder
                .build()
                .context("the patterns of excluded paths cannot be used")?,
            patterns: patterns.to_vec(),
        })
    }

    /// Marks the findings that stand at such a path.
    pub fn apply(&self, findings: &mut [Finding]) {
        for finding in findings
            .iter_mut()
            .filter(|finding| finding.suppression.is_none())
        {
            let path = String::from_utf8_lossy(finding.location.path.as_bytes()).into_owned();
            let path = path.strip_prefix("./").unwrap_or(&path).trim_start_matches('/');
            let matched = self.matcher.matched_path_or_any_parents(path, false);
            let Some(glob) = matched.inner().filter(|_| matched.is_ignore()) else {
                continue;
            };
            let at = self
                .patterns
                .iter()
                .position(|pattern| pattern == glob.original());
            finding.suppression = Some(Suppression::Listed {
                list: format!("the list of excluded paths ({})", glob.original()),
                line: at.unwrap_or_default() + 1,
            });
        }
    }
}
