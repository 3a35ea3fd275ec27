//! Services that list tokens without showing them: exactly the one that leaked, or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use unleak::leak::Revocation;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::held::{VERIFY, rule};

use super::{alive_for, changes, reason, run};

const FIND: &str = r#"
[revoke]
with = "operator"
page = "https://example.com/admin"

[[revoke.step]]
request = "GET {base}/tokens?user={principal}"
headers = { Authorization = "Basic {basic:operator}" }
next = "link"

[revoke.step.find]
each = "/tokens/*"
where = { "/user" = "{principal}", "/active" = "true" }
touched = { pointer = "/used", settle_seconds = 75 }
take = { token_id = "/id" }

[[revoke.step]]
request = "POST {base}/tokens/{token_id}/revoke"
headers = { Authorization = "Basic {basic:operator}" }
body = '{"cause":"{cause}"}'
already = [{ status = 409 }]
"#;

/// A list of tokens whose `used` moves, for the entries named, once `/me` was asked.
async fn tokens(
    server: &MockServer,
    entries: &'static [&'static str],
    moving: &'static [&'static str],
) -> Arc<AtomicUsize> {
    let uses = Arc::new(AtomicUsize::new(0));
    let dead = Arc::new(AtomicUsize::new(0));
    let (used, died) = (Arc::clone(&uses), Arc::clone(&dead));
    Mock::given(path("/me"))
        .respond_with(move |_: &Request| {
            used.fetch_add(1, Ordering::SeqCst);
            ResponseTemplate::new(if died.load(Ordering::SeqCst) > 0 { 401 } else { 200 })
                .set_body_json(json!({"login": "mia"}))
        })
        .mount(server)
        .await;
    let seen = Arc::clone(&uses);
    Mock::given(path("/tokens"))
        .and(header("Authorization", "Basic YWRtaW46cGFzcw=="))
        .respond_with(move |_: &Request| {
            let uses = seen.load(Ordering::SeqCst);
            let list: Vec<_> = entries
                .iter()
                .map(|id| {
                    let used = if moving.contains(id) { uses } else { 0 };
                    json!({"id": id, "user": "mia", "active": true, "used": format!("t{used}")})
                })
                .chain([
                    json!({"id": "other-user", "user": "max", "active": true, "used": format!("t{uses}")}),
                    json!({"id": "inactive", "user": "mia", "active": false, "used": format!("t{uses}")}),
                ])
                .collect();
            ResponseTemplate::new(200).set_body_json(json!({"tokens": list}))
        })
        .mount(server)
        .await;
    Mock::given(method("POST"))
        .respond_with(move |_: &Request| {
            dead.fetch_add(1, Ordering::SeqCst);
            ResponseTemplate::new(200)
        })
        .mount(server)
        .await;
    uses
}

#[tokio::test]
async fn the_only_entry_that_fits_is_the_one_and_nothing_is_waited_for() {
    let server = MockServer::start().await;
    tokens(&server, &["a"], &["a"]).await;
    let started = std::time::Instant::now();
    let ended = run(&server, &rule(&[VERIFY, FIND].concat()), Some("admin:pass")).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "operator".to_owned()
        }
    );
    assert_eq!(changes(&server).await, ["POST /tokens/a/revoke"]);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "waited {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn of_two_siblings_the_one_whose_mark_our_use_moved_is_revoked() {
    let server = MockServer::start().await;
    tokens(&server, &["a", "b", "c"], &["b"]).await;
    let ended = run(&server, &rule(&[VERIFY, FIND].concat()), Some("admin:pass")).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "operator".to_owned()
        }
    );
    assert_eq!(changes(&server).await, ["POST /tokens/b/revoke"]);
}

#[tokio::test]
async fn siblings_that_both_moved_or_did_not_move_are_left_alone() {
    for moving in [&["a", "b"][..], &[][..]] {
        let server = MockServer::start().await;
        tokens(&server, &["a", "b"], moving).await;
        let ended = run(&server, &rule(&[VERIFY, FIND].concat()), Some("admin:pass")).await;
        assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
        assert!(reason(&ended).contains("2 entries fit"), "{ended:?}");
        assert_eq!(changes(&server).await, Vec::<String>::new(), "{moving:?}");
    }
}

#[tokio::test]
async fn a_list_without_an_entry_or_with_two_of_one_id_changes_nothing() {
    for entries in [&[][..], &["a", "a"][..]] {
        let server = MockServer::start().await;
        tokens(&server, entries, &["a"]).await;
        let ended = run(&server, &rule(&[VERIFY, FIND].concat()), Some("admin:pass")).await;
        assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
        assert_eq!(changes(&server).await, Vec::<String>::new(), "{entries:?}");
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_read_to_its_end_changes_nothing() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    let elsewhere = r#"<http://127.0.0.1:1/tokens?page=2>; rel="next""#;
    let entry = json!({"id": "a", "user": "mia", "active": true, "used": "t0"});
    Mock::given(path("/tokens"))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("Link", elsewhere)
                .set_body_json(json!({"tokens": [entry]})),
        )
        .mount(&server)
        .await;
    let ended = run(&server, &rule(&[VERIFY, FIND].concat()), Some("admin:pass")).await;
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert_eq!(changes(&server).await, Vec::<String>::new());
}
