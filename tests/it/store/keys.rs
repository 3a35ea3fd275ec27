//! Changing the store's key.

use unleak::store::{Chain, Delivery, Store, StoreKey, StoreKeys};

use super::{fresh, held, key};

fn other() -> StoreKey {
    StoreKey::new([8; 32])
}

#[tokio::test]
async fn a_new_key_is_taken_on_with_the_one_before_it_and_then_stands_alone() {
    let (place, store) = fresh().await;
    let (open, closed) = (held("a"), held("b"));
    let rule = &open.leak.rule;
    store.record(&open).await.unwrap();
    store.record(&closed).await.unwrap();
    store.close(closed.leak.fingerprint, rule, "dead").await.unwrap();
    store
        .take_in(&Delivery::new("github", b"1"), std::slice::from_ref(&closed))
        .await
        .unwrap();
    let refused = Store::open(&place.url, &other()).await.err().unwrap().to_string();
    assert!(refused.contains("store.further_key_files"), "{refused}");

    let both = StoreKeys::new(other(), vec![key()]);
    let new = Store::open(&place.url, both).await.unwrap();
    // A process that was not told yet, but was given the next key beforehand, works on.
    let not_yet = Store::open(&place.url, StoreKeys::new(key(), vec![other()]))
        .await
        .unwrap();
    for store in [&new, &not_yet] {
        let unsealed = store.unseal(open.leak.fingerprint, rule).await.unwrap().unwrap();
        assert_eq!(unsealed.secret, open.secret);
        assert!(matches!(store.verify_chain().await.unwrap(), Chain::Whole { .. }));
    }
    let alone = Store::open(&place.url, &other()).await.unwrap();
    let unsealed = alone.unseal(open.leak.fingerprint, rule).await.unwrap().unwrap();
    assert_eq!(unsealed.secret, open.secret);
    let task = alone
        .claim_task(std::time::Duration::from_secs(9))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        alone.task_leak(&task).await.unwrap().unwrap().secret,
        closed.secret
    );
    assert!(matches!(alone.verify_chain().await.unwrap(), Chain::Whole { .. }));
    assert!(
        Store::open(&place.url, &key()).await.is_err(),
        "the old key alone is refused"
    );
}
