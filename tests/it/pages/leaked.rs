//! The service whose tokens leak, and leaks made by hand.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;
use unleak::finding::{RuleId, Severity};
use unleak::leak::{Held, Leak, Owner, OwnerReason, Sighting};
use unleak::secret::{FingerprintKey, Secret};

use crate::support::local::{Asked, Said};

/// A service whose tokens live until they are revoked. Odd numbers open acme, even ones beta.
#[derive(Default)]
pub(super) struct Service {
    pub(super) dead: BTreeSet<String>,
    pub(super) revoked: Vec<String>,
    pub(super) broken: bool,
}

impl Service {
    pub(super) fn answer(&mut self, asked: &Asked) -> Said {
        if self.broken {
            return Said::empty(500);
        }
        match asked.line().as_str() {
            "GET /me" => {
                let token = asked.bearer().unwrap_or_default().to_owned();
                if !token.starts_with("exm_R0000000000") || self.dead.contains(&token) {
                    return Said::empty(401);
                }
                let number: u32 = token["exm_R0000000000".len()..].parse().unwrap_or_default();
                let organisation = if number % 2 == 1 { "Acme" } else { "beta" };
                let login = format!("mia{number}");
                let email = format!("{login}@mail.example");
                Said::json(
                    200,
                    &json!({"login": login, "email": email, "orgs": [organisation]}),
                )
            }
            "POST /revoke" => {
                let token = asked.json()["token"].as_str().unwrap_or_default().to_owned();
                self.dead.insert(token.clone());
                self.revoked.push(token);
                Said::empty(202)
            }
            _ => Said::empty(404),
        }
    }
}

/// The secret of a number.
pub(super) fn secret(number: u32) -> String {
    ["exm_R", &format!("{number:023}")].concat()
}

/// A leak of that secret that nobody asked about.
pub(super) fn held(number: u32, place: &str) -> Held {
    let secret = Secret::new(secret(number));
    Held {
        leak: Leak {
            sightings: vec![Sighting::reported(place)],
            ..Leak::new(
                FingerprintKey::new("a key of tests").fingerprint(&secret),
                RuleId::new("example", "token"),
                secret.redacted("exm_"),
                Severity::Critical,
                Timestamp::now(),
            )
        },
        secret,
        parts: BTreeMap::new(),
        facts: BTreeMap::new(),
    }
}

/// The address of a leak's page.
pub(super) fn page_of(number: u32) -> String {
    format!("/leaks/{}/example/token", held(number, "x").leak.fingerprint)
}

/// An owner for a leak made by hand.
pub(super) fn owner(name: &str) -> Owner {
    Owner {
        name: name.to_owned(),
        email: Some(format!("{name}@mail.example")),
        reason: OwnerReason::Committer,
        organisation: None,
    }
}
