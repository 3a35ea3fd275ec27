//! The form of a notice for machines: JSON below a fixed size, without the secret, foreign text made harmless.

use serde_json::{Value, json};

use super::message::About;
use super::text::clean;
use crate::leak::{Revocation, Verdict};

/// Longest piece of foreign text, in characters.
const LONGEST: usize = 300;
/// Largest JSON form, in bytes; with its envelope it stays below the 20 kB of Standard Webhooks.
const LARGEST: usize = 18_000;

/// The machine-readable form, with fewer and shorter pieces until it is small enough.
pub(super) fn data(about: &About<'_>) -> Value {
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
