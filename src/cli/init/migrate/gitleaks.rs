//! gitleaks and betterleaks: the configuration is used as it is, the ignore file is honoured where it is, a JSON report
//! that serves as a baseline becomes ours.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Carried, Entry, below, files, text};
use crate::cli::Context;
use crate::secret::Secret;

const CONFIGURATIONS: [&str; 4] = [
    ".gitleaks.toml",
    "gitleaks.toml",
    ".betterleaks.toml",
    "betterleaks.toml",
];
const IGNORES: [&str; 2] = [".gitleaksignore", ".betterleaksignore"];
const BASELINES: [&str; 4] = [
    "gitleaks-baseline.json",
    ".gitleaks-baseline.json",
    "gitleaks-report.json",
    ".gitleaks/baseline.json",
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    #[serde(default)]
    file: String,
    #[serde(default)]
    start_line: usize,
    #[serde(default)]
    commit: String,
    #[serde(default)]
    secret: String,
}

pub(super) fn read(root: &Path, given: &[PathBuf], context: &Context, carried: &mut Carried) -> Result<()> {
    let is = |file: &Path, ending: &str| file.extension().is_some_and(|extension| extension == ending);
    let named =
        |ending: &str| -> Vec<PathBuf> { given.iter().filter(|file| is(file, ending)).cloned().collect() };
    let configurations = if given.is_empty() {
        files(root, &[], &CONFIGURATIONS)
    } else {
        named("toml")
    };
    for file in configurations {
        let shown = below(&file, root);
        carried.read.push(shown.clone());
        // Only whether it can be read: our own rules are for the scan.
        let mut probe = context.rules.clone();
        probe.rules.clear();
        match probe.load_foreign(&file) {
            Ok(()) => carried.rules.push(PathBuf::from(shown)),
            // All of it or nothing: a configuration that is used in part would find less than it says.
            Err(error) => {
                let mut lines: Vec<String> = format!("{error:#}").lines().map(str::to_owned).collect();
                lines.truncate(20);
                let why = lines.join("\n           ");
                carried
                    .lost
                    .push(format!("{shown}, until this is mended in it:\n           {why}"));
            }
        }
    }
    for name in IGNORES.iter().filter(|name| root.join(name).is_file()) {
        carried
            .read
            .push(format!("{name}, which stays and is honoured where it is"));
    }
    let baselines = if given.is_empty() {
        files(root, &[], &BASELINES)
    } else {
        named("json")
    };
    for file in baselines {
        let text = text(&file, root, carried)?;
        let found: Vec<Found> = serde_json::from_str(&text)
            .with_context(|| format!("{} is no JSON report of gitleaks", file.display()))?;
        carried.known.extend(found.into_iter().map(Found::entry));
    }
    Ok(())
}

impl Found {
    fn entry(self) -> Entry {
        // A report that was redacted holds stars or a word instead.
        let redacted = self.secret.is_empty() || self.secret == "REDACTED" || self.secret.ends_with("...");
        Entry {
            path: self.file,
            line: self.start_line,
            commit: Some(self.commit).filter(|commit| !commit.is_empty()),
            sha1: None,
            secret: (!redacted).then(|| Secret::new(self.secret)),
        }
    }
}
