//! What is said of a leak to people, in every report the same: its state, why it matters, what to do next.
//!
//! Everything foreign in it has gone through the [`Redactor`]; a secret never passes here.

use super::Report;
use super::group::Group;
use super::redact::{Redactor, escape};
use super::web::absolute;
use crate::finding::{Confidence, Coverage, Finding, ScanPath, Severity, Skipped};
use crate::leak::{Identity, Owner, Verdict};

/// What is known of a leak, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its service says that it works.
    Live,
    /// Its service was asked, and nobody can tell.
    Unknown,
    /// Nobody was asked.
    Found,
    /// Its service says that it no longer works.
    Dead,
    /// Public by design.
    Public,
}

impl State {
    /// The state of this leak.
    pub(super) fn of(group: &Group<'_>) -> Self {
        if group.severity == Severity::Info {
            return Self::Public;
        }
        match group.verdict() {
            Some(Verdict::Live { .. }) => Self::Live,
            Some(Verdict::Dead { .. }) => Self::Dead,
            Some(Verdict::Unknown { .. }) => Self::Unknown,
            None => Self::Found,
        }
    }

    /// The word for it, in lower case.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Unknown => "unknown",
            Self::Found => "found",
            Self::Dead => "dead",
            Self::Public => "public",
        }
    }

    /// Whether somebody has to do something.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Live | Self::Unknown | Self::Found)
    }
}

/// The rule's title, or its id where nobody described it.
pub(super) fn title(group: &Group<'_>) -> String {
    escape(
        group
            .card
            .map_or(group.first().rule.as_str(), |card| card.title.as_str()),
    )
}

/// The service's name as it writes itself.
pub(super) fn service(group: &Group<'_>) -> String {
    escape(
        group
            .card
            .map_or(group.first().rule.service(), |card| card.service.as_str()),
    )
}

/// Why it matters, in a few sentences.
pub(super) fn why(group: &Group<'_>, redactor: &Redactor) -> String {
    let service = service(group);
    let mut why = match group.verdict() {
        _ if group.severity == Severity::Info => {
            return "It is public by design; whoever has it can do no more than was meant.".to_owned();
        }
        Some(Verdict::Live { reason }) => {
            format!("It works: {service} answered {}.", redactor.line(reason))
        }
        Some(Verdict::Dead { why, reason }) => {
            format!(
                "{service} says that it is dead: {why} ({}).",
                redactor.line(reason)
            )
        }
        Some(Verdict::Unknown { reason }) => {
            let reason = redactor.line(reason);
            format!("Nobody can tell whether it works ({reason}); take it for alive.")
        }
        // what nobody is known to revoke may be a password that somebody chose
        None if group.card.is_none_or(|card| card.page.is_none()) => {
            "Whoever reads it can use it until it is revoked or changed.".to_owned()
        }
        None => format!("Whoever reads it can use it at {service} until it is revoked there."),
    };
    if group.first().confidence != Confidence::High && !group.verdict().is_some_and(Verdict::is_live) {
        let confidence = group.first().confidence;
        why.push_str(&format!(
            " Its shape does not prove that it is one (confidence {confidence})."
        ));
    }
    if let Some(commit) = oldest(group) {
        why.push_str(&format!(
            " It is in the git history since {}.",
            commit.date.strftime("%Y-%m-%d")
        ));
    }
    why
}

/// The oldest commit that holds it.
fn oldest<'a>(group: &Group<'a>) -> Option<&'a crate::finding::CommitInfo> {
    let commits = group
        .findings
        .iter()
        .filter_map(|one| one.location.origin.commit());
    commits.min_by_key(|commit| commit.date)
}

/// What to do next: words, and between them a link where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Next {
    /// What stands before the link, or everything.
    pub(super) before: String,
    /// An absolute URI of the web.
    pub(super) link: Option<String>,
    /// What stands behind it.
    pub(super) after: &'static str,
}

impl Next {
    /// One line of plain text.
    pub(super) fn line(&self) -> String {
        format!(
            "{}{}{}",
            self.before,
            self.link.as_deref().unwrap_or_default(),
            self.after
        )
    }
}

/// What to do next.
pub(super) fn next(group: &Group<'_>, redactor: &Redactor) -> Next {
    let plain = |text: &str| Next {
        before: text.to_owned(),
        link: None,
        after: "",
    };
    match State::of(group) {
        State::Public => return plain("Nothing."),
        State::Dead => return plain("Nothing to revoke; replace it where it is still used."),
        State::Live | State::Unknown | State::Found => {}
    }
    let link = |uri: Option<&str>| uri.map(|uri| redactor.line(uri)).as_deref().and_then(absolute);
    let page = link(group.card.and_then(|card| card.page.as_deref()));
    let docs = link(group.card.map(|card| card.docs.as_str()));
    let after = ", then replace it where it is used; deleting the text does not help.";
    match (page, docs) {
        (Some(page), _) => Next {
            before: "Revoke it at ".to_owned(),
            link: Some(page),
            after,
        },
        (None, Some(docs)) => Next {
            before: "Revoke or change it as told at ".to_owned(),
            link: Some(docs),
            after,
        },
        (None, None) => Next {
            before: "Revoke or change it where it was made".to_owned(),
            link: None,
            after,
        },
    }
}

/// Whose it is and what it opens; nothing where nothing is known.
pub(super) fn identity(identity: &Identity, redactor: &Redactor) -> Option<String> {
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
    (!known.is_empty()).then(|| redactor.line(&known.join("; ")))
}

/// Who must hear, and why.
pub(super) fn owner(owner: &Owner, redactor: &Redactor) -> String {
    let mut line = redactor.line(&owner.name);
    if let Some(email) = &owner.email {
        line.push_str(&format!(" <{}>", redactor.line(email)));
    }
    match &owner.organisation {
        Some(organisation) => {
            line.push_str(&format!(" ({}: {})", owner.reason, redactor.line(organisation)));
        }
        None => line.push_str(&format!(" ({})", owner.reason)),
    }
    line
}

/// The path, as people may see it.
pub(super) fn path(path: &ScanPath, redactor: &Redactor) -> String {
    let path = redactor.bytes(path.as_bytes());
    let path = path.strip_prefix(b"./").unwrap_or(&path);
    escape(&ScanPath::new(path).to_string())
}

/// The line of the source with the secret masked: what stands before it, its redacted form, what stands behind it.
pub(super) fn source(finding: &Finding, redactor: &Redactor) -> Option<[String; 3]> {
    let excerpt = finding.excerpt.as_ref()?;
    Some([
        redactor.line(&excerpt.before.replace('\t', " ")),
        escape(&finding.redacted),
        redactor.line(&excerpt.after.replace('\t', " ")),
    ])
}

/// The first characters of a commit's id.
pub(super) fn short(id: &str, redactor: &Redactor) -> String {
    let short: String = id.chars().take(12).collect();
    redactor.line(&short)
}

/// Gaps that have the same reason.
pub(super) struct Gaps {
    /// The reason.
    pub(super) why: String,
    /// What was not scanned, sorted.
    pub(super) what: Vec<String>,
}

/// What was not scanned, by reason.
pub(super) fn gaps(coverage: &Coverage, redactor: &Redactor) -> Vec<Gaps> {
    let mut skipped: Vec<&Skipped> = coverage.skipped.iter().collect();
    skipped.sort_by(|a, b| (&a.why, &a.what).cmp(&(&b.why, &b.what)));
    let same = skipped.chunk_by(|a, b| a.why == b.why);
    let mut gaps: Vec<Gaps> = same
        .map(|same| Gaps {
            why: redactor.line(&same[0].why),
            what: same.iter().map(|one| redactor.line(&one.what)).collect(),
        })
        .collect();
    gaps.sort_by(|a, b| a.what.first().cmp(&b.what.first()));
    gaps
}

/// Of a scan that found nothing; one with gaps never reads as clean.
pub(super) fn nothing(report: &Report) -> &'static str {
    match report.coverage.skipped.is_empty() {
        true => "No leaks found",
        false => "No leaks in what was scanned, and not everything was",
    }
}

/// What was gone through, without what there was none of.
pub(super) fn scanned(coverage: &Coverage) -> String {
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
pub(super) fn plural(count: impl TryInto<u64>, noun: &str) -> String {
    let count: u64 = count.try_into().unwrap_or(u64::MAX);
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{s}")
}
