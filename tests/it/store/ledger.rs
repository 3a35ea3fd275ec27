//! The ledger: whole under many writers, and broken where somebody touched it.

use jiff::Timestamp;
use unleak::leak::{DeadWhy, Identity, Revocation, Verdict};
use unleak::store::{Chain, SendingEnded};

use super::{fresh, held, leaving, owner};

#[tokio::test]
async fn the_ledger_stays_whole_under_two_stores_that_write_at_once() {
    let (place, one) = fresh().await;
    let two = place.open().await;
    let mut writers = tokio::task::JoinSet::new();
    for (number, store) in [&one, &two, &one, &two].into_iter().enumerate() {
        let store = store.acting_as(&format!("writer {number}"));
        writers.spawn(async move {
            for line in 0..15 {
                store
                    .append("test", None, &serde_json::json!({ "line": line }))
                    .await
                    .unwrap();
            }
        });
    }
    writers.join_all().await;
    assert_eq!(one.verify_chain().await.unwrap(), Chain::Whole { lines: 60 });
    let lines = two.ledger(20, 1000).await.unwrap();
    assert_eq!((lines.len(), lines[0].seq), (40, 21));
    let all = two.ledger(0, 1000).await.unwrap();
    assert_eq!(all.iter().filter(|line| line.actor == "writer 3").count(), 15);
}

#[tokio::test]
async fn every_change_of_a_leak_is_a_line() {
    let (_folder, store) = fresh().await;
    let store = store.acting_as("ada");
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    store.record(&held).await.unwrap();
    let dead = Verdict::Dead {
        why: DeadWhy::Revoked,
        reason: "401".to_owned(),
    };
    store
        .save_verdict(fingerprint, rule, &dead, &Identity::default())
        .await
        .unwrap();
    store
        .save_owners(fingerprint, rule, &[owner("ada")])
        .await
        .unwrap();
    let ada = [leaving(&held, "ada", "email")];
    store.queue_notices(&[ada[0].notice.clone()]).await.unwrap();
    let now = Timestamp::now();
    let sending = store.begin_sending(&ada, true, now).await.unwrap();
    store
        .end_sending(&sending, &ada, SendingEnded::Taken, now)
        .await
        .unwrap();
    store
        .begin_containment(fingerprint, rule, None, "x")
        .await
        .unwrap();
    let refused = Revocation::Refused {
        reason: "no".to_owned(),
    };
    store.save_containment(fingerprint, rule, &refused).await.unwrap();
    store.close(fingerprint, rule, "dead").await.unwrap();
    let lines = store.ledger(0, 100).await.unwrap();
    let actions: Vec<&str> = lines.iter().map(|line| line.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "found",
            "verified",
            "owners",
            "told",
            "containment-sending",
            "containment-refused",
            "closed"
        ]
    );
    assert!(
        lines
            .iter()
            .all(|line| line.actor == "ada" && line.fingerprint == fingerprint.to_string())
    );
}

/// Changes the ledger behind the store's back and says what the store makes of it.
async fn after(tampering: &'static str) -> Chain {
    let (place, store) = fresh().await;
    for number in 0..5 {
        store
            .append("test", None, &serde_json::json!({ "number": number }))
            .await
            .unwrap();
    }
    assert_eq!(store.verify_chain().await.unwrap(), Chain::Whole { lines: 5 });
    assert!(
        !place.behind(tampering).await,
        "the database itself refuses: {tampering}"
    );
    let unlocking = if place.url.starts_with("sqlite:") {
        "DROP TRIGGER ledger_keeps_its_lines; DROP TRIGGER ledger_loses_no_line"
    } else {
        "DROP TRIGGER ledger_keeps_its_lines ON ledger"
    };
    assert!(place.behind(unlocking).await);
    assert!(place.behind(tampering).await);
    store.verify_chain().await.unwrap()
}

#[tokio::test]
async fn a_changed_missing_or_cut_off_line_of_the_ledger_is_named() {
    for (tampering, line) in [
        ("UPDATE ledger SET detail = '{}' WHERE seq = 3", 3),
        ("UPDATE ledger SET at = at + 1 WHERE seq = 1", 1),
        ("UPDATE ledger SET actor = 'x' WHERE seq = 5", 5),
        ("UPDATE ledger SET fingerprint = 'x' WHERE seq = 2", 2),
        ("DELETE FROM ledger WHERE seq = 2", 2),
        ("DELETE FROM ledger WHERE seq = 1", 1),
        ("DELETE FROM ledger WHERE seq = 5", 5),
        ("DELETE FROM ledger", 1),
    ] {
        match after(tampering).await {
            Chain::Broken { line: named, .. } => assert_eq!(named, line, "{tampering}"),
            whole @ Chain::Whole { .. } => panic!("{tampering}: {whole}"),
        }
    }
}
