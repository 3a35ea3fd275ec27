//! The store on real databases: what it keeps, what it never shows, and what two processes cannot do to it. The same tests
//! run on SQLite and, with the feature `postgres-tests` (tests/run has it on), on PostgreSQL.

mod files;
#[cfg(feature = "postgres-tests")]
mod on_postgres;
mod on_sqlite;
mod opening;
mod place;

use std::collections::BTreeMap;

use jiff::Timestamp;
use unleak::finding::{CommitInfo, RuleId, Severity};
use unleak::leak::{Held, Identity, Leak, Owner, OwnerReason, Sighting};
use unleak::secret::{FingerprintKey, Secret};
use unleak::store::{Leaving, Outgoing, StoreKey};

/// A leak of a made-up service; `word` makes it a different secret.
pub(crate) fn held(word: &str) -> Held {
    let secret = Secret::new(format!("exp_{word}{}", "Q7w".repeat(10)));
    let now: Timestamp = "2025-06-01T12:00:00.25Z".parse().unwrap();
    Held {
        leak: Leak {
            fingerprint: FingerprintKey::new("k").fingerprint(&secret),
            rule: RuleId::new("example", "token"),
            redacted: secret.redacted("exp_"),
            severity: Severity::High,
            sightings: vec![sighting("src/a.rs", 3)],
            first_seen: now,
            last_seen: now,
            verdict: None,
            identity: Identity::default(),
            owners: Vec::new(),
            notices: Vec::new(),
            revocation: None,
            containment: None,
        },
        secret,
        parts: BTreeMap::new(),
        facts: BTreeMap::new(),
    }
}

pub(crate) fn sighting(path: &str, line: usize) -> Sighting {
    Sighting {
        origin: "history".to_owned(),
        path: path.to_owned(),
        line,
        column: 7,
        commit: Some(CommitInfo {
            id: "c0ffee".repeat(6),
            author: "Ada".to_owned(),
            email: "ada@example.com".to_owned(),
            date: "2024-02-03T04:05:06Z".parse().unwrap(),
        }),
    }
}

pub(crate) fn owner(name: &str) -> Owner {
    Owner {
        name: name.to_owned(),
        email: Some(format!("{name}@example.com")),
        reason: OwnerReason::TokenOwner,
        organisation: None,
    }
}

/// A notice about this leak to this person by this channel, due since long.
fn leaving(held: &Held, person: &str, channel: &str) -> Leaving {
    let notice = Outgoing {
        fingerprint: held.leak.fingerprint,
        rule: held.leak.rule.clone(),
        owner: owner(person),
        channel: channel.split(',').next().unwrap_or_default().to_owned(),
        slot: channel.to_owned(),
        about: serde_json::json!({ "planned": "nothing" }),
        due_at: Some(held.leak.first_seen),
        tries: 0,
        sending: None,
        trace: Default::default(),
    };
    Leaving {
        said: notice.slot.clone(),
        end: format!("{}, revoked", notice.channel),
        notice,
    }
}

fn key() -> StoreKey {
    StoreKey::new([7; 32])
}
