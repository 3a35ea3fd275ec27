//! GitLab's secret detection report, schema 15.0.7 (`artifacts: reports: secret_detection`).
//!
//! GitLab takes the token that it revokes from `raw_source_code_extract`, so that field is written where secrets are asked
//! for and nowhere else. Whoever may read the project may read the report.

use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::group::{Group, groups};
use super::redact::{Redactor, escape, write_json};
use super::telling::{self, State};
use super::web::absolute;
use super::{Options, Report};
use crate::finding::{Finding, Severity};

/// The version of the schema.
const VERSION: &str = "15.0.7";

/// What GitLab's own analyzer writes where no commit is known; the schema wants one.
const NO_COMMIT: &str = "0000000";

/// Longest `name`.
const LONGEST_NAME: usize = 255;

/// Most gaps that are named.
const GAPS: usize = 100;

/// Writes the report: every finding that is not suppressed.
pub(super) fn write(report: &Report, options: &Options, out: &mut dyn Write) -> Result<()> {
    let redactor = Redactor::of(report)?;
    let checked_out = match &report.repository {
        Some((_, revision)) if !revision.is_empty() => revision.as_str(),
        _ => NO_COMMIT,
    };
    let mut vulnerabilities = Vec::new();
    for group in groups(report) {
        for finding in &group.findings {
            let mut one = vulnerability(&group, finding, checked_out, &redactor);
            if options.show_secrets {
                let secret = String::from_utf8_lossy(finding.secret.expose());
                one["raw_source_code_extract"] = json!(secret);
            }
            vulnerabilities.push(one);
        }
    }
    let whole = json!({
        "version": VERSION,
        "scan": scan(report, &redactor),
        "vulnerabilities": vulnerabilities,
    });
    write_json(&whole, true, out)
}

fn scan(report: &Report, redactor: &Redactor) -> Value {
    let mut tool = json!({
        "id": "unleak",
        "name": "unleak",
        "version": report.version,
        "vendor": { "name": "unleak" },
    });
    if let Some(url) = absolute(env!("CARGO_PKG_REPOSITORY")) {
        tool["url"] = json!(url);
    }
    let gaps = telling::gaps(&report.coverage, redactor);
    let named = gaps
        .iter()
        .flat_map(|gap| gap.what.iter().map(move |what| (what, &gap.why)));
    let mut messages: Vec<Value> = named
        .take(GAPS)
        .map(|(what, why)| json!({ "level": "warn", "value": format!("Not scanned: {what}: {why}") }))
        .collect();
    messages.push(json!({ "level": "info", "value": telling::scanned(&report.coverage) }));
    json!({
        "analyzer": tool,
        "scanner": tool,
        "type": "secret_detection",
        // A scan that missed something did not succeed: whoever reads only this field must not take it for clean.
        "status": if report.coverage.skipped.is_empty() { "success" } else { "failure" },
        "start_time": time(report.started),
        "end_time": time(report.ended),
        "messages": messages,
    })
}

fn vulnerability(group: &Group<'_>, finding: &Finding, checked_out: &str, redactor: &Redactor) -> Value {
    let title: String = telling::title(group).chars().take(LONGEST_NAME).collect();
    let next = telling::next(group, redactor);
    json!({
        "id": id(finding),
        "name": title,
        "description": format!(
            "{title} `{}` in the clear. {}",
            escape(&finding.redacted).replace('`', "'"),
            telling::why(group, redactor)
        ),
        "severity": severity(group, finding),
        "solution": next.line(),
        "identifiers": identifiers(group, finding),
        "links": links(group),
        "location": location(finding, checked_out, redactor),
        "details": details(group, finding, redactor),
    })
}

/// The same finding has the same id in every run.
fn id(finding: &Finding) -> String {
    let at = &finding.location;
    let mut hash = Sha256::new();
    let commit = at.origin.commit().map_or("", |commit| commit.id.as_str());
    for part in [
        finding.rule.as_str().as_bytes(),
        finding.fingerprint.to_string().as_bytes(),
        at.path.as_bytes(),
        commit.as_bytes(),
        format!("{}:{}", at.line, at.column).as_bytes(),
    ] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut bytes: Vec<u8> = hash.finalize().iter().take(16).copied().collect();
    // RFC 9562, version 8: made by a rule of our own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn severity(group: &Group<'_>, finding: &Finding) -> &'static str {
    match (State::of(group), finding.severity) {
        (State::Dead | State::Public, _) | (_, Severity::Info) => "Info",
        (_, Severity::Critical) => "Critical",
        (_, Severity::High) => "High",
        (_, Severity::Medium) => "Medium",
        (_, Severity::Low) => "Low",
    }
}

/// The first one is what GitLab asks a revocation service about: `unleak_rule_github_personal_access_token`.
fn identifiers(group: &Group<'_>, finding: &Finding) -> Value {
    let mut rule = json!({
        "type": "unleak_rule",
        "name": format!("unleak rule {}", finding.rule),
        "value": finding.rule.as_str().replace(['/', '-'], "_"),
    });
    if let Some(docs) = group.card.and_then(|card| absolute(&card.docs)) {
        rule["url"] = json!(docs);
    }
    json!([rule, {
        "type": "cwe",
        "name": "CWE-798",
        "value": "798",
        "url": "https://cwe.mitre.org/data/definitions/798.html",
    }])
}

fn links(group: &Group<'_>) -> Value {
    let Some(card) = group.card else {
        return json!([]);
    };
    let page = card.page.as_deref().and_then(absolute);
    let links = [("Where to revoke it", page), ("What it is", absolute(&card.docs))];
    let links = links
        .into_iter()
        .filter_map(|(name, url)| Some(json!({ "name": name, "url": url? })));
    Value::Array(links.collect())
}

fn location(finding: &Finding, checked_out: &str, redactor: &Redactor) -> Value {
    let at = &finding.location;
    let commit = match at.origin.commit() {
        Some(commit) => json!({
            "sha": redactor.line(&commit.id),
            "author": redactor.line(&format!("{} <{}>", commit.author, commit.email)),
            "date": commit.date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }),
        None => json!({ "sha": checked_out }),
    };
    json!({
        "file": telling::path(&at.path, redactor),
        "start_line": at.line,
        "end_line": at.end_line,
        "commit": commit,
    })
}

fn details(group: &Group<'_>, finding: &Finding, redactor: &Redactor) -> Value {
    let mut details = Map::new();
    let mut add = |name: &str, value: String| {
        let field = json!({ "type": "text", "name": name, "value": value });
        details.insert(name.to_lowercase().replace(' ', "_"), field);
    };
    add("State", State::of(group).word().to_owned());
    add("Fingerprint", finding.fingerprint.to_string());
    add("Redacted", escape(&finding.redacted));
    add("Confidence", finding.confidence.to_string());
    add("Found in", finding.location.origin.name().to_owned());
    if let Some(via) = &finding.decoded_via {
        add("Decoded from", redactor.line(via));
    }
    if let Some(learnt) = group.learnt {
        if let Some(identity) = telling::identity(&learnt.identity, redactor) {
            add("Whose", identity);
        }
        let owners: Vec<String> = learnt
            .owners
            .iter()
            .map(|one| telling::owner(one, redactor))
            .collect();
        if !owners.is_empty() {
            add("Tell", owners.join(", "));
        }
    }
    Value::Object(details)
}

/// Without a zone and without fractions, as the schema wants it.
fn time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}
