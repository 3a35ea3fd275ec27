//! Markdown for a job summary (`$GITHUB_STEP_SUMMARY`, at most 1 MiB) or a comment on a merge request.
//!
//! Foreign text stands in character references, so that no path or name becomes markup, a mention or a link.

use std::io::Write;

use anyhow::Result;

use super::group::{Group, groups};
use super::redact::{Redactor, escape};
use super::telling::{self, State, plural};
use super::web::Pages;
use super::{Report, Summary};
use crate::finding::Severity;

/// So many leaks stand in the table; more would not fit into a job summary, nor be read.
const LEAKS: usize = 200;

/// So many places of one leak.
const PLACES: usize = 3;

/// So many gaps of one reason.
const GAPS: usize = 20;

/// So many reasons.
const REASONS: usize = 50;

/// Longest piece of foreign text, in characters.
const LONGEST: usize = 300;

/// Longest table, in bytes: with what follows it a summary stays below GitHub's 1 MiB.
const TABLE: usize = 600 << 10;

/// Writes the summary of a scan of `what`, where there is a name for it.
pub(super) fn write(report: &Report, what: Option<&str>, out: &mut dyn Write) -> Result<()> {
    let page = Page {
        redactor: Redactor::of(report)?,
        pages: Pages::of(report),
    };
    let counted = report.summary();
    // whoever reads no further than this must not take half a scan for a clean one
    let head = match (counted.leaks, report.coverage.skipped.is_empty()) {
        (0, true) => "no leaks found".to_owned(),
        (0, false) => "not everything was scanned".to_owned(),
        (leaks, true) => format!("{} found", plural(leaks, "leak")),
        (leaks, false) => format!("{} found, and not everything was scanned", plural(leaks, "leak")),
    };
    writeln!(out, "## unleak: {head}\n")?;
    if let Some(what) = what {
        writeln!(out, "{}\n", cut(&page.redactor.line(what)))?;
    }
    if let Some(figures) = figures(&counted) {
        writeln!(out, "{figures}\n")?;
    }
    let groups = groups(report);
    let leaks: Vec<&Group<'_>> = groups
        .iter()
        .filter(|group| group.severity != Severity::Info)
        .collect();
    if !leaks.is_empty() {
        writeln!(out, "| state | leak | where | next |\n|---|---|---|---|")?;
        let (mut shown, mut bytes) = (0, 0);
        for leak in leaks.iter().take(LEAKS) {
            let row = page.row(leak);
            bytes += row.len();
            if bytes > TABLE {
                break;
            }
            writeln!(out, "{row}")?;
            shown += 1;
        }
        if let Some(more @ 1..) = leaks.len().checked_sub(shown) {
            writeln!(out, "\n{} not shown here.", plural(more, "more leak"))?;
        }
        writeln!(out)?;
    }
    page.coverage(report, out)
}

/// The figures that are not nought.
fn figures(counted: &Summary) -> Option<String> {
    let mut told = Vec::new();
    if counted.leaks > 0 {
        told.push(format!(
            "**{} live**, {} dead, {} unknown.",
            counted.live, counted.dead, counted.unknown
        ));
    }
    if counted.suppressed > 0 {
        let suppressed = plural(counted.suppressed, "finding");
        told.push(format!("{suppressed} suppressed by a mark or the baseline."));
    }
    if counted.public > 0 {
        told.push(format!("{} public by design.", counted.public));
    }
    (!told.is_empty()).then(|| told.join(" "))
}

struct Page {
    redactor: Redactor,
    pages: Option<Pages>,
}

impl Page {
    fn row(&self, group: &Group<'_>) -> String {
        let state = State::of(group);
        let word = match state {
            State::Live => "**LIVE**".to_owned(),
            other => other.word().to_owned(),
        };
        let first = group.first();
        let next = telling::next(group, &self.redactor);
        let link = next.link.as_ref().map_or_else(String::new, |link| {
            let shown = cut(link.trim_start_matches("https://").trim_start_matches("http://"));
            format!("<a href=\"{}\">{shown}</a>", reference(link))
        });
        format!(
            "| {word}<br>{} | {}<br><code>{}</code><br>{} | {} | {}{link}{} |",
            group.severity,
            cut(&telling::title(group)),
            cut(&escape(&first.redacted)),
            reference(first.rule.as_str()),
            self.places(group),
            reference(&next.before),
            reference(next.after),
        )
    }

    fn places(&self, group: &Group<'_>) -> String {
        let mut places: Vec<String> = group
            .findings
            .iter()
            .take(PLACES)
            .map(|one| self.place(one))
            .collect();
        if let Some(more @ 1..) = group.findings.len().checked_sub(PLACES) {
            places.push(format!("and {}", plural(more, "more place")));
        }
        places.join("<br>")
    }

    fn place(&self, finding: &crate::finding::Finding) -> String {
        let at = &finding.location;
        let name = format!("{}:{}", telling::path(&at.path, &self.redactor), at.line);
        let mut place = format!("<code>{}</code>", cut(&name));
        let pages = self.pages.as_ref();
        if let Some(link) = pages.and_then(|pages| pages.line(finding, &self.redactor)) {
            place = format!("<a href=\"{}\">{place}</a>", reference(&link));
        }
        if let Some(commit) = at.origin.commit() {
            let short = reference(&telling::short(&commit.id, &self.redactor));
            let author = cut(&self.redactor.line(&commit.author));
            let date = commit.date.strftime("%Y-%m-%d");
            place.push_str(&format!(" in <code>{short}</code>, {author}, {date}"));
        }
        place
    }

    fn coverage(&self, report: &Report, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "{}", telling::scanned(&report.coverage))?;
        let gaps = telling::gaps(&report.coverage, &self.redactor);
        if gaps.is_empty() {
            return Ok(());
        }
        let count = report.coverage.skipped.len();
        writeln!(out, "\n**The scan is incomplete: {count} not scanned.**\n")?;
        for gap in gaps.iter().take(REASONS) {
            let named: Vec<String> = gap
                .what
                .iter()
                .take(GAPS)
                .map(|what| format!("<code>{}</code>", cut(what)))
                .collect();
            let more = match gap.what.len().checked_sub(GAPS) {
                Some(more @ 1..) => format!(" and {more} more"),
                _ => String::new(),
            };
            writeln!(out, "- {}{more}: {}", named.join(", "), cut(&gap.why))?;
        }
        if let Some(more @ 1..) = gaps.len().checked_sub(REASONS) {
            writeln!(out, "- and {more} more reasons")?;
        }
        Ok(())
    }
}

/// [`reference()`] of the text's beginning.
fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", reference(&text[..end])),
        None => reference(text),
    }
}

/// The text with a numeric character reference for whatever is neither letter nor digit nor harmless: it is shown as it
/// is written, in a table too.
pub(crate) fn reference(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, ' ' | '/' | '-' | '.' | ';' | '…') {
            safe.push(c);
        } else {
            safe.push_str(&format!("&#{};", u32::from(c)));
        }
    }
    safe
}
