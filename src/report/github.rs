//! Annotations of GitHub Actions: workflow commands on standard output, one for each leak, worst first.
//!
//! A line that begins with `::` is a command to the runner, and paths and answers come from whoever wrote the scanned
//! bytes: nothing of them may begin a line, end a property or add one (escaping of actions/toolkit, `core/command.ts`).

use std::io::Write;

use anyhow::Result;

use super::Report;
use super::group::{Group, groups};
use super::redact::{Redactor, escape};
use super::telling::{self, State, plural};
use crate::finding::{Finding, Severity};

/// So many places of one leak are named in its message.
const PLACES: usize = 5;

/// So many gaps are named one by one.
const GAPS: usize = 10;

/// Writes the commands, then a line for the log.
pub(super) fn write(report: &Report, out: &mut dyn Write) -> Result<()> {
    let redactor = Redactor::of(report)?;
    for group in groups(report) {
        let command = annotation(&group, &redactor);
        writeln!(out, "{command}")?;
    }
    gaps(report, &redactor, out)?;
    let counted = report.summary();
    let leaks = match counted.leaks {
        0 => format!("{}.", telling::nothing(report)),
        leaks => format!(
            "{}: {} live, {} dead, {} unknown.",
            plural(leaks, "leak"),
            counted.live,
            counted.dead,
            counted.unknown
        ),
    };
    writeln!(out, "{leaks} {}", telling::scanned(&report.coverage))?;
    Ok(())
}

fn annotation(group: &Group<'_>, redactor: &Redactor) -> String {
    let state = State::of(group);
    let kind = match (state, group.severity) {
        (State::Live, _) => "error",
        (State::Dead | State::Public, _) => "notice",
        (_, Severity::Critical | Severity::High) => "error",
        (_, Severity::Medium) => "warning",
        _ => "notice",
    };
    let title = match state {
        State::Found => telling::title(group),
        _ => format!("{} ({})", telling::title(group), state.word()),
    };
    let mut lines = vec![
        format!(
            "{}: {}",
            escape(&group.first().redacted),
            telling::why(group, redactor)
        ),
        telling::next(group, redactor).line(),
    ];
    let more: Vec<String> = group
        .findings
        .iter()
        .skip(1)
        .map(|one| place(one, redactor))
        .collect();
    if !more.is_empty() {
        let rest = match more.len().checked_sub(PLACES) {
            Some(rest @ 1..) => format!(" and {rest} more"),
            _ => String::new(),
        };
        let named: Vec<&str> = more.iter().take(PLACES).map(String::as_str).collect();
        lines.push(format!("Also at {}{rest}.", named.join(", ")));
    }
    if let Some(commit) = group.first().location.origin.commit() {
        lines.push(format!(
            "Brought in by commit {}.",
            telling::short(&commit.id, redactor)
        ));
    }
    let mut properties = at(group.first(), redactor);
    properties.push(("title", title));
    command(kind, &properties, &lines.join("\n"))
}

fn place(finding: &Finding, redactor: &Redactor) -> String {
    let at = &finding.location;
    format!("{}:{}", telling::path(&at.path, redactor), at.line)
}

/// Where an annotation is shown. Columns are taken on one line only (`POST …/check-runs`, `start_column`).
fn at(finding: &Finding, redactor: &Redactor) -> Vec<(&'static str, String)> {
    let at = &finding.location;
    if at.origin.name() == "stdin" {
        return Vec::new();
    }
    let mut properties = vec![
        ("file", telling::path(&at.path, redactor)),
        ("line", at.line.to_string()),
        ("endLine", at.end_line.to_string()),
    ];
    if at.line == at.end_line {
        properties.push(("col", at.column.to_string()));
        properties.push(("endColumn", at.end_column.to_string()));
    }
    properties
}

fn gaps(report: &Report, redactor: &Redactor, out: &mut dyn Write) -> Result<()> {
    let skipped = report.coverage.skipped.len();
    if skipped == 0 {
        return Ok(());
    }
    let mut lines = vec![format!(
        "Not scanned: {skipped}. An incomplete scan is never a clean one."
    )];
    for gap in telling::gaps(&report.coverage, redactor).iter().take(GAPS) {
        let more = match gap.what.len() {
            0 | 1 => String::new(),
            several => format!(" and {} more", several - 1),
        };
        let first = gap.what.first().map_or("", String::as_str);
        lines.push(format!("{first}{more}: {}", gap.why));
    }
    let title = ("title", "The scan is incomplete".to_owned());
    Ok(writeln!(
        out,
        "{}",
        command("error", &[title], &lines.join("\n"))
    )?)
}

/// A command to the runner: `::error file=a.txt,line=1::text`.
pub(crate) fn command(kind: &str, properties: &[(&str, String)], text: &str) -> String {
    let properties: Vec<String> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", escape_property(value)))
        .collect();
    let space = if properties.is_empty() { "" } else { " " };
    format!("::{kind}{space}{}::{}", properties.join(","), escape_data(text))
}

fn escape_data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::command;

    /// The vectors of actions/toolkit's own tests.
    #[test]
    fn commands_are_escaped_as_the_runner_reads_them() {
        let text = "percent % percent % cr \r cr \r lf \n lf \n";
        assert_eq!(
            command("some-command", &[], text),
            "::some-command::percent %25 percent %25 cr %0D cr %0D lf %0A lf %0A"
        );
        assert_eq!(
            command("some-command", &[], "%25 %25 %0D %0D %0A %0A"),
            "::some-command::%2525 %2525 %250D %250D %250A %250A"
        );
        let property = format!("{text}colon : colon : comma , comma ,");
        assert_eq!(
            command("some-command", &[("name", property)], ""),
            "::some-command name=percent %25 percent %25 cr %0D cr %0D lf %0A lf %0Acolon %3A colon %3A comma %2C \
             comma %2C::"
        );
        let properties = [("prop1", "value 1".to_owned()), ("prop2", "value 2".to_owned())];
        assert_eq!(
            command("some-command", &properties, "some message"),
            "::some-command prop1=value 1,prop2=value 2::some message"
        );
    }
}
