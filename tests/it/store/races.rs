//! What two processes, or one that dies, cannot do to the store.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use unleak::leak::Revocation;
use unleak::store::{Delivery, Ended, Store};

use super::{Place, fresh, held, key};

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
async fn while_everything_is_stopped_nothing_may_be_sent_and_what_waited_is_looked_at_once_it_goes_on() {
    let (_place, store) = fresh().await;
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    let report = Delivery::new("github", b"one");
    store.take_in(&report, std::slice::from_ref(&held)).await.unwrap();
    let task = store.claim_task(Duration::from_secs(60)).await.unwrap().unwrap();
    let tomorrow = Timestamp::now() + SignedDuration::from_hours(24);
    let again = Ended::Again {
        at: tomorrow,
        why: "everything was stopped".to_owned(),
    };
    assert!(store.end_task(&task, &again).await.unwrap());
    store.stop("a wrong rule").await.unwrap();
    assert!(
        !store
            .begin_revocation(fingerprint, rule, None, "x")
            .await
            .unwrap()
    );
    assert!(store.claim_task(Duration::from_secs(60)).await.unwrap().is_none());
    assert!(store.resume().await.unwrap());
    assert!(store.claim_task(Duration::from_secs(60)).await.unwrap().is_some());
    assert!(
        store
            .begin_revocation(fingerprint, rule, None, "x")
            .await
            .unwrap()
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

#[tokio::test]
async fn those_who_change_something_take_their_turns_in_the_order_in_which_they_came() {
    let (place, store) = fresh().await;
    let names: Vec<String> = (0..8).map(|number| format!("turn {number}")).collect();
    let locked = place.locked().await;
    let mut changing = tokio::task::JoinSet::new();
    for name in names.clone() {
        let store = store.clone();
        changing.spawn(async move { store.append(&name, None, &serde_json::json!({})).await });
        // it comes, and waits
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    drop(locked);
    for changed in changing.join_all().await {
        changed.unwrap();
    }
    let lines = store.ledger(0, 100).await.unwrap();
    let actions: Vec<String> = lines.into_iter().map(|line| line.action).collect();
    assert_eq!(actions, names);
}
