//! Revoking and containing against local services with the odd behaviours of real ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use unleak::contain;
use unleak::leak::{Held, Revocation};
use unleak::policy::Action;
use unleak::revoke;
use unleak::rule::Rule;
use unleak::secret::Secret;
use unleak::verify::Verifier;
use wiremock::matchers::{body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

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
async fn what_only_a_signed_in_person_can_do_is_a_link_and_nothing_is_sent() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    let text = r#"
[revoke]
with = "session"
request = "DELETE {base}/tokens"
page = "{base}/settings/{organisation}/tokens"

[contain]
effect = "removes the member from the organisation"
reversible = true
request = "DELETE {base}/orgs/{organisation}/members/{principal}"
"#;
    let rule = rule(&[VERIFY, text].concat());
    let ended = run(&server, &rule, Some("admin-key")).await;
    let page = format!("{}/settings/acme/tokens", server.uri());
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert!(reason(&ended).contains(&page), "{ended:?}");
    assert!(
        reason(&ended).contains("containment is open: removes the member"),
        "{ended:?}"
    );
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        0,
        "nothing at all was sent"
    );
}

#[tokio::test]
async fn a_missing_credential_or_value_closes_the_way_with_the_setting_that_opens_it() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    let text = r#"
[revoke]
with = "operator"
request = "POST {base}/groups/{group}/tokens/revoke"
headers = { Authorization = "Bearer {operator}" }
"#;
    let rule = rule(&[VERIFY, text].concat());
    let plan = revoke::plan(&caller(service(&[server.uri()])), &rule, &held());
    assert!(!plan.can_revoke());
    let shown = plan.to_string();
    assert!(shown.contains("services.example.credential"), "{shown}");
    assert!(shown.contains("services.example.values.group"), "{shown}");
    let ended = run(&server, &rule, None).await;
    assert!(
        reason(&ended).contains("services.example.credential"),
        "{ended:?}"
    );
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        0,
        "no open way, nothing sent"
    );
}

#[tokio::test]
async fn a_plan_shows_the_requests_and_no_secret_and_makes_no_call() {
    let server = MockServer::start().await;
    let mut settings = service(&[server.uri()]);
    settings.credential = Some(Secret::new("admin:pass-word".to_owned()));
    let text = SELF.replace(
        "{base}/revoke",
        "{base}/revoke/{secret}?by={operator}&for={principal}",
    );
    let plan = revoke::plan(&caller(settings), &rule(&[VERIFY, &text].concat()), &held());
    let shown = format!("{plan} {plan:?}");
    assert!(
        shown.contains(&format!(
            "POST {}/revoke/{{secret}}?by={{operator}}&for=mia",
            server.uri()
        )),
        "{shown}"
    );
    assert!(
        !shown.contains(&token()) && !shown.contains("pass-word"),
        "{shown}"
    );
    assert!(plan.can_revoke());
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn the_owner_of_a_group_revokes_by_plaintext_after_the_token_may_not_itself() {
    let server = MockServer::start().await;
    alive_for(&server, 2).await;
    Mock::given(path("/revoke"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    Mock::given(path("/groups/42/tokens/revoke"))
        .and(header("Authorization", "Bearer owner-key"))
        .and(body_string_contains(token()))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"revoked": true})))
        .expect(1)
        .mount(&server)
        .await;
    let text = r#"
[[revoke.otherwise]]
with = "operator"
request = "POST {base}/groups/{group}/tokens/revoke"
headers = { Authorization = "Bearer {operator}" }
body = '{"token":"{secret}"}'
done = [{ status = 200, json = { "/revoked" = true } }]
"#;
    let mut settings = service(&[server.uri()]);
    settings.credential = Some(Secret::new("owner-key".to_owned()));
    settings.values.insert("group".to_owned(), "42".to_owned());
    let ended = revoke_with(settings, &rule(&[VERIFY, SELF, text].concat()), &held()).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "operator".to_owned()
        }
    );
}

#[tokio::test]
async fn no_further_way_is_tried_for_a_token_that_may_be_dead() {
    let server = MockServer::start().await;
    Mock::given(path("/me"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    Mock::given(path("/revoke"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    let two = [
        VERIFY,
        SELF,
        "[[revoke.otherwise]]\nwith = \"secret\"\nrequest = \"DELETE {base}/self\"\n",
    ]
    .concat();
    let ended = run(&server, &rule(&two), None).await;
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert_eq!(changes(&server).await, ["POST /revoke"]);
}

const EVERYWHERE: &str = r#"
[revoke]
with = "secret"
everywhere = true
request = "POST {base}/revoke"
body = '{"token":"{secret}"}'
done = [{ status = 200, json = { "/found" = true } }]
page = "https://example.com/settings"
"#;

async fn region(found: bool, questions: u64) -> MockServer {
    let server = MockServer::start().await;
    alive_for(&server, questions).await;
    Mock::given(path("/revoke"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"found": found})))
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn every_region_is_told_and_one_that_found_the_token_is_enough() {
    let (us, eu) = (region(false, 0).await, region(true, 0).await);
    let rule = rule(&[VERIFY, EVERYWHERE].concat());
    let ended = revoke_with(service(&[us.uri(), eu.uri()]), &rule, &held()).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "secret".to_owned()
        }
    );
}

#[tokio::test]
async fn a_token_that_no_region_found_and_that_lives_on_is_refused_with_the_page() {
    let (us, eu) = (region(false, u64::MAX).await, region(false, 0).await);
    let rule = rule(&[VERIFY, EVERYWHERE].concat());
    let ended = revoke_with(service(&[us.uri(), eu.uri()]), &rule, &held()).await;
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert!(
        reason(&ended).contains("https://example.com/settings"),
        "{ended:?}"
    );
}

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

const CONTAIN: &str = r#"
[contain]
effect = "removes the member from the organisation"
reversible = true
request = "DELETE {base}/orgs/{organisation}/members/{principal}"
headers = { Authorization = "Bearer {operator}" }
done = [{ status = 204 }]
"#;

async fn contained(orgs_after: serde_json::Value) -> (Revocation, MockServer) {
    let server = MockServer::start().await;
    Mock::given(path("/me"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"login": "mia", "orgs": orgs_after})))
        .mount(&server)
        .await;
    Mock::given(method("DELETE"))
        .and(header("Authorization", "Bearer admin-key"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let mut settings = service(&[server.uri()]);
    settings.credential = Some(Secret::new("admin-key".to_owned()));
    let (caller, held) = (caller(settings), held());
    let rule = rule(&[VERIFY, CONTAIN].concat());
    let verifier = Verifier::new(caller.clone());
    let ended = contain::contain(order(&held, Action::Contain), &caller, &verifier, &rule, &held).await;
    (ended, server)
}

#[tokio::test]
async fn a_containment_is_proved_by_the_organisation_that_is_gone() {
    let (ended, server) = contained(json!(["other"])).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "containment".to_owned()
        }
    );
    assert_eq!(changes(&server).await, ["DELETE /orgs/acme/members/mia"]);
}

#[tokio::test]
async fn a_containment_that_cannot_be_seen_says_that_only_the_service_confirmed_it() {
    let (ended, _server) = contained(json!([])).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "containment, confirmed by the service".to_owned()
        }
    );
}

#[tokio::test]
async fn a_containment_after_which_the_organisation_is_still_there_is_uncertain() {
    let (ended, _server) = contained(json!(["acme"])).await;
    assert!(matches!(ended, Revocation::Uncertain { .. }), "{ended:?}");
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
