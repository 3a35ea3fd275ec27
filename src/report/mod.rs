//! A scan as text, a page, JSON, SARIF, or what GitHub and GitLab read: pure functions over a [`Report`].
//!
//! Nothing here reads a clock, a file or the environment, and no secret may reach the output unless
//! [`Options::show_secrets`] asks for it in a format that can hold one ([`Format::holds_secrets`]).

mod code_quality;
mod explain;
mod github;
mod gitlab;
mod group;
mod html;
mod json;
mod markdown;
mod redact;
mod sarif;
mod telling;
mod text;
mod web;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufWriter, Write};
use std::str::FromStr;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;

pub(crate) use github::command;
pub(crate) use markdown::reference as in_markdown;

use crate::finding::{Coverage, Finding, Mark, Origin, RuleCard, RuleId, Severity};
use crate::leak::{Identity, Owner, Verdict};
use crate::secret::Fingerprint;

/// What was learnt of one secret after the scan.
#[derive(Clone, Debug, Default)]
pub struct Learnt {
    /// What its service says; `None` where nobody asked.
    pub verdict: Option<Verdict>,
    /// Whose it is.
    pub identity: Identity,
    /// Who must hear.
    pub owners: Vec<Owner>,
}

/// A whole scan, ready to be written.
#[derive(Debug)]
pub struct Report {
    /// What was found; every format puts it into an order of its own.
    pub findings: Vec<Finding>,
    /// The rules of the findings.
    pub rules: Vec<RuleCard>,
    /// What was matched and is no finding, each with the reason as its suppression; none if nobody asked.
    pub refused: Option<Vec<Finding>>,
    /// The inline marks of the files; none if nobody asked.
    pub marks: Option<Vec<Mark>>,
    /// What the scan went through.
    pub coverage: Coverage,
    /// By fingerprint.
    pub learnt: BTreeMap<Fingerprint, Learnt>,
    /// Where the repository is (a URL, or git's `user@host:path`) and which commit is checked out, for SARIF's version
    /// control provenance. The commit is empty where none is known.
    pub repository: Option<(String, String)>,
    /// The version of unleak that scanned.
    pub version: String,
    /// When the scan began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people, grouped by leak, worst first.
    Text,
    /// One object: `findings`, `coverage`, `summary`, `tool`.
    Json,
    /// One object a line: the findings, then the coverage.
    Jsonl,
    /// SARIF 2.1.0, as GitHub code scanning takes it.
    Sarif,
    /// One page with everything in it, to be read without a network.
    Html,
    /// Annotations of GitHub Actions, as commands on standard output.
    Github,
    /// Markdown for a job summary or a comment.
    Markdown,
    /// GitLab's secret detection report.
    Gitlab,
    /// GitLab's code quality report.
    Codequality,
}

impl Format {
    /// Every format, in the order in which help lists them.
    pub const ALL: [Self; 9] = [
        Self::Text,
        Self::Html,
        Self::Json,
        Self::Jsonl,
        Self::Sarif,
        Self::Github,
        Self::Markdown,
        Self::Gitlab,
        Self::Codequality,
    ];

    /// The word for it on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Jsonl => "jsonl",
            Self::Sarif => "sarif",
            Self::Html => "html",
            Self::Github => "github",
            Self::Markdown => "markdown",
            Self::Gitlab => "gitlab",
            Self::Codequality => "codequality",
        }
    }

    /// Whether it has a place for a secret, for who asks to see them: the others are made to be uploaded and kept.
    pub fn holds_secrets(self) -> bool {
        matches!(self, Self::Text | Self::Json | Self::Jsonl | Self::Gitlab)
    }

    /// Whether it has room for what was matched and is no finding, and for marks.
    pub fn explains(self) -> bool {
        matches!(self, Self::Text | Self::Json | Self::Jsonl)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = anyhow::Error;

    /// Reads the word that [`Format::name`] gives; the error lists them all.
    fn from_str(word: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|format| format.name() == word);
        known.copied().ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            anyhow::anyhow!("there is no report format {word:?}; choose one of {names}")
        })
    }
}

/// What the reader of a report may see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Colours of a terminal, for [`Format::Text`].
    pub color: bool,
    /// Secrets in clear, where the format [holds them](Format::holds_secrets).
    pub show_secrets: bool,
}

/// Writes the report; fails only where `out` does.
pub fn write(report: &Report, format: Format, options: &Options, out: &mut dyn Write) -> Result<()> {
    let mut out = BufWriter::new(out);
    match format {
        Format::Text => text::write(report, options, &mut out)?,
        Format::Json => json::write(report, options, &mut out)?,
        Format::Jsonl => json::write_lines(report, options, &mut out)?,
        Format::Sarif => sarif::write(report, &mut out)?,
        Format::Html => html::write(report, &mut out)?,
        Format::Github => github::write(report, &mut out)?,
        Format::Markdown => markdown::write(report, None, &mut out)?,
        Format::Gitlab => gitlab::write(report, options, &mut out)?,
        Format::Codequality => code_quality::write(report, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// Writes for people what was not reported and why, and the marks, beside a report in a format that has no room for them;
/// fails only where `out` does.
pub fn write_explanation(report: &Report, options: &Options, out: &mut dyn Write) -> Result<()> {
    text::write_explanation(report, options, out)
}

/// Writes the Markdown of a CI run's own page, which says what the run was for; fails only where `out` does.
pub fn write_job_summary(report: &Report, what: &str, out: &mut dyn Write) -> Result<()> {
    markdown::write(report, Some(what), out)
}

/// The figures of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Findings of every kind.
    pub findings: usize,
    /// Distinct secrets that count: not suppressed everywhere, not public by design.
    pub leaks: usize,
    /// Leaks that their service knows.
    pub live: usize,
    /// Leaks that their service says are dead.
    pub dead: usize,
    /// Leaks of which nobody can tell, or nobody asked.
    pub unknown: usize,
    /// Findings that a mark or the baseline suppresses.
    pub suppressed: usize,
    /// Findings that are public by design.
    pub public: usize,
}

impl Report {
    /// Counts what [`Summary`] tells.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary {
            findings: self.findings.len(),
            ..Summary::default()
        };
        for finding in &self.findings {
            summary.suppressed += usize::from(finding.suppression.is_some());
            summary.public +=
                usize::from(finding.suppression.is_none() && finding.severity == Severity::Info);
        }
        for group in group::groups(self) {
            match group.learnt.and_then(|learnt| learnt.verdict.as_ref()) {
                _ if group.severity == Severity::Info => continue,
                Some(Verdict::Live { .. }) => summary.live += 1,
                Some(Verdict::Dead { .. }) => summary.dead += 1,
                Some(Verdict::Unknown { .. }) | None => summary.unknown += 1,
            }
            summary.leaks += 1;
        }
        summary
    }

    /// Findings by place, so that a report does not depend on which core was faster.
    fn sorted(&self) -> Vec<&Finding> {
        let mut findings: Vec<&Finding> = self.findings.iter().collect();
        findings.sort_by_cached_key(|finding| place(finding));
        findings
    }

    /// Everything that was matched and does not count, by place; none if nobody asked.
    fn suppressed(&self) -> Option<Vec<&Finding>> {
        let refused = self.refused.as_ref()?;
        let marked = self
            .findings
            .iter()
            .filter(|finding| finding.suppression.is_some());
        let mut all: Vec<&Finding> = refused.iter().chain(marked).collect();
        all.sort_by_cached_key(|finding| place(finding));
        Some(all)
    }

    fn cards(&self) -> BTreeMap<&RuleId, &RuleCard> {
        self.rules.iter().map(|card| (&card.id, card)).collect()
    }
}

/// What findings are ordered by: what lies on disk first, then history; by path, oldest commit first.
fn place(finding: &Finding) -> impl Ord + use<> {
    let at = &finding.location;
    let kind = match at.origin {
        Origin::Stdin => 0,
        Origin::Worktree => 1,
        Origin::Staged => 2,
        Origin::Commit(_) | Origin::Object(_) | Origin::Unreachable(_) => 3,
    };
    let commit = at.origin.commit().map(|commit| (commit.date, commit.id.clone()));
    let region = (at.line, at.column, at.end_line, at.end_column);
    (
        kind,
        at.path.clone(),
        commit,
        region,
        finding.rule.clone(),
        finding.fingerprint,
    )
}
