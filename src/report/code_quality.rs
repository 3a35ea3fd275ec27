//! GitLab's code quality report (`artifacts: reports: codequality`): leaks in a merge request's widget on every tier.
//!
//! GitLab compares fingerprints between two branches: one must not change when a line moves, and no two may be the same.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Report;
use super::group::{Group, groups};
use super::redact::{Redactor, escape, write_json};
use super::telling::{self, State};
use crate::finding::{Finding, Severity};

/// Writes the report: every finding that is not suppressed.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    let redactor = Redactor::of(report)?;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut issues = Vec::new();
    for group in groups(report) {
        for finding in &group.findings {
            let place = same(finding);
            let nth = seen.entry(place.clone()).or_default();
            *nth += 1;
            issues.push(issue(&group, finding, &format!("{place}\n{nth}"), &redactor));
        }
    }
    write_json(&issues, true, out)
}

/// What stays the same when the line moves.
fn same(finding: &Finding) -> String {
    let at = &finding.location;
    let commit = at.origin.commit().map_or("", |commit| commit.id.as_str());
    format!(
        "{}\n{}\n{commit}\n{}",
        finding.rule,
        finding.fingerprint,
        at.path.to_uri()
    )
}

fn issue(group: &Group<'_>, finding: &Finding, unique: &str, redactor: &Redactor) -> Value {
    let hash = Sha256::digest(unique);
    let fingerprint: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let at = &finding.location;
    let commit = at.origin.commit().map_or_else(String::new, |commit| {
        format!(" It came with commit {}.", telling::short(&commit.id, redactor))
    });
    json!({
        "description": format!(
            "{} {}: {} {}{commit}",
            telling::title(group),
            escape(&finding.redacted),
            telling::why(group, redactor),
            telling::next(group, redactor).line(),
        ),
        "check_name": finding.rule.as_str(),
        "fingerprint": fingerprint,
        "severity": severity(State::of(group), finding.severity),
        "location": {
            "path": telling::path(&at.path, redactor),
            "lines": { "begin": at.line, "end": at.end_line },
        },
    })
}

fn severity(state: State, severity: Severity) -> &'static str {
    match (state, severity) {
        (State::Dead | State::Public, _) | (_, Severity::Info) => "info",
        (State::Live, Severity::Critical | Severity::High) => "blocker",
        (_, Severity::Critical | Severity::High) => "critical",
        (_, Severity::Medium) => "major",
        (_, Severity::Low) => "minor",
    }
}
