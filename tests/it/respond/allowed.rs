//! What is done follows from what the policy or a person allows.

use serde_json::json;
use unleak::leak::Revocation;
use unleak::policy::{Action, Policy};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::held::{VERIFY, held, order, token};

use super::{Home, REVOKE, accepts_revocation, alive_for, allow, changes, said};

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
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
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
