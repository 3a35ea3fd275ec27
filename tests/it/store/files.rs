//! What the files of an SQLite store hold, and what they do not.

use std::path::Path;

use sqlx::{Connection, Executor, Row, SqliteConnection};
use tempfile::TempDir;
use unleak::leak::Revocation;
use unleak::secret::Secret;
use unleak::store::{Chain, Store};

use super::{held, key, sighting};

pub(super) fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("store.db").display())
}

pub(super) async fn fresh() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&url(folder.path()), &key()).await.unwrap();
    (folder, store)
}

pub(super) async fn raw(folder: &Path) -> SqliteConnection {
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
async fn a_process_killed_after_sending_leaves_sending_behind() {
    let (folder, store) = fresh().await;
    let held = held("a");
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    store.record(&held).await.unwrap();
    assert!(
        store
            .begin_revocation(fingerprint, rule, None, "entry")
            .await
            .unwrap()
    );
    // The files as they lie on the disk while the process is still at it: what a kill leaves.
    let killed = tempfile::tempdir().unwrap();
    for name in ["store.db", "store.db-wal"] {
        std::fs::copy(folder.path().join(name), killed.path().join(name)).unwrap();
    }
    let store = Store::open(&url(killed.path()), &key()).await.unwrap();
    let leak = store.leak(fingerprint, rule).await.unwrap().unwrap();
    assert_eq!(leak.revocation, Some(Revocation::Sending));
    assert_eq!(
        store.ledger(0, 9).await.unwrap().last().unwrap().action,
        "revocation-sending"
    );
    assert!(matches!(
        store.verify_chain().await.unwrap(),
        Chain::Whole { lines: 2 }
    ));
}
