//! The life of one leak, against a local service, a real store and a folder outbox.

mod again; // cut off and run again, and two runs at once
mod allowed; // what the policy or a person allows
mod outage; // a mail server that is away for an hour
mod people; // who is asked, who is called, and the stop switch
mod told; // who hears of it, by which channel, once

use std::path::Path;

use serde_json::json;
use unleak::call::ServiceSettings;
use unleak::leak::{Revocation, Verdict};
use unleak::notify::{Notifier, Settings};
use unleak::owner::OwnerSettings;
use unleak::policy::Policy;
use unleak::respond::{Responder, Response};
use unleak::rule::RuleSet;
use unleak::secret::Secret;
use unleak::store::{Chain, Store, StoreKey};
use unleak::verify::Verifier;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::held::{VERIFY, caller, held, rules, service, token};

const REVOKE: &str = r#"
[revoke]
with = "secret"
request = "POST {base}/revoke"
body = '{"token":"{secret}"}'
done = [{ status = 202 }]
page = "{base}/settings"
"#;

fn allow(actions: &[&str]) -> Policy {
    let entry = |action: &&str| format!("[[allow]]\nname = \"{action} it\"\naction = \"{action}\"\n");
    toml::from_str(&actions.iter().map(entry).collect::<String>()).unwrap()
}

/// A store and an outbox in a folder; opened anew for each run, as after a crash.
struct Home {
    folder: tempfile::TempDir,
    rules: RuleSet,
    settings: ServiceSettings,
}

impl Home {
    fn new(server: &MockServer, sections: &[&str]) -> Self {
        let mut settings = service(&[server.uri()]);
        settings.credential = Some(Secret::new("admin-key".to_owned()));
        Self {
            folder: tempfile::tempdir().unwrap(),
            rules: rules(&sections.concat()),
            settings,
        }
    }

    async fn store(&self) -> Store {
        let url = format!("sqlite:{}", self.folder.path().join("unleak.db").display());
        Store::open(&url, &StoreKey::new([7; 32])).await.unwrap()
    }

    async fn responder(&self, policy: Policy) -> Responder {
        let caller = caller(self.settings.clone());
        let outbox = Some(self.folder.path().join("outbox"));
        Responder {
            verifier: Verifier::new(caller.clone()),
            caller,
            store: self.store().await,
            notifier: Notifier::new(&Settings {
                outbox,
                ..Settings::default()
            })
            .unwrap(),
            policy,
            owners: OwnerSettings {
                fallback: vec!["security@acme.example".to_owned()],
                ..OwnerSettings::default()
            },
            root: None,
        }
    }

    async fn respond(&self, policy: Policy) -> Response {
        let responder = self.responder(policy).await;
        let mut fresh = held();
        fresh.leak.verdict = None;
        fresh.leak.identity = unleak::leak::Identity::default();
        let response = responder.respond(fresh, &self.rules).await.unwrap();
        assert!(
            !format!("{response:?}").contains(&token()),
            "a step holds the secret"
        );
        let ledger = responder.store.ledger(0, 1_000).await.unwrap();
        assert!(
            !format!("{ledger:?}").contains(&token()),
            "the ledger holds the secret"
        );
        let chain = responder.store.verify_chain().await.unwrap();
        assert!(matches!(chain, Chain::Whole { .. }), "{chain}");
        responder.store.shut().await;
        response
    }

    /// Subjects of the outbox's messages with their first line, sorted.
    fn outbox(&self) -> Vec<String> {
        let folder = self.folder.path().join("outbox");
        let Ok(files) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        let line = |path: &Path| {
            let text = std::fs::read_to_string(path).unwrap();
            assert!(!text.contains(&token()), "a notice holds the secret");
            let field = |name: &str| {
                text.lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap_or("")
                    .to_owned()
            };
            format!(
                "{}{}",
                field("To: "),
                field("Subject: ")
                    .split(':')
                    .next()
                    .unwrap()
                    .replace("[unleak]", ":")
            )
        };
        let mut lines: Vec<String> = files.map(|file| line(&file.unwrap().path())).collect();
        lines.sort();
        lines
    }

    async fn actions(&self) -> Vec<String> {
        let store = self.store().await;
        let ledger = store.ledger(0, 1_000).await.unwrap();
        ledger.into_iter().map(|line| line.action).collect()
    }
}

/// `GET /me` alive for so many questions, then dead.
async fn alive_for(server: &MockServer, questions: u64) {
    let live = json!({"login": "mia", "email": "mia@acme.example", "orgs": ["acme"]});
    if questions > 0 {
        Mock::given(path("/me"))
            .and(|request: &Request| said(request).contains(&token()))
            .respond_with(ResponseTemplate::new(200).set_body_json(live))
            .up_to_n_times(questions)
            .with_priority(1)
            .mount(server)
            .await;
    }
    Mock::given(path("/me"))
        .respond_with(ResponseTemplate::new(401))
        .with_priority(9)
        .mount(server)
        .await;
}

fn said(request: &Request) -> String {
    let header = request.headers.get("Authorization");
    header.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

async fn accepts_revocation(server: &MockServer) {
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(202))
        .mount(server)
        .await;
}

async fn changes(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let changing = requests.iter().filter(|request| request.method != "GET");
    changing
        .map(|request| format!("{} {}", request.method, request.url.path()))
        .collect()
}

#[tokio::test]
async fn a_live_leak_is_told_revoked_proved_dead_told_again_and_wiped() {
    let server = MockServer::start().await;
    alive_for(&server, 2).await;
    accepts_revocation(&server).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let response = home.respond(allow(&["revoke"])).await;
    assert_eq!(
        response.leak.revocation,
        Some(Revocation::Done {
            with: "secret".to_owned()
        }),
        "{:?}",
        response.steps
    );
    assert!(response.leak.verdict.as_ref().unwrap().is_dead());
    assert_eq!(
        response.leak.identity.organisations,
        ["acme"],
        "what it opened is not forgotten"
    );
    assert_eq!(changes(&server).await, ["POST /revoke"]);
    assert_eq!(
        home.outbox(),
        [
            "mia <mia@acme.example>: critical",
            "mia <mia@acme.example>: revoked"
        ]
    );
    let store = home.store().await;
    assert!(
        store
            .unseal(response.leak.fingerprint, &response.leak.rule)
            .await
            .unwrap()
            .is_none(),
        "wiped"
    );
    let actions = home.actions().await;
    for action in [
        "found",
        "verified",
        "owners",
        "decided",
        "told",
        "revocation-sending",
        "revocation-done",
        "closed",
    ] {
        assert!(
            actions.iter().any(|line| line == action),
            "no {action} in {actions:?}"
        );
    }
    let again = home.respond(allow(&["revoke"])).await;
    assert_eq!(changes(&server).await, ["POST /revoke"], "{:?}", again.steps);
    assert_eq!(home.outbox().len(), 2, "nobody hears twice");
}

#[tokio::test]
async fn a_leak_whose_service_is_silent_is_never_revoked() {
    let server = MockServer::start().await;
    Mock::given(path("/me"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let response = home.respond(allow(&["revoke"])).await;
    assert!(matches!(response.leak.verdict, Some(Verdict::Unknown { .. })));
    assert_eq!(response.leak.revocation, None);
    assert_eq!(changes(&server).await, Vec::<String>::new());
    assert_eq!(
        home.outbox(),
        ["security@acme.example <security@acme.example>: critical"],
        "somebody hears"
    );
}

#[tokio::test]
async fn a_token_that_is_dead_from_the_start_is_recorded_closed_and_nobody_is_bothered() {
    let server = MockServer::start().await;
    alive_for(&server, 0).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let response = home.respond(allow(&["revoke"])).await;
    assert!(response.leak.verdict.as_ref().unwrap().is_dead());
    assert_eq!(home.outbox(), Vec::<String>::new());
    assert_eq!(changes(&server).await, Vec::<String>::new());
    assert!(home.actions().await.contains(&"closed".to_owned()));
}

#[tokio::test]
async fn a_token_that_its_owner_revoked_after_the_notice_is_told_to_be_dead_and_closed() {
    let server = MockServer::start().await;
    alive_for(&server, 1).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    home.respond(Policy::default()).await;
    let response = home.respond(Policy::default()).await;
    assert!(response.leak.verdict.as_ref().unwrap().is_dead());
    assert_eq!(
        home.outbox(),
        [
            "mia <mia@acme.example>: critical",
            "mia <mia@acme.example>: revoked"
        ]
    );
}

#[tokio::test]
async fn a_token_whose_owner_is_disabled_stays_open_because_it_can_come_back() {
    let server = MockServer::start().await;
    alive_for(&server, 0).await;
    let disabled = VERIFY.replace(r#"why = "revoked""#, r#"why = "owner-disabled""#);
    let home = Home::new(&server, &[&disabled, REVOKE]);
    let response = home.respond(allow(&["revoke"])).await;
    assert!(response.leak.verdict.as_ref().unwrap().is_dead());
    assert!(
        !home.actions().await.contains(&"closed".to_owned()),
        "{:?}",
        response.steps
    );
}
