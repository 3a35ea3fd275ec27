//! SARIF through Microsoft's validator with the rules of GitHub's ingestion.
//!
//! `tests/run` installs it and names it in the environment; `cargo test` alone passes without it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use unleak::report::{Format, Options, Report};

use crate::support::reports::{empty, odd, written};

#[test]
fn the_validator_finds_no_error_by_githubs_rules() {
    let Some(multitool) = multitool() else {
        return skipped();
    };
    let folder = tempfile::tempdir().unwrap();
    for (name, report) in [("odd", odd()), ("empty", empty())] {
        let problems = validate(&multitool, folder.path(), name, &parsed(&report));
        assert!(problems.is_empty(), "{name}:\n{}", problems.join("\n"));
    }
}

/// A validator that passes everything would prove nothing.
#[test]
fn the_validator_would_find_an_error() {
    let Some(multitool) = multitool() else {
        return skipped();
    };
    let folder = tempfile::tempdir().unwrap();
    let mut broken = parsed(&odd());
    broken["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] = 0.into();
    broken["runs"][0]["tool"]["driver"]["rules"][0]["help"] = Value::Null;
    let problems = validate(&multitool, folder.path(), "broken", &broken);
    assert!(!problems.is_empty());
}

fn parsed(report: &Report) -> Value {
    serde_json::from_str(&written(report, Format::Sarif, &Options::default())).unwrap()
}

#[expect(
    clippy::print_stderr,
    reason = "the one way for a Rust test to say that it did nothing"
)]
fn skipped() {
    eprintln!("skipped: Sarif.Multitool is not installed; tests/run installs it");
}

fn multitool() -> Option<PathBuf> {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests/run promises the validator by this variable"
    )]
    let promised = std::env::var_os("UNLEAK_SARIF_MULTITOOL");
    if let Some(path) = promised {
        return Some(PathBuf::from(path));
    }
    let installed = "target/tools/node_modules/@microsoft/sarif-multitool-linux/Sarif.Multitool";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(installed);
    path.is_file().then_some(path)
}

/// The validator's results of level error; its exit code says nothing.
fn validate(multitool: &Path, folder: &Path, name: &str, log: &Value) -> Vec<String> {
    let (file, verdict) = (
        folder.join(format!("{name}.sarif")),
        folder.join(format!("{name}.out.sarif")),
    );
    std::fs::write(&file, serde_json::to_vec(log).unwrap()).unwrap();
    let output = Command::new(multitool)
        .args([
            "validate",
            "--rule-kind",
            "Sarif;Ghas",
            "--log",
            "ForceOverwrite",
            "-o",
        ])
        .args([&verdict, &file])
        .env("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1")
        .env("DOTNET_BUNDLE_EXTRACT_BASE_DIR", folder.join("dotnet"))
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", multitool.display()));
    let read = std::fs::read(&verdict).unwrap_or_else(|error| {
        panic!(
            "the validator wrote nothing: {error}\n{}",
            String::from_utf8_lossy(&output.stdout)
        )
    });
    let verdict: Value = serde_json::from_slice(read.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&read)).unwrap();
    let results = verdict["runs"][0]["results"].as_array().unwrap();
    results
        .iter()
        .filter(|result| result["level"] == "error")
        .map(Value::to_string)
        .collect()
}
