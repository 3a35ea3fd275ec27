//! Tasks: put with their leak, claimed by one worker at a time, tried again, given up where a person sees it.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use unleak::leak::Sighting;
use unleak::store::{Backlog, Delivery, Ended, Store, TaskState};

use super::{fresh, held};

const LONG: Duration = Duration::from_secs(60);

async fn report(store: &Store, word: &str, place: &str) {
    let mut held = held(word);
    held.leak.sightings = vec![Sighting::reported(place)];
    let body = format!("{word} {place}");
    store
        .take_in(&Delivery::new("github", body.as_bytes()), &[held])
        .await
        .unwrap();
}

fn later() -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(1)
}

#[tokio::test]
async fn a_reported_leak_has_one_task_that_one_worker_at_a_time_holds() {
    let (place, one) = fresh().await;
    let two = place.open().await;
    for word in ["a", "b", "c"] {
        report(&one, word, "x").await;
        report(&two, word, "y").await;
    }
    let mut workers = tokio::task::JoinSet::new();
    for store in [&one, &two, &one, &two, &one, &two] {
        let store = store.clone();
        workers.spawn(async move { store.claim_task(LONG).await.unwrap() });
    }
    let claimed = workers.join_all().await;
    let names: Vec<_> = claimed.iter().flatten().map(|task| task.fingerprint).collect();
    assert_eq!(names.len(), 3, "six workers, three tasks");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 3);
    let task = claimed.iter().flatten().next().unwrap();
    assert_eq!(task.attempt, 1);
    let leak = two.task_leak(task).await.unwrap().unwrap();
    assert_eq!(leak.leak.fingerprint, task.fingerprint);
    assert_eq!(leak.leak.sightings.len(), 2);
    assert_eq!(
        one.backlog().await.unwrap(),
        Backlog {
            running: 3,
            ..Backlog::default()
        }
    );
}

#[tokio::test]
async fn a_task_whose_worker_died_goes_to_another_and_is_lost_to_the_first() {
    let (_place, store) = fresh().await;
    report(&store, "a", "x").await;
    let first = store.claim_task(Duration::ZERO).await.unwrap().unwrap();
    let second = store.claim_task(LONG).await.unwrap().unwrap();
    assert_eq!((first.fingerprint, second.attempt), (second.fingerprint, 2));
    assert!(!store.renew_task(&first, LONG).await.unwrap());
    assert!(!store.end_task(&first, &Ended::Done).await.unwrap());
    assert!(store.renew_task(&second, LONG).await.unwrap());
    assert!(store.claim_task(LONG).await.unwrap().is_none());
    assert!(store.end_task(&second, &Ended::Done).await.unwrap());
    assert_eq!(store.backlog().await.unwrap(), Backlog::default());
}

#[tokio::test]
async fn a_task_that_failed_waits_and_is_not_woken_by_a_report_while_one_that_went_well_is() {
    let (_place, store) = fresh().await;
    report(&store, "a", "x").await;
    let task = store.claim_task(LONG).await.unwrap().unwrap();
    let failed = Ended::Failed {
        at: later(),
        why: "no route".to_owned(),
    };
    assert!(store.end_task(&task, &failed).await.unwrap());
    report(&store, "a", "y").await;
    assert!(
        store.claim_task(LONG).await.unwrap().is_none(),
        "it waits its time"
    );
    assert_eq!(store.backlog().await.unwrap().later, 1);
    assert_eq!(
        store.requeue_tasks(&task.fingerprint.to_string()).await.unwrap(),
        1
    );
    let task = store.claim_task(LONG).await.unwrap().unwrap();
    assert_eq!(task.attempt, 1, "as if it had never failed");
    let again = Ended::Again {
        at: later(),
        why: "grace".to_owned(),
    };
    assert!(store.end_task(&task, &again).await.unwrap());
    report(&store, "a", "y").await;
    assert!(
        store.claim_task(LONG).await.unwrap().is_none(),
        "nothing new was said"
    );
    report(&store, "a", "z").await;
    assert!(store.claim_task(LONG).await.unwrap().is_some());
}

#[tokio::test]
async fn a_leak_that_is_reported_anew_while_a_worker_is_at_it_is_looked_at_once_more() {
    let (_place, store) = fresh().await;
    report(&store, "a", "x").await;
    for (place, ended) in [
        ("y", Ended::Done),
        (
            "z",
            Ended::Again {
                at: later(),
                why: "grace".to_owned(),
            },
        ),
    ] {
        let task = store.claim_task(LONG).await.unwrap().unwrap();
        report(&store, "a", place).await;
        assert!(store.end_task(&task, &ended).await.unwrap());
    }
    assert!(store.claim_task(LONG).await.unwrap().is_some());
}

#[tokio::test]
async fn a_dead_letter_is_listed_with_its_reason_until_a_person_puts_it_again() {
    let (_place, store) = fresh().await;
    report(&store, "a", "x").await;
    let task = store.claim_task(LONG).await.unwrap().unwrap();
    let dead = Ended::Dead {
        why: "tried 8 times: 500".to_owned(),
    };
    assert!(store.end_task(&task, &dead).await.unwrap());
    assert!(store.claim_task(LONG).await.unwrap().is_none());
    let listed = store.tasks(Some(TaskState::Dead), 10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (listed[0].state, listed[0].why.as_str()),
        (TaskState::Dead, "tried 8 times: 500")
    );
    assert!(store.tasks(Some(TaskState::Due), 10).await.unwrap().is_empty());
    let last = store.ledger(0, 100).await.unwrap().pop().unwrap();
    assert_eq!(last.action, "given-up");
    assert_eq!(store.requeue_tasks("ffff").await.unwrap(), 0);
    assert_eq!(store.requeue_tasks("").await.unwrap(), 1);
    assert!(store.claim_task(LONG).await.unwrap().is_some());
}

#[tokio::test]
async fn a_closed_leak_that_is_reported_again_is_asked_about_once_and_its_secret_is_wiped_with_the_task() {
    let (place, store) = fresh().await;
    let held = held("a");
    store.record(&held).await.unwrap();
    store
        .close(held.leak.fingerprint, &held.leak.rule, "dead")
        .await
        .unwrap();
    report(&store, "a", "x").await;
    let task = store.claim_task(LONG).await.unwrap().unwrap();
    assert_eq!(store.task_leak(&task).await.unwrap().unwrap().secret, held.secret);
    let again = Ended::Again {
        at: Timestamp::now(),
        why: "again".to_owned(),
    };
    assert!(store.end_task(&task, &again).await.unwrap());
    let task = store.claim_task(LONG).await.unwrap().unwrap();
    assert!(
        store.task_leak(&task).await.unwrap().is_none(),
        "nobody has it any more"
    );
    assert!(place.behind("SELECT sealed FROM tasks").await);
}
