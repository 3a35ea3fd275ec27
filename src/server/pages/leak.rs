//! One leak: where it was seen, whose it is, who must hear, what the policy says, what happened, and what a person can do.

use askama::Template;

use super::decision::{Decided, decided};
use super::door::{Asked, html};
use super::leaks::{link, title};
use super::routes::Answer;
use super::shown::{self, Frame, When, clean, without_addresses};
use super::timeline::{Event, event};
use crate::leak::{Leak, Revocation, Verdict};
use crate::store::Dismissed;

/// Places that are shown.
const PLACES: usize = 50;
/// Lines of the ledger that are shown.
const LINES: u32 = 100;

#[derive(Template)]
#[template(path = "leak.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    link: String,
    title: String,
    rule: String,
    service: String,
    fingerprint: String,
    redacted: String,
    severity: String,
    state: &'static str,
    verdict: String,
    acts: Vec<String>,
    dismissed: Option<Dismissal>,
    first_seen: When,
    last_seen: When,
    places: Vec<Place>,
    places_left: usize,
    identity: Whose,
    owners: Vec<Owner>,
    notices: Vec<Told>,
    decided: Decided,
    events: Vec<Event>,
    last: i64,
    commands: Vec<String>,
    docs: Option<String>,
    by_hand: Option<String>,
    /// Whether the visitor may do something about it.
    ends: bool,
    /// Whether its secret is wiped, so that nobody can ask or act any more.
    closed: bool,
    at_work: bool,
    sees: bool,
}

struct Dismissal {
    by: String,
    why: String,
    when: When,
}

struct Place {
    origin: String,
    path: String,
    at: String,
    commit: Option<(String, String, When)>,
}

struct Whose {
    principal: String,
    email: String,
    organisations: String,
    scopes: Vec<String>,
    base: String,
}

struct Owner {
    name: String,
    email: String,
    why: String,
}

struct Told {
    name: String,
    channel: String,
    when: When,
}

/// `GET /leaks/{fingerprint}/{service}/{kind}`.
pub(super) async fn page(asked: Asked) -> Answer {
    let (viewer, leak, pages) = (asked.viewer()?, asked.leak()?, &asked.pages);
    let store = &pages.responder.store;
    let (fingerprint, rule) = (leak.fingerprint, &leak.rule);
    let sees = viewer.sees_addresses(rule, &leak.identity);
    let last = store.last_line(fingerprint, rule).await?;
    let lines = store.timeline(fingerprint, rule, LINES).await?;
    let known = store.known(fingerprint).await?;
    let closed = known.iter().any(|known| known.rule == *rule && known.closed);
    let dismissed = store.dismissed(fingerprint, rule).await?;
    let card = pages.rules.find(rule).map(|rule| rule.card());
    let name = title(pages, rule);
    html(&Page {
        frame: asked.frame(&name, "leaks"),
        link: link(&fingerprint.to_string(), rule),
        title: name,
        rule: rule.to_string(),
        service: card
            .as_ref()
            .map_or_else(|| rule.service().to_owned(), |card| card.service.clone()),
        fingerprint: fingerprint.to_string(),
        redacted: clean(&leak.redacted),
        severity: leak.severity.to_string(),
        state: state(leak, dismissed.as_ref()),
        verdict: without_addresses(&verdict(leak), sees),
        acts: acts(leak)
            .iter()
            .map(|act| without_addresses(act, sees))
            .collect(),
        dismissed: dismissed.map(|dismissed| Dismissal {
            by: without_addresses(&dismissed.by, sees),
            why: without_addresses(&dismissed.why, sees),
            when: When::new(dismissed.at),
        }),
        first_seen: When::new(leak.first_seen),
        last_seen: When::new(leak.last_seen),
        places: places(leak, sees),
        places_left: leak.sightings.len().saturating_sub(PLACES),
        identity: identity(leak, sees),
        owners: owners(leak, sees),
        notices: notices(leak, sees),
        decided: decided(pages, leak).await?,
        events: lines.iter().map(|line| event(line, sees)).collect(),
        last,
        commands: ["verify", "owners", "revoke"]
            .map(|word| format!("unleak {word} {fingerprint}"))
            .into(),
        docs: card.as_ref().and_then(|card| shown::link(&card.docs)),
        by_hand: card.as_ref().and_then(|card| shown::link(card.page.as_deref()?)),
        ends: viewer.ends(leak),
        at_work: pages.at_work.is_at(fingerprint, rule),
        closed,
        sees,
    })
}

/// How a leak stands, in one word.
pub(super) fn state(leak: &Leak, dismissed: Option<&Dismissed>) -> &'static str {
    match &leak.verdict {
        Some(Verdict::Dead { .. }) => "dead",
        _ if dismissed.is_some() => "dismissed",
        Some(Verdict::Live { .. }) => "live",
        _ => "unknown",
    }
}

fn verdict(leak: &Leak) -> String {
    match &leak.verdict {
        None => "Its service was not asked yet.".to_owned(),
        Some(Verdict::Live { reason }) => format!("Its service says that it opens something ({reason})."),
        Some(Verdict::Dead { why, reason }) => {
            format!("Its service says that it opens nothing any more: {why} ({reason}).")
        }
        Some(Verdict::Unknown { reason }) => {
            format!("Whether it lives is unknown: {reason}. What is not proved alive is never revoked.")
        }
    }
}

fn acts(leak: &Leak) -> Vec<String> {
    let both = [
        ("Revocation", &leak.revocation),
        ("Containment", &leak.containment),
    ];
    let said = both.into_iter().filter_map(|(name, state)| {
        Some(match state.as_ref()? {
            Revocation::Sending => format!("{name}: under way."),
            Revocation::Done { with } => format!("{name}: done and proved ({with})."),
            Revocation::Refused { reason } => format!("{name}: refused: {reason}."),
            Revocation::Postponed { reason } => format!("{name}: put off: {reason}."),
            Revocation::Uncertain { reason } => format!("{name}: uncertain: {reason}."),
        })
    });
    said.collect()
}

fn places(leak: &Leak, sees: bool) -> Vec<Place> {
    let shown = leak.sightings.iter().take(PLACES).map(|seen| Place {
        origin: seen.origin.clone(),
        path: without_addresses(&seen.path, sees),
        at: match (seen.line, seen.column) {
            (0, _) => String::new(),
            (line, 0) => format!("line {line}"),
            (line, column) => format!("line {line}, column {column}"),
        },
        commit: seen.commit.as_ref().map(|commit| {
            let author = match sees && !commit.email.is_empty() {
                true => format!("{} <{}>", commit.author, commit.email),
                false => commit.author.clone(),
            };
            (
                commit.id.chars().take(12).collect(),
                without_addresses(&author, sees),
                When::new(commit.date),
            )
        }),
    });
    shown.collect()
}

fn identity(leak: &Leak, sees: bool) -> Whose {
    let identity = &leak.identity;
    let email = identity.email.as_deref().unwrap_or_default();
    Whose {
        principal: without_addresses(identity.principal.as_deref().unwrap_or_default(), sees),
        email: if sees { clean(email) } else { String::new() },
        organisations: clean(&identity.organisations.join(", ")),
        scopes: identity
            .scopes
            .iter()
            .take(200)
            .map(|scope| clean(scope))
            .collect(),
        base: clean(identity.base.as_deref().unwrap_or_default()),
    }
}

fn owners(leak: &Leak, sees: bool) -> Vec<Owner> {
    let shown = leak.owners.iter().map(|owner| {
        let why = owner.reason.to_string();
        Owner {
            name: without_addresses(&owner.name, sees),
            email: match &owner.email {
                Some(email) if sees => clean(email),
                _ => String::new(),
            },
            why: match &owner.organisation {
                Some(organisation) => format!("{why} ({})", clean(organisation)),
                None => why,
            },
        }
    });
    shown.collect()
}

fn notices(leak: &Leak, sees: bool) -> Vec<Told> {
    let shown = leak.notices.iter().map(|notice| Told {
        name: without_addresses(&notice.owner.name, sees),
        channel: clean(&notice.channel),
        when: When::new(notice.sent_at),
    });
    shown.collect()
}
