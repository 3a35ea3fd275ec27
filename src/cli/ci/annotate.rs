//! GitHub's workflow commands: masks, annotations, outputs. Foreign text in them is escaped, and text that is none of
//! ours is quoted, so that the name of a file cannot be a command.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::finding::{Finding, Severity};
use crate::report::Report;

/// GitHub shows ten errors and ten warnings of a step; the rest is in the report.
const MOST: usize = 10;

/// Shorter pieces would mask parts of ordinary words.
const SHORTEST_MASK: usize = 6;

/// Has the runner replace the secrets by stars from now on. A mask is a line, so each line of a secret is one.
pub(super) fn masks(report: &Report, out: &mut dyn Write) -> Result<()> {
    let mut masked = std::collections::BTreeSet::new();
    let secret = report
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Info);
    for finding in secret {
        let Some(text) = finding.secret.expose_str() else {
            continue;
        };
        for line in text.lines().map(str::trim) {
            let head = line.starts_with("-----");
            if line.len() >= SHORTEST_MASK && !head && masked.insert(line) {
                writeln!(out, "::add-mask::{}", data(line))?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

/// Writes text in which the runner looks for no command.
pub(super) fn quoted(out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).context("the operating system gives no random bytes")?;
    let word: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "::stop-commands::{word}")?;
    let written = write(out);
    writeln!(out, "::{word}::")?;
    written
}

/// An annotation for each leak at each of its places, the worst first, as far as GitHub shows them.
pub(super) fn annotations(report: &Report, out: &mut dyn Write) -> Result<()> {
    for skipped in report.coverage.skipped.iter().take(MOST) {
        let message = format!("not scanned: {}: {}", skipped.what, skipped.why);
        writeln!(out, "::warning title=unleak::{}", data(&message))?;
    }
    let mut counted: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.counts())
        .collect();
    counted.sort_by_key(|finding| (finding.severity, finding.confidence));
    let all = counted.len();
    for finding in counted.into_iter().take(MOST - 1) {
        annotation(report, finding, out)?;
    }
    if all >= MOST {
        writeln!(
            out,
            "::error title=unleak::{} more places; the log and the reports list them all",
            all - (MOST - 1)
        )?;
    }
    Ok(())
}

fn annotation(report: &Report, finding: &Finding, out: &mut dyn Write) -> Result<()> {
    let at = &finding.location;
    let title = report.rules.iter().find(|card| card.id == finding.rule);
    let title = title.map_or(finding.rule.as_str(), |card| card.title.as_str());
    let level = match finding.severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "notice",
    };
    let from = at.origin.commit().map(|commit| {
        let short: String = commit.id.chars().take(12).collect();
        format!(", brought in by commit {short}")
    });
    let message = format!(
        "{title} {}{}. Revoke it: deleting the text does not help. ({})",
        finding.redacted,
        from.unwrap_or_default(),
        finding.rule
    );
    // Columns make sense on one line alone.
    let columns = if at.line == at.end_line {
        format!(",col={},endColumn={}", at.column, at.end_column)
    } else {
        String::new()
    };
    writeln!(
        out,
        "::{level} file={},line={},endLine={}{columns},title={}::{}",
        property(&at.path.to_string()),
        at.line,
        at.end_line,
        property(&format!("Leaked: {title}")),
        data(&message)
    )?;
    Ok(())
}

/// Appends outputs to the file that the runner reads.
pub(super) fn outputs(file: &Path, outputs: &[(&str, String)]) -> Result<()> {
    let mut text = String::new();
    for (name, value) in outputs {
        // A line break would begin another output.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        text.push_str(&format!("{name}={value}\n"));
    }
    let mut open = std::fs::OpenOptions::new();
    open.append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write outputs to {}", file.display()))
}

/// As @actions/core escapes a message.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As @actions/core escapes a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    /// The vectors of actions/toolkit's own tests.
    #[test]
    fn text_is_escaped_as_the_runner_reads_it() {
        assert_eq!(
            data("percent % percent % cr \r cr \r lf \n lf \n"),
            "percent %25 percent %25 cr %0D cr %0D lf %0A lf %0A"
        );
        assert_eq!(
            data("%25 %25 %0D %0D %0A %0A"),
            "%2525 %2525 %250D %250D %250A %250A"
        );
        assert_eq!(
            property("colon : colon : comma , comma ,"),
            "colon %3A colon %3A comma %2C comma %2C"
        );
    }
}
