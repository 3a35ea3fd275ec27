//! Leaks by state and severity, filtered, searched, page by page.

use askama::Template;

use super::Pages;
use super::door::{Asked, go, html};
use super::routes::Answer;
use super::shown::{Frame, When, clean, pair, severity, without_addresses};
use super::trouble::Trouble;
use super::viewer::Viewer;
use crate::finding::{RuleId, Severity};
use crate::leak::{Revocation, Verdict};
use crate::store::{Behind, Count, Row, Sought, State};

/// Leaks on a page.
const PAGE: u32 = 50;
/// Longest text that is searched for, in characters.
const LONGEST_WORDS: usize = 200;

#[derive(Template)]
#[template(path = "leaks.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    counts: Vec<CountRow>,
    waiting: Option<i64>,
    filter: Filter,
    rows: Vec<LeakRow>,
    next: Option<String>,
    first: Option<String>,
    /// Why nothing can be seen at all.
    blind: Option<&'static str>,
}

/// The counts of one state.
struct CountRow {
    state: &'static str,
    title: &'static str,
    all: i64,
    cells: Vec<(String, i64)>,
}

/// The filter as the form shows it.
struct Filter {
    state: String,
    severity: String,
    service: String,
    words: String,
    waiting: bool,
    any: bool,
    severities: Vec<String>,
    states: Vec<&'static str>,
}

struct LeakRow {
    link: String,
    title: String,
    rule: String,
    redacted: String,
    severity: String,
    state: &'static str,
    said: String,
    owner: String,
    organisations: String,
    seen: When,
}

/// `GET /`.
pub(super) async fn home(_: Asked) -> Answer {
    Ok(go("/leaks"))
}

/// `GET /leaks`.
pub(super) async fn list(asked: Asked) -> Answer {
    let viewer = asked.viewer()?;
    let pages = &asked.pages;
    let store = &pages.responder.store;
    let mut sought = sought(&asked, viewer)?;
    let filter = filter(&asked, &sought);
    sought.most = PAGE + 1;
    let mut found = store.listed(&sought).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let query = query(&filter);
    let next = found.last().filter(|_| more).map(|last| {
        let Behind {
            at,
            fingerprint,
            rule,
        } = last.behind();
        format!("/leaks?behind={at}.{fingerprint}.{rule}{query}")
    });
    let counts = store.counted(&sought.whose).await?;
    let blind = (!viewer.is_operator() && sought.whose == crate::store::Whose::Of(Vec::new())).then_some(
        "Your token opens no organisation with the scope leaks:read, so no leak can be shown. Sign in with another one: \
         unleak token create --user YOU --scope leaks:read",
    );
    html(&Page {
        waiting: Some(counts.iter().map(|count| count.waiting).sum()).filter(|waiting| *waiting > 0),
        counts: count_rows(&counts),
        rows: found
            .into_iter()
            .map(|row| leak_row(pages, viewer, row))
            .collect(),
        first: sought
            .behind
            .as_ref()
            .map(|_| format!("/leaks?{}", query.trim_start_matches('&'))),
        frame: asked.frame("Leaks", "leaks"),
        filter,
        next,
        blind,
    })
}

fn sought(asked: &Asked, viewer: &Viewer) -> Result<Sought, Trouble> {
    let behind = match asked.query("behind") {
        "" => None,
        text => Some(behind(text).ok_or_else(|| {
            Trouble::Bad("This is no page of the list; begin with its first one.".to_owned())
        })?),
    };
    let service = asked.query("service");
    Ok(Sought {
        whose: viewer.whose(),
        state: State::named(asked.query("state")),
        severity: severity(asked.query("severity")),
        service: (!service.is_empty()).then(|| service.chars().take(100).collect()),
        waiting: asked.query("waiting") == "yes",
        words: asked.query("q").chars().take(LONGEST_WORDS).collect(),
        behind,
        most: PAGE,
    })
}

/// Where the page before ended.
pub(super) fn behind(text: &str) -> Option<Behind> {
    let mut parts = text.splitn(3, '.');
    let (at, fingerprint, rule) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Behind {
        at: at.parse().ok()?,
        fingerprint: fingerprint.to_owned(),
        rule: rule.to_owned(),
    })
}

fn filter(asked: &Asked, sought: &Sought) -> Filter {
    let all = [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Info,
    ];
    let (state, severity) = (
        sought.state.map_or("", State::name).to_owned(),
        sought
            .severity
            .map(|severity| severity.to_string())
            .unwrap_or_default(),
    );
    let service = sought.service.clone().unwrap_or_default();
    Filter {
        any: !(state.is_empty() && severity.is_empty() && service.is_empty() && sought.words.is_empty())
            || sought.waiting
            || !asked.query("behind").is_empty(),
        state,
        severity,
        service,
        words: sought.words.clone(),
        waiting: sought.waiting,
        severities: all.iter().map(ToString::to_string).collect(),
        states: State::ALL.iter().map(|state| state.name()).collect(),
    }
}

/// The filter as a query goes on with it.
fn query(filter: &Filter) -> String {
    [
        pair("state", &filter.state),
        pair("severity", &filter.severity),
        pair("service", &filter.service),
        pair("q", &filter.words),
        pair("waiting", if filter.waiting { "yes" } else { "" }),
    ]
    .concat()
}

fn count_rows(counts: &[Count]) -> Vec<CountRow> {
    let all = [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Info,
    ];
    let rows = State::ALL.into_iter().map(|state| {
        let of = |severity: Severity| {
            let found = counts
                .iter()
                .find(|count| count.state == state && count.severity == severity);
            found.map_or(0, |count| count.leaks)
        };
        CountRow {
            state: state.name(),
            title: match state {
                State::Live => "Live: the token opens something",
                State::Unknown => "Unknown: not asked, or no answer",
                State::Dead => "Dead: proved by its service",
                State::Dismissed => "Dismissed: a person said why",
            },
            all: all.iter().map(|severity| of(*severity)).sum(),
            cells: all
                .iter()
                .map(|severity| (severity.to_string(), of(*severity)))
                .collect(),
        }
    });
    rows.collect()
}

/// The address of a leak's page.
pub(super) fn link(fingerprint: &str, rule: &RuleId) -> String {
    format!("/leaks/{fingerprint}/{rule}")
}

/// What a rule calls its token.
pub(super) fn title(pages: &Pages, rule: &RuleId) -> String {
    let rule_known = pages.rules.find(rule);
    rule_known.map_or_else(|| rule.to_string(), |rule| rule.title().to_owned())
}

fn leak_row(pages: &Pages, viewer: &Viewer, row: Row) -> LeakRow {
    let sees = viewer.sees_addresses(&row.rule, &row.identity);
    let owner = row.identity.principal.as_deref().unwrap_or_default();
    let said = said(&row);
    LeakRow {
        link: link(&row.fingerprint, &row.rule),
        title: clean(&title(pages, &row.rule)),
        rule: row.rule.to_string(),
        redacted: clean(&row.redacted),
        severity: row.severity.to_string(),
        state: row.state.name(),
        said: without_addresses(&said, sees),
        owner: without_addresses(owner, sees),
        organisations: clean(&row.identity.organisations.join(", ")),
        seen: When::new(row.first_seen),
    }
}

/// What is to be known of a leak beside its state.
fn said(row: &Row) -> String {
    let act = [("revocation", &row.revocation), ("containment", &row.containment)];
    for (name, state) in act {
        match state {
            Some(Revocation::Sending) => return format!("{name} under way"),
            Some(Revocation::Uncertain { .. }) => return format!("{name} uncertain"),
            Some(Revocation::Refused { .. }) if row.state == State::Live => return format!("{name} refused"),
            Some(Revocation::Postponed { .. }) => return format!("{name} put off"),
            Some(Revocation::Done { .. }) if row.state == State::Live && name == "containment" => {
                return "contained".to_owned();
            }
            _ => {}
        }
    }
    match (&row.verdict, row.decision.as_str()) {
        (Some(Verdict::Dead { why, .. }), _) => why.to_string(),
        (Some(Verdict::Live { .. }), "approve") => "waits for a person's yes".to_owned(),
        (Some(Verdict::Live { .. }), "wait") => "its owners have time to act".to_owned(),
        (Some(Verdict::Live { .. }), "notify") => "its owners are told".to_owned(),
        (Some(Verdict::Unknown { reason }), _) => reason.clone(),
        (None, _) => "not asked yet".to_owned(),
        _ => String::new(),
    }
}
