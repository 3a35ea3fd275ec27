//! Leaks over their life: recorded, read back, found.

use jiff::SignedDuration;
use unleak::finding::RuleId;
use unleak::leak::{Identity, Verdict};
use unleak::secret::Secret;

use super::{fresh, held, owner, sighting};

#[tokio::test]
async fn a_leak_reads_back_as_it_was_recorded_and_after_reopening_the_file() {
    let (place, store) = fresh().await;
    let held = held("a");
    let recorded = store.record(&held).await.unwrap();
    assert!(recorded.new && !recorded.closed);
    assert_eq!(recorded.leak, held.leak);
    store.shut().await;
    let store = place.open().await;
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    assert_eq!(
        store.leak(fingerprint, rule).await.unwrap(),
        Some(held.leak.clone())
    );
    let unsealed = store.unseal(fingerprint, rule).await.unwrap().unwrap();
    assert_eq!(unsealed.secret, held.secret);
    assert_eq!(
        store
            .leak(fingerprint, &RuleId::new("example", "other"))
            .await
            .unwrap(),
        None
    );
}

#[tokio::test]
async fn a_leak_seen_again_keeps_what_is_known_and_gains_only_new_places_and_parts() {
    let (_folder, store) = fresh().await;
    let mut held = held("a");
    held.parts.insert("id".to_owned(), Secret::new("part one"));
    store.record(&held).await.unwrap();
    let (fingerprint, rule) = (held.leak.fingerprint, held.leak.rule.clone());
    let verdict = Verdict::Live {
        reason: "200".to_owned(),
    };
    let identity = Identity {
        principal: Some("ada".to_owned()),
        ..Identity::default()
    };
    store
        .save_verdict(fingerprint, &rule, &verdict, &identity)
        .await
        .unwrap();
    store
        .save_owners(fingerprint, &rule, &[owner("ada")])
        .await
        .unwrap();

    held.parts = [("region".to_owned(), Secret::new("part two"))].into();
    held.facts = [("base".to_owned(), "https://eu.example.com".to_owned())].into();
    held.leak.last_seen += SignedDuration::from_hours(1);
    held.leak.sightings.push(sighting("src/b.rs", 9));
    let again = store.record(&held).await.unwrap();
    assert!(!again.new);
    assert_eq!(again.leak.verdict, Some(verdict));
    assert_eq!(again.leak.identity, identity);
    assert_eq!(again.leak.owners, [owner("ada")]);
    assert_eq!(again.leak.sightings, held.leak.sightings);
    assert_eq!(again.leak.last_seen, held.leak.last_seen);
    let unsealed = store.unseal(fingerprint, &rule).await.unwrap().unwrap();
    assert_eq!(unsealed.parts.keys().collect::<Vec<_>>(), ["id", "region"]);
    assert_eq!(unsealed.facts, held.facts);

    let lines = store.ledger(0, 100).await.unwrap().len();
    store.record(&held).await.unwrap();
    assert_eq!(
        store.ledger(0, 100).await.unwrap().len(),
        lines,
        "nothing new, no line"
    );
}

#[tokio::test]
async fn a_leak_is_found_by_an_unambiguous_beginning_of_its_fingerprint() {
    let (_folder, store) = fresh().await;
    let mut first = held("a");
    store.record(&first).await.unwrap();
    let name = first.leak.fingerprint.to_string();
    first.leak.rule = RuleId::new("example", "other");
    store.record(&first).await.unwrap();
    for beginning in [&name[..4], &name[..9], &name] {
        assert_eq!(
            store.find(beginning).await.unwrap().len(),
            2,
            "both rules that know it"
        );
    }
    let mut sharing = held("b");
    let tail = if name.ends_with('0') { "1" } else { "0" };
    sharing.leak.fingerprint = unleak::secret::Fingerprint::parse(&format!("{}{tail}", &name[..31])).unwrap();
    store.record(&sharing).await.unwrap();
    assert!(
        store
            .find(&name[..12])
            .await
            .unwrap_err()
            .to_string()
            .contains("give more digits")
    );
    assert_eq!(store.find(&name).await.unwrap().len(), 2);
    assert!(store.find("ffff00ff").await.unwrap().is_empty());
    for wrong in ["", "abc", "ABCDEF", "zzzz", "abcd%", &"a".repeat(33)] {
        assert!(store.find(wrong).await.is_err(), "{wrong}");
    }
    assert_eq!(store.all().await.unwrap().len(), 3);
}
