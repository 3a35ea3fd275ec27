//! What is remembered: leaks, where they were seen, who was told, what was done, and the ledger of it all.
//!
//! One SQLite file. A secret rests here only sealed, and is wiped when its leak closes. Every change and its line in
//! the ledger are one transaction; no line is ever changed or taken away.

mod acts;
mod leaks;
mod ledger;
mod notices;
mod outgoing;
mod people;
mod rows;
mod seal;
mod sqlite;

use std::sync::Arc;

use anyhow::Result;
use sqlx::{Sqlite, SqlitePool, Transaction};

pub use leaks::Recorded;
pub use ledger::{Chain, Line};
pub use notices::Unfinished;
pub use outgoing::Outgoing;
pub use people::Stopped;
pub use seal::StoreKey;

use crate::finding::RuleId;
use crate::secret::Fingerprint;

/// The store; cheap to clone, and safe to open from several processes at once.
#[derive(Clone)]
pub struct Store {
    pool: SqlitePool,
    sealer: Arc<seal::Sealer>,
    head: Arc<ledger::HeadKey>,
    actor: Arc<str>,
    shown: Arc<str>,
}

impl Store {
    /// Opens `sqlite:PATH`, making the file (mode 0600) and its folder (mode 0700) where they are missing, or
    /// `sqlite::memory:` for a run that remembers nothing.
    ///
    /// # Errors
    /// Another kind of database, a file that is no database, one that a newer unleak wrote, one that is locked for
    /// ten seconds, and a key other than the one it was made with.
    pub async fn open(url: &str, key: &StoreKey) -> Result<Self> {
        let pool = sqlite::connect(url).await?;
        sqlite::check_key(&pool, key, url).await?;
        Ok(Self {
            pool,
            sealer: Arc::new(seal::Sealer::new(key)),
            head: Arc::new(ledger::HeadKey::new(key)),
            actor: "unleak".into(),
            shown: url.into(),
        })
    }

    /// The same store, whose ledger lines name this actor: a person, or the door that was used. Without it they say
    /// `unleak`.
    #[must_use]
    pub fn acting_as(&self, actor: &str) -> Self {
        Self {
            actor: actor.into(),
            ..self.clone()
        }
    }

    /// Ends all connections; what was committed is in the file. Dropping the store does the same without waiting.
    pub async fn shut(&self) {
        self.pool.close().await;
    }

    /// A transaction that holds the write lock from its start, so that what it reads stays true until it commits.
    async fn change(&self) -> Result<Transaction<'static, Sqlite>> {
        self.pool
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))
    }
}

/// How messages, the ledger and the seal call a leak.
fn leak_name(fingerprint: Fingerprint, rule: &RuleId) -> String {
    format!("{fingerprint}|{rule}")
}
