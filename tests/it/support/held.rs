//! A leak with its secret, a rule from a text, and a caller whose services are local servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use unleak::call::{CallSettings, Caller, ServiceSettings};
use unleak::finding::{RuleId, Severity};
use unleak::leak::{Held, Identity, Leak, Sighting, Verdict};
use unleak::policy::{Action, Order, Policy, Standing, confirmed};
use unleak::rule::{Rule, RuleSet};
use unleak::secret::{FingerprintKey, Secret};

/// The secret of all these tests; joined here, so that no token stands in the repository.
pub(crate) fn token() -> String {
    ["exm_", "7Hq2", "Vb9L", "x0Ze", "R4tN", "w8Ky", "C3mP"].concat()
}

/// The head of the rule file `example`, with one rule `token`; the sections follow.
pub(crate) fn rules(sections: &str) -> RuleSet {
    let text = format!(
        r#"
[service]
name = "Example"
docs = "https://docs.example.com"

[[rule]]
id = "token"
title = "Example token"
pattern = '\b(?<secret>exm_[A-Za-z0-9]{{24}})\b'
confidence = "high"
severity = "critical"

{sections}"#
    );
    let mut set = RuleSet::empty();
    set.add("example", "rules/example.toml", &text).unwrap();
    set
}

/// The rule of [`rules`].
pub(crate) fn rule(sections: &str) -> Arc<Rule> {
    Arc::clone(&rules(sections).rules[0])
}

/// The verify section that most tests use: 200 is live and names the user and the organisations, 401 is dead.
pub(crate) const VERIFY: &str = r#"
[verify]
request = "GET {base}/me"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200 }]
dead = [{ status = 401, why = "revoked" }]
identity = { principal = "/login", email = "/email", organisations = "/orgs/*" }
"#;

/// A whole rule file of tokens that are alive until their service is told to revoke them.
pub(crate) const RULES: &str = r#"
[service]
name = "Example"
docs = "https://docs.example.com"

[[rule]]
id = "token"
title = "Example token"
pattern = '\b(?<secret>exm_[A-Za-z0-9]{24})\b'
confidence = "high"
severity = "critical"

[verify]
request = "GET {base}/me"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200 }]
dead = [{ status = 401, why = "revoked" }]
identity = { principal = "/login", email = "/email", organisations = "/orgs/*" }

[revoke]
with = "secret"
request = "POST {base}/revoke"
body = '{"token":"{secret}"}'
done = [{ status = 202 }]
"#;

/// A leak of [`token`], live, of the user `mia` of the organisation `acme`, seen in a file.
pub(crate) fn held() -> Held {
    let secret = Secret::new(token());
    let now = Timestamp::now();
    let leak = Leak {
        fingerprint: FingerprintKey::new("test").fingerprint(&secret),
        rule: RuleId::new("example", "token"),
        redacted: secret.redacted("exm_"),
        severity: Severity::Critical,
        sightings: vec![Sighting {
            origin: "worktree".to_owned(),
            path: "src/settings.py".to_owned(),
            line: 3,
            column: 9,
            commit: None,
        }],
        first_seen: now,
        last_seen: now,
        verdict: Some(Verdict::Live {
            reason: "200".to_owned(),
        }),
        identity: Identity {
            principal: Some("mia".to_owned()),
            organisations: vec!["acme".to_owned()],
            ..Identity::default()
        },
        owners: Vec::new(),
        notices: Vec::new(),
        revocation: None,
        containment: None,
    };
    Held {
        leak,
        secret,
        parts: BTreeMap::new(),
        facts: BTreeMap::new(),
    }
}

/// Settings of `example`: these bases, and a second for all waiting.
pub(crate) fn service(bases: &[String]) -> ServiceSettings {
    ServiceSettings {
        bases: bases.to_vec(),
        settle: Some(Duration::from_secs(1)),
        ..ServiceSettings::default()
    }
}

/// A caller with these settings of `example`.
pub(crate) fn caller(service: ServiceSettings) -> Caller {
    Caller::new(CallSettings {
        services: [("example".to_owned(), service)].into(),
        timeout: Duration::from_secs(2),
        back_off: Duration::from_millis(5),
        pace: Duration::ZERO,
        ..CallSettings::default()
    })
    .unwrap()
}

/// The order of a person who said yes.
pub(crate) fn order(held: &Held, action: Action) -> Order {
    confirmed(
        &held.leak,
        &Policy::default(),
        action,
        "a test",
        &Standing::at(Timestamp::now()),
    )
    .unwrap()
}
