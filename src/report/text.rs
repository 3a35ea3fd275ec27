//! The report for people: one paragraph per leak, worst first, then what it comes to, what was scanned and what was not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::Result;

use super::explain;
use super::group::{Group, groups};
use super::redact::{Redactor, escape};
use super::telling::{self, State, plural};
use super::{Options, Report, Summary};
use crate::finding::{Finding, Severity};

/// So many places of one leak are listed; JSON has them all.
const PLACES: usize = 10;

/// So many things that were not scanned for one reason are listed; JSON has them all.
const GAPS: usize = 20;

/// Writes the whole report.
pub(super) fn write(report: &Report, options: &Options, out: &mut dyn Write) -> Result<()> {
    let page = Page {
        options: *options,
        redactor: redactor(report, options)?,
    };
    let groups = groups(report);
    for group in &groups {
        page.leak(group, out)?;
        writeln!(out)?;
    }
    page.summary(report, &groups, out)?;
    page.skipped(report, out)?;
    explain::write(report, &page.redactor, out)
}

/// Writes what was not reported and why, and the marks.
pub(super) fn write_explanation(report: &Report, options: &Options, out: &mut dyn Write) -> Result<()> {
    explain::write(report, &redactor(report, options)?, out)
}

fn redactor(report: &Report, options: &Options) -> Result<Redactor> {
    if options.show_secrets {
        return Ok(Redactor::nothing());
    }
    Redactor::of(report)
}

/// How things are shown on this page.
struct Page {
    options: Options,
    redactor: Redactor,
}

impl Page {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.options.color {
            format!("\u{1b}[{}m{text}\u{1b}[0m", style.code())
        } else {
            text.to_owned()
        }
    }

    fn leak(&self, group: &Group<'_>, out: &mut dyn Write) -> Result<()> {
        let first = group.first();
        let state = State::of(group);
        let head = format!("{} {}", state.word().to_uppercase(), group.severity);
        writeln!(
            out,
            "{}  {}  {}",
            self.paint(Style::of(state), &head),
            self.paint(Style::Bold, &telling::title(group)),
            escape(&first.redacted),
        )?;
        if self.options.show_secrets {
            let secret = String::from_utf8_lossy(first.secret.expose());
            writeln!(out, "  secret  {}", escape(&secret))?;
        }
        let names = format!("{}  {}", first.rule, first.fingerprint);
        writeln!(out, "  {}", self.paint(Style::Dim, &names))?;
        self.places(group, out)?;
        self.line("why", &telling::why(group, &self.redactor), out)?;
        if let Some(learnt) = group.learnt {
            if let Some(identity) = telling::identity(&learnt.identity, &self.redactor) {
                self.line("whose", &identity, out)?;
            }
            for owner in &learnt.owners {
                self.line("tell", &telling::owner(owner, &self.redactor), out)?;
            }
        }
        self.line("next", &telling::next(group, &self.redactor).line(), out)
    }

    fn line(&self, word: &str, text: &str, out: &mut dyn Write) -> Result<()> {
        let word = self.paint(Style::Dim, &format!("{word:<5}"));
        Ok(writeln!(out, "  {word}  {text}")?)
    }

    /// The places, each with its line of the source unless the one before it reads the same.
    fn places(&self, group: &Group<'_>, out: &mut dyn Write) -> Result<()> {
        let mut shown = BTreeSet::new();
        for finding in group.findings.iter().take(PLACES) {
            writeln!(out, "  {}", self.place(finding))?;
            if let Some(source) = telling::source(finding, &self.redactor)
                && shown.insert(source.clone())
            {
                let [before, secret, after] = source;
                let number = self.paint(Style::Dim, &format!("{:>6} | ", finding.location.line));
                let secret = self.paint(Style::Bold, &secret);
                writeln!(out, "{number}{before}{secret}{after}")?;
            }
        }
        if let Some(more @ 1..) = group.findings.len().checked_sub(PLACES) {
            let places = plural(more, "more place");
            writeln!(out, "  and {places}; --format json lists them all")?;
        }
        Ok(())
    }

    fn place(&self, finding: &Finding) -> String {
        let at = &finding.location;
        let show = |text: &str| self.redactor.line(text);
        let path = telling::path(&at.path, &self.redactor);
        let mut place = format!("{path}:{}:{}", at.line, at.column);
        if let Some(commit) = at.origin.commit() {
            place.push_str(&format!(
                "  commit {}  {} <{}>  {}",
                telling::short(&commit.id, &self.redactor),
                show(&commit.author),
                show(&commit.email),
                commit.date.strftime("%Y-%m-%d"),
            ));
        } else if at.origin.name() != "worktree" {
            place.push_str(&format!("  {}", at.origin.name()));
        }
        if let Some(via) = &finding.decoded_via {
            place.push_str(&format!("  inside {}", show(via)));
        }
        place
    }

    fn summary(&self, report: &Report, groups: &[Group<'_>], out: &mut dyn Write) -> Result<()> {
        let counted = report.summary();
        let leaks: Vec<&Group<'_>> = groups
            .iter()
            .filter(|group| group.severity != Severity::Info)
            .collect();
        if leaks.is_empty() {
            let nothing = format!("{}.", telling::nothing(report));
            let whole = report.coverage.skipped.is_empty();
            let style = if whole { Style::Good } else { Style::Warn };
            writeln!(out, "{}", self.paint(style, &nothing))?;
        } else {
            let places: usize = leaks.iter().map(|group| group.findings.len()).sum();
            let (leaks, places) = (plural(leaks.len(), "leak"), plural(places, "place"));
            let mut head = format!("{leaks} in {places}");
            if is_asked(report) {
                let Summary {
                    live, dead, unknown, ..
                } = counted;
                head.push_str(&format!(": {live} live, {dead} dead, {unknown} unknown"));
            }
            writeln!(out, "{}", self.paint(Style::Bold, &format!("{head}.")))?;
        }
        if leaks.len() > 1 {
            writeln!(out, "By severity: {}.", severities(&leaks))?;
            writeln!(out, "By service: {}.", services(&leaks))?;
        }
        if let Some(advice) = advice(report, &counted) {
            writeln!(out, "{advice}")?;
        }
        if let Some(uncounted) = uncounted(&counted) {
            writeln!(out, "{uncounted}")?;
        }
        Ok(writeln!(out, "{}", telling::scanned(&report.coverage))?)
    }

    fn skipped(&self, report: &Report, out: &mut dyn Write) -> Result<()> {
        let gaps = telling::gaps(&report.coverage, &self.redactor);
        if gaps.is_empty() {
            return Ok(());
        }
        let count = report.coverage.skipped.len();
        let head = format!("The scan is incomplete; {count} not scanned:");
        writeln!(out, "{}", self.paint(Style::Warn, &head))?;
        for gap in &gaps {
            if let [what] = gap.what.as_slice() {
                writeln!(out, "  {what}: {}", gap.why)?;
                continue;
            }
            writeln!(out, "  {} ({}):", gap.why, gap.what.len())?;
            for what in gap.what.iter().take(GAPS) {
                writeln!(out, "    {what}")?;
            }
            if let Some(more @ 1..) = gap.what.len().checked_sub(GAPS) {
                writeln!(out, "    and {more} more; --format json lists them all")?;
            }
        }
        Ok(())
    }
}

fn severities(leaks: &[&Group<'_>]) -> String {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for leak in leaks {
        *counts.entry(leak.severity).or_default() += 1;
    }
    let words = counts
        .iter()
        .map(|(severity, count)| format!("{count} {severity}"));
    words.collect::<Vec<_>>().join(", ")
}

fn services(leaks: &[&Group<'_>]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for leak in leaks {
        *counts.entry(telling::service(leak)).or_default() += 1;
    }
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let words = counts.iter().map(|(service, count)| format!("{service} {count}"));
    words.collect::<Vec<_>>().join(", ")
}

/// Whether any service was asked.
fn is_asked(report: &Report) -> bool {
    report.learnt.values().any(|learnt| learnt.verdict.is_some())
}

/// What to do first.
fn advice(report: &Report, counted: &Summary) -> Option<&'static str> {
    match (counted.live, counted.unknown) {
        (1, _) => Some("Revoke the live one first."),
        (2.., _) => Some("Revoke the live ones first."),
        (0, 1) if !is_asked(report) => Some("Nobody was asked whether it is alive; --verify asks."),
        (0, 2..) if !is_asked(report) => Some("Nobody was asked whether they are alive; --verify asks."),
        _ => None,
    }
}

/// What was found and is no leak.
fn uncounted(counted: &Summary) -> Option<String> {
    let mut parts = Vec::new();
    if counted.suppressed > 0 {
        let findings = plural(counted.suppressed, "finding");
        parts.push(format!("{findings} suppressed by a mark, a baseline or a list"));
    }
    if counted.public > 0 {
        parts.push(format!("{} public by design", plural(counted.public, "finding")));
    }
    (!parts.is_empty()).then(|| format!("Not counted: {}.", parts.join("; ")))
}

#[derive(Clone, Copy)]
enum Style {
    Bold,
    Dim,
    Bad,
    Warn,
    Good,
}

impl Style {
    fn of(state: State) -> Self {
        match state {
            State::Live => Self::Bad,
            State::Unknown | State::Found => Self::Warn,
            State::Dead | State::Public => Self::Dim,
        }
    }

    /// The parameters of the terminal's "select graphic rendition".
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Bad => "1;31",
            Self::Warn => "33",
            Self::Good => "32",
        }
    }
}
