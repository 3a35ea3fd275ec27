//! The life of one leak, against a local service, a real store and a folder outbox; cut off and run again.

use std::path::Path;

use serde_json::json;
use unleak::call::ServiceSettings;
use unleak::leak::{Held, Revocation, Verdict};
use unleak::notify::{Notifier, Settings};
use unleak::owner::OwnerSettings;
use unleak::policy::{Action, Policy};
use unleak::respond::{Responder, Response};
use unleak::rule::RuleSet;
use unleak::secret::Secret;
use unleak::store::{Chain, Store, StoreKey};
use unleak::verify::Verifier;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::held::{VERIFY, caller, held, order, rules, service, token};

const REVOKE: &str = r#"
[revoke]
with = "secret"
request = "POST {base}/revoke"
body = '{"token":"{secret}"}'
done = [{ status = 202 }]
page = "{base}/settings"
"#;

const OWNERS_AND_CONTAIN: &str = r#"
[owners]
request = "GET {base}/orgs/{organisation}/members"
headers = { Authorization = "Bearer {operator}" }
each = "/*"
fields = { name = "/name", email = "/email" }

[contain]
effect = "removes the member from the organisation"
reversible = true
request = "DELETE {base}/orgs/{organisation}/members/{principal}"
headers = { Authorization = "Bearer {operator}" }
done = [{ status = 204 }]
"#;

const SESSION: &str = r#"
[revoke]
with = "session"
page = "{base}/settings/tokens"
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
async fn without_a_policy_entry_owners_are_told_what_they_can_do_and_nothing_is_changed() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    Mock::given(path("/orgs/acme/members"))
        .respond_with(
            ResponseTemplate::new(200).set_body_json(json!([{"name": "olga", "email": "olga@acme.example"}])),
        )
        .mount(&server)
        .await;
    let home = Home::new(&server, &[VERIFY, SESSION, OWNERS_AND_CONTAIN]);
    home.respond(Policy::default()).await;
    home.respond(Policy::default()).await;
    assert_eq!(changes(&server).await, Vec::<String>::new());
    assert_eq!(
        home.outbox(),
        [
            "mia <mia@acme.example>: critical",
            "olga <olga@acme.example>: critical"
        ],
        "each once"
    );
    let file = std::fs::read_dir(home.folder.path().join("outbox"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let text = std::fs::read_to_string(file.path())
        .unwrap()
        .replace("\n    ", " ");
    assert!(
        text.contains(&format!("{}/settings/tokens", server.uri())),
        "{text}"
    );
    assert!(
        text.contains("removes the member from the organisation"),
        "{text}"
    );
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

/// A run that was cut off right after its request had left.
async fn cut_off(home: &Home) -> Held {
    let responder = home.responder(Policy::default()).await;
    let (held, _) = responder.examine(held(), &home.rules).await.unwrap();
    let leak = &held.leak;
    assert!(
        responder
            .store
            .begin_revocation(leak.fingerprint, &leak.rule, None, "a test")
            .await
            .unwrap()
    );
    responder.store.shut().await;
    held
}

#[tokio::test]
async fn a_revocation_that_was_cut_off_after_sending_is_verified_and_never_sent_again() {
    let server = MockServer::start().await;
    alive_for(&server, 3).await;
    accepts_revocation(&server).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    cut_off(&home).await;
    let response = home.respond(allow(&["revoke"])).await;
    assert!(
        matches!(response.leak.revocation, Some(Revocation::Done { .. })),
        "{:?}",
        response.steps
    );
    assert_eq!(changes(&server).await, Vec::<String>::new());
    assert!(home.actions().await.contains(&"closed".to_owned()));
}

#[tokio::test]
async fn a_cut_off_revocation_whose_token_lives_on_is_uncertain_and_sent_again_only_by_a_later_run() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    accepts_revocation(&server).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    cut_off(&home).await;
    let response = home.respond(allow(&["revoke"])).await;
    assert!(
        matches!(response.leak.revocation, Some(Revocation::Uncertain { .. })),
        "{:?}",
        response.steps
    );
    assert_eq!(changes(&server).await, Vec::<String>::new());
    home.respond(allow(&["revoke"])).await;
    assert_eq!(changes(&server).await, ["POST /revoke"]);
}

#[tokio::test]
async fn where_only_a_person_can_revoke_the_next_policy_entry_contains() {
    let server = MockServer::start().await;
    let live = |orgs: &[&str]| {
        ResponseTemplate::new(200)
            .set_body_json(json!({"login": "mia", "email": "mia@acme.example", "orgs": orgs}))
    };
    Mock::given(path("/me"))
        .and(|request: &Request| said(request).contains(&token()))
        .respond_with(live(&["acme"]))
        .up_to_n_times(1)
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(path("/me"))
        .and(|request: &Request| said(request).contains(&token()))
        .respond_with(live(&["other"]))
        .with_priority(2)
        .mount(&server)
        .await;
    Mock::given(path("/me"))
        .respond_with(ResponseTemplate::new(401))
        .with_priority(9)
        .mount(&server)
        .await;
    Mock::given(method("DELETE"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let home = Home::new(&server, &[VERIFY, SESSION, OWNERS_AND_CONTAIN]);
    let response = home.respond(allow(&["revoke", "contain"])).await;
    let leak = &response.leak;
    assert!(
        matches!(leak.revocation, Some(Revocation::Refused { .. })),
        "{:?}",
        response.steps
    );
    assert_eq!(
        leak.containment,
        Some(Revocation::Done {
            with: "containment".to_owned()
        }),
        "{:?}",
        response.steps
    );
    assert_eq!(changes(&server).await, ["DELETE /orgs/acme/members/mia"]);
    assert!(
        !home.actions().await.contains(&"closed".to_owned()),
        "it is still alive"
    );
    assert_eq!(
        home.outbox(),
        [
            "mia <mia@acme.example>: contained, still alive",
            "mia <mia@acme.example>: critical"
        ]
    );
}

#[tokio::test]
async fn a_person_who_confirmed_the_plan_revokes_what_the_policy_would_not() {
    let server = MockServer::start().await;
    alive_for(&server, 1).await;
    accepts_revocation(&server).await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let responder = home.responder(Policy::default()).await;
    let (held, response) = responder.examine(held(), &home.rules).await.unwrap();
    assert!(response.leak.verdict.as_ref().unwrap().is_live());
    assert!(responder.plan(&held, &home.rules).unwrap().can_revoke());
    assert_eq!(
        changes(&server).await,
        Vec::<String>::new(),
        "a plan changes nothing"
    );
    let order = order(&held, Action::Revoke);
    let response = responder.carry_out(order, held, &home.rules).await.unwrap();
    assert!(
        response.leak.verdict.as_ref().unwrap().is_dead(),
        "{:?}",
        response.steps
    );
    assert_eq!(changes(&server).await, ["POST /revoke"]);
}

#[tokio::test]
async fn two_runs_at_once_send_one_revocation_and_one_notice_of_each_kind() {
    let server = MockServer::start().await;
    let dead = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (died, dies) = (dead.clone(), dead);
    Mock::given(path("/me"))
        .respond_with(move |request: &Request| {
            let live = said(request).contains(&token()) && !died.load(std::sync::atomic::Ordering::SeqCst);
            ResponseTemplate::new(if live { 200 } else { 401 })
                .set_body_json(json!({"login": "mia", "email": "mia@acme.example", "orgs": ["acme"]}))
        })
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(move |_: &Request| {
            dies.store(true, std::sync::atomic::Ordering::SeqCst);
            ResponseTemplate::new(202)
        })
        .mount(&server)
        .await;
    let home = Home::new(&server, &[VERIFY, REVOKE]);
    let (one, two) = tokio::join!(home.respond(allow(&["revoke"])), home.respond(allow(&["revoke"])));
    assert_eq!(
        changes(&server).await,
        ["POST /revoke"],
        "{:?} {:?}",
        one.steps,
        two.steps
    );
    assert_eq!(
        home.outbox(),
        [
            "mia <mia@acme.example>: critical",
            "mia <mia@acme.example>: revoked"
        ]
    );
}
