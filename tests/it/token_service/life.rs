//! The life of a token as its bearer sees it.

use serde_json::{Value, json};
use unleak::token_service::model::Time;
use unleak::token_service::{Holder, ServerKey, TokenService};

use super::{KEY, desk, slugs};

#[tokio::test]
async fn a_user_token_tells_its_bearer_whose_it_is_and_where_it_reaches() {
    let desk = desk().await;
    let token = desk.user_token("bob", &["events:write"]).await;
    let answer = desk.ask(&token.text).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({
            "id": token.id,
            "kind": "user",
            "user": { "login": "bob", "email": "bob@example.com", "name": "Bob" },
            "project": null,
            "organisations": [
                { "slug": "acme", "name": "Acme Ltd", "role": "member" },
                { "slug": "beta", "name": "Beta Inc", "role": "member" },
            ],
            "refused": [],
            "scopes": ["events:write"],
            "access": "write-only",
            "identity": null,
            "expires_at": null,
            "asked": [],
        })
    );
}

#[tokio::test]
async fn project_and_organisation_tokens_belong_to_no_person() {
    let desk = desk().await;
    let project = desk.project_token(&["events:write"]).await;
    let answer = desk.ask(&project.text).await.json();
    assert!(project.text.starts_with("unlp_"));
    assert_eq!(answer["user"], Value::Null);
    assert_eq!(answer["project"], "shop");
    let organisation = desk.organisation_token("beta", &["members:read"]).await;
    let answer = desk.ask(&organisation.text).await;
    assert!(organisation.text.starts_with("unlo_"));
    assert_eq!(answer.json()["user"], Value::Null);
    assert_eq!(slugs(&answer, "organisations"), ["beta"]);
}

#[tokio::test]
async fn revoking_one_token_leaves_its_siblings_alone() {
    let desk = desk().await;
    let leaked = desk.user_token("bob", &["events:write"]).await;
    let sibling = desk.user_token("bob", &["events:write"]).await;
    desk.form("/oauth/revoke", "", &format!("token={}", leaked.text))
        .await;
    let answer = desk.ask(&leaked.text).await;
    assert_eq!(answer.status, 401);
    assert!(answer.challenge.starts_with("Bearer error=\"invalid_token\""));
    assert_eq!(
        answer.json(),
        json!({ "error": "invalid_token", "error_description": "revoked" })
    );
    assert_eq!(desk.ask(&sibling.text).await.status, 200);
}

#[tokio::test]
async fn a_token_whose_time_is_over_is_refused_as_expired() {
    let desk = desk().await;
    let soon = Some(Time::now().plus_days(1));
    let token = desk
        .held(Holder::User("bob".into()), &["events:write"], soon)
        .await;
    assert_eq!(desk.ask(&token.text).await.status, 200);
    desk.meddle(
        "UPDATE tokens SET expires_at = created_at - 1 WHERE id = $1",
        &token.id,
    )
    .await;
    let answer = desk.ask(&token.text).await;
    assert_eq!(
        (answer.status, answer.json()["error_description"].as_str()),
        (401, Some("expired"))
    );
}

#[tokio::test]
async fn the_tokens_of_a_deactivated_user_stop_at_once_and_those_of_others_do_not() {
    let desk = desk().await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    let ann = desk.user_token("ann", &["events:write"]).await;
    desk.service
        .set_user_active("bob", false, &super::by())
        .await
        .unwrap();
    let answer = desk.ask(&bob.text).await;
    assert_eq!(
        (answer.status, answer.json()["error_description"].as_str()),
        (401, Some("owner disabled"))
    );
    assert_eq!(desk.ask(&ann.text).await.status, 200);
    desk.service
        .set_user_active("bob", true, &super::by())
        .await
        .unwrap();
    assert_eq!(desk.ask(&bob.text).await.status, 200);
}

#[tokio::test]
async fn a_removed_member_keeps_the_token_for_other_organisations_alone() {
    let desk = desk().await;
    let token = desk.user_token("bob", &["events:write"]).await;
    desk.service
        .end_membership("acme", "bob", &super::by())
        .await
        .unwrap();
    assert_eq!(slugs(&desk.ask(&token.text).await, "organisations"), ["beta"]);
}

#[tokio::test]
async fn a_wrong_checksum_never_reaches_the_database() {
    let desk = desk().await;
    let token = desk.user_token("bob", &["events:write"]).await;
    let mut altered = token.text.clone();
    let last = if altered.ends_with('0') { "1" } else { "0" };
    altered.replace_range(altered.len() - 1.., last);
    // with the database gone, an answer other than "ask later" was given without it
    desk.service.close().await;
    let answer = desk.ask(&altered).await;
    assert_eq!(
        (answer.status, answer.json()["error_description"].as_str()),
        (401, Some("unknown token"))
    );
    let answer = desk.ask(&token.text).await;
    assert_eq!(
        (answer.status, answer.json()["error"].as_str()),
        (503, Some("temporarily_unavailable")),
        "a store that does not answer never makes a token look dead"
    );
    assert_eq!(desk.get("/readyz", "").await.status, 503);
    assert_eq!(desk.get("/healthz", "").await.status, 200);
}

#[tokio::test]
async fn a_request_without_a_usable_bearer_is_told_how_to_send_one() {
    let desk = desk().await;
    let token = desk.user_token("bob", &["events:write"]).await;
    let bare = desk.ask("").await;
    assert_eq!(
        (bare.status, bare.challenge.as_str()),
        (401, "Bearer realm=\"unleak\"")
    );
    let in_query = desk
        .get(&format!("/api/v1/token?access_token={}", token.text), "")
        .await;
    assert_eq!(in_query.status, 401, "a token in a URL is not read");
    let request = desk.client.get(format!("{}/api/v1/token", desk.base));
    let basic = request.header("authorization", ["Basic ", "Ym9iOmJvYg=="].concat());
    assert_eq!(desk.send(basic, "").await.status, 401);
    let request = desk.client.get(format!("{}/api/v1/token", desk.base));
    let lower = request.header("authorization", format!("bearer {}", token.text));
    assert_eq!(desk.send(lower, "").await.status, 200);
}

#[tokio::test]
async fn the_last_use_is_written_at_most_once_a_minute_with_the_scopes_that_were_used() {
    let desk = desk().await;
    let token = desk.user_token("ann", &["members:read", "tokens:read"]).await;
    let last = async || {
        desk.service.write_uses().await.unwrap();
        desk.service.token(&token.id).await.unwrap().last_used_at
    };
    assert_eq!(last().await, None);
    desk.get("/api/v1/organisations/acme/members", &token.text).await;
    assert!(last().await.is_some());
    // a mark that only another write would wipe out
    desk.meddle("UPDATE tokens SET last_used_at = 1000 WHERE id = $1", &token.id)
        .await;
    desk.get("/api/v1/organisations/acme/tokens", &token.text).await;
    assert_eq!(
        last().await,
        Some(Time::from_seconds(1000)),
        "within the minute nothing is written"
    );
    // a server that stops writes what it still knows
    desk.service.close().await;
    let service = TokenService::open(&desk.database(), ServerKey::new(&KEY).unwrap())
        .await
        .unwrap();
    assert!(service.token(&token.id).await.unwrap().last_used_at > Some(Time::from_seconds(1000)));
    let advice = service.review(Some("acme"), 90).await.unwrap();
    let unused = advice.iter().flat_map(|advised| &advised.remarks);
    assert!(
        unused
            .into_iter()
            .all(|remark| remark.finding != "scopes-never-used"),
        "both were used"
    );
}

#[tokio::test]
async fn every_failure_is_json_and_nothing_may_be_cached() {
    let desk = desk().await;
    let token = desk.user_token("ann", &["admin"]).await;
    let path = "/api/v1/organisations/acme/tokens/x/revoke";
    let huge = json!({ "cause": "x".repeat(100_000) });
    let typo = json!({ "reason": "leaked" });
    for (answer, status) in [
        (desk.get("/nowhere", "").await, 404),
        (desk.form("/api/v1/token", &token.text, "").await, 405),
        (desk.body("POST", path, &token.text, &huge).await, 413),
        (desk.body("POST", path, &token.text, &typo).await, 422),
        (desk.form(path, &token.text, "cause=leaked").await, 415),
        (
            desk.get("/api/v1/organisations/acme/members?role=king", &token.text)
                .await,
            400,
        ),
    ] {
        assert_eq!(answer.status, status, "{}", answer.text);
        let json = answer.json();
        if answer.kind == "application/problem+json" {
            assert_eq!(json["status"], status, "{}", answer.text);
            assert!(json["type"].as_str().unwrap().starts_with("urn:unleak:problem:"));
            assert!(
                json["title"].is_string() && json["detail"].is_string(),
                "{}",
                answer.text
            );
        } else {
            assert!(json["error_description"].is_string(), "{}", answer.text);
        }
    }
    let response = desk
        .client
        .get(format!("{}/healthz", desk.base))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
}
