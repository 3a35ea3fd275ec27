//! What is remembered: leaks, where they were seen, who was told, what was done, what is still to do, and the ledger of
//! it all.
//!
//! One SQLite file, or PostgreSQL where several receivers and workers share it. A secret rests here only sealed, and is
//! wiped when its leak closes. Every change and its line in the ledger are one transaction; no line is ever changed or
//! taken away.

mod acts;
mod backlog;
mod backup;
mod dismissed;
mod keys;
#[cfg(feature = "kill-points")]
pub mod kill;
mod leaks;
mod ledger;
mod listed;
mod log;
mod migrate;
mod notices;
mod outgoing;
mod people;
mod record;
mod reports;
mod rows;
mod seal;
mod sending;
mod tasks;
mod trends;
mod views;
mod whose;

use std::sync::Arc;

use anyhow::Result;
use jiff::SignedDuration;

pub use backlog::{Backlog, Listed, TaskState};
pub use dismissed::Dismissed;
pub use keys::{StoreKey, StoreKeys};
pub use leaks::Recorded;
pub use ledger::{Chain, Line};
pub use outgoing::{NoticeQueue, Outgoing};
pub use people::Stopped;
pub use reports::{Delivery, Known, TakenIn};
pub use sending::{Leaving, Sending, SendingEnded};
pub use tasks::{Claimed, Ended};
pub use trends::{OfOrganisation, Trends, Week};
pub use views::{Behind, Count, DeadLetter, Row, Sought, State};
pub use whose::{OrganisationName, Whose};

use crate::database::{Lock, Open, Pool, explain, shown};
use crate::finding::RuleId;
use crate::secret::Fingerprint;

/// Nobody sends one message for longer.
const LOST_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// The store; cheap to clone, and safe to open from several processes at once.
#[derive(Clone)]
pub struct Store {
    pool: Pool,
    sealer: Arc<seal::Sealer>,
    heads: Arc<ledger::HeadKeys>,
    actor: Arc<str>,
    shown: Arc<str>,
    /// After how long a message that was begun and not ended is taken for lost.
    stale: SignedDuration,
    log: log::Log,
}

impl Store {
    /// Opens `sqlite:PATH`, making the file (mode 0600) and its folder (mode 0700) where they are missing,
    /// `sqlite::memory:` for a run that remembers nothing, or `postgres://user@host/database`; brings its tables up to
    /// date, one process at a time. A current key that is new to it is taken on if the key before it is given too: then
    /// all that is sealed is sealed anew.
    ///
    /// # Errors
    /// Another kind of database, a file that is no database, one that a newer unleak wrote, one that is locked for
    /// ten seconds, a server that does not answer, and a key other than the one it was made with.
    pub async fn open(url: &str, keys: impl Into<StoreKeys>) -> Result<Self> {
        let keys = keys.into();
        let pool = Pool::connect(url, "the store").await?;
        let shown = shown(url);
        migrate::migrate(&pool, &shown).await?;
        let store = Self {
            pool,
            sealer: Arc::new(seal::Sealer::new(&keys)),
            heads: Arc::new(ledger::HeadKeys::new(&keys)),
            actor: "unleak".into(),
            shown: shown.into(),
            stale: LOST_AFTER,
            log: log::Log::default(),
        };
        store.take_on(&keys).await?;
        store.list_all().await?;
        Ok(store)
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

    /// How messages call it: its URL without a password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Ends all connections; what was committed is in the file. Dropping the store does the same without waiting.
    pub async fn shut(&self) {
        self.log.empty_at_last(&self.pool).await;
        self.pool.close().await;
    }

    /// A transaction that holds the write lock from its start, so that what it reads stays true until it commits.
    async fn change(&self) -> Result<Open> {
        self.pool
            .begin(Lock::Leaks)
            .await
            .map_err(|error| self.told(error))
    }

    /// A transaction for reading, so that what it reads is of one moment.
    async fn reading(&self) -> Result<Open> {
        self.pool.read().await.map_err(|error| self.told(error))
    }

    async fn commit(&self, change: Open) -> Result<()> {
        #[cfg(feature = "kill-points")]
        kill::point();
        change.commit().await.map_err(|error| self.told(error))?;
        #[cfg(feature = "kill-points")]
        kill::point();
        Ok(())
    }

    fn told(&self, error: sqlx::Error) -> anyhow::Error {
        explain(error, &self.shown)
    }
}

/// How messages, the ledger and the seal call a leak.
fn leak_name(fingerprint: Fingerprint, rule: &RuleId) -> String {
    format!("{fingerprint}|{rule}")
}

/// PostgreSQL keeps no NUL in a text; what comes from services may hold one.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
