//! Revoking and containing against local services with the odd behaviours of real ones.

mod contain; // what an organisation can do instead
mod exact; // of several tokens, exactly the one that leaked
mod ways; // which ways are open, and in which order they are tried

use std::time::Duration;

use serde_json::json;
use unleak::leak::{Held, Revocation};
use unleak::policy::Action;
use unleak::revoke;
use unleak::rule::Rule;
use unleak::secret::Secret;
use unleak::verify::Verifier;
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::held::{VERIFY, caller, held, order, rule, service, token};

const SELF: &str = r#"
[revoke]
with = "secret"
request = "POST {base}/revoke"
body = '{"token":"{secret}"}'
done = [{ status = 202 }]
already = [{ status = 409 }]
page = "https://example.com/settings/tokens"
"#;

/// `GET /me`: alive for so many questions, then dead.
async fn alive_for(server: &MockServer, questions: u64) {
    let live = ResponseTemplate::new(200).set_body_json(json!({"login": "mia", "orgs": ["acme"]}));
    if questions > 0 {
        Mock::given(path("/me"))
            .respond_with(live)
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

/// Requests that change something, as `METHOD /path`.
async fn changes(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let changing = requests.iter().filter(|request| request.method != "GET");
    changing
        .map(|request| format!("{} {}", request.method, request.url.path()))
        .collect()
}

async fn run(server: &MockServer, rule: &Rule, operator: Option<&str>) -> Revocation {
    let held = held();
    let mut settings = service(&[server.uri()]);
    settings.credential = operator.map(|text| Secret::new(text.to_owned()));
    revoke_with(settings, rule, &held).await
}

async fn revoke_with(settings: unleak::call::ServiceSettings, rule: &Rule, held: &Held) -> Revocation {
    let caller = caller(settings);
    let verifier = Verifier::new(caller.clone());
    let ended = revoke::revoke(order(held, Action::Revoke), &caller, &verifier, rule, held).await;
    assert!(
        !format!("{ended:?}").contains(&token()),
        "the outcome holds the secret"
    );
    ended
}

fn reason(ended: &Revocation) -> &str {
    match ended {
        Revocation::Refused { reason }
        | Revocation::Postponed { reason }
        | Revocation::Uncertain { reason } => reason,
        Revocation::Done { with } => panic!("done with {with}"),
        Revocation::Sending => panic!("still sending"),
    }
}

#[tokio::test]
async fn an_accepted_request_is_no_proof_and_the_service_is_asked_until_the_token_is_dead() {
    let server = MockServer::start().await;
    alive_for(&server, 2).await;
    Mock::given(method("POST"))
        .and(path("/revoke"))
        .and(body_string_contains(token()))
        .respond_with(ResponseTemplate::new(202))
        .expect(1)
        .mount(&server)
        .await;
    let ended = run(&server, &rule(&[VERIFY, SELF].concat()), None).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "secret".to_owned()
        }
    );
    let asked = server.received_requests().await.unwrap();
    assert_eq!(
        asked.iter().filter(|request| request.url.path() == "/me").count(),
        3
    );
}

#[tokio::test]
async fn an_accepted_request_after_which_the_token_lives_on_is_uncertain_and_not_sent_again() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&server)
        .await;
    let ended = run(&server, &rule(&[VERIFY, SELF].concat()), None).await;
    assert!(matches!(ended, Revocation::Uncertain { .. }), "{ended:?}");
    assert!(reason(&ended).contains("still alive"), "{ended:?}");
    assert!(
        reason(&ended).contains("https://example.com/settings/tokens"),
        "{ended:?}"
    );
    assert_eq!(changes(&server).await, ["POST /revoke"]);
}

#[tokio::test]
async fn a_token_that_was_revoked_before_counts_as_sent() {
    let server = MockServer::start().await;
    alive_for(&server, 0).await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(409))
        .mount(&server)
        .await;
    let ended = run(&server, &rule(&[VERIFY, SELF].concat()), None).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "secret".to_owned()
        }
    );
}

#[tokio::test]
async fn an_answer_that_is_lost_after_sending_is_asked_about_and_never_sent_again() {
    let server = MockServer::start().await;
    alive_for(&server, 1).await;
    let late = ResponseTemplate::new(202).set_delay(Duration::from_secs(5));
    Mock::given(method("POST"))
        .respond_with(late)
        .mount(&server)
        .await;
    let ended = run(&server, &rule(&[VERIFY, SELF].concat()), None).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "secret".to_owned()
        }
    );
    assert_eq!(changes(&server).await, ["POST /revoke"]);
}

#[tokio::test]
async fn a_server_error_on_a_live_token_is_uncertain_and_no_other_way_is_tried() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(502))
        .mount(&server)
        .await;
    let two = [
        VERIFY,
        SELF,
        "[[revoke.otherwise]]\nwith = \"secret\"\nrequest = \"DELETE {base}/self\"\n",
    ]
    .concat();
    let ended = run(&server, &rule(&two), None).await;
    assert!(matches!(ended, Revocation::Uncertain { .. }), "{ended:?}");
    assert_eq!(changes(&server).await, ["POST /revoke"]);
}

#[tokio::test]
async fn an_order_to_contain_revokes_nothing() {
    let server = MockServer::start().await;
    let (caller, held) = (caller(service(&[server.uri()])), held());
    let verifier = Verifier::new(caller.clone());
    let rule = rule(&[VERIFY, SELF].concat());
    let ended = revoke::revoke(order(&held, Action::Contain), &caller, &verifier, &rule, &held).await;
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    let mut other = held.clone();
    other.leak.fingerprint = unleak::secret::FingerprintKey::new("other").fingerprint(&held.secret);
    let ended = revoke::revoke(order(&other, Action::Revoke), &caller, &verifier, &rule, &held).await;
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}
