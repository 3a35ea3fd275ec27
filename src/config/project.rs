//! `.unleak.toml`: what a repository says of its own scan, to its hooks and to `unleak ci`.
//!
//! Whoever may commit can write it, so nothing in it can send a token anywhere, name a host or a file outside of the
//! repository: it holds what inline marks could say as well. What it hides is reported as suppressed.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use serde::Deserialize;

use super::files::read;

/// The file's name, at the root of a repository.
pub const NAME: &str = ".unleak.toml";

/// The baseline that is used if it is there and no other is named.
pub const BASELINE: &str = ".unleak-baseline";

/// The file.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct Project {
    /// The baseline; [`BASELINE`] if left out.
    pub baseline: Option<PathBuf>,
    /// Configurations of gitleaks or betterleaks whose rules are used as well.
    pub rules: Vec<PathBuf>,
    /// Rules or services that are not used.
    pub skip: Vec<String>,
    /// Paths whose findings do not count: patterns as `.gitignore` has them.
    pub exclude: Vec<String>,
    /// Least confidence of a finding: `high`, `medium` or `low`.
    pub confidence: Option<String>,
}

impl Project {
    /// The file at the root of this repository; its defaults where there is none.
    ///
    /// # Errors
    /// A file that cannot be read or understood; the message names it.
    pub fn of(root: &Path) -> Result<Self> {
        let file = root.join(NAME);
        // A link could lead out of the repository.
        if !std::fs::symlink_metadata(&file).is_ok_and(|data| data.is_file()) {
            return Ok(Self::default());
        }
        Self::parse(&read(&file)?)
    }

    /// Reads the file's text.
    ///
    /// # Errors
    /// Text that is no such file, or a path that leads out of the repository.
    pub fn parse(text: &str) -> Result<Self> {
        let project: Self =
            toml::from_str(text).map_err(|error| anyhow!("{NAME}: {}", error.to_string().trim_end()))?;
        for path in project.rules.iter().chain(&project.baseline) {
            let inside = path.components().all(|part| matches!(part, Component::Normal(_)));
            if !inside || path.as_os_str().is_empty() {
                bail!(
                    "{NAME}: {} is no path inside of the repository, relative to its root",
                    path.display()
                );
            }
        }
        Ok(project)
    }

    /// The arguments of `unleak scan` that say the same, for the repository at `root`.
    ///
    /// # Errors
    /// A baseline that is named and not there.
    pub fn words(&self, root: &Path) -> Result<Vec<OsString>> {
        let mut words: Vec<OsString> = Vec::new();
        let baseline = root.join(self.baseline.as_deref().unwrap_or(Path::new(BASELINE)));
        if baseline.is_file() {
            words.extend(["--baseline".into(), baseline.into()]);
        } else if let Some(named) = &self.baseline {
            return Err(anyhow!("{} is not there", named.display()))
                .with_context(|| format!("{NAME} names a baseline"));
        }
        for (flag, values) in [("--skip", &self.skip), ("--exclude", &self.exclude)] {
            words.extend(values.iter().map(|value| format!("{flag}={value}").into()));
        }
        words.extend(
            self.confidence
                .iter()
                .map(|least| format!("--confidence={least}").into()),
        );
        Ok(words)
    }
}

#[cfg(test)]
mod tests {
    use super::Project;

    #[test]
    fn a_path_that_leads_out_of_the_repository_and_an_unknown_key_are_refused() {
        for wrong in [
            "baseline = \"../b\"",
            "baseline = \"/etc/b\"",
            "rules = [\"a/../../b\"]",
            "rules = [\"\"]",
            "bases = []",
        ] {
            assert!(Project::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Project::parse("rules = [\".gitleaks.toml\"]\nexclude = [\"docs/**\"]").is_ok());
    }
}
