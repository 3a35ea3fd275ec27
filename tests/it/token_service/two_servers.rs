//! Two servers on one database.

use serde_json::json;
use unleak::token_service::{KeyRing, Limits, ServerKey, TokenService};

use super::{KEY, desk, serve};

#[tokio::test]
async fn what_one_server_revokes_the_other_refuses_at_once() {
    let desk = desk().await;
    let other = TokenService::open(&desk.database(), ServerKey::new(&KEY).unwrap())
        .await
        .unwrap();
    let base = serve(&other, &Limits::default()).await;
    let ask = async |token: &str, path: &str| {
        let request = desk.client.get(format!("{base}{path}"));
        desk.send(request, token).await
    };
    let check = "/api/v1/check?scope=events:write&organisation=acme";
    for _ in 0..20 {
        let token = desk.project_token(&["events:write"]).await;
        assert_eq!(ask(&token.text, check).await.status, 200);
        let gone = desk
            .form("/oauth/revoke", "", &format!("token={}", token.text))
            .await;
        assert_eq!(gone.status, 200);
        assert_eq!(ask(&token.text, check).await.status, 401);
        let seen = ask(&token.text, "/api/v1/token").await;
        assert_eq!(
            seen.json(),
            json!({ "error": "invalid_token", "error_description": "revoked" })
        );
    }
}

#[tokio::test]
async fn two_servers_that_write_at_once_keep_one_whole_audit_log() {
    let desk = desk().await;
    let other = TokenService::open(&desk.database(), ServerKey::new(&KEY).unwrap())
        .await
        .unwrap();
    let by = super::by();
    let writing = |service: TokenService, name: &'static str| {
        let by = by.clone();
        async move {
            for at in 0..30 {
                let slug = format!("{name}-{at}");
                service.add_organisation(&slug, "Many", &by).await.unwrap();
            }
        }
    };
    futures_util::future::join(writing(desk.service.clone(), "one"), writing(other, "two")).await;
    desk.is_whole().await;
}

#[tokio::test]
async fn a_server_without_the_newest_key_never_calls_a_good_token_unknown() {
    let desk = desk().await;
    let token = desk.project_token(&["events:write"]).await;
    let keys = KeyRing::new(ServerKey::new(&[9; 32]).unwrap(), [ServerKey::new(&KEY).unwrap()]);
    let newer = TokenService::open(&desk.database(), keys).await.unwrap();
    let base = serve(&newer, &Limits::default()).await;
    let request = desk.client.get(format!("{base}/api/v1/token"));
    assert_eq!(desk.send(request, &token.text).await.status, 200);
    let answer = desk.ask(&token.text).await;
    assert_eq!(
        answer.status, 503,
        "the first server cannot know: {}",
        answer.text
    );
}
