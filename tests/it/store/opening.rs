//! Opening a store: who may read the file, and what is said where it cannot be used.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sqlx::Executor;
use unleak::store::{Store, StoreKey};

use super::files::{fresh, raw, url};
use super::{held, key};

#[tokio::test]
async fn the_file_and_its_folder_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("new/er");
    let store = Store::open(&url(&inner), &key()).await.unwrap();
    store.record(&held("a")).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    for name in ["store.db", "store.db-wal", "store.db-shm"] {
        assert_eq!(mode(&inner.join(name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_store_in_memory_remembers_for_its_run_and_leaves_nothing() {
    let store = Store::open("sqlite::memory:", &key()).await.unwrap();
    store.record(&held("a")).await.unwrap();
    let mut reading = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let store = store.clone();
        reading.spawn(async move { store.all().await.unwrap().len() });
    }
    assert_eq!(reading.join_all().await, [1; 5]);
    let other = Store::open("sqlite::memory:", &key()).await.unwrap();
    assert!(other.all().await.unwrap().is_empty());
}

async fn refused(url: &str, key: &StoreKey) -> String {
    match Store::open(url, key).await {
        Ok(_) => panic!("{url} was opened"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_used_says_what_is_wrong_and_what_to_do() {
    let (folder, store) = fresh().await;
    store.shut().await;
    let same = url(folder.path());
    assert!(
        refused(&same, &StoreKey::new([8; 32]))
            .await
            .contains("another store key")
    );
    assert!(Store::open(&same, &key()).await.is_ok());
    raw(folder.path())
        .await
        .execute("INSERT INTO store_schema VALUES (99)")
        .await
        .unwrap();
    assert!(refused(&same, &key()).await.contains("newer unleak"));

    std::fs::write(folder.path().join("text"), "not a database ".repeat(100)).unwrap();
    let text = format!("sqlite:{}", folder.path().join("text").display());
    assert!(refused(&text, &key()).await.contains("is not a database"));
    let below = format!("sqlite:{}", folder.path().join("text/store.db").display());
    assert!(
        refused(&below, &key())
            .await
            .contains("cannot make the folder of the store")
    );
    let a_folder = format!("sqlite:{}", folder.path().display());
    assert!(refused(&a_folder, &key()).await.contains("cannot be opened"));
    assert!(
        refused("mysql://localhost/x", &key())
            .await
            .contains("postgres://user@host/unleak")
    );
    assert!(refused("sqlite:", &key()).await.contains("names no file"));
    assert!(
        StoreKey::from_slice(&[0; 31])
            .unwrap_err()
            .to_string()
            .contains("32 bytes, not 31")
    );
}
