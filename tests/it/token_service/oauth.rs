//! RFC 7662 and RFC 7009.

use serde_json::json;

use super::{desk, operator};

#[tokio::test]
async fn introspection_by_strangers_says_inactive_and_nothing_else() {
    let desk = desk().await;
    let asked = desk.organisation_token("acme", &["members:read"]).await;
    let eve = desk.user_token("eve", &["tokens:read"]).await;
    let dan = desk.user_token("dan", &["tokens:read"]).await;
    let ann_without_scope = desk.user_token("ann", &["events:write"]).await;
    for stranger in [&eve, &dan, &ann_without_scope] {
        assert_eq!(
            desk.introspect(&stranger.text, &asked.text).await,
            json!({ "active": false })
        );
    }
    let nobody = desk
        .form("/oauth/introspect", "", &format!("token={}", asked.text))
        .await;
    assert_eq!(nobody.status, 401, "a caller must say who it is");
}

#[tokio::test]
async fn a_token_an_owner_and_the_operator_may_introspect() {
    let desk = desk().await;
    let asked = desk.user_token("bob", &["b:read", "a:write"]).await;
    let ann = desk.user_token("ann", &["tokens:read"]).await;
    let itself = desk.introspect(&asked.text, &asked.text).await;
    assert_eq!(itself["active"], true);
    assert_eq!(itself["scope"], "a:write b:read");
    assert_eq!(itself["username"], "bob");
    assert_eq!(itself["jti"], asked.id.as_str());
    assert_eq!(itself["organisations"], json!(["acme", "beta"]));
    let to_owner = desk.introspect(&ann.text, &asked.text).await;
    assert_eq!(to_owner["active"], true);
    assert_eq!(
        to_owner["organisations"],
        json!(["acme"]),
        "an owner hears nothing of other organisations"
    );
    assert_eq!(desk.introspect(&operator(), &asked.text).await["active"], true);
    desk.form("/oauth/revoke", "", &format!("token={}", asked.text))
        .await;
    for caller in [ann.text, operator()] {
        assert_eq!(
            desk.introspect(&caller, &asked.text).await,
            json!({ "active": false })
        );
    }
}

#[tokio::test]
async fn a_blocked_token_is_inactive_to_the_owner_who_blocked_it_and_active_to_the_operator() {
    let desk = desk().await;
    let asked = desk.user_token("bob", &["events:write"]).await;
    let ann = desk.user_token("ann", &["admin"]).await;
    desk.stop("acme", &asked.id, "block", &ann.text).await;
    assert_eq!(
        desk.introspect(&ann.text, &asked.text).await,
        json!({ "active": false })
    );
    let told = desk.introspect(&operator(), &asked.text).await;
    assert_eq!(told["organisations"], json!(["beta"]));
}

#[tokio::test]
async fn revocation_answers_200_for_known_unknown_and_revoked_tokens_alike() {
    let desk = desk().await;
    let token = desk.user_token("bob", &["events:write"]).await;
    let wrong_hint = format!("token={}&token_type_hint=refresh_token", token.text);
    for form in [
        wrong_hint.as_str(),
        wrong_hint.as_str(),
        "token=not-one-of-ours",
        "token=",
    ] {
        let answer = desk.form("/oauth/revoke", "", form).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{form}");
    }
    assert_eq!(desk.ask(&token.text).await.status, 401);
    assert_eq!(desk.audited("token.revoke", &token.id).await, 1);
    let ended = desk.service.token(&token.id).await.unwrap();
    assert_eq!(ended.revoked_by.unwrap(), format!("bearer of token {}", token.id));
    let nothing = desk.form("/oauth/revoke", "", "tok=x").await;
    assert_eq!(
        (nothing.status / 100, nothing.json()["error"].as_str()),
        (4, Some("invalid_request"))
    );
}

#[tokio::test]
async fn revocation_says_503_and_never_200_while_the_store_is_away() {
    let desk = desk().await;
    let token = desk.user_token("bob", &["events:write"]).await;
    desk.service.close().await;
    let answer = desk
        .form("/oauth/revoke", "", &format!("token={}", token.text))
        .await;
    assert_eq!(answer.status, 503);
}
