//! The queue of notices and the right to send: nobody hears twice, and nobody is forgotten.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use unleak::leak::{Held, OwnerReason};
use unleak::store::{Leaving, SendingEnded, Store};

use super::{fresh, held, leaving, owner};

/// Claims these for one message; which of them it may hold.
async fn begin(store: &Store, leaving: &[Leaving], now: Timestamp) -> Vec<bool> {
    store.begin_sending(leaving, true, now).await.unwrap().taken
}

/// What is due about a leak, ready to leave.
async fn waiting(store: &Store, now: Timestamp) -> Vec<Leaving> {
    let due = store.notices_due(now, 100).await.unwrap();
    due.into_iter()
        .map(|notice| Leaving {
            said: notice.slot.clone(),
            end: format!("{}, revoked", notice.channel),
            notice,
        })
        .collect()
}

async fn recorded(store: &Store, words: &[&str]) -> Vec<Held> {
    let all: Vec<Held> = words.iter().map(|word| held(word)).collect();
    for held in &all {
        store.record(held).await.unwrap();
    }
    all
}

#[tokio::test]
async fn a_message_is_claimed_whole_and_by_one_of_however_many_stores() {
    let (place, one) = fresh().await;
    let two = place.open().await;
    let leaks = recorded(&one, &["a", "b", "c"]).await;
    let notices: Vec<Leaving> = leaks.iter().map(|held| leaving(held, "ada", "email")).collect();
    let queued: Vec<_> = notices.iter().map(|one| one.notice.clone()).collect();
    assert_eq!(one.queue_notices(&queued).await.unwrap(), 3);
    assert_eq!(
        two.queue_notices(&queued).await.unwrap(),
        0,
        "they stand there already"
    );
    let now = Timestamp::now();
    let mut claims = tokio::task::JoinSet::new();
    for store in [&one, &two, &one, &two, &one, &two, &one, &two] {
        let (store, notices) = (store.clone(), notices.clone());
        claims.spawn(async move { begin(&store, &notices, now).await });
    }
    let mut won = claims.join_all().await;
    won.sort();
    let nobody = vec![false; 3];
    assert_eq!(won.pop().unwrap(), [true; 3], "all of it to one");
    assert!(won.iter().all(|taken| *taken == nobody), "{won:?}");
    assert_eq!(
        two.queue_notices(&queued).await.unwrap(),
        0,
        "they are on their way"
    );
}

#[tokio::test]
async fn one_person_under_two_spellings_hears_once_and_another_channel_is_another_notice() {
    let (_place, store) = fresh().await;
    let leaks = recorded(&store, &["a"]).await;
    let mail = leaving(&leaks[0], "ada", "email");
    let mut same = mail.clone();
    same.notice.owner.reason = OwnerReason::Committer;
    same.notice.owner.email = Some("Ada@Example.com".to_owned());
    let other = leaving(&leaks[0], "ada", "outbox");
    let all = [mail.notice.clone(), same.notice.clone(), other.notice];
    assert_eq!(store.queue_notices(&all).await.unwrap(), 2);
    let now = Timestamp::now();
    let sending = store
        .begin_sending(std::slice::from_ref(&mail), true, now)
        .await
        .unwrap();
    assert_eq!(begin(&store, &[same], now).await, [false]);
    store
        .end_sending(&sending, &[mail], SendingEnded::Taken, now)
        .await
        .unwrap();
    assert_eq!(store.queue_notices(&all).await.unwrap(), 0, "told, and waiting");
    let leak = &leaks[0].leak;
    let leak = store.leak(leak.fingerprint, &leak.rule).await.unwrap().unwrap();
    assert_eq!(leak.notices.len(), 1);
    assert_eq!(
        (leak.notices[0].channel.as_str(), &leak.notices[0].owner),
        ("email", &owner("ada"))
    );
}

#[tokio::test]
async fn a_message_that_was_begun_and_lost_is_not_sent_again_once_its_end_was_told() {
    let (place, died) = fresh().await;
    let store = place.open().await;
    let leaks = recorded(&store, &["a"]).await;
    let (found, end) = (
        leaving(&leaks[0], "ada", "outbox"),
        leaving(&leaks[0], "ada", "outbox, revoked"),
    );
    let queued = [found.notice.clone(), end.notice.clone()];
    assert_eq!(store.queue_notices(&queued).await.unwrap(), 2);
    let now = Timestamp::now();
    assert_eq!(begin(&died, &[found], now).await, [true]);
    let sending = store
        .begin_sending(std::slice::from_ref(&end), true, now)
        .await
        .unwrap();
    assert_eq!(sending.taken, [true]);
    store
        .end_sending(&sending, &[end], SendingEnded::Taken, now)
        .await
        .unwrap();
    let later = now + SignedDuration::from_hours(1);
    let again = waiting(&store, later).await;
    assert_eq!(again.len(), 1, "nobody said how the first ended");
    assert_eq!(begin(&store, &again, later).await, [false]);
    let queue = store.notice_queue().await.unwrap();
    assert_eq!((queue.waiting, queue.given_up), (0, 0));
}

#[tokio::test]
async fn what_was_not_taken_comes_back_at_its_time_and_at_last_waits_for_a_person() {
    let (_place, store) = fresh().await;
    let leaks = recorded(&store, &["a"]).await;
    let notice = leaving(&leaks[0], "ada", "email").notice;
    store.queue_notices(std::slice::from_ref(&notice)).await.unwrap();
    let mut now = Timestamp::now();
    for again in [Some(SignedDuration::from_secs(5)), None] {
        let leaving = waiting(&store, now).await;
        let sending = store.begin_sending(&leaving, true, now).await.unwrap();
        assert_eq!(sending.taken, [true]);
        let at = again.map(|wait| now + wait);
        let failed = SendingEnded::Failed {
            why: "no route",
            again: &[at],
        };
        store.end_sending(&sending, &leaving, failed, now).await.unwrap();
        assert_eq!(store.next_notice_due().await.unwrap().is_some(), at.is_some());
        assert!(waiting(&store, now).await.is_empty(), "not before its time");
        now += SignedDuration::from_secs(6);
    }
    let given_up = store.notices_given_up().await.unwrap();
    assert_eq!((given_up.len(), given_up[0].tries), (1, 2));
    let queue = store.notice_queue().await.unwrap();
    assert_eq!((queue.waiting, queue.failing, queue.given_up), (0, 0, 1));
    assert_eq!(store.queue_notices(&[notice]).await.unwrap(), 1, "another chance");
    assert_eq!(store.notice_queue().await.unwrap().waiting, 1);
}

#[tokio::test]
async fn one_that_failed_does_not_hurry_when_something_new_is_due_to_the_same_person() {
    let (_place, store) = fresh().await;
    let leaks = recorded(&store, &["a", "b", "c"]).await;
    let now = Timestamp::now();
    let soon = now + SignedDuration::from_mins(5);
    let failed = leaving(&leaks[0], "ada", "email");
    store
        .queue_notices(std::slice::from_ref(&failed.notice))
        .await
        .unwrap();
    let sending = store
        .begin_sending(std::slice::from_ref(&failed), true, now)
        .await
        .unwrap();
    let ended = SendingEnded::Failed {
        why: "no route",
        again: &[Some(soon)],
    };
    store.end_sending(&sending, &[failed], ended, now).await.unwrap();
    let due = leaving(&leaks[1], "ada", "email").notice;
    let mut collected = leaving(&leaks[2], "ada", "email").notice;
    collected.due_at = Some(soon);
    store
        .queue_notices(&[due.clone(), collected.clone()])
        .await
        .unwrap();
    let leave: Vec<_> = waiting(&store, now).await;
    let leave: Vec<_> = leave.iter().map(|one| one.notice.fingerprint).collect();
    assert_eq!(
        leave,
        [due.fingerprint, collected.fingerprint],
        "what was collected leaves with it"
    );
}

/// Its process may have died before or after the message arrived; nobody knows.
#[tokio::test]
async fn a_message_whose_sender_died_is_sent_again_as_it_was_where_ids_are_known_and_else_given_up() {
    let (_place, store) = fresh().await;
    let leaks = recorded(&store, &["a", "b"]).await;
    for (person, knows_ids) in [("ada", true), ("bob", false)] {
        let notices: Vec<Leaving> = leaks.iter().map(|held| leaving(held, person, "email")).collect();
        let queued: Vec<_> = notices.iter().map(|one| one.notice.clone()).collect();
        store.queue_notices(&queued).await.unwrap();
        let now = Timestamp::now();
        let mut said = notices.clone();
        said[0].notice.about = json!({ "planned": "nothing", "kind": "revoked" });
        let begun = store.begin_sending(&said, knows_ids, now).await.unwrap();
        assert_eq!(begun.taken, [true, true]);
        assert!(waiting(&store, now).await.is_empty(), "it may still be under way");
        let later = now + SignedDuration::from_mins(11);
        let left_behind = waiting(&store, later).await;
        assert_eq!(left_behind.len(), 2);
        assert_eq!(left_behind[0].notice.about["kind"], "revoked", "as it was said");
        assert!(left_behind.iter().all(|one| one.notice.sending.is_some()));
        let again = store.begin_sending(&left_behind, knows_ids, later).await.unwrap();
        assert_eq!(again.taken, [knows_ids; 2]);
        if knows_ids {
            // The first sender lives after all, and is too late to say anything.
            store
                .end_sending(&begun, &said, SendingEnded::Taken, later)
                .await
                .unwrap();
            assert_eq!(store.notice_queue().await.unwrap().waiting, 2);
            store
                .end_sending(&again, &left_behind, SendingEnded::Taken, later)
                .await
                .unwrap();
        }
    }
    let queue = store.notice_queue().await.unwrap();
    assert_eq!((queue.waiting, queue.given_up), (0, 2));
    let lines = store.ledger(0, 100).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "told").count(), 2);
}

#[tokio::test]
async fn a_first_notice_that_tells_the_end_leaves_no_second_one_behind() {
    let (_place, store) = fresh().await;
    let leaks = recorded(&store, &["a"]).await;
    let (mut first, end) = (
        leaving(&leaks[0], "ada", "webhook"),
        leaving(&leaks[0], "ada", "webhook, revoked"),
    );
    store
        .queue_notices(&[first.notice.clone(), end.notice.clone()])
        .await
        .unwrap();
    first.said = end.notice.slot.clone();
    let now = Timestamp::now();
    let sending = store.begin_sending(&[first.clone()], true, now).await.unwrap();
    assert_eq!(
        begin(&store, std::slice::from_ref(&end), now).await,
        [false],
        "it is just being told"
    );
    store
        .end_sending(&sending, &[first], SendingEnded::Taken, now)
        .await
        .unwrap();
    let later = now + SignedDuration::from_mins(11);
    let left = waiting(&store, later).await;
    assert_eq!(left.len(), 1);
    assert_eq!(begin(&store, &left, later).await, [false], "it was told");
    assert_eq!(store.next_notice_due().await.unwrap(), None);
}
