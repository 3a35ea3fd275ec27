//! JSON: one object of the whole scan, or one line per finding.
//!
//! The fields are a contract (README, "JSON"): one may be added, none renamed.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

use super::redact::{Redactor, write_json};
use super::{Learnt, Options, Report, Summary};
use crate::finding::{
    Confidence, Coverage, Finding, Mark, RuleCard, RuleId, ScanPath, Severity, Skipped, Suppression,
};
use crate::leak::{Identity, Owner, Verdict};
use crate::secret::Fingerprint;

#[derive(Serialize)]
struct FindingJson<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    rule: &'a RuleId,
    service: &'a str,
    title: &'a str,
    severity: Severity,
    confidence: Confidence,
    fingerprint: Fingerprint,
    redacted: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    location: LocationJson,
    excerpt: Option<String>,
    decoded_via: Option<String>,
    suppression: Option<Suppression>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    verdict: Option<Verdict>,
    identity: Option<Identity>,
    owners: Vec<Owner>,
}

#[derive(Serialize)]
struct LocationJson {
    path: ScanPath,
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
    origin: &'static str,
    commit: Option<String>,
    author: Option<String>,
    date: Option<Timestamp>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'static str,
    version: &'a str,
    started: Timestamp,
    ended: Timestamp,
}

#[derive(Serialize)]
struct Whole<'a> {
    findings: Vec<FindingJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed: Option<Vec<FindingJson<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    marks: Option<Vec<Mark>>,
    coverage: Coverage,
    summary: Summary,
    tool: Tool<'a>,
}

#[derive(Serialize)]
struct MarkLine {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    mark: Mark,
}

#[derive(Serialize)]
struct LastLine<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    coverage: Coverage,
    summary: Summary,
    tool: Tool<'a>,
}

/// Writes one object, indented.
pub(super) fn write(report: &Report, options: &Options, out: &mut dyn Write) -> Result<()> {
    let view = View::of(report, options)?;
    let whole = Whole {
        findings: report
            .sorted()
            .into_iter()
            .map(|finding| view.finding(finding, None))
            .collect(),
        suppressed: report.suppressed().map(|suppressed| {
            let view = |finding| view.suppressed(finding, None);
            suppressed.into_iter().map(view).collect()
        }),
        marks: view.marks(),
        coverage: view.coverage(),
        summary: report.summary(),
        tool: tool(report),
    };
    write_json(&whole, true, out)
}

/// Writes a line per finding, then one with the coverage: a reader who sees that line knows that the scan ended.
pub(super) fn write_lines(report: &Report, options: &Options, out: &mut dyn Write) -> Result<()> {
    let view = View::of(report, options)?;
    for finding in report.sorted() {
        write_json(&view.finding(finding, Some("finding")), false, out)?;
    }
    for finding in report.suppressed().into_iter().flatten() {
        write_json(&view.suppressed(finding, Some("suppressed")), false, out)?;
    }
    for mark in view.marks().into_iter().flatten() {
        write_json(&MarkLine { kind: "mark", mark }, false, out)?;
    }
    let last = LastLine {
        kind: "coverage",
        coverage: view.coverage(),
        summary: report.summary(),
        tool: tool(report),
    };
    write_json(&last, false, out)
}

fn tool(report: &Report) -> Tool<'_> {
    Tool {
        name: "unleak",
        version: &report.version,
        started: report.started,
        ended: report.ended,
    }
}

/// What turns findings into their JSON form.
struct View<'a> {
    report: &'a Report,
    cards: BTreeMap<&'a RuleId, &'a RuleCard>,
    redactor: Redactor,
    show_secrets: bool,
}

impl<'a> View<'a> {
    fn of(report: &'a Report, options: &Options) -> Result<Self> {
        let redactor = if options.show_secrets {
            Redactor::nothing()
        } else {
            Redactor::of(report)?
        };
        Ok(Self {
            report,
            cards: report.cards(),
            redactor,
            show_secrets: options.show_secrets,
        })
    }

    fn finding(&self, finding: &'a Finding, kind: Option<&'static str>) -> FindingJson<'a> {
        let learnt = self.report.learnt.get(&finding.fingerprint);
        let card = self.cards.get(&finding.rule);
        FindingJson {
            kind,
            rule: &finding.rule,
            service: finding.rule.service(),
            title: card.map_or(finding.rule.as_str(), |card| card.title.as_str()),
            severity: finding.severity,
            confidence: finding.confidence,
            fingerprint: finding.fingerprint,
            redacted: &finding.redacted,
            secret: self
                .show_secrets
                .then(|| String::from_utf8_lossy(finding.secret.expose()).into_owned()),
            location: self.location(finding),
            excerpt: self.excerpt(finding),
            decoded_via: finding.decoded_via.as_deref().map(|via| self.redactor.text(via)),
            suppression: finding.suppression.as_ref().map(|mark| self.suppression(mark)),
            why: None,
            verdict: learnt.and_then(|learnt| Some(self.verdict(learnt.verdict.as_ref()?))),
            identity: learnt.and_then(|learnt| self.identity(learnt)),
            owners: learnt.map_or_else(Vec::new, |learnt| self.owners(&learnt.owners)),
        }
    }

    /// The line with the secret in its redacted form.
    fn excerpt(&self, finding: &Finding) -> Option<String> {
        let excerpt = finding.excerpt.as_ref()?;
        let around = |text: &str| self.redactor.text(text);
        Some(format!(
            "{}{}{}",
            around(&excerpt.before),
            finding.redacted,
            around(&excerpt.after)
        ))
    }

    /// The same with the reason as a sentence.
    fn suppressed(&self, finding: &'a Finding, kind: Option<&'static str>) -> FindingJson<'a> {
        let why = finding.suppression.as_ref().map(ToString::to_string);
        FindingJson {
            why: why.map(|why| self.redactor.text(&why)),
            ..self.finding(finding, kind)
        }
    }

    fn marks(&self) -> Option<Vec<Mark>> {
        let marks = self.report.marks.as_ref()?.iter();
        let shown = marks.map(|mark| Mark {
            path: ScanPath::new(self.redactor.bytes(mark.path.as_bytes())),
            rule: mark.rule.as_ref().map(|rule| self.redactor.text(rule)),
            reason: self.redactor.text(&mark.reason),
            ..mark.clone()
        });
        Some(shown.collect())
    }

    fn location(&self, finding: &Finding) -> LocationJson {
        let at = &finding.location;
        let commit = at.origin.commit();
        LocationJson {
            path: ScanPath::new(self.redactor.bytes(at.path.as_bytes())),
            line: at.line,
            column: at.column,
            end_line: at.end_line,
            end_column: at.end_column,
            origin: at.origin.name(),
            commit: commit.map(|commit| commit.id.clone()),
            author: commit.map(|commit| {
                self.redactor
                    .text(&format!("{} <{}>", commit.author, commit.email))
            }),
            date: commit.map(|commit| commit.date),
        }
    }

    fn suppression(&self, suppression: &Suppression) -> Suppression {
        match suppression {
            Suppression::Inline { mark, reason } => Suppression::Inline {
                mark: self.redactor.text(mark),
                reason: self.redactor.text(reason),
            },
            other => other.clone(),
        }
    }

    fn verdict(&self, verdict: &Verdict) -> Verdict {
        let mut verdict = verdict.clone();
        let (Verdict::Live { reason } | Verdict::Dead { reason, .. } | Verdict::Unknown { reason }) =
            &mut verdict;
        *reason = self.redactor.text(reason);
        verdict
    }

    fn identity(&self, learnt: &Learnt) -> Option<Identity> {
        let identity = &learnt.identity;
        if identity.is_empty() {
            return None;
        }
        let text = |text: &String| self.redactor.text(text);
        Some(Identity {
            principal: identity.principal.as_ref().map(text),
            email: identity.email.as_ref().map(text),
            organisations: identity.organisations.iter().map(text).collect(),
            scopes: identity.scopes.iter().map(text).collect(),
            over_privileged: identity.over_privileged.iter().map(text).collect(),
            more: identity
                .more
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            base: identity.base.as_ref().map(text),
        })
    }

    fn owners(&self, owners: &[Owner]) -> Vec<Owner> {
        let text = |text: &String| self.redactor.text(text);
        let redacted = owners.iter().map(|owner| Owner {
            name: text(&owner.name),
            email: owner.email.as_ref().map(text),
            reason: owner.reason,
            organisation: owner.organisation.as_ref().map(text),
        });
        redacted.collect()
    }

    fn coverage(&self) -> Coverage {
        let mut coverage = self.report.coverage.clone();
        coverage.skipped = coverage
            .skipped
            .iter()
            .map(|skipped| Skipped {
                what: self.redactor.text(&skipped.what),
                why: self.redactor.text(&skipped.why),
            })
            .collect();
        coverage.skipped.sort();
        coverage
    }
}
