//! The report for people: one paragraph per leak, worst first, then what was scanned and what was not.

use std::io::Write;

use anyhow::Result;

use super::explain;
use super::group::{Group, groups};
use super::redact::{Redactor, escape};
use super::{Options, Report};
use crate::finding::{Coverage, Finding, ScanPath, Severity};
use crate::leak::{Identity, Owner, Verdict};

/// So many places of one leak are listed; JSON has them all.
const PLACES: usize = 20;

/// Writes the whole report.
pub(super) fn write(report: &Report, options: &Options, out: &mut dyn Write) -> Result<()> {
    let page = Page {
        options: *options,
        redactor: redactor(report, options)?,
    };
    for group in groups(report) {
        page.leak(&group, out)?;
        writeln!(out)?;
    }
    page.summary(report, out)?;
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
    /// Foreign text, safe to print.
    fn show(&self, text: &str) -> String {
        self.redactor.line(text)
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.options.color {
            format!("\u{1b}[{}m{text}\u{1b}[0m", style.code())
        } else {
            text.to_owned()
        }
    }

    fn leak(&self, group: &Group<'_>, out: &mut dyn Write) -> Result<()> {
        let first = group.first();
        let title = group.card.map_or(first.rule.as_str(), |card| card.title.as_str());
        let (style, state) = state(group);
        writeln!(
            out,
            "{}  {}  {}",
            self.paint(style, &format!("{state} {}", group.severity)),
            self.paint(Style::Bold, &escape(title)),
            escape(&first.redacted),
        )?;
        if self.options.show_secrets {
            let secret = String::from_utf8_lossy(first.secret.expose());
            writeln!(out, "  secret  {}", escape(&secret))?;
        }
        let names = format!("{}  {}", first.rule, first.fingerprint);
        writeln!(out, "  {}", self.paint(Style::Dim, &names))?;
        for finding in group.findings.iter().take(PLACES) {
            writeln!(out, "  {}", self.place(finding))?;
        }
        if let Some(more @ 1..) = group.findings.len().checked_sub(PLACES) {
            writeln!(out, "  and {more} more; --format json lists them all")?;
        }
        if let Some(verdict) = group.verdict() {
            writeln!(out, "  verdict  {}", self.verdict(verdict))?;
        }
        if let Some(learnt) = group.learnt {
            self.identity(&learnt.identity, out)?;
            for owner in &learnt.owners {
                writeln!(out, "  tell     {}", self.owner(owner))?;
            }
        }
        writeln!(out, "  next     {}", self.next_step(group))?;
        Ok(())
    }

    fn place(&self, finding: &Finding) -> String {
        let at = &finding.location;
        let path = self.redactor.bytes(at.path.as_bytes());
        let path = ScanPath::new(path).to_string();
        let mut place = format!("{}:{}:{}", escape(&path), at.line, at.column);
        if let Some(commit) = at.origin.commit() {
            let short: String = commit.id.chars().take(12).collect();
            place.push_str(&format!(
                "  commit {}  {} <{}>  {}",
                self.show(&short),
                self.show(&commit.author),
                self.show(&commit.email),
                commit.date.strftime("%Y-%m-%d"),
            ));
        } else if at.origin.name() != "worktree" {
            place.push_str(&format!("  {}", at.origin.name()));
        }
        if let Some(via) = &finding.decoded_via {
            place.push_str(&format!("  inside {}", self.show(via)));
        }
        place
    }

    fn verdict(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Live { reason } => format!("live: {}", self.show(reason)),
            Verdict::Dead { why, reason } => format!("dead, {why}: {}", self.show(reason)),
            Verdict::Unknown { reason } => format!("unknown: {}", self.show(reason)),
        }
    }

    fn identity(&self, identity: &Identity, out: &mut dyn Write) -> Result<()> {
        let mut known = Vec::new();
        match (&identity.principal, &identity.email) {
            (Some(name), Some(email)) => known.push(format!("{name} <{email}>")),
            (Some(one), None) | (None, Some(one)) => known.push(one.clone()),
            (None, None) => {}
        }
        for (word, list) in [
            ("organisations", &identity.organisations),
            ("scopes", &identity.scopes),
        ] {
            if !list.is_empty() {
                known.push(format!("{word} {}", list.join(", ")));
            }
        }
        if !known.is_empty() {
            writeln!(out, "  whose    {}", self.show(&known.join("; ")))?;
        }
        Ok(())
    }

    fn owner(&self, owner: &Owner) -> String {
        let mut line = self.show(&owner.name);
        if let Some(email) = &owner.email {
            line.push_str(&format!(" <{}>", self.show(email)));
        }
        match &owner.organisation {
            Some(organisation) => {
                line.push_str(&format!(" ({}: {})", owner.reason, self.show(organisation)));
            }
            None => line.push_str(&format!(" ({})", owner.reason)),
        }
        line
    }

    fn next_step(&self, group: &Group<'_>) -> String {
        if group.severity == Severity::Info {
            return "nothing: it is public by design".to_owned();
        }
        if group.verdict().is_some_and(Verdict::is_dead) {
            return "nothing to revoke; replace it where it is still used".to_owned();
        }
        let page = group.card.and_then(|card| card.page.as_deref());
        let docs = group
            .card
            .map(|card| card.docs.as_str())
            .filter(|docs| !docs.is_empty());
        let revoke = match (page, docs) {
            (Some(page), _) => format!("revoke it at {}", self.show(page)),
            (None, Some(docs)) => format!("revoke it as {} tells", self.show(docs)),
            (None, None) => "revoke it where it was made".to_owned(),
        };
        format!("{revoke}, then replace it where it is used; deleting the text does not help")
    }

    fn summary(&self, report: &Report, out: &mut dyn Write) -> Result<()> {
        let counted = report.summary();
        let coverage = &report.coverage;
        let found = match counted.leaks {
            0 => self.paint(Style::Good, "No leaks found."),
            leaks => {
                let states = format!(
                    "{}: {} live, {} dead, {} unknown.",
                    plural(leaks, "leak"),
                    counted.live,
                    counted.dead,
                    counted.unknown
                );
                self.paint(Style::Bold, &states)
            }
        };
        write!(out, "{found}")?;
        if counted.suppressed > 0 {
            write!(out, " {} suppressed.", plural(counted.suppressed, "finding"))?;
        }
        if counted.public > 0 {
            write!(out, " {} public by design.", plural(counted.public, "finding"))?;
        }
        writeln!(out, " {}", scanned(coverage))?;
        let asked = report.learnt.values().any(|learnt| learnt.verdict.is_some());
        if counted.unknown > 0 && !asked {
            writeln!(out, "Nobody was asked whether they are alive; --verify asks.")?;
        }
        Ok(())
    }

    fn skipped(&self, report: &Report, out: &mut dyn Write) -> Result<()> {
        let mut skipped = report.coverage.skipped.clone();
        if skipped.is_empty() {
            return Ok(());
        }
        skipped.sort();
        let head = format!("The scan is incomplete; {} not scanned:", skipped.len());
        writeln!(out, "{}", self.paint(Style::Warn, &head))?;
        for one in &skipped {
            writeln!(out, "  {}: {}", self.show(&one.what), self.show(&one.why))?;
        }
        Ok(())
    }
}

fn state(group: &Group<'_>) -> (Style, &'static str) {
    if group.severity == Severity::Info {
        return (Style::Dim, "PUBLIC");
    }
    match group.verdict() {
        Some(Verdict::Live { .. }) => (Style::Bad, "LIVE"),
        Some(Verdict::Dead { .. }) => (Style::Dim, "DEAD"),
        Some(Verdict::Unknown { .. }) => (Style::Warn, "UNKNOWN"),
        None => (Style::Warn, "FOUND"),
    }
}

/// What was gone through, without what there was none of.
fn scanned(coverage: &Coverage) -> String {
    let mut parts = Vec::new();
    if coverage.files > 0 {
        parts.push(plural(coverage.files, "file"));
    }
    if coverage.commits > 0 || coverage.blobs > 0 {
        let commits = plural(coverage.commits, "commit");
        parts.push(format!("{} of {commits}", plural(coverage.blobs, "blob")));
    }
    if parts.is_empty() && coverage.bytes == 0 {
        return "Nothing was scanned.".to_owned();
    }
    parts.push(size(coverage.bytes));
    if coverage.binary > 0 {
        parts.push(format!("{} passed over", plural(coverage.binary, "binary file")));
    }
    format!("Scanned {}.", parts.join(", "))
}

/// `999 bytes`, `34.5 kB`: powers of ten, rounded down.
fn size(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match units.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => plural(bytes, "byte"),
    }
}

/// `1 leak`, `2 leaks`.
fn plural(count: impl TryInto<u64>, noun: &str) -> String {
    let count: u64 = count.try_into().unwrap_or(u64::MAX);
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
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
