//! The summary of a run in Markdown, and the remarks on a pull request. Both hold foreign text (paths, titles), which
//! is made harmless, and no secret.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::cli::Exit;
use crate::finding::{Finding, RuleCard};
use crate::notify::review::Remark;
use crate::report::{Redactor, Report};

/// Rows of the table; GitHub takes 1 MiB a step.
const MOST_ROWS: usize = 500;

/// Text in one line that cannot end up as a control sequence.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Text that is shown as it is written, in a table too.
fn shown(text: &str) -> String {
    let mut safe = String::new();
    for c in plain(text).chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' | '!' | '@' => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    safe
}

/// What the run found, for its summary page.
pub(super) fn markdown(what: &str, report: &Report, exit: Exit) -> Result<String> {
    // A branch, a path or a gap may repeat a secret.
    let redactor = Redactor::of(report)?;
    let shown = |text: &str| shown(&redactor.line(text));
    let figures = report.summary();
    let headline = match exit {
        _ if figures.leaks > 0 => format!(
            "{} {}, {} of them live",
            figures.leaks,
            if figures.leaks == 1 { "leak" } else { "leaks" },
            figures.live
        ),
        Exit::Incomplete => "Not everything was scanned".to_owned(),
        _ => "No leaks".to_owned(),
    };
    let mut text = format!("### unleak: {headline}\n\n{}: {}\n", shown(what), scanned(report));
    let counted: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.counts())
        .collect();
    if !counted.is_empty() {
        text.push_str("\n| what | where | commit | severity |\n|---|---|---|---|\n");
        for finding in counted.iter().take(MOST_ROWS) {
            text.push_str(&row(report, finding, &shown));
        }
        if counted.len() > MOST_ROWS {
            let _ = writeln!(
                text,
                "\nand {} more places; the reports list them all.",
                counted.len() - MOST_ROWS
            );
        }
        text.push_str(
            "\nRevoke these tokens where they were made, then replace them. A commit that deletes the text does not help: the \
             history keeps it.\n",
        );
    }
    if figures.suppressed > 0 {
        let _ = writeln!(
            text,
            "\n{} findings are marked, listed or in the baseline and do not count.",
            figures.suppressed
        );
    }
    if !report.coverage.skipped.is_empty() {
        text.push_str("\n**Not scanned:**\n\n");
        for skipped in report.coverage.skipped.iter().take(100) {
            let _ = writeln!(text, "- {}: {}", shown(&skipped.what), shown(&skipped.why));
        }
    }
    Ok(text)
}

fn scanned(report: &Report) -> String {
    let coverage = &report.coverage;
    format!(
        "{} files, {} commits, {} blobs, {} bytes scanned",
        coverage.files, coverage.commits, coverage.blobs, coverage.bytes
    )
}

fn card<'r>(report: &'r Report, finding: &Finding) -> Option<&'r RuleCard> {
    report.rules.iter().find(|card| card.id == finding.rule)
}

fn title(report: &Report, finding: &Finding) -> String {
    card(report, finding).map_or_else(|| finding.rule.to_string(), |card| card.title.clone())
}

fn row(report: &Report, finding: &Finding, shown: &dyn Fn(&str) -> String) -> String {
    let at = &finding.location;
    let commit = at
        .origin
        .commit()
        .map(|commit| commit.id.chars().take(12).collect::<String>());
    format!(
        "| {} {} | {}:{} | {} | {} |\n",
        shown(&title(report, finding)),
        shown(&finding.redacted),
        shown(&at.path.to_string()),
        at.line,
        commit.unwrap_or_default(),
        finding.severity
    )
}

/// Appends to the summary of the step.
pub(super) fn append(file: &Path, text: &str) -> Result<()> {
    let mut open = std::fs::OpenOptions::new();
    open.append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write the summary to {}", file.display()))
}

/// One remark for each leak, at the first place where it counts.
pub(super) fn remarks(report: &Report) -> Vec<Remark> {
    let mut told = std::collections::BTreeSet::new();
    let mut places: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let mut remarks = Vec::new();
    for finding in report.findings.iter().filter(|finding| finding.counts()) {
        let (Some(commit), true) = (
            finding.location.origin.commit(),
            told.insert((finding.fingerprint, finding.rule.clone())),
        ) else {
            continue;
        };
        let path = String::from_utf8_lossy(finding.location.path.as_bytes()).into_owned();
        // A fingerprint is another one on every runner, and the leak's remark must be found again.
        let name = format!("{}\0{}\0{path}", finding.rule, finding.redacted);
        let before = places.entry(name.clone()).or_default();
        let digest = Sha256::digest(format!("{name}\0{before}"));
        *before += 1;
        remarks.push(Remark {
            name: digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            commit: commit.id.clone(),
            path,
            line: finding.location.end_line,
            text: remark(report, finding),
        });
    }
    remarks
}

fn remark(report: &Report, finding: &Finding) -> String {
    let page = card(report, finding).and_then(|card| card.page.clone());
    let revoke = page.map_or_else(|| "where it was made".to_owned(), |page| format!("at {page}"));
    format!(
        "**{} {}** leaks here.\n\nRevoke it {revoke}, then replace it where it is used: everybody who can read this pull \
         request has it, also after a later commit deletes it. Is it no secret? Write `unleak:ignore {} why` on its line.",
        shown(&title(report, finding)),
        shown(&finding.redacted),
        finding.rule
    )
}
