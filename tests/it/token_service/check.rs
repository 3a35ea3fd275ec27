//! The check of a scope, as an API asks it about each of its requests.

use serde_json::json;

use super::{desk, operator};

fn path(scope: &str, organisation: &str) -> String {
    format!("/api/v1/check?scope={scope}&organisation={organisation}")
}

#[tokio::test]
async fn a_token_may_do_what_its_scopes_allow_where_it_belongs_and_nothing_else() {
    let desk = desk().await;
    let bob = desk.user_token("bob", &["events:*", "members:read"]).await;
    let project = desk.project_token(&["events:write"]).await;
    let organisation = desk.organisation_token("beta", &["events:write"]).await;
    for (token, scope, slug, status) in [
        (&bob, "events:write", "acme", 200),
        (&bob, "events:write", "beta", 200),
        (&bob, "members:read", "acme", 200),
        (&bob, "members:write", "acme", 403),
        (&bob, "events:write", "nowhere", 404),
        (&project, "events:write", "acme", 200),
        (&project, "events:read", "acme", 403),
        (&project, "events:write", "beta", 404),
        (&organisation, "events:write", "beta", 200),
        (&organisation, "events:write", "acme", 404),
    ] {
        let answer = desk.get(&path(scope, slug), &token.text).await;
        assert_eq!(answer.status, status, "{scope} in {slug}: {}", answer.text);
        if status == 200 {
            assert_eq!(answer.json()["allowed"], true);
            assert_eq!(answer.json()["id"], token.id.as_str());
        }
    }
    let lacking = desk.get(&path("members:write", "acme"), &bob.text).await;
    assert_eq!(
        lacking.challenge,
        "Bearer error=\"insufficient_scope\", scope=\"members:write\""
    );
    assert_eq!(lacking.kind, "application/problem+json");
}

#[tokio::test]
async fn a_project_token_is_let_on_to_its_own_project_alone() {
    let desk = desk().await;
    desk.service
        .add_project("acme", "site", "Site", &super::by())
        .await
        .unwrap();
    let project = desk.project_token(&["events:write"]).await;
    let wide = desk.organisation_token("acme", &["events:write"]).await;
    let at = |project: &str| format!("{}&project={project}", path("events:write", "acme"));
    assert_eq!(desk.get(&at("shop"), &project.text).await.status, 200);
    assert_eq!(desk.get(&at("site"), &project.text).await.status, 403);
    assert_eq!(desk.get(&at("site"), &wide.text).await.status, 200);
}

#[tokio::test]
async fn whatever_stops_a_token_stops_it_at_the_next_check() {
    let desk = desk().await;
    let by = super::by();
    let ask = path("events:write", "acme");
    let bob = desk.user_token("bob", &["events:write"]).await;
    let status = async || desk.get(&ask, &bob.text).await.status;
    assert_eq!(status().await, 200);
    desk.service.block("acme", &bob.id, "leaked", &by).await.unwrap();
    assert_eq!(status().await, 403);
    desk.service
        .unblock("acme", &bob.id, "a mistake", &by)
        .await
        .unwrap();
    assert_eq!(status().await, 200);
    let refusing = json!({ "refuse_user_tokens": true, "allowed_scopes": null, "max_lifetime_days": null,
        "expiry_required": false });
    let at = "/api/v1/organisations/acme/policy";
    assert_eq!(desk.body("PUT", at, &operator(), &refusing).await.status, 200);
    assert_eq!(status().await, 403);
    assert_eq!(
        desk.get(&path("events:write", "beta"), &bob.text).await.status,
        200
    );
    desk.service.end_membership("beta", "bob", &by).await.unwrap();
    assert_eq!(
        desk.get(&path("events:write", "beta"), &bob.text).await.status,
        404
    );
    desk.service.set_user_active("bob", false, &by).await.unwrap();
    assert_eq!(status().await, 401);
}

#[tokio::test]
async fn a_check_that_is_not_clear_is_no_yes() {
    let desk = desk().await;
    let token = desk.project_token(&["events:write"]).await;
    for query in [
        "",
        "?scope=events:write",
        "?organisation=acme",
        "?scope=events:write&organisation=acme&x=1",
    ] {
        let answer = desk.get(&format!("/api/v1/check{query}"), &token.text).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
    }
    assert_eq!(desk.get(&path("events:write", "acme"), "").await.status, 401);
    assert_eq!(
        desk.get(&path("events:write", "acme"), "unlp_nothing")
            .await
            .status,
        401
    );
    assert_eq!(
        desk.get(&path("events:write", "ac%00me"), &token.text)
            .await
            .status,
        400
    );
    desk.service.close().await;
    assert_eq!(
        desk.get(&path("events:write", "acme"), &token.text).await.status,
        503
    );
}

#[tokio::test]
async fn whatever_names_a_wildcard_token_is_tried_with_its_review_stays_readable_and_small() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["tokens:read"]).await;
    let wild = desk.project_token(&["events:*"]).await;
    let check = async |scope: &str, rest: &str| {
        let path = format!("/api/v1/check?organisation=acme&scope={scope}{rest}");
        desk.get(&path, &wild.text).await.status
    };
    for (scope, rest) in [
        ("events:A%20B", ""),
        ("events:%00", ""),
        ("events:x", "&project=No%20Slug"),
    ] {
        assert_eq!(check(scope, rest).await, 400, "{scope}{rest}");
    }
    for at in 0..150 {
        assert_eq!(check(&format!("events:{at}"), "").await, 200);
        if at % 50 == 49 {
            desk.service.write_uses().await.unwrap();
        }
    }
    let review = desk.get("/api/v1/organisations/acme/review", &ann.text).await;
    assert_eq!(review.status, 200, "{}", review.text);
    let tokens = review.json();
    let tokens = tokens["tokens"].as_array().unwrap();
    let found = tokens
        .iter()
        .find(|token| token["id"] == wild.id.as_str())
        .unwrap();
    assert_eq!(found["findings"][1]["finding"], "admin-in-application", "{found}");
    let scopes = found["smaller"]["scopes"].as_array().unwrap();
    assert!((1..=64).contains(&scopes.len()), "{found}");
}
