//! trufflehog: the file of `--exclude-paths`, one regular expression a line; its custom detectors are named. It has no
//! baseline, and its inline marks are honoured where they are.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Carried, files, text};

const NAMES: [&str; 9] = [
    ".trufflehogignore",
    ".trufflehog-exclude",
    ".trufflehog-exclude.txt",
    "trufflehog-exclude.txt",
    "trufflehog-exclude-paths.txt",
    ".trufflehog.yml",
    ".trufflehog.yaml",
    "trufflehog-config.yaml",
    "trufflehog-config.yml",
];

#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    detectors: Vec<Detector>,
    #[serde(default)]
    sources: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Detector {
    #[serde(default)]
    name: String,
}

pub(super) fn read(root: &Path, given: &[PathBuf], carried: &mut Carried) -> Result<()> {
    for file in files(root, given, &NAMES) {
        let text = text(&file, root, carried)?;
        let yaml = file
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "yaml");
        if !yaml {
            let lines = text.lines().map(str::trim);
            let patterns = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
            carried.paths.extend(patterns.map(str::to_owned));
            continue;
        }
        let configuration: Configuration = serde_saphyr::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| format!("{} is no configuration of trufflehog", file.display()))?;
        for detector in configuration.detectors {
            let name = detector.name;
            carried.lost.push(format!(
                "the custom detector {name:?}: write a rule file for it (rules/README.md)"
            ));
        }
        if !configuration.sources.is_empty() {
            carried
                .lost
                .push("its sources: name them as targets of `unleak scan`".to_owned());
        }
    }
    Ok(())
}
