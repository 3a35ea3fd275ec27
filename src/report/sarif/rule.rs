//! The rules of a run: only those that have results.

use std::collections::BTreeMap;

use serde_json::json;
use serde_sarif::sarif::{MultiformatMessageString, ReportingConfiguration, ReportingDescriptor};

use super::{Report, bag, level};
use crate::finding::{Confidence, Finding, RuleCard, RuleId, Severity};
use crate::report::web::absolute;

/// The descriptors, and where each rule's stands among them.
pub(super) struct Rules<'a> {
    pub(super) descriptors: Vec<ReportingDescriptor>,
    pub(super) index: BTreeMap<&'a RuleId, Entry<'a>>,
}

/// What a result needs to know of its rule.
pub(super) struct Entry<'a> {
    pub(super) place: usize,
    pub(super) title: &'a str,
}

/// The rules of these findings, in the order of their names.
pub(super) fn of_findings<'a>(report: &'a Report, findings: &[&'a Finding]) -> Rules<'a> {
    let cards = report.cards();
    let used: BTreeMap<&RuleId, &Finding> =
        findings.iter().map(|finding| (&finding.rule, *finding)).collect();
    let mut rules = Rules {
        descriptors: Vec::with_capacity(used.len()),
        index: BTreeMap::new(),
    };
    for (place, (id, finding)) in used.into_iter().enumerate() {
        let card = cards.get(id).copied();
        let title = card.map_or(id.as_str(), |card| card.title.as_str());
        rules.index.insert(id, Entry { place, title });
        rules.descriptors.push(match card {
            Some(card) => descriptor(card),
            None => descriptor(&stand_in(finding)),
        });
    }
    rules
}

/// What can be said of a rule that nobody described.
fn stand_in(finding: &Finding) -> RuleCard {
    RuleCard {
        id: finding.rule.clone(),
        title: finding.rule.to_string(),
        service: finding.rule.service().to_owned(),
        docs: String::new(),
        page: None,
        severity: finding.severity,
        confidence: finding.confidence,
    }
}

fn descriptor(card: &RuleCard) -> ReportingDescriptor {
    let (title, service) = (cut(&card.title), cut(&card.service));
    let short = format!("{title} in the clear.");
    let page = card.page.as_deref().and_then(absolute);
    let full = if card.severity == Severity::Info {
        format!("Found: {title}. It is public by design.")
    } else if page.is_none() {
        format!("Found: {title}. Whoever can read it can use it until it is revoked or changed.")
    } else {
        format!("Found: {title}. Whoever can read it can use it at {service} until it is revoked there.")
    };
    let mut descriptor = ReportingDescriptor::builder()
        .id(card.id.as_str())
        .name(pascal_case(card.id.as_str()))
        .short_description(&short)
        .full_description(&full)
        .help(help(card))
        .default_configuration(
            ReportingConfiguration::builder()
                .level(json!(level(card.severity)))
                .build(),
        )
        .properties({
            let mut properties = bag([
                ("precision", json!(precision(card.confidence))),
                ("problem.severity", json!(problem(card.severity))),
                ("security-severity", json!(security_severity(card.severity))),
            ]);
            let service = card.id.service();
            let tags = ["security", "secret", "external/cwe/cwe-798", service];
            properties.tags = Some(tags.map(str::to_owned).to_vec());
            properties
        })
        .build();
    descriptor.help_uri = absolute(&card.docs);
    descriptor
}

/// What to do, for the page of one alert.
fn help(card: &RuleCard) -> MultiformatMessageString {
    let page = card.page.as_deref().and_then(absolute);
    let docs = absolute(&card.docs);
    let link = |word: &str, uri: &Option<String>| {
        uri.as_ref()
            .map_or_else(|| word.to_owned(), |uri| format!("[{word}](<{uri}>)"))
    };
    let public = card.severity == Severity::Info;
    let after = "Replace it where it is used. Deleting the text is not enough: whoever has a copy of the \
                 history has the token.";
    let (text, markdown) = if public {
        let why = "This token is public by design; it is reported for information and needs no action.";
        (why.to_owned(), why.to_owned())
    } else {
        let service = cut(&card.service);
        match (&page, &docs) {
            (Some(page), _) => (
                format!("Revoke it at {service} ({page}). {after}"),
                format!(
                    "1. [Revoke it](<{page}>) at {}.\n2. {after}",
                    link(&service, &docs)
                ),
            ),
            (None, Some(docs)) => (
                format!("Revoke or change it as told at {docs}. {after}"),
                format!("1. Revoke or change it as told at [{service}](<{docs}>).\n2. {after}"),
            ),
            (None, None) => (
                format!("Revoke or change it where it was made. {after}"),
                format!("1. Revoke or change it where it was made.\n2. {after}"),
            ),
        }
    };
    MultiformatMessageString::builder()
        .text(text)
        .markdown(markdown)
        .build()
}

/// Titles come from rule files; GitHub takes descriptions of 1,024 characters.
fn cut(title: &str) -> String {
    title.chars().take(200).collect()
}

/// `github/personal-access-token` as SARIF wants names: `GithubPersonalAccessToken`.
pub(super) fn pascal_case(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for word in id.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        name.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        name.extend(letters);
    }
    name.truncate(255);
    name
}

/// GitHub's scale: above 9.0 critical, from 7.0 high, from 4.0 medium, from 0.1 low.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Info => "0.0",
    }
}

fn precision(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::High => "high",
        Confidence::Medium => "medium",
        Confidence::Low => "low",
    }
}

fn problem(severity: Severity) -> &'static str {
    match level(severity) {
        "note" => "recommendation",
        other => other,
    }
}
