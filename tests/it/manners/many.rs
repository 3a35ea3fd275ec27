//! Much at once: each distinct secret is asked about once, each host is asked no wider than its service declares.

use std::collections::BTreeMap;

use unleak::call::{CallSettings, Caller, ServiceSettings};
use unleak::finding::RuleId;
use unleak::leak::Held;
use unleak::rule::RuleSet;
use unleak::secret::{FingerprintKey, Secret};
use unleak::verify::Verifier;

use crate::played::{Server, TOKEN, held, json, quick};

const SERVICES: usize = 20;
const OF_EACH: usize = 50;

fn name(service: usize) -> String {
    format!("made-{service}")
}

fn secret(service: usize, number: usize) -> String {
    format!("exp_s{service:02}n{number:03}k2p9x1c5v8b3n")
}

/// Twenty services, of which each lets two in at a time.
fn twenty() -> RuleSet {
    let mut set = RuleSet::empty();
    for service in 0..SERVICES {
        let text = format!(
            "[service]\nname = \"Made {service}\"\ndocs = \"https://docs.example.com\"\nrate = {{ at_once = 2 }}\n\
             [[rule]]\nid = \"token\"\ntitle = \"Token\"\npattern = '\\b(?<secret>exp_[a-z0-9]{{20}})\\b'\n\
             confidence = \"high\"\nseverity = \"high\"\n\
             [verify]\nrequest = \"GET {{base}}/me\"\nheaders = {{ Authorization = \"Bearer {{secret}}\" }}\n\
             live = [{{ status = 200, body = '\"login\"' }}]\ndead = [{{ status = 401, body = '\"gone\"' }}]\n"
        );
        set.add(&name(service), "made.toml", &text).unwrap();
    }
    set
}

fn one(service: usize, number: usize) -> Held {
    let mut one = held(TOKEN, &[]);
    one.secret = Secret::new(secret(service, number));
    one.leak.fingerprint = FingerprintKey::new("key").fingerprint(&one.secret);
    one.leak.rule = RuleId::new(&name(service), "token");
    one
}

/// Every second one is alive; what was made up is not known.
fn answer(request: &str) -> crate::played::Answer {
    let known = (0..SERVICES).flat_map(|service| (0..OF_EACH).map(move |number| (service, number)));
    let mut known = known.filter(|(service, number)| request.contains(&secret(*service, *number)));
    match known.next() {
        Some((_, number)) if number % 2 == 0 => json(200, r#"{"login":"mia"}"#),
        _ => json(401, r#"{"error":"gone"}"#),
    }
}

#[tokio::test]
async fn a_thousand_secrets_of_twenty_services_are_each_asked_about_once_and_no_host_is_crowded() {
    let set = twenty();
    let mut servers = Vec::new();
    for _ in 0..SERVICES {
        servers.push(Server::start(answer).await);
    }
    let services = servers.iter().enumerate().map(|(service, server)| {
        let settings = ServiceSettings {
            bases: vec![server.base.clone()],
            ..ServiceSettings::default()
        };
        (name(service), settings)
    });
    let verifier = Verifier::new(
        Caller::new(CallSettings {
            services: services.collect::<BTreeMap<_, _>>(),
            timeout: std::time::Duration::from_secs(30),
            ..quick(ServiceSettings::default())
        })
        .unwrap(),
    );
    let all = (0..SERVICES).flat_map(|service| (0..OF_EACH).map(move |number| (service, number)));
    let asked = all.map(|(service, number)| {
        let (rule, held) = (set.rules[service].clone(), one(service, number));
        let verifier = verifier.clone();
        async move { (number, verifier.verify(&rule, &held).await.verdict) }
    });
    for (number, verdict) in futures_util::future::join_all(asked).await {
        assert_eq!(
            verdict.name(),
            if number % 2 == 0 { "live" } else { "dead" },
            "{verdict:?}"
        );
    }
    for server in &servers {
        assert_eq!(
            server.seen().len(),
            OF_EACH + 1,
            "each once, and one that was made up"
        );
        assert!(server.most_at_once() <= 2, "{} at once", server.most_at_once());
    }
}

#[tokio::test]
async fn ten_thousand_sightings_of_one_secret_ask_once() {
    let set = twenty();
    let server = Server::start(answer).await;
    let settings = ServiceSettings {
        bases: vec![server.base.clone()],
        ..ServiceSettings::default()
    };
    let caller = Caller::new(CallSettings {
        services: [(name(0), settings)].into(),
        ..quick(ServiceSettings::default())
    });
    let verifier = Verifier::new(caller.unwrap());
    let asked = (0..10_000).map(|_| {
        let (verifier, rule) = (verifier.clone(), set.rules[0].clone());
        async move { verifier.verify(&rule, &one(0, 0)).await.verdict.is_live() }
    });
    assert!(
        futures_util::future::join_all(asked)
            .await
            .iter()
            .all(|live| *live)
    );
    assert_eq!(server.seen().len(), 2, "the secret, and one that was made up");
}
