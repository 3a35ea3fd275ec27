//! kingfisher: `kingfisher.yaml` and baselines of both its versions. Its fingerprints hold places in bytes, so that
//! findings are known here by path and line.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use super::{Carried, Entry, files, text};

const NAMES: [&str; 6] = [
    "kingfisher.yaml",
    "kingfisher.yml",
    "baseline-file.yml",
    "baseline-file.yaml",
    "kingfisher-baseline.yml",
    "kingfisher-baseline.yaml",
];

/// A baseline; version 2, and the one before.
#[derive(Default, Deserialize)]
struct Baseline {
    #[serde(default)]
    repositories: Vec<Repository>,
    #[serde(rename = "ExactFindings", default)]
    exact: Exact,
}

#[derive(Deserialize)]
struct Repository {
    #[serde(default)]
    findings: Vec<Found>,
}

#[derive(Default, Deserialize)]
struct Exact {
    #[serde(default)]
    matches: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(alias = "filepath")]
    path: String,
    #[serde(alias = "linenum", default)]
    line: usize,
}

pub(super) fn read(root: &Path, given: &[PathBuf], carried: &mut Carried) -> Result<()> {
    for file in files(root, given, &NAMES) {
        let text = text(&file, root, carried)?;
        let value: Value = serde_saphyr::from_str(&text)
            .map_err(|error| anyhow::anyhow!("{error}"))
            .with_context(|| format!("{} is no YAML", file.display()))?;
        if value.get("repositories").is_some() || value.get("ExactFindings").is_some() {
            let baseline: Baseline = serde_json::from_value(value)
                .with_context(|| format!("{} is no baseline of kingfisher", file.display()))?;
            let repositories = baseline.repositories.len();
            if repositories > 1 {
                carried.lost.push(format!(
                    "that its baseline is of {repositories} repositories: paths and lines of all of them are looked for here"
                ));
            }
            let findings = baseline.repositories.into_iter().flat_map(|one| one.findings);
            carried
                .known
                .extend(findings.chain(baseline.exact.matches).map(entry));
        } else {
            configuration(&value, carried);
        }
    }
    Ok(())
}

fn entry(found: Found) -> Entry {
    Entry {
        path: found.path.trim_start_matches("./").to_owned(),
        line: found.line,
        ..Entry::default()
    }
}

fn configuration(value: &Value, carried: &mut Carried) {
    let Some(sections) = value.as_object() else { return };
    for (section, keys) in sections {
        let Some(keys) = keys.as_object() else { continue };
        for (key, value) in keys {
            let texts = || {
                let items = value.as_array().into_iter().flatten();
                items.filter_map(Value::as_str).map(str::to_owned)
            };
            match (section.as_str(), key.as_str()) {
                ("filters", "exclude") => carried.exclude.extend(texts()),
                ("filters", "skip_words") => carried.words.extend(texts()),
                ("filters", "skip_regex") => carried.secrets.extend(texts()),
                // How it runs and looks, and where it reports, is no matter of the repository here.
                ("output" | "scan" | "global" | "git" | "validation" | "baseline", _) => {}
                ("rules", "disabled") => carried.lost.push(format!(
                    "rules.disabled ({}): rules have other names here; `unleak rules list` shows them, `skip` leaves them out",
                    texts().collect::<Vec<_>>().join(", ")
                )),
                ("alerts", _) => carried
                    .lost
                    .push("alerts: where notices go is the operator's configuration ([notify]; `unleak config`)".to_owned()),
                (section, key) => carried.lost.push(format!("{section}.{key}")),
            }
        }
    }
}
