//! What a step hands to GitHub's runner beside its annotations (`report::github`): masks, outputs and the summary. Foreign text in them
//! is escaped, and text that is none of ours is quoted, so that the name of a file cannot be a command.

use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::finding::Severity;
use crate::report::{self, Report, command};

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
                writeln!(out, "{}", command("add-mask", &[], line))?;
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

/// Appends outputs to the file that the runner reads.
pub(super) fn outputs(file: &Path, outputs: &[(&str, String)]) -> Result<()> {
    let mut text = String::new();
    for (name, value) in outputs {
        // A line break would begin another output.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        text.push_str(&format!("{name}={value}\n"));
    }
    append(file, &text).with_context(|| format!("cannot write outputs to {}", file.display()))
}

/// Appends the run's summary to the page of the step.
pub(super) fn summary(file: &Path, what: &str, report: &Report) -> Result<()> {
    let mut text = Vec::new();
    report::write_job_summary(report, what, &mut text)?;
    append(file, &String::from_utf8_lossy(&text))
        .with_context(|| format!("cannot write the summary to {}", file.display()))
}

fn append(file: &Path, text: &str) -> std::io::Result<()> {
    let mut open = std::fs::OpenOptions::new();
    open.append(true)
        .create(true)
        .open(file)
        .and_then(|mut file| file.write_all(text.as_bytes()))
}
