//! Changing the server key, and coming from an older schema.

use unleak::token_service::{KeyRing, Limits, ServerKey, TokenService};

use super::{Desk, KEY, by, desk, serve};

fn key(byte: u8) -> ServerKey {
    ServerKey::new(&[byte; 32]).unwrap()
}

fn old() -> ServerKey {
    ServerKey::new(&KEY).unwrap()
}

async fn open(desk: &Desk, keys: KeyRing) -> Result<TokenService, String> {
    let opened = TokenService::open(&desk.database(), keys).await;
    opened.map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn a_new_server_key_takes_over_each_token_when_it_is_seen() {
    let desk = desk().await;
    let seen = desk.user_token("bob", &["events:write"]).await;
    let unseen = desk.user_token("bob", &["events:write"]).await;
    let service = open(&desk, KeyRing::new(key(9), [old()])).await.unwrap();
    let base = serve(&service, &Limits::default()).await;
    let ask = async |base: &str, token: &str| {
        let request = desk.client.get(format!("{base}/api/v1/token"));
        desk.send(request, token).await.status
    };
    let waiting = async |service: &TokenService| {
        let keys = service.known_keys().await.unwrap();
        keys.iter().map(|key| key.living_tokens).collect::<Vec<_>>()
    };
    assert_eq!(waiting(&service).await, [2, 0]);
    assert_eq!(ask(&base, &seen.text).await, 200);
    assert_eq!(
        waiting(&service).await,
        [1, 1],
        "the one that was seen is hashed anew"
    );
    assert_eq!(ask(&base, &seen.text).await, 200);
    let refused = open(&desk, key(9).into()).await.unwrap_err();
    assert!(
        refused.contains("living tokens wait under the server key"),
        "{refused}"
    );
    let refused = open(&desk, old().into()).await.unwrap_err();
    assert!(refused.contains("a newer server key, "), "{refused}");
    assert_eq!(service.retire_key(&old().id(), &by()).await.unwrap(), 1);
    let alone = open(&desk, key(9).into()).await.unwrap();
    let base = serve(&alone, &Limits::default()).await;
    assert_eq!(ask(&base, &seen.text).await, 200);
    assert_eq!(ask(&base, &unseen.text).await, 401);
    let revoked = alone.token(&unseen.id).await.unwrap();
    assert_eq!(
        revoked.revoked_cause.as_deref(),
        Some("its server key was retired")
    );
}

#[tokio::test]
async fn the_audit_log_stays_whole_over_a_change_of_keys() {
    let desk = desk().await;
    let service = open(&desk, KeyRing::new(key(9), [old()])).await.unwrap();
    service
        .add_user("kim", "kim@example.com", "Kim", &by())
        .await
        .unwrap();
    let both = format!("{:?}", service.check_audit(None).await.unwrap());
    assert!(both.starts_with("Whole"), "{both}");
    let log = service.audit_log().await.unwrap();
    assert!(log.iter().any(|line| line.action == "key.rotate"));
    let alone = open(&desk, key(9).into()).await.unwrap();
    let new_alone = format!("{:?}", alone.check_audit(None).await.unwrap());
    assert!(new_alone.starts_with("KeyMissing(1,"), "{new_alone}");
}

#[tokio::test]
async fn another_server_key_is_refused_instead_of_making_every_token_look_unknown() {
    let desk = desk().await;
    let error = open(&desk, key(8).into()).await.unwrap_err();
    assert!(error.contains("another server key"), "{error}");
    assert!(ServerKey::new(&KEY[..31]).is_err());
}

#[tokio::test]
async fn the_next_key_can_be_given_to_every_server_before_one_of_them_uses_it() {
    let desk = desk().await;
    let first = open(&desk, KeyRing::new(old(), [key(9)])).await.unwrap();
    let token = desk.project_token(&["events:write"]).await;
    let second = open(&desk, KeyRing::new(key(9), [old()])).await.unwrap();
    let secret = unleak::secret::Secret::new(token.text);
    assert_eq!(second.accept(&secret).await.unwrap().token.id, token.id);
    assert_eq!(
        first.accept(&secret).await.unwrap().token.id,
        token.id,
        "hashed anew, and still found"
    );
}

/// The tables as the first release made them.
const FIRST_SCHEMA: &str = include_str!("../../../src/token_service/migrations/0001_first.sql");

#[tokio::test]
async fn a_store_of_the_first_release_is_brought_up_to_date_with_its_tokens_and_its_log() {
    let desk = desk().await;
    let url = desk.empty_database().await;
    desk.first_release(&url, FIRST_SCHEMA, &old().id()).await;
    let service = TokenService::open(&url, old()).await.unwrap();
    assert_eq!(service.organisation("acme").await.unwrap().ended_at, None);
    assert_eq!(service.tokens().await.unwrap()[0].id, "aToken");
    service.revoke("aToken", "leaked", &by()).await.unwrap();
    let checked = format!("{:?}", service.check_audit(None).await.unwrap());
    assert!(checked.starts_with("Whole"), "{checked}");
    service.close().await;
    TokenService::open(&url, old()).await.unwrap();
}
