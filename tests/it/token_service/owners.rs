//! What an organisation's owners can see and stop.

use serde_json::{Value, json};

use super::{Answer, Held, desk, operator, slugs};

const MANAGE: &[&str] = &[
    "tokens:read",
    "tokens:revoke",
    "members:read",
    "policy:read",
    "policy:write",
];

fn outcome(answer: &Answer) -> (u16, Value, Value) {
    let json = answer.json();
    (answer.status, json["effect"].clone(), json["already"].clone())
}

#[tokio::test]
async fn an_owner_stops_another_users_token_for_the_organisation_and_it_lives_on_elsewhere() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    let answer = desk.stop("acme", &bob.id, "revoke", &ann.text).await;
    assert_eq!(
        outcome(&answer),
        (200, json!("blocked for organisation"), json!(false))
    );
    let seen = desk.ask(&bob.text).await;
    assert_eq!(seen.status, 200);
    assert_eq!(slugs(&seen, "organisations"), ["beta"]);
    assert_eq!(
        seen.json()["refused"],
        json!([{ "slug": "acme", "reason": "blocked by an owner of this organisation: leaked" }])
    );
    let again = desk.stop("acme", &bob.id, "revoke", &ann.text).await;
    assert_eq!(
        outcome(&again),
        (200, json!("blocked for organisation"), json!(true))
    );
    assert_eq!(desk.audited("token.block", &bob.id).await, 1);
}

#[tokio::test]
async fn an_owner_revokes_tokens_of_the_organisation_and_its_projects_for_good() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let project = desk.project_token(&["events:write"]).await;
    let organisation = desk.organisation_token("acme", &["members:read"]).await;
    for token in [&project, &organisation] {
        let answer = desk.stop("acme", &token.id, "revoke", &ann.text).await;
        assert_eq!(outcome(&answer), (200, json!("revoked"), json!(false)));
        assert_eq!(desk.ask(&token.text).await.status, 401);
        let again = desk.stop("acme", &token.id, "revoke", &ann.text).await;
        assert_eq!(outcome(&again), (200, json!("revoked"), json!(true)));
    }
    let kept = desk.service.token(&project.id).await.unwrap();
    assert_eq!(kept.revoked_cause.as_deref(), Some("leaked"));
    assert!(kept.revoked_by.unwrap().contains("ann"), "by whom is kept");
}

#[tokio::test]
async fn ones_own_token_and_any_by_the_operator_are_revoked_everywhere() {
    let desk = desk().await;
    let leaked = desk.user_token("bob", &["events:write"]).await;
    let other = desk.user_token("bob", &["tokens:revoke"]).await;
    let narrow = desk.user_token("bob", &["events:write"]).await;
    let refused = desk.stop("acme", &leaked.id, "revoke", &narrow.text).await;
    assert_eq!(refused.status, 403, "a token without the scope stops no sibling");
    assert!(refused.challenge.contains("insufficient_scope"));
    let by_user = desk.stop("acme", &leaked.id, "revoke", &other.text).await;
    assert_eq!(outcome(&by_user), (200, json!("revoked"), json!(false)));
    let by_itself = desk.stop("acme", &narrow.id, "revoke", &narrow.text).await;
    assert_eq!(outcome(&by_itself), (200, json!("revoked"), json!(false)));
    let by_operator = desk.stop("beta", &other.id, "revoke", &operator()).await;
    assert_eq!(outcome(&by_operator), (200, json!("revoked"), json!(false)));
    for token in [leaked, other, narrow] {
        assert_eq!(desk.ask(&token.text).await.status, 401);
    }
}

#[tokio::test]
async fn who_may_not_stop_a_token_is_refused_with_a_reason_and_nothing_changes() {
    let desk = desk().await;
    let target = desk.project_token(&["events:write"]).await;
    let admin = desk.user_token("dan", MANAGE).await;
    let member = desk.user_token("bob", MANAGE).await;
    let owner_without_scope = desk.user_token("ann", &["tokens:read"]).await;
    let project = desk.project_token(MANAGE).await;
    for (caller, why) in [
        (&admin, "role owner"),
        (&member, "role owner"),
        (&owner_without_scope, "tokens:revoke"),
        (&project, "project's token"),
    ] {
        for how in ["revoke", "block"] {
            let answer = desk.stop("acme", &target.id, how, &caller.text).await;
            assert_eq!(answer.status, 403, "{}", answer.text);
            assert!(
                answer.json()["detail"].as_str().unwrap().contains(why),
                "{}",
                answer.text
            );
        }
    }
    assert_eq!(slugs(&desk.ask(&target.text).await, "organisations"), ["acme"]);
}

#[tokio::test]
async fn unknown_and_foreign_ids_get_the_same_404() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let foreign = desk.organisation_token("beta", &["members:read"]).await;
    let unknown_token = desk.stop("acme", "nosuchtoken", "revoke", &ann.text).await;
    let foreign_token = desk.stop("acme", &foreign.id, "revoke", &ann.text).await;
    assert_eq!(unknown_token.status, 404);
    assert_eq!(
        (foreign_token.status, &foreign_token.text),
        (404, &unknown_token.text)
    );
    let unknown = desk.get("/api/v1/organisations/nowhere/tokens", &ann.text).await;
    let beta = desk.get("/api/v1/organisations/beta/tokens", &ann.text).await;
    assert_eq!(unknown.status, 404);
    assert_eq!((beta.status, &beta.text), (404, &unknown.text));
    assert_eq!(desk.ask(&foreign.text).await.status, 200);
}

#[tokio::test]
async fn an_owner_sees_every_token_that_can_reach_the_organisation_and_no_other() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    let project = desk.project_token(&["events:write"]).await;
    let revoked = desk.organisation_token("acme", &["members:read"]).await;
    desk.user_token("eve", &["events:write"]).await;
    desk.stop("acme", &bob.id, "block", &ann.text).await;
    desk.stop("acme", &revoked.id, "revoke", &ann.text).await;
    let answer = desk.get("/api/v1/organisations/acme/tokens", &ann.text).await;
    let json = answer.json();
    let listed = json["tokens"].as_array().unwrap();
    let state = |held: &Held| {
        let found = listed
            .iter()
            .find(|token| token["id"] == held.id.as_str())
            .unwrap();
        assert_eq!(found["last_four"], held.text[held.text.len() - 4..]);
        found["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(listed.len(), 4);
    assert_eq!(
        [state(&ann), state(&bob), state(&project), state(&revoked)],
        ["live", "blocked", "live", "revoked"]
    );
    for held in [&ann, &bob, &project, &revoked] {
        assert!(!answer.text.contains(&held.text), "a list shows no token");
    }
    let bobs = listed
        .iter()
        .find(|token| token["id"] == bob.id.as_str())
        .unwrap();
    assert_eq!(bobs["owner"]["email"], "bob@example.com");
}

#[tokio::test]
async fn owners_are_listed_for_admins_and_organisation_tokens_with_the_scope_alone() {
    let desk = desk().await;
    let path = "/api/v1/organisations/acme/members?role=owner";
    let admin = desk.user_token("dan", &["members:read"]).await;
    let robot = desk.organisation_token("acme", &["members:read"]).await;
    let owners = json!({ "members": [
        { "login": "ann", "name": "Ann Archer", "email": "ann@example.com", "role": "owner" },
    ] });
    for caller in [&admin, &robot] {
        assert_eq!(desk.get(path, &caller.text).await.json(), owners);
    }
    let member = desk.user_token("bob", &["members:read"]).await;
    let blind_robot = desk.organisation_token("acme", &["events:write"]).await;
    for caller in [&member, &blind_robot] {
        assert_eq!(desk.get(path, &caller.text).await.status, 403);
    }
}

#[tokio::test]
async fn of_many_revocations_at_once_exactly_one_is_the_first() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let token = desk.project_token(&["events:write"]).await;
    let many = (0..20).map(|_| desk.stop("acme", &token.id, "revoke", &ann.text));
    let answers = futures_util::future::join_all(many).await;
    let first = answers.iter().filter(|answer| {
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["already"] == false
    });
    assert_eq!(first.count(), 1);
    assert_eq!(desk.audited("token.revoke", &token.id).await, 1);
    desk.is_whole().await;
}

#[tokio::test]
async fn a_cause_is_required() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let token = desk.project_token(&["events:write"]).await;
    let path = format!("/api/v1/organisations/acme/tokens/{}/revoke", token.id);
    let answer = desk
        .body("POST", &path, &ann.text, &json!({ "cause": "  " }))
        .await;
    assert_eq!(
        (answer.status, answer.json()["type"].as_str()),
        (400, Some("urn:unleak:problem:invalid-request"))
    );
    assert_eq!(desk.ask(&token.text).await.status, 200);
}
