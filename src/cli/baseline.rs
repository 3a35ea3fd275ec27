//! The baseline arguments of `unleak scan`: what is known, written, and of no use any more.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::exit::Hinted;
use super::output;
use crate::finding::Finding;
use crate::scan::baseline::Baseline;
use crate::source::Tally;

/// What is known already.
#[derive(Args, Debug)]
pub(super) struct BaselineArgs {
    /// Do not count what this baseline knows
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Write what was found to a baseline, joined with what it holds already
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// List the entries of the baseline that hide nothing any more
    #[arg(long, requires = "baseline")]
    list_unused: bool,
    /// Take those entries out of the baseline; only after a scan of everything without a gap
    #[arg(long, requires = "baseline", conflicts_with_all = ["part", "only", "skip"])]
    prune_baseline: bool,
}

impl BaselineArgs {
    /// Reads the baseline before the scan: one that cannot be read is told before anybody waits.
    pub(super) fn load(&self) -> Result<Option<Baseline>> {
        self.baseline.as_deref().map(Baseline::load).transpose()
    }

    /// Marks what is known, writes what is to be known, and tells what is of no use; `told` takes the list.
    pub(super) fn settle(
        &self,
        baseline: Option<Baseline>,
        findings: &mut [Finding],
        tally: &Tally,
        told: &mut dyn Write,
    ) -> Result<()> {
        if let Some(baseline) = &baseline {
            baseline.apply(findings);
        }
        if let Some(path) = &self.write_baseline {
            write(path, findings)?;
        }
        let (Some(mut baseline), Some(path)) = (baseline, &self.baseline) else {
            return Ok(());
        };
        if !self.list_unused && !self.prune_baseline {
            return Ok(());
        }
        let unused = baseline.unused(findings);
        let shown = path.display();
        writeln!(
            told,
            "{} of {} entries of {shown} hide nothing here",
            unused.len(),
            baseline.len()
        )?;
        if self.list_unused {
            unused.iter().try_for_each(|entry| writeln!(told, "  {entry}"))?;
        }
        if self.prune_baseline {
            if !tally.coverage().skipped.is_empty() {
                return Err(Hinted::incomplete(
                    format!(
                        "{shown} was not changed: the scan has gaps, and what it did not see may still be there"
                    ),
                    "`unleak scan` without --prune-baseline names the gaps",
                ));
            }
            baseline.forget(&unused);
            replace(path, &baseline)?;
        }
        Ok(())
    }
}

fn write(path: &Path, findings: &[Finding]) -> Result<()> {
    let mut baseline = if path.exists() {
        Baseline::load(path)?
    } else {
        Baseline::fresh()?
    };
    baseline.add(findings);
    replace(path, &baseline)
}

fn replace(path: &Path, baseline: &Baseline) -> Result<()> {
    let text = baseline.to_text();
    output::write_file(path, |file| {
        file.write_all(text.as_bytes())
            .context("cannot write the baseline")
    })
}
