//! SARIF 2.1.0, the form that GitHub code scanning takes and Microsoft's validator passes.
//!
//! No field ever holds a secret or text around it, whatever the options say: these files are uploaded and kept.

mod result;
mod rule;

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Message, Notification, PropertyBag, ReportingDescriptor,
    ReportingDescriptorReference, ResultColumnKind, Run, RunAutomationDetails, Sarif, Tool, ToolComponent,
    VersionControlDetails,
};

use super::Report;
use super::redact::{Redactor, TOKEN, write_json};
use super::web::{absolute, repository_uri};
use crate::finding::{Finding, Severity, Suppression};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// The name under which paths are relative to the scanned folder.
const ROOT: &str = "SRCROOT";
/// GitHub refuses a run with more results.
const MOST_RESULTS: usize = 25_000;
/// GitHub keeps so many of them, the most severe.
const MOST_SHOWN: usize = 5_000;

/// Ids of our notifications, in the order of the driver's list.
const NOTIFICATIONS: [(&str, &str); 2] = [
    (
        "unleak/not-scanned",
        "Something that should have been scanned was not.",
    ),
    (
        "unleak/limit",
        "GitHub takes or shows fewer results than there are.",
    ),
];

/// Writes the log file.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    let redactor = Redactor::of(report)?;
    let (findings, left_out) = kept(report);
    let sarif = Sarif {
        schema: Some(SCHEMA.to_owned()),
        inline_external_properties: None,
        properties: None,
        runs: vec![run(report, &findings, left_out, &redactor)],
        version: json!("2.1.0"),
    };
    write_json(&sarif, true, out)
}

/// The findings that fit into a run, by place, and how many do not: the least important are left out.
fn kept(report: &Report) -> (Vec<&Finding>, usize) {
    let mut findings = report.sorted();
    let left_out = findings.len().saturating_sub(MOST_RESULTS);
    if left_out > 0 {
        let weight = |finding: &Finding| {
            let verdict = report
                .learnt
                .get(&finding.fingerprint)
                .and_then(|l| l.verdict.as_ref());
            let dead = verdict.is_some_and(|verdict| verdict.is_dead());
            let live = verdict.is_some_and(|verdict| verdict.is_live());
            (finding.suppression.is_some(), dead, !live, finding.severity)
        };
        let mut ranked: Vec<(usize, &Finding)> = findings.into_iter().enumerate().collect();
        ranked.sort_by_key(|(_, finding)| weight(finding));
        ranked.truncate(MOST_RESULTS);
        ranked.sort_by_key(|(place, _)| *place);
        findings = ranked.into_iter().map(|(_, finding)| finding).collect();
    }
    (findings, left_out)
}

fn run(report: &Report, findings: &[&Finding], left_out: usize, redactor: &Redactor) -> Run {
    let rules = rule::of_findings(report, findings);
    let mut results = findings
        .iter()
        .map(|finding| result::of(report, finding, &rules.index, redactor))
        .collect::<Vec<_>>();
    let is_known = |finding: &Finding| finding.suppression == Some(Suppression::Baseline);
    if findings.iter().copied().any(is_known) {
        for (result, finding) in results.iter_mut().zip(findings) {
            let state = if is_known(finding) { "unchanged" } else { "new" };
            result.baseline_state = Some(json!(state));
        }
    }
    let mut driver = ToolComponent::builder()
        .name("unleak")
        .semantic_version(report.version.as_str())
        .rules(rules.descriptors)
        .notifications(NOTIFICATIONS.map(notification_descriptor).to_vec())
        .build();
    driver.information_uri = absolute(env!("CARGO_PKG_REPOSITORY"));
    let mut run = Run::builder()
        .tool(Tool::from(driver))
        .automation_details(RunAutomationDetails {
            id: Some("unleak/".to_owned()),
            ..RunAutomationDetails::default()
        })
        .column_kind(json!(ResultColumnKind::Utf16CodeUnits))
        .redaction_tokens(vec![TOKEN.to_owned()])
        .original_uri_base_ids(BTreeMap::from([(ROOT.to_owned(), root())]))
        .invocations(vec![invocation(report, results.len(), left_out, redactor)])
        .results(results)
        .build();
    run.version_control_provenance = provenance(report).map(|details| vec![details]);
    run
}

/// Which folder this is depends on the machine, so only a description stands here.
fn root() -> ArtifactLocation {
    ArtifactLocation {
        description: Some(Message::from("The folder that was scanned.")),
        ..ArtifactLocation::default()
    }
}

fn notification_descriptor((id, text): (&str, &str)) -> ReportingDescriptor {
    let text = text.to_owned();
    ReportingDescriptor::builder()
        .id(id)
        .name(rule::pascal_case(id))
        .short_description(&text)
        .full_description(&text)
        .help(&text)
        .build()
}

/// A scan that missed something did not succeed: whoever reads only this field must not take it for clean.
fn invocation(report: &Report, results: usize, left_out: usize, redactor: &Redactor) -> Invocation {
    let mut skipped = report.coverage.skipped.clone();
    skipped.sort();
    let mut notifications: Vec<Notification> = skipped
        .iter()
        .map(|one| {
            let text = format!("Not scanned: {}: {}", one.what, one.why);
            notification(0, "error", &redactor.line(&text))
        })
        .collect();
    if left_out > 0 {
        let text = format!(
            "{left_out} results were left out, the least severe: GitHub takes {MOST_RESULTS} in one run. \
             Scan parts of the repository on their own to see them all."
        );
        notifications.push(notification(1, "warning", &text));
    }
    if results > MOST_SHOWN {
        let text = format!("GitHub shows the {MOST_SHOWN} most severe of these {results} results.");
        notifications.push(notification(1, "warning", &text));
    }
    let coverage = &report.coverage;
    let counts = [
        ("files", coverage.files),
        ("bytes", coverage.bytes),
        ("blobs", coverage.blobs),
        ("commits", coverage.commits),
        ("binary", coverage.binary),
    ];
    Invocation::builder()
        .execution_successful(coverage.skipped.is_empty())
        .start_time_utc(utc(report.started))
        .end_time_utc(utc(report.ended))
        .tool_execution_notifications(notifications)
        .properties(bag(counts.map(|(name, count)| (name, json!(count)))))
        .build()
}

fn notification(descriptor: usize, level: &str, text: &str) -> Notification {
    Notification::builder()
        .descriptor(
            ReportingDescriptorReference::builder()
                .id(NOTIFICATIONS[descriptor].0)
                .index(signed(descriptor))
                .build(),
        )
        .level(json!(level))
        .message(message(text))
        .build()
}

/// Text in which braces stand for themselves and not for arguments (SARIF section 3.11.5).
fn message(text: &str) -> Message {
    Message::builder()
        .text(text.replace('{', "{{").replace('}', "}}"))
        .build()
}

fn provenance(report: &Report) -> Option<VersionControlDetails> {
    let (repository, revision) = report.repository.as_ref()?;
    let mut details = VersionControlDetails::builder()
        .repository_uri(repository_uri(repository)?)
        .mapped_to(ArtifactLocation {
            uri_base_id: Some(ROOT.to_owned()),
            ..ArtifactLocation::default()
        })
        .build();
    details.revision_id = Some(revision.clone()).filter(|revision| !revision.is_empty());
    Some(details)
}

/// Milliseconds, as SARIF's readers expect them.
fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn bag<const N: usize>(values: [(&str, serde_json::Value); N]) -> PropertyBag {
    let values = values
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value));
    PropertyBag {
        tags: None,
        additional_properties: values.collect(),
    }
}

/// SARIF's integers are signed; nothing we count gets near their end.
fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The level that a severity stands for before its service was asked.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}
