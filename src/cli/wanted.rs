//! Which reports a scan writes, and where each goes: `--format FORMAT[=FILE]`, repeated, and `--output FILE`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result};

use super::exit::Hinted;
use super::output;
use crate::report::{self, Format, Options, Report};

/// One `--format`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    format: Format,
    file: Option<PathBuf>,
}

impl FromStr for Wanted {
    type Err = anyhow::Error;

    /// Reads `sarif` and `sarif=unleak.sarif`.
    fn from_str(text: &str) -> Result<Self> {
        let (format, file) = match text.split_once('=') {
            Some((_, "")) => anyhow::bail!("{text:?} names no file behind the equals sign"),
            Some((format, file)) => (format, Some(PathBuf::from(file))),
            None => (text, None),
        };
        Ok(Self {
            format: format.parse()?,
            file,
        })
    }
}

/// Every report of one scan.
#[derive(Debug)]
pub(super) struct Outputs(Vec<Wanted>);

impl Outputs {
    /// What these arguments ask for; checked before the scan, so that an hour of it is not lost to a typing error.
    ///
    /// # Errors
    /// Two reports for one place, or `--output` with nothing to go there.
    pub(super) fn of(formats: &[Wanted], output: Option<&Path>) -> Result<Self> {
        let mut all = formats.to_vec();
        if all.is_empty() {
            all.push(Wanted {
                format: Format::Text,
                file: None,
            });
        }
        let mut homeless = all.iter_mut().filter(|wanted| wanted.file.is_none());
        let (first, second) = (homeless.next(), homeless.next());
        if second.is_some() {
            return Err(Hinted::usage(
                "two reports for standard output",
                "name a file for all but one of them: --format sarif=unleak.sarif --format text",
            ));
        }
        match (first, output) {
            (Some(wanted), Some(path)) => wanted.file = Some(path.to_owned()),
            (None, Some(path)) => {
                return Err(Hinted::usage(
                    format!("no report is left for --output {}", path.display()),
                    "every --format names a file of its own: leave --output out",
                ));
            }
            (_, None) => {}
        }
        let files: Vec<&PathBuf> = all.iter().filter_map(|wanted| wanted.file.as_ref()).collect();
        if files.iter().collect::<BTreeSet<_>>().len() < files.len() {
            return Err(Hinted::usage(
                "two reports for one file",
                "name another file for one of them",
            ));
        }
        Ok(Self(all))
    }

    /// Whether none of them has room for what was matched and is no finding.
    pub(super) fn explain_nothing(&self) -> bool {
        !self.0.iter().any(|wanted| wanted.format.explains())
    }

    /// Writes them all: files first, so that they are there even where nobody reads standard output to its end.
    pub(super) fn write(&self, report: &Report, options: &Options, out: &mut dyn Write) -> Result<()> {
        let (files, printed): (Vec<&Wanted>, Vec<&Wanted>) =
            self.0.iter().partition(|wanted| wanted.file.is_some());
        let plain = Options {
            color: false,
            ..*options
        };
        for wanted in files {
            if let Some(path) = &wanted.file {
                output::write_file(path, |file| report::write(report, wanted.format, &plain, file))?;
            }
        }
        for wanted in printed {
            report::write(report, wanted.format, options, out).context("cannot write the report")?;
        }
        Ok(())
    }
}
