//! What GitHub hears of the end.

use std::path::Path;

use serde_json::json;
use unleak::call::Caller;
use unleak::config::Config;
use unleak::leak::Held;
use unleak::notify::Notifier;
use unleak::respond::{Next, Responder, Response};
use unleak::verify::Verifier;
use wiremock::matchers::{body_partial_json, header, method, path, query_param};
use wiremock::{Mock, MockBuilder, MockServer, ResponseTemplate};

use super::{CREDENTIAL, alert, alert_of, deliver, played};
use crate::intake::desk::{Desk, rules};

const ALERT: &str = "/repos/acme/app/secret-scanning/alerts/42";

/// What the worker does with a leak, each time as in a process of its own.
async fn respond(desk: &Desk, github: &MockServer, files: &Path, held: &Held) -> Response {
    let outbox = desk.folder.path().join("outbox");
    let config = format!(
        "[services.github]\nbases = [\"{}\"]\ncredential_file = {:?}\n\
         [services.unleak]\nbases = [\"{}\"]\nsettle_seconds = 2\n\
         [notify]\noutbox = {outbox:?}\n[owners]\nfallback = [\"Security <security@example.com>\"]\n\
         [[policy.allow]]\nname = \"ours\"\naction = \"revoke\"\nservice = \"unleak\"\n",
        github.uri(),
        files.join("credential"),
        desk.base
    );
    let config = Config::parse(&config, "test").unwrap();
    let caller = Caller::new(config.call_settings().unwrap()).unwrap();
    let responder = Responder {
        verifier: Verifier::new(caller.clone()),
        caller,
        store: desk.store.clone(),
        notifier: Notifier::new(&config.notify_settings().unwrap()).unwrap(),
        policy: config.policy.clone(),
        owners: config.owners.clone(),
        root: None,
    };
    responder.respond(held.clone(), &rules()).await.unwrap()
}

fn patched() -> MockBuilder {
    Mock::given(method("PATCH"))
        .and(path(ALERT))
        .and(header("authorization", format!("Bearer {CREDENTIAL}")))
        .and(body_partial_json(
            json!({ "state": "resolved", "resolution": "revoked" }),
        ))
}

#[tokio::test]
async fn the_alert_is_resolved_as_revoked_when_the_token_is_dead_and_only_once() {
    let (desk, github, files) = played().await;
    let token = desk.issue("ann").await;
    alert_of(&github, &token).await;
    let created = alert(&github, "created");
    assert_eq!(
        deliver(&desk, "secret_scanning_alert", "guid-1", &created)
            .await
            .status,
        200
    );
    let leak = desk.leaks().await.remove(0);
    let held = desk
        .store
        .unseal(leak.fingerprint, &leak.rule)
        .await
        .unwrap()
        .unwrap();
    // GitHub is down at first: the token dies all the same, and the rest is for the next run.
    let down = patched().respond_with(ResponseTemplate::new(503)).expect(1);
    let down = down.mount_as_scoped(&github).await;
    let failed = respond(&desk, &github, files.path(), &held).await;
    let next = &failed.next;
    assert!(
        matches!(next, Next::Retry { why } if why.contains("GitHub answered 503")),
        "{next:?}"
    );
    drop(down);
    patched()
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&github)
        .await;
    let done = respond(&desk, &github, files.path(), &held).await;
    assert!(done.leak.verdict.as_ref().unwrap().is_dead());
    assert_eq!(done.next, Next::Never);
    let resolved = |response: &Response| {
        response
            .steps
            .iter()
            .any(|step| step.starts_with("resolved as revoked: "))
    };
    assert!(resolved(&done), "{:?}", done.steps);
    // From now on GitHub says so itself.
    let answer = json!({ "number": 42, "state": "resolved", "resolution": "revoked" });
    Mock::given(method("GET"))
        .and(path(ALERT))
        .and(query_param("hide_secret", "true"))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .with_priority(1)
        .mount(&github)
        .await;
    let again = respond(&desk, &github, files.path(), &held).await;
    assert!(!resolved(&again), "{:?}", again.steps);
    let lines = desk.store.ledger(0, 1000).await.unwrap();
    let count = |action: &str| lines.iter().filter(|line| line.action == action).count();
    assert_eq!((count("alert-resolved"), count("revocation-sending")), (1, 1));
}
