//! What the page shows, as plain text: askama escapes it, and no secret is in it any more.

use std::collections::BTreeMap;

use crate::finding::{Finding, Severity};
use crate::report::Report;
use crate::report::group::{Group, groups};
use crate::report::redact::{Redactor, escape};
use crate::report::telling::{self, Gaps, Next, State, plural};
use crate::report::web::{Pages, absolute, repository_uri};

/// So many places of a leak stand open; the others are folded.
const OPEN: usize = 4;

/// So many leaks stand in one list; of a list far from the screen nothing is laid out.
const CHUNK: usize = 100;

/// So many findings that do not count are listed, and so many marks; JSON has them all.
const LISTED: usize = 1000;

/// So many gaps of one reason are listed; JSON has them all.
const GAPS: usize = 200;

/// Everything on the page.
pub(super) struct View {
    pub(super) repository: Option<String>,
    /// Its page on the web.
    pub(super) home: Option<String>,
    pub(super) revision: Option<String>,
    pub(super) date: String,
    pub(super) version: String,
    /// `3 leaks in 4 places`, or that there are none.
    pub(super) heading: String,
    pub(super) clean: bool,
    pub(super) tiles: Vec<Tile>,
    pub(super) advice: Option<&'static str>,
    pub(super) severities: Vec<Choice>,
    pub(super) states: Vec<Choice>,
    pub(super) services: Vec<Choice>,
    pub(super) chunks: Vec<Vec<Leak>>,
    pub(super) uncounted: Vec<Uncounted>,
    pub(super) more_uncounted: usize,
    pub(super) scanned: String,
    pub(super) skipped: usize,
    pub(super) gaps: Vec<Gaps>,
}

/// One figure of the overview.
pub(super) struct Tile {
    pub(super) count: usize,
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

/// One value to filter by.
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) shown: String,
    pub(super) count: usize,
}

/// One leak.
pub(super) struct Leak {
    pub(super) state: &'static str,
    pub(super) severity: String,
    pub(super) service: String,
    pub(super) title: String,
    pub(super) redacted: String,
    pub(super) rule: String,
    pub(super) fingerprint: String,
    pub(super) places: Vec<Place>,
    pub(super) folded: Vec<Place>,
    pub(super) why: String,
    pub(super) whose: Option<String>,
    pub(super) tell: Vec<String>,
    pub(super) next: Next,
}

/// One place of a leak.
pub(super) struct Place {
    /// `a/b.txt:3:9`.
    pub(super) shown: String,
    pub(super) link: Option<String>,
    pub(super) commit: Option<Commit>,
    /// Where it stands besides a file: `staged`, `stdin`.
    pub(super) origin: Option<&'static str>,
    pub(super) via: Option<String>,
    pub(super) line: usize,
    pub(super) source: Option<[String; 3]>,
}

/// The commit that brought it in.
pub(super) struct Commit {
    pub(super) short: String,
    pub(super) link: Option<String>,
    pub(super) author: String,
    pub(super) date: String,
}

/// A finding that does not count.
pub(super) struct Uncounted {
    pub(super) place: String,
    pub(super) rule: String,
    pub(super) redacted: String,
    pub(super) why: String,
}

impl View {
    /// The view of this report.
    pub(super) fn of(report: &Report, redactor: &Redactor) -> Self {
        let groups = groups(report);
        let pages = Pages::of(report);
        let counted = report.summary();
        let repository = report.repository.as_ref();
        let (uncounted, more_uncounted) = uncounted(report, redactor);
        let mut gaps = telling::gaps(&report.coverage, redactor);
        for gap in &mut gaps {
            if let Some(more @ 1..) = gap.what.len().checked_sub(GAPS) {
                gap.what.truncate(GAPS);
                gap.what.push(format!("and {more} more; JSON has them all"));
            }
        }
        let asked = report.learnt.values().any(|learnt| learnt.verdict.is_some());
        Self {
            repository: repository.and_then(|(uri, _)| Some(redactor.line(&repository_uri(uri)?))),
            home: pages
                .as_ref()
                .and_then(|pages| absolute(&redactor.line(pages.base()))),
            revision: repository
                .map(|(_, revision)| telling::short(revision, redactor))
                .filter(|revision| !revision.is_empty()),
            date: report.started.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            version: report.version.clone(),
            heading: heading(report, &groups),
            clean: counted.leaks == 0 && report.coverage.skipped.is_empty(),
            tiles: tiles(&groups),
            advice: (counted.unknown > 0 && !asked)
                .then_some("Nobody was asked whether these tokens are alive; unleak scan --verify asks."),
            severities: severities(&groups),
            states: states(&groups),
            services: services(&groups),
            chunks: groups
                .chunks(CHUNK)
                .map(|chunk| {
                    let leaks = chunk.iter();
                    leaks.map(|group| leak(group, pages.as_ref(), redactor)).collect()
                })
                .collect(),
            uncounted,
            more_uncounted,
            scanned: telling::scanned(&report.coverage),
            skipped: report.coverage.skipped.len(),
            gaps,
        }
    }
}

fn heading(report: &Report, groups: &[Group<'_>]) -> String {
    let leaks: Vec<&Group<'_>> = groups
        .iter()
        .filter(|one| one.severity != Severity::Info)
        .collect();
    if leaks.is_empty() {
        return telling::nothing(report).to_owned();
    }
    let places: usize = leaks.iter().map(|group| group.findings.len()).sum();
    format!("{} in {}", plural(leaks.len(), "leak"), plural(places, "place"))
}

fn tiles(groups: &[Group<'_>]) -> Vec<Tile> {
    let count = |wanted: &[State]| {
        let states = groups.iter().map(State::of);
        states.filter(|state| wanted.contains(state)).count()
    };
    let critical = groups
        .iter()
        .filter(|group| group.severity == Severity::Critical && State::of(group).is_open());
    let tiles = [
        (count(&[State::Live]), "live", "live"),
        (count(&[State::Found, State::Unknown]), "not proved dead", "found"),
        (critical.count(), "critical, to revoke", "critical"),
        (count(&[State::Dead]), "dead", "dead"),
        (count(&[State::Public]), "public by design", "public"),
    ];
    tiles
        .map(|(count, word, class)| Tile { count, word, class })
        .into()
}

fn severities(groups: &[Group<'_>]) -> Vec<Choice> {
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for group in groups {
        *counts.entry(group.severity).or_default() += 1;
    }
    let choice = |(severity, count): (Severity, usize)| Choice {
        value: severity.to_string(),
        shown: severity.to_string(),
        count,
    };
    counts.into_iter().map(choice).collect()
}

fn states(groups: &[Group<'_>]) -> Vec<Choice> {
    let all = [
        State::Live,
        State::Unknown,
        State::Found,
        State::Dead,
        State::Public,
    ];
    let choice = |state: State| Choice {
        value: state.word().to_owned(),
        shown: state.word().to_owned(),
        count: groups.iter().filter(|group| State::of(group) == state).count(),
    };
    all.map(choice)
        .into_iter()
        .filter(|choice| choice.count > 0)
        .collect()
}

fn services(groups: &[Group<'_>]) -> Vec<Choice> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for group in groups {
        *counts.entry(telling::service(group)).or_default() += 1;
    }
    let choice = |(service, count): (String, usize)| Choice {
        value: service.clone(),
        shown: service,
        count,
    };
    counts.into_iter().map(choice).collect()
}

fn leak(group: &Group<'_>, pages: Option<&Pages>, redactor: &Redactor) -> Leak {
    let first = group.first();
    let mut places: Vec<Place> = group
        .findings
        .iter()
        .map(|one| place(one, pages, redactor))
        .collect();
    let mut last = None;
    for place in &mut places {
        // Said once: the same file in the working tree and in history reads the same.
        match place.source.take() {
            Some(source) if last.as_ref() != Some(&source) => {
                last = Some(source.clone());
                place.source = Some(source);
            }
            _ => {}
        }
    }
    let folded = places.split_off(places.len().min(OPEN));
    let learnt = group.learnt;
    Leak {
        state: State::of(group).word(),
        severity: group.severity.to_string(),
        service: telling::service(group),
        title: telling::title(group),
        redacted: escape(&first.redacted),
        rule: escape(first.rule.as_str()),
        fingerprint: first.fingerprint.to_string(),
        places,
        folded,
        why: telling::why(group, redactor),
        whose: learnt.and_then(|learnt| telling::identity(&learnt.identity, redactor)),
        tell: learnt.map_or_else(Vec::new, |learnt| {
            learnt
                .owners
                .iter()
                .map(|owner| telling::owner(owner, redactor))
                .collect()
        }),
        next: telling::next(group, redactor),
    }
}

fn place(finding: &Finding, pages: Option<&Pages>, redactor: &Redactor) -> Place {
    let at = &finding.location;
    let commit = at.origin.commit().map(|commit| Commit {
        short: telling::short(&commit.id, redactor),
        link: pages.and_then(|pages| absolute(&pages.commit(&commit.id))),
        author: redactor.line(&commit.author),
        date: commit.date.strftime("%Y-%m-%d").to_string(),
    });
    Place {
        shown: shown(finding, redactor),
        link: pages
            .and_then(|pages| pages.line(finding, redactor))
            .as_deref()
            .and_then(absolute),
        origin: Some(at.origin.name()).filter(|name| commit.is_none() && *name != "worktree"),
        commit,
        via: finding.decoded_via.as_deref().map(|via| redactor.line(via)),
        line: at.line,
        source: telling::source(finding, redactor),
    }
}

fn shown(finding: &Finding, redactor: &Redactor) -> String {
    let at = &finding.location;
    format!("{}:{}:{}", telling::path(&at.path, redactor), at.line, at.column)
}

/// What a mark, the baseline or a list suppresses, and what was refused, where that was asked for.
fn uncounted(report: &Report, redactor: &Redactor) -> (Vec<Uncounted>, usize) {
    let all = report.suppressed().unwrap_or_else(|| {
        let sorted = report.sorted().into_iter();
        sorted.filter(|finding| finding.suppression.is_some()).collect()
    });
    let shown = all.iter().take(LISTED).map(|finding| Uncounted {
        place: shown(finding, redactor),
        rule: escape(finding.rule.as_str()),
        redacted: escape(&finding.redacted),
        why: finding
            .suppression
            .as_ref()
            .map_or_else(String::new, |why| redactor.line(&why.to_string())),
    });
    (shown.collect(), all.len().saturating_sub(LISTED))
}
