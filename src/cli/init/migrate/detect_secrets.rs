//! detect-secrets: `.secrets.baseline` holds the settings and the known findings, each by SHA-1 of its secret.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::Value;

use super::{Carried, Entry, below, files, text};

const BASELINES: [&str; 1] = [".secrets.baseline"];

/// Filters that we have in another form, or that are about how its plugins work.
const OURS: [&str; 10] = [
    "allowlist.is_line_allowlisted",
    "common.is_baseline_file",
    "common.is_ignored_due_to_verification_policies",
    "heuristic.is_indirect_reference",
    "heuristic.is_likely_id_string",
    "heuristic.is_lock_file",
    "heuristic.is_not_alphanumeric_string",
    "heuristic.is_potential_uuid",
    "heuristic.is_prefixed_with_dollar_sign",
    "heuristic.is_sequential_string",
];

#[derive(Deserialize)]
struct Baseline {
    #[serde(default)]
    plugins_used: Vec<Value>,
    #[serde(default)]
    filters_used: Vec<Value>,
    /// Before version 1, and in IBM's fork.
    #[serde(default)]
    exclude: BTreeMap<String, Option<String>>,
    #[serde(default)]
    results: BTreeMap<String, Vec<Found>>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    hashed_secret: String,
    #[serde(default)]
    line_number: usize,
    is_secret: Option<bool>,
}

pub(super) fn read(root: &Path, given: &[PathBuf], carried: &mut Carried) -> Result<()> {
    for file in files(root, given, &BASELINES) {
        let text = text(&file, root, carried)?;
        let baseline: Baseline = serde_json::from_str(&text)
            .with_context(|| format!("{} is no baseline of detect-secrets", file.display()))?;
        // Its hashes look like secrets, and it leaves itself out, too.
        carried.exclude.push(format!("/{}", below(&file, root)));
        plugins(&baseline.plugins_used, carried);
        baseline.filters_used.iter().for_each(|one| filter(one, carried));
        for (what, pattern) in baseline.exclude {
            match (what.as_str(), pattern) {
                ("files", Some(pattern)) => carried.paths.push(pattern),
                ("lines", Some(pattern)) => carried.lines.push(pattern),
                (_, None) => {}
                (other, Some(_)) => carried.lost.push(format!("exclude.{other}")),
            }
        }
        let mut real = 0;
        for (path, found) in baseline.results {
            for one in found {
                real += usize::from(one.is_secret == Some(true));
                carried.known.push(Entry {
                    // A baseline that was made on Windows.
                    path: path.replace('\\', "/"),
                    line: one.line_number,
                    sha1: Some(one.hashed_secret.to_ascii_lowercase()),
                    ..Entry::default()
                });
            }
        }
        if real > 0 {
            carried.lost.push(format!(
                "{real} findings that its audit calls real are known, and still leaks: revoke them"
            ));
        }
    }
    Ok(())
}

fn plugins(plugins: &[Value], carried: &mut Carried) {
    for plugin in plugins {
        let name = plugin["name"].as_str().unwrap_or("without a name");
        if plugin.get("path").is_some() {
            carried.lost.push(format!(
                "the plugin {name}: write a rule file for what it finds (rules/README.md)"
            ));
        }
        if name.ends_with("HighEntropyString") {
            carried.lost.push(format!(
                "the plugin {name}: unleak has no rule that looks at entropy alone; --confidence low comes nearest"
            ));
        }
        if plugin["keyword_exclude"]
            .as_str()
            .is_some_and(|exclude| !exclude.is_empty())
        {
            carried.lost.push(format!("keyword_exclude of the plugin {name}"));
        }
    }
}

fn filter(filter: &Value, carried: &mut Carried) {
    let path = filter["path"].as_str().unwrap_or_default();
    let name = path.strip_prefix("detect_secrets.filters.").unwrap_or(path);
    let list = match name {
        "regex.should_exclude_file" => &mut carried.paths,
        "regex.should_exclude_line" => &mut carried.lines,
        "regex.should_exclude_secret" => &mut carried.secrets,
        _ if OURS.contains(&name) => return,
        _ => return carried.lost.push(format!("the filter {name}")),
    };
    match &filter["pattern"] {
        Value::String(pattern) => list.push(pattern.clone()),
        Value::Array(patterns) => list.extend(patterns.iter().filter_map(Value::as_str).map(str::to_owned)),
        _ => carried
            .lost
            .push(format!("the filter {name}, which has no pattern")),
    }
}
