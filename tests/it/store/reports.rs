//! Deliveries from outside: taken in once, answered alike when they come again, a task for each leak.

use unleak::finding::RuleId;
use unleak::leak::{Sighting, Verdict};
use unleak::store::{Delivery, TakenIn};

use super::{fresh, held};

fn reported(word: &str, place: &str) -> unleak::leak::Held {
    let mut held = held(word);
    held.leak.sightings = vec![Sighting::reported(place)];
    held
}

#[tokio::test]
async fn a_delivery_is_taken_in_once_and_again_hears_what_it_heard_first() {
    let (_folder, store) = fresh().await;
    let leaks = [
        reported("a", "https://example.com/a"),
        reported("b", "https://example.com/b"),
    ];
    let first = Delivery::new("github", b"body").with_id("1");
    let TakenIn::First(known) = store.take_in(&first, &leaks).await.unwrap() else {
        panic!("it is new");
    };
    assert!(
        known
            .iter()
            .all(|known| known.new && !known.closed && known.verdict.is_none())
    );
    let names: Vec<_> = known.iter().map(|known| known.fingerprint).collect();
    assert_eq!(names, [leaks[0].leak.fingerprint, leaks[1].leak.fingerprint]);

    let rule = &leaks[0].leak.rule;
    let verdict = Verdict::unknown("later");
    store
        .save_verdict(names[0], rule, &verdict, &unleak::leak::Identity::default())
        .await
        .unwrap();
    let lines = store.ledger(0, 100).await.unwrap().len();
    for again in [
        Delivery::new("github", b"body").with_id("1"),
        Delivery::new("github", b"body").with_id("2"),
        Delivery::new("github", b"body"),
        Delivery::new("github", b"other").with_id("1"),
    ] {
        assert_eq!(
            store.take_in(&again, &leaks).await.unwrap(),
            TakenIn::Again(known.clone())
        );
    }
    assert_eq!(
        store.ledger(0, 100).await.unwrap().len(),
        lines,
        "a replay changes nothing"
    );

    let other_door = store
        .take_in(&Delivery::new("gitlab", b"body"), &leaks)
        .await
        .unwrap();
    assert!(!other_door.is_again());
    assert!(!other_door.known()[0].new);
    assert_eq!(other_door.known()[0].verdict, Some(verdict));
}

#[tokio::test]
async fn a_reported_place_is_kept_as_it_was_said_without_the_secret_and_without_control_characters() {
    let (_folder, store) = fresh().await;
    let secret = held("a").secret.expose_str().unwrap().to_owned();
    let mut leak = reported("a", &format!(" https://example.com/?t={secret}\n\0 "));
    leak.leak.sightings.push(Sighting::reported(""));
    store
        .take_in(&Delivery::new("github", b"1"), &[leak.clone()])
        .await
        .unwrap();
    let kept = store
        .leak(leak.leak.fingerprint, &leak.leak.rule)
        .await
        .unwrap()
        .unwrap();
    let places: Vec<_> = kept
        .sightings
        .iter()
        .map(|place| (place.origin.as_str(), place.path.clone(), place.line))
        .collect();
    let expected = format!("https://example.com/?t={}\\x0a\\x00", kept.redacted);
    assert_eq!(places, [("report", expected, 0), ("report", String::new(), 0)]);
}

#[tokio::test]
async fn what_is_known_of_a_secret_is_told_by_rule() {
    let (_folder, store) = fresh().await;
    let mut leak = reported("a", "x");
    let fingerprint = leak.leak.fingerprint;
    assert_eq!(store.known(fingerprint).await.unwrap(), []);
    store.record(&leak).await.unwrap();
    store.close(fingerprint, &leak.leak.rule, "dead").await.unwrap();
    leak.leak.rule = RuleId::new("example", "other");
    store.record(&leak).await.unwrap();
    let known = store.known(fingerprint).await.unwrap();
    let closed: Vec<_> = known
        .iter()
        .map(|known| (known.rule.as_str(), known.new, known.closed))
        .collect();
    assert_eq!(
        closed,
        [("example/other", false, false), ("example/token", false, true)]
    );
}

#[tokio::test]
async fn of_two_receivers_that_get_a_delivery_at_once_one_takes_it_in() {
    let (place, one) = fresh().await;
    let two = place.open().await;
    let mut receivers = tokio::task::JoinSet::new();
    for store in [&one, &two, &one, &two] {
        let store = store.clone();
        receivers.spawn(async move {
            let leaks = [reported("a", "x"), reported("b", "x")];
            store
                .take_in(&Delivery::new("github", b"body"), &leaks)
                .await
                .unwrap()
        });
    }
    let taken = receivers.join_all().await;
    assert_eq!(taken.iter().filter(|taken| !taken.is_again()).count(), 1);
    assert!(
        taken
            .iter()
            .all(|taken| taken.known().iter().all(|known| known.new)),
        "all hear the same"
    );
}
