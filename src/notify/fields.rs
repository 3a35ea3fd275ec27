//! What a notice can say of a leak, as plain values for the templates.
//!
//! All that comes from outside (paths, names, a service's words) is made harmless here, once, for every channel. The
//! secret is not in a leak and so cannot get here.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::message::{About, Kind};
use super::text::clean;
use crate::leak::{Identity, Owner, OwnerReason, Revocation, Sighting, Verdict};

/// Places that a message lists before it only counts them.
const PLACES: usize = 12;
/// Longest piece of foreign text in a message, in characters.
const LONGEST: usize = 300;

/// The fields of `words.toml`; what is not known is empty.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Fields {
    pub(super) kind: &'static str,
    pub(super) severity: String,
    pub(super) title: String,
    pub(super) service: String,
    pub(super) redacted: String,
    pub(super) rule: String,
    pub(super) fingerprint: String,
    pub(super) name: String,
    pub(super) why_you: String,
    pub(super) whose: String,
    pub(super) principal: String,
    pub(super) email: String,
    pub(super) organisations: String,
    pub(super) scopes: String,
    pub(super) place: String,
    pub(super) more: String,
    pub(super) verdict: String,
    pub(super) state: &'static str,
    pub(super) assume: String,
    pub(super) done: String,
    pub(super) planned: String,
    pub(super) page: String,
    pub(super) docs: String,
    pub(super) containment: String,
    pub(super) link: String,
    pub(super) link_is: &'static str,
    pub(super) command: String,
    pub(super) step: String,
}

impl Fields {
    /// `link` is the address of a leak's page, `{fingerprint}` in it.
    pub(super) fn of(about: &About<'_>, link: Option<&str>) -> Self {
        let About {
            leak, owner, card, ..
        } = about;
        let short = |text: &str| clean(text, LONGEST);
        let optional = |text: Option<&str>| text.map(short).unwrap_or_default();
        let identity = &leak.identity;
        let fingerprint = leak.fingerprint.to_string();
        let page = optional(card.page.as_deref());
        let docs = short(&card.docs);
        let (link, link_is) = match link {
            Some(link) => (link.replace("{fingerprint}", &fingerprint), "leak"),
            None if page.is_empty() => (docs.clone(), "docs"),
            None => (page.clone(), "page"),
        };
        Self {
            kind: about.kind.name(),
            severity: leak.severity.to_string(),
            title: short(&card.title),
            service: short(&card.service),
            redacted: clean(&leak.redacted, 80),
            rule: leak.rule.to_string(),
            name: if owner.reason == OwnerReason::Channel {
                String::new()
            } else {
                clean(&owner.name, 100)
            },
            why_you: why_you(owner),
            whose: whose(identity),
            principal: optional(identity.principal.as_deref()),
            email: optional(identity.email.as_deref()),
            organisations: list(&identity.organisations),
            scopes: list(&identity.scopes),
            place: leak
                .sightings
                .first()
                .map(short_place)
                .unwrap_or_else(|| "a place that was not told".to_owned()),
            more: match leak.sightings.len() {
                0 | 1 => String::new(),
                2 => " and 1 more place".to_owned(),
                several => format!(" and {} more places", several - 1),
            },
            verdict: verdict(leak.verdict.as_ref()),
            state: state(leak.verdict.as_ref()),
            assume: assume(leak.verdict.as_ref()),
            done: done(about).join(" "),
            planned: short(about.planned),
            page,
            docs,
            containment: optional(about.containment),
            link,
            link_is,
            command: about.command.to_owned(),
            step: match about.kind {
                Kind::Escalation(step) => step.to_string(),
                _ => String::new(),
            },
            fingerprint,
        }
    }
}

/// Why this owner hears of it, to follow "because".
pub(super) fn why_you(owner: &Owner) -> String {
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
        (OwnerReason::Channel, _) => "the configuration sends leaks of this severity here".to_owned(),
        (OwnerReason::Approver, _) => "the policy names you as one who may say yes".to_owned(),
        (OwnerReason::Escalation, _) => "nobody has acted, and the policy names you for that case".to_owned(),
    }
}

/// `ada (acme, umbrella)`, as far as it is known.
fn whose(identity: &Identity) -> String {
    let principal = identity.principal.as_deref().or(identity.email.as_deref());
    let mut organisations: Vec<String> = identity
        .organisations
        .iter()
        .take(2)
        .map(|name| clean(name, 40))
        .collect();
    if identity.organisations.len() > 2 {
        organisations.push(format!("{} more", identity.organisations.len() - 2));
    }
    let organisations = organisations.join(", ");
    match principal.map(|name| clean(name, 60)) {
        Some(name) if organisations.is_empty() => name,
        Some(name) => format!("{name} ({organisations})"),
        None if organisations.is_empty() => "an unknown owner".to_owned(),
        None => organisations,
    }
}

/// Every place, the first of many.
pub(super) fn places(sightings: &[Sighting]) -> Vec<String> {
    let mut lines: Vec<String> = sightings.iter().take(PLACES).map(place).collect();
    if sightings.len() > PLACES {
        lines.push(format!("and {} more places", sightings.len() - PLACES));
    }
    lines
}

fn short_place(sighting: &Sighting) -> String {
    format!("{}:{}", clean(&sighting.path, 120), sighting.line)
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
        return format!("{path}:{line}:{column} ({})", clean(origin, 40));
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
        Some(Verdict::Unknown { reason }) => format!(
            "Whether the token is alive is not known: {}.",
            clean(reason, LONGEST)
        ),
        None => "It was not asked whether the token is alive.".to_owned(),
    }
}

fn state(verdict: Option<&Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Live { .. }) => "alive",
        Some(Verdict::Dead { .. }) => "dead",
        _ => "maybe alive",
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

/// What was done to the token, a sentence each; never empty.
pub(super) fn done(about: &About<'_>) -> Vec<String> {
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
    lines
}
