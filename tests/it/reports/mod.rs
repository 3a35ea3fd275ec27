//! The page, and what GitHub and GitLab read: from hand-made reports with every oddity, and from the real binary.

mod gitlab;
mod page;
mod several;
mod source;
mod workflow;

use unleak::report::{Format, Options, Report};

use crate::support::reports::written;

fn plain(report: &Report, format: Format) -> String {
    written(report, format, &Options::default())
}
