//! What was matched and does not count, line by line with the reason, and the inline marks: `scan --explain` and
//! `--list-marks` for people.

use std::io::Write;

use anyhow::Result;

use super::Report;
use super::redact::{Redactor, escape};
use crate::finding::{Finding, Mark, ScanPath};

/// So many are listed; JSON has them all.
const MOST: usize = 1000;

/// Writes both lists, as far as they were asked for.
pub(super) fn write(report: &Report, redactor: &Redactor, out: &mut dyn Write) -> Result<()> {
    if let Some(suppressed) = report.suppressed() {
        writeln!(out, "\nMatched and not reported: {}.", suppressed.len())?;
        for finding in suppressed.iter().take(MOST) {
            writeln!(out, "  {}", line(finding, redactor))?;
        }
        more(suppressed.len(), out)?;
    }
    if let Some(marks) = &report.marks {
        let unused = marks.iter().filter(|mark| !mark.used).count();
        let silent = marks.iter().filter(|mark| mark.reason.is_empty()).count();
        writeln!(
            out,
            "\nMarks in files: {}, of them {unused} that hide nothing, {silent} without a reason.",
            marks.len()
        )?;
        for mark in marks.iter().take(MOST) {
            writeln!(out, "  {}", marked(mark, redactor))?;
        }
        more(marks.len(), out)?;
    }
    Ok(())
}

fn more(all: usize, out: &mut dyn Write) -> Result<()> {
    if let Some(more @ 1..) = all.checked_sub(MOST) {
        writeln!(out, "  and {more} more; --format json lists them all")?;
    }
    Ok(())
}

fn path(path: &ScanPath, redactor: &Redactor) -> String {
    escape(&ScanPath::new(redactor.bytes(path.as_bytes())).to_string())
}

fn line(finding: &Finding, redactor: &Redactor) -> String {
    let at = &finding.location;
    let commit = at.origin.commit().map_or_else(String::new, |commit| {
        let short: String = commit.id.chars().take(12).collect();
        format!("  commit {}", redactor.line(&short))
    });
    let why = finding
        .suppression
        .as_ref()
        .map_or_else(String::new, ToString::to_string);
    format!(
        "{}:{}:{}{commit}  {}  {}  {}",
        path(&at.path, redactor),
        at.line,
        at.column,
        escape(finding.rule.as_str()),
        escape(&finding.redacted),
        redactor.line(&why)
    )
}

fn marked(mark: &Mark, redactor: &Redactor) -> String {
    let rule = mark
        .rule
        .as_ref()
        .map_or_else(String::new, |rule| format!(" {rule}"));
    let reason = if mark.reason.is_empty() {
        "without a reason"
    } else {
        &mark.reason
    };
    let use_ = if mark.used {
        "hides a finding"
    } else {
        "hides nothing"
    };
    format!(
        "{}:{}  {}  {use_}: {}",
        path(&mark.path, redactor),
        mark.line,
        redactor.line(&format!("{}{rule}", mark.mark)),
        redactor.line(reason)
    )
}
