//! One finding as a SARIF result.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactContent, ArtifactLocation, Location, PhysicalLocation, Region, Result, ResultLevel, Suppression,
};

use super::rule::Entry;
use super::{ROOT, Report, bag, level, message, signed};
use crate::finding::{self, Finding, RuleId, ScanPath, Severity};
use crate::leak::Verdict;
use crate::report::redact::{Redactor, TOKEN};

/// The result of this finding; `rules` must know its rule.
pub(super) fn of(
    report: &Report,
    finding: &Finding,
    rules: &BTreeMap<&RuleId, Entry<'_>>,
    redactor: &Redactor,
) -> Result {
    let verdict = report
        .learnt
        .get(&finding.fingerprint)
        .and_then(|learnt| learnt.verdict.as_ref());
    let entry = rules.get(&finding.rule);
    let title = entry.map_or(finding.rule.as_str(), |entry| entry.title);
    let mut fingerprints = BTreeMap::from([("secretHash/v1".to_owned(), finding.fingerprint.to_string())]);
    if let Some(hash) = &finding.line_hash {
        fingerprints.insert("primaryLocationLineHash".to_owned(), hash.clone());
    }
    let mut result = Result::builder()
        .message(message(&text(finding, title, verdict, redactor)))
        .rule_id(finding.rule.as_str())
        .level(result_level(finding, verdict))
        .locations(vec![location(finding, redactor)])
        .partial_fingerprints(fingerprints)
        .suppressions(suppressions(finding, redactor))
        .properties(properties(finding, verdict, redactor))
        .build();
    result.rule_index = entry.map(|entry| signed(entry.place));
    result
}

/// The first sentence is what GitHub shows in lists.
fn text(finding: &Finding, title: &str, verdict: Option<&Verdict>, redactor: &Redactor) -> String {
    let redacted = redactor.line(&finding.redacted);
    let state = match verdict {
        Some(Verdict::Live { .. }) => "Live ",
        Some(Verdict::Dead { .. }) => "Dead ",
        Some(Verdict::Unknown { .. }) | None => "",
    };
    let origin = match finding.location.origin.commit() {
        Some(commit) => {
            let short: String = commit.id.chars().take(12).collect();
            format!(" It came with commit '{short}' and stays in the history after the text is deleted.")
        }
        None => String::new(),
    };
    let next = match verdict {
        _ if finding.severity == Severity::Info => "It is public by design.",
        Some(Verdict::Live { .. }) => "Its service says that it works: revoke it now.",
        Some(Verdict::Dead { .. }) => "Its service says that it no longer works.",
        Some(Verdict::Unknown { .. }) | None => "Revoke it unless you know that it is dead.",
    };
    format!("{state}{title} '{redacted}' found. {next}{origin}")
}

/// Proof counts more than kind: a live secret is an error, a dead one is not.
fn result_level(finding: &Finding, verdict: Option<&Verdict>) -> ResultLevel {
    if !finding.counts() {
        return ResultLevel::Note;
    }
    match verdict {
        Some(Verdict::Live { .. }) => ResultLevel::Error,
        Some(Verdict::Dead { .. }) => ResultLevel::Note,
        Some(Verdict::Unknown { .. }) | None => match level(finding.severity) {
            "error" => ResultLevel::Error,
            "warning" => ResultLevel::Warning,
            _ => ResultLevel::Note,
        },
    }
}

fn location(finding: &Finding, redactor: &Redactor) -> Location {
    let at = &finding.location;
    let region = Region {
        start_line: Some(signed(at.line)),
        start_column: Some(signed(at.column_utf16)),
        end_line: Some(signed(at.end_line)),
        end_column: Some(signed(at.end_column_utf16)),
        snippet: Some(ArtifactContent {
            text: Some(TOKEN.to_owned()),
            ..ArtifactContent::default()
        }),
        ..Region::default()
    };
    Location {
        physical_location: Some(PhysicalLocation {
            artifact_location: Some(artifact(&at.path, redactor)),
            region: Some(region),
            ..PhysicalLocation::default()
        }),
        ..Location::default()
    }
}

/// A path below the scanned folder is relative to it; one that was named from the file system's root is a `file:` URI.
fn artifact(path: &ScanPath, redactor: &Redactor) -> ArtifactLocation {
    let path = redactor.bytes(path.as_bytes());
    let path = path.strip_prefix(b"./").unwrap_or(&path);
    let uri = ScanPath::new(path).to_uri();
    let (uri, base) = match uri {
        uri if uri.is_empty() => ("stdin".to_owned(), Some(ROOT)),
        uri if uri.starts_with('/') => (format!("file://{uri}"), None),
        uri => (uri, Some(ROOT)),
    };
    ArtifactLocation {
        uri: Some(uri),
        uri_base_id: base.map(str::to_owned),
        ..ArtifactLocation::default()
    }
}

/// Always a list: SARIF wants it on every result of a run or on none (section 3.27.23).
fn suppressions(finding: &Finding, redactor: &Redactor) -> Vec<Suppression> {
    let Some(suppression) = &finding.suppression else {
        return Vec::new();
    };
    let kind = match suppression {
        finding::Suppression::Inline { .. } => "inSource",
        _ => "external",
    };
    let why = suppression.to_string();
    vec![
        Suppression::builder()
            .kind(json!(kind))
            .status(json!("accepted"))
            .justification(redactor.line(&why))
            .build(),
    ]
}

fn properties(
    finding: &Finding,
    verdict: Option<&Verdict>,
    redactor: &Redactor,
) -> serde_sarif::sarif::PropertyBag {
    let commit = finding.location.origin.commit();
    let author = commit.map(|commit| redactor.text(&format!("{} <{}>", commit.author, commit.email)));
    let reason = verdict.map(|verdict| match verdict {
        Verdict::Live { reason } | Verdict::Unknown { reason } => redactor.text(reason),
        Verdict::Dead { why, reason } => redactor.text(&format!("{why}: {reason}")),
    });
    bag([
        ("verdict", json!(verdict.map_or("unknown", Verdict::name))),
        ("verdictReason", json!(reason)),
        ("confidence", json!(finding.confidence.to_string())),
        ("severity", json!(finding.severity.to_string())),
        ("origin", json!(finding.location.origin.name())),
        ("commit", json!(commit.map(|commit| &commit.id))),
        ("author", json!(author)),
        ("date", json!(commit.map(|commit| commit.date.to_string()))),
        ("redacted", json!(redactor.text(&finding.redacted))),
        (
            "decodedVia",
            finding
                .decoded_via
                .as_deref()
                .map_or(Value::Null, |via| json!(redactor.text(via))),
        ),
    ])
}
