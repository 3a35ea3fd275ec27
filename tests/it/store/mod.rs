//! The store on real SQLite files: what it keeps, what it never shows, and what two processes cannot do to it.

mod ledger;
mod opening;
mod races;
mod reports;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection, Executor, Row, SqliteConnection};
use tempfile::TempDir;
use unleak::finding::{CommitInfo, RuleId, Severity};
use unleak::leak::{Held, Identity, Leak, Owner, OwnerReason, Sighting, Verdict};
use unleak::secret::{FingerprintKey, Secret};
use unleak::store::{Store, StoreKey};

/// A leak of a made-up service; `word` makes it a different secret.
pub(crate) fn held(word: &str) -> Held {
    let secret = Secret::new(format!("exp_{word}{}", "Q7w".repeat(10)));
    let now: Timestamp = "2025-06-01T12:00:00.25Z".parse().unwrap();
    Held {
        leak: Leak {
            fingerprint: FingerprintKey::new("k").fingerprint(&secret),
            rule: RuleId::new("example", "token"),
            redacted: secret.redacted("exp_"),
            severity: Severity::High,
            sightings: vec![sighting("src/a.rs", 3)],
            first_seen: now,
            last_seen: now,
            verdict: None,
            identity: Identity::default(),
            owners: Vec::new(),
            notices: Vec::new(),
            revocation: None,
            containment: None,
        },
        secret,
        parts: BTreeMap::new(),
        facts: BTreeMap::new(),
    }
}

pub(crate) fn sighting(path: &str, line: usize) -> Sighting {
    Sighting {
        origin: "history".to_owned(),
        path: path.to_owned(),
        line,
        column: 7,
        commit: Some(CommitInfo {
            id: "c0ffee".repeat(6),
            author: "Ada".to_owned(),
            email: "ada@example.com".to_owned(),
            date: "2024-02-03T04:05:06Z".parse().unwrap(),
        }),
    }
}

pub(crate) fn owner(name: &str) -> Owner {
    Owner {
        name: name.to_owned(),
        email: Some(format!("{name}@example.com")),
        reason: OwnerReason::TokenOwner,
        organisation: None,
    }
}

fn key() -> StoreKey {
    StoreKey::new([7; 32])
}

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("store.db").display())
}

async fn fresh() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(folder.path()), &key()).await.unwrap();
    (folder, store)
}

async fn raw(folder: &Path) -> SqliteConnection {
    SqliteConnection::connect(&url(folder)).await.unwrap()
}

/// All bytes of the database and its side files.
fn bytes(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        all.extend(std::fs::read(folder.join(name)).unwrap_or_default());
    }
    all
}

fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_leak_reads_back_as_it_was_recorded_and_after_reopening_the_file() {
    let (folder, store) = fresh().await;
    let held = held("a");
    let recorded = store.record(&held).await.unwrap();
    assert!(recorded.new && !recorded.closed);
    assert_eq!(recorded.leak, held.leak);
    store.shut().await;
    let store = Store::open(&url(folder.path()), &key()).await.unwrap();
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
async fn no_byte_of_the_files_holds_a_secret_in_clear() {
    let (folder, store) = fresh().await;
    let mut held = held("a");
    let secret = held.secret.expose_str().unwrap().to_owned();
    let part = Secret::new("a-second-part-of-it");
    held.parts.insert("id".to_owned(), part.clone());
    held.leak
        .sightings
        .push(sighting(&format!("keys/{secret}.txt"), 1));
    let recorded = store.record(&held).await.unwrap();
    assert_eq!(
        recorded.leak.sightings[1].path,
        format!("keys/{}.txt", held.leak.redacted)
    );
    for _ in 0..2 {
        let all = bytes(folder.path());
        assert!(holds(&all, b"src/a.rs"), "the search works");
        assert!(!holds(&all, secret.as_bytes()));
        assert!(!holds(&all, part.expose()));
        assert!(!holds(&all, key().expose()));
        store.shut().await;
    }
    assert!(!format!("{recorded:?}").contains(&secret));
}

#[tokio::test]
async fn closing_a_leak_wipes_its_sealed_secret_for_good() {
    let (folder, store) = fresh().await;
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    store.record(&held).await.unwrap();
    let sealed: Vec<u8> = raw(folder.path())
        .await
        .fetch_one("SELECT sealed FROM leaks")
        .await
        .unwrap()
        .get(0);
    let left = || {
        let all = bytes(folder.path());
        sealed.chunks(16).filter(|piece| holds(&all, piece)).count()
    };
    assert_eq!(left(), sealed.chunks(16).count());
    store.close(fingerprint, rule, "dead").await.unwrap();
    assert_eq!(left(), 0, "not even a piece of the sealed form is left");
    assert!(store.unseal(fingerprint, rule).await.unwrap().is_none());

    let again = store.record(&held).await.unwrap();
    assert!(again.closed && !again.new);
    assert!(
        store.unseal(fingerprint, rule).await.unwrap().is_none(),
        "seeing it again does not bring it back"
    );
    store.reopen(&held).await.unwrap();
    let unsealed = store.unseal(fingerprint, rule).await.unwrap().unwrap();
    assert_eq!(unsealed.secret, held.secret);
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
