//! Runs that were cut off, and two at once: nothing is sent twice.

use serde_json::json;
use unleak::leak::{Held, Revocation};
use unleak::policy::Policy;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::held::{VERIFY, held, token};

use super::{Home, REVOKE, accepts_revocation, alive_for, allow, changes, said};

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
