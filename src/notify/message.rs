//! What an owner reads: who we are, why they hear this, what leaked and where, what was done and what to do.
//!
//! Made from a leak, which does not hold the secret. All that comes from outside (paths, names, a service's words) is
//! made harmless first.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::text::{clean, fill};
use crate::finding::RuleCard;
use crate::leak::{Leak, Owner, OwnerReason, Revocation, Sighting, Verdict};

/// Places that a message lists before it only counts them.
const PLACES: usize = 12;
/// Longest piece of foreign text in a message, in characters.
const LONGEST: usize = 300;
/// Largest JSON form, in bytes; with its envelope it stays below the 20 kB of Standard Webhooks.
const LARGEST: usize = 18_000;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A leak was found; the token is alive, or may be.
    Found,
    /// The token is dead.
    Revoked,
    /// The token is kept away from an organisation, and alive.
    Contained,
    /// No leak: tokens of the embedded token service that their owner should look at.
    Tokens,
}

impl Kind {
    /// What the leak's state makes of it.
    pub fn of(leak: &Leak) -> Self {
        let done = |state: &Option<Revocation>| matches!(state, Some(Revocation::Done { .. }));
        if done(&leak.revocation) || leak.verdict.as_ref().is_some_and(Verdict::is_dead) {
            Self::Revoked
        } else if done(&leak.containment) {
            Self::Contained
        } else {
            Self::Found
        }
    }

    /// The event's name: `leak.found`, `leak.revoked`, `leak.contained`, `tokens.review`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "leak.found",
            Self::Revoked => "leak.revoked",
            Self::Contained => "leak.contained",
            Self::Tokens => "tokens.review",
        }
    }

    fn template(self) -> &'static str {
        match self {
            Self::Found => include_str!("templates/found.txt"),
            Self::Revoked => include_str!("templates/revoked.txt"),
            Self::Contained => include_str!("templates/contained.txt"),
            // whoever writes such a message brings its words
            Self::Tokens => "",
        }
    }
}

/// What a message is made from.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The leak as it stands now, with the verdict that followed the revocation.
    pub leak: &'a Leak,
    /// Who is told.
    pub owner: &'a Owner,
    /// The leak's rule.
    pub card: &'a RuleCard,
    /// What will be done and why: the words of the policy's decision.
    pub planned: &'a str,
    /// What the owner's organisation can do without the token's owner, where there is something.
    pub containment: Option<&'a str>,
}

/// A message to one owner, ready for every channel.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it is about.
    pub kind: Kind,
    /// Its name, the same whenever it is made again: `msg_` and 32 hexadecimal digits.
    pub id: String,
    /// Who it is for.
    pub owner: Owner,
    /// One line.
    pub subject: String,
    /// Plain text, wrapped.
    pub body: String,
    /// The same for machines, below 18 kB.
    pub data: Value,
}

impl Message {
    /// Makes the message.
    pub fn new(about: &About<'_>) -> Self {
        let kind = Kind::of(about.leak);
        let (subject, body) = kind.template().split_once('\n').unwrap_or_default();
        let values = values(about);
        Self {
            kind,
            id: id(kind, about),
            owner: about.owner.clone(),
            // Wrapped like any line; a subject is one.
            subject: clean(&fill(subject, &values).replace('\n', " "), 200),
            body: fill(body, &values),
            data: data(about),
        }
    }
}

fn id(kind: Kind, about: &About<'_>) -> String {
    let leak = about.leak;
    let name = format!(
        "{}\n{}\n{}\n{}",
        kind.name(),
        leak.fingerprint,
        leak.rule,
        about.owner.key()
    );
    let hash = Sha256::digest(name.as_bytes());
    let digits: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("msg_{digits}")
}

fn values(about: &About<'_>) -> Vec<(&'static str, String)> {
    let About {
        leak, owner, card, ..
    } = about;
    let short = |text: &str| clean(text, LONGEST);
    let optional = |text: Option<&str>| text.map(short).unwrap_or_default();
    let identity = &leak.identity;
    let page = optional(card.page.as_deref());
    vec![
        ("severity", leak.severity.to_string()),
        ("title", short(&card.title)),
        ("service", short(&card.service)),
        ("redacted", short(&leak.redacted)),
        ("rule", leak.rule.to_string()),
        ("fingerprint", leak.fingerprint.to_string()),
        ("name", clean(&owner.name, 100)),
        ("why_you", why_you(owner)),
        ("places", places(&leak.sightings)),
        ("verdict", verdict(leak.verdict.as_ref())),
        ("principal", optional(identity.principal.as_deref())),
        ("email", optional(identity.email.as_deref())),
        ("organisations", list(&identity.organisations)),
        ("scopes", list(&identity.scopes)),
        ("done", done(about)),
        ("assume", assume(leak.verdict.as_ref())),
        // Without a page to do it, at least one to read.
        (
            "docs",
            if page.is_empty() {
                short(&card.docs)
            } else {
                String::new()
            },
        ),
        ("page", page),
        ("containment", optional(about.containment)),
    ]
}

fn why_you(owner: &Owner) -> String {
    match (owner.reason, &owner.organisation) {
        (OwnerReason::TokenOwner, _) => "the token is yours".to_owned(),
        (OwnerReason::OrganisationOwner, Some(organisation)) => format!(
            "you own the organisation {}, which the token opens",
            clean(organisation, 100)
        ),
        (OwnerReason::OrganisationOwner, None) => "you own an organisation that the token opens".to_owned(),
        (OwnerReason::Committer, _) => "you committed it".to_owned(),
        (OwnerReason::CodeOwner, _) => "CODEOWNERS gives you the file it stands in".to_owned(),
        (OwnerReason::Fallback, _) => {
            "nobody else was found who must hear, and the configuration names you for that case".to_owned()
        }
    }
}

fn places(sightings: &[Sighting]) -> String {
    let mut lines: Vec<String> = sightings.iter().take(PLACES).map(place).collect();
    if sightings.len() > PLACES {
        lines.push(format!("and {} more places", sightings.len() - PLACES));
    }
    lines.join("\n")
}

fn place(sighting: &Sighting) -> String {
    let Sighting {
        path,
        line,
        column,
        origin,
        ..
    } = sighting;
    let path = clean(path, LONGEST);
    let Some(commit) = &sighting.commit else {
        return format!("{path}:{line}:{column} ({origin})");
    };
    let date = commit.date.to_zoned(TimeZone::UTC).date();
    format!(
        "{path}:{line}:{column} in commit {} of {date} by {} <{}>",
        clean(&commit.id, 12),
        clean(&commit.author, 80),
        clean(&commit.email, 80)
    )
}

fn verdict(verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict::Live { reason }) => format!("The token is alive ({}).", clean(reason, LONGEST)),
        Some(Verdict::Dead { why, reason }) => {
            format!("The token is dead: {why} ({}).", clean(reason, LONGEST))
        }
        Some(Verdict::Unknown { reason }) => {
            format!(
                "Whether the token is alive is not known: {}.",
                clean(reason, LONGEST)
            )
        }
        None => "It was not asked whether the token is alive.".to_owned(),
    }
}

fn assume(verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict::Live { .. } | Verdict::Dead { .. }) => String::new(),
        _ => "Take the token for alive until its service says that it is not.".to_owned(),
    }
}

fn list(items: &[String]) -> String {
    let mut shown: Vec<String> = items.iter().take(20).map(|item| clean(item, 100)).collect();
    if items.len() > 20 {
        shown.push(format!("and {} more", items.len() - 20));
    }
    shown.join(", ")
}

fn done(about: &About<'_>) -> String {
    let state = |what: &str, state: &Option<Revocation>| {
        let said = match state.as_ref()? {
            Revocation::Sending => "is under way".to_owned(),
            Revocation::Done { with } => format!("is done and proved (by way of: {})", clean(with, 100)),
            Revocation::Refused { reason } => format!("was not possible: {}", clean(reason, LONGEST)),
            Revocation::Postponed { reason } => {
                format!("is put off to the next run: {}", clean(reason, LONGEST))
            }
            Revocation::Uncertain { reason } => {
                format!("was sent, its outcome is not known: {}", clean(reason, LONGEST))
            }
        };
        Some(format!("The {what} {said}."))
    };
    let mut lines: Vec<String> = [
        state("revocation", &about.leak.revocation),
        state("containment", &about.leak.containment),
    ]
    .into_iter()
    .flatten()
    .collect();
    if lines.is_empty() {
        lines.push("Nothing has been done to the token yet.".to_owned());
    }
    if !about.planned.is_empty() {
        lines.push(format!("Decision: {}.", clean(about.planned, LONGEST)));
    }
    lines.join("\n")
}

/// The machine-readable form, with fewer and shorter pieces until it is small enough.
fn data(about: &About<'_>) -> Value {
    let mut data = Value::Null;
    for (items, longest) in [(50, LONGEST), (10, 200), (3, 80), (1, 40)] {
        data = data_within(about, items, longest);
        if data.to_string().len() <= LARGEST {
            break;
        }
    }
    data
}

fn data_within(about: &About<'_>, items: usize, longest: usize) -> Value {
    let About {
        leak, owner, card, ..
    } = about;
    let short = |text: &str| clean(text, longest);
    let optional = |text: Option<&str>| text.map(short);
    let several = |texts: &[String]| {
        texts
            .iter()
            .take(items)
            .map(|text| short(text))
            .collect::<Vec<_>>()
    };
    let identity = &leak.identity;
    let said = leak.verdict.as_ref().map(|verdict| match verdict {
        Verdict::Dead { why, reason } => {
            json!({ "state": verdict.name(), "why": why, "reason": short(reason) })
        }
        Verdict::Live { reason } | Verdict::Unknown { reason } => {
            json!({ "state": verdict.name(), "reason": short(reason) })
        }
    });
    let seen = leak.sightings.iter().take(items).map(|sighting| {
        json!({
            "origin": sighting.origin, "path": short(&sighting.path), "line": sighting.line, "column": sighting.column,
            "commit": sighting.commit.as_ref().map(|commit| json!({
                "id": short(&commit.id), "author": short(&commit.author), "email": short(&commit.email),
                "date": commit.date,
            })),
        })
    });
    json!({
        "fingerprint": leak.fingerprint, "rule": leak.rule, "title": short(&card.title),
        "service": short(&card.service), "severity": leak.severity, "redacted": short(&leak.redacted),
        "verdict": said,
        "identity": {
            "principal": optional(identity.principal.as_deref()), "email": optional(identity.email.as_deref()),
            "organisations": several(&identity.organisations), "scopes": several(&identity.scopes),
        },
        "owner": {
            "name": short(&owner.name), "email": optional(owner.email.as_deref()), "reason": owner.reason,
            "organisation": optional(owner.organisation.as_deref()),
        },
        "sightings": seen.collect::<Vec<_>>(), "sightings_in_all": leak.sightings.len(),
        "first_seen": leak.first_seen, "last_seen": leak.last_seen,
        "revocation": leak.revocation.as_ref().map(Revocation::name),
        "containment": leak.containment.as_ref().map(Revocation::name),
        "planned": short(about.planned), "page": optional(card.page.as_deref()), "docs": short(&card.docs),
    })
}
