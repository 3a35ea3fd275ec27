//! What two processes, or one that dies, cannot do to the store.

use jiff::{SignedDuration, Timestamp};
use unleak::leak::{OwnerReason, Revocation};
use unleak::store::Store;

use super::{Place, fresh, held, key, owner};

#[tokio::test]
async fn a_notice_is_claimed_exactly_once_by_however_many_stores() {
    let (place, one) = fresh().await;
    let two = place.open().await;
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, held.leak.rule.clone());
    one.record(&held).await.unwrap();
    let mut claims = tokio::task::JoinSet::new();
    for store in [&one, &two, &one, &two, &one, &two, &one, &two] {
        let (store, rule) = (store.clone(), rule.clone());
        claims.spawn(async move {
            store
                .claim_notice(fingerprint, &rule, &owner("ada"), "email")
                .await
                .unwrap()
        });
    }
    let won = claims.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);

    // The same person by another reason and another spelling is the same person; another channel is another notice.
    let mut same = owner("ada");
    same.reason = OwnerReason::Committer;
    same.email = Some("Ada@Example.com".to_owned());
    assert!(
        !two.claim_notice(fingerprint, &rule, &same, "email")
            .await
            .unwrap()
    );
    assert!(
        two.claim_notice(fingerprint, &rule, &same, "outbox")
            .await
            .unwrap()
    );

    // A failure that was seen gives the claim up; a success never does.
    one.notice_failed(fingerprint, &rule, &same, "email", "no route")
        .await
        .unwrap();
    assert!(
        two.claim_notice(fingerprint, &rule, &same, "email")
            .await
            .unwrap()
    );
    two.notice_sent(fingerprint, &rule, &same, "email").await.unwrap();
    assert!(
        !one.claim_notice(fingerprint, &rule, &same, "email")
            .await
            .unwrap()
    );
    let leak = one.leak(fingerprint, &rule).await.unwrap().unwrap();
    assert_eq!(leak.notices.len(), 1);
    assert_eq!(
        (leak.notices[0].channel.as_str(), &leak.notices[0].owner),
        ("email", &same)
    );
    assert!(
        one.notice_sent(fingerprint, &rule, &same, "webhook")
            .await
            .is_err(),
        "never claimed"
    );
}

/// The process that claimed it may have died before or after sending; nobody knows.
#[tokio::test]
async fn a_notice_that_was_claimed_and_never_ended_is_listed_and_not_sent_again() {
    let (_folder, store) = fresh().await;
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    store.record(&held).await.unwrap();
    for channel in ["email", "outbox"] {
        assert!(
            store
                .claim_notice(fingerprint, rule, &owner("ada"), channel)
                .await
                .unwrap()
        );
    }
    store
        .notice_sent(fingerprint, rule, &owner("ada"), "email")
        .await
        .unwrap();
    let later = Timestamp::now() + SignedDuration::from_secs(1);
    let unfinished = store.unfinished_notices(later).await.unwrap();
    assert_eq!(unfinished.len(), 1);
    assert_eq!(
        (unfinished[0].channel.as_str(), &unfinished[0].owner),
        ("outbox", &owner("ada"))
    );
    assert!(
        !store
            .claim_notice(fingerprint, rule, &owner("ada"), "outbox")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn of_two_stores_that_want_to_revoke_exactly_one_may_send() {
    let (place, one) = fresh().await;
    let two = place.open().await;
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, held.leak.rule.clone());
    one.record(&held).await.unwrap();
    let (a, b) = tokio::join!(
        one.begin_revocation(fingerprint, &rule, None, "entry"),
        two.begin_revocation(fingerprint, &rule, None, "entry"),
    );
    assert_eq!([a.unwrap(), b.unwrap()].into_iter().filter(|won| *won).count(), 1);
    assert!(
        !one.begin_revocation(fingerprint, &rule, Some(&Revocation::Sending), "x")
            .await
            .unwrap()
    );

    let uncertain = Revocation::Uncertain {
        reason: "no answer".to_owned(),
    };
    one.save_revocation(fingerprint, &rule, &uncertain).await.unwrap();
    assert!(
        !two.begin_revocation(fingerprint, &rule, None, "stale")
            .await
            .unwrap()
    );
    assert!(
        two.begin_revocation(fingerprint, &rule, Some(&uncertain), "again")
            .await
            .unwrap()
    );
    let done = Revocation::Done {
        with: "secret".to_owned(),
    };
    two.save_revocation(fingerprint, &rule, &done).await.unwrap();
    assert!(
        !two.begin_revocation(fingerprint, &rule, Some(&done), "x")
            .await
            .unwrap()
    );
    assert_eq!(
        one.leak(fingerprint, &rule).await.unwrap().unwrap().revocation,
        Some(done)
    );
}

#[tokio::test]
async fn the_limit_counts_leaks_that_something_was_sent_for_and_not_the_requests() {
    let (_folder, store) = fresh().await;
    let (one, two) = (held("a"), held("b"));
    let rule = &one.leak.rule;
    let (before, after) = (SignedDuration::from_secs(-5), SignedDuration::from_secs(5));
    let count = async |from: SignedDuration| store.recent_revocations(Timestamp::now() + from).await.unwrap();
    store.record(&one).await.unwrap();
    store.record(&two).await.unwrap();
    assert_eq!(count(before).await, 0);
    let refused = Revocation::Refused {
        reason: "no".to_owned(),
    };
    assert!(
        store
            .begin_revocation(one.leak.fingerprint, rule, None, "entry")
            .await
            .unwrap()
    );
    store
        .save_revocation(one.leak.fingerprint, rule, &refused)
        .await
        .unwrap();
    assert!(
        store
            .begin_containment(one.leak.fingerprint, rule, None, "entry")
            .await
            .unwrap()
    );
    assert_eq!(count(before).await, 1);
    assert!(
        store
            .begin_containment(two.leak.fingerprint, rule, None, "entry")
            .await
            .unwrap()
    );
    assert_eq!(count(before).await, 2);
    assert_eq!(count(after).await, 0);
    let unknown = held("c").leak.fingerprint;
    assert!(
        store
            .begin_revocation(unknown, rule, None, "entry")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn many_stores_can_make_the_same_new_tables_at_once() {
    let (place, store) = fresh().await;
    store.shut().await;
    let empty = Place::new(place.kept).await;
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let url = empty.url.clone();
        opening.spawn(async move { Store::open(&url, &key()).await.map(|_| ()) });
    }
    for opened in opening.join_all().await {
        opened.unwrap();
    }
}
