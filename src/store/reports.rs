//! Reports from outside: a delivery, its leaks and their tasks, written down in one transaction.
//!
//! Whoever is answered after [`Store::take_in`] came back may forget what they sent. A delivery that comes again, by
//! its id or by its content, is known, and hears what the first one heard. The body itself is never kept.

use std::fmt;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::{Row, SqliteConnection};

use super::rows::text;
use super::{Store, sqlite};
use crate::finding::RuleId;
use crate::leak::{Held, Leak, Revocation, Verdict};
use crate::secret::Fingerprint;

/// One message that came in by a door, by what makes it this one.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    door: String,
    id: Option<String>,
    content: String,
}

impl Delivery {
    /// A message with this raw body, come in by this door: `github`, `gitlab`, `depsdev`, `webhook`, …. A body that came
    /// in by one door before is new by another one.
    pub fn new(door: &str, body: &[u8]) -> Self {
        let content = Sha256::digest(body);
        Self {
            door: door.to_owned(),
            id: None,
            content: content.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// The same, with the sender's own id of it. It must stand under the sender's signature, or come over a connection
    /// that proves the sender: whoever can choose ids could otherwise have another's message taken for a replay.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned()).filter(|id| !id.is_empty());
        self
    }

    /// The door's name.
    pub fn door(&self) -> &str {
        &self.door
    }
}

/// Neither the id nor the content's hash is anybody's business in a log.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Delivery({})", self.door)
    }
}

/// What is known of a leak, as far as a door may say it to a reporter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its rule.
    pub rule: RuleId,
    /// Whether this delivery was the first that told of it.
    pub new: bool,
    /// Whether it was closed before: a proof of its death was seen. It is asked about again.
    pub closed: bool,
    /// What its service said when it was asked last; `None` before it was asked.
    pub verdict: Option<Verdict>,
    /// How its revocation goes.
    pub revocation: Option<Revocation>,
}

impl Known {
    fn of(leak: Leak, new: bool, closed: bool) -> Self {
        Self {
            fingerprint: leak.fingerprint,
            rule: leak.rule,
            new,
            closed,
            verdict: leak.verdict,
            revocation: leak.revocation,
        }
    }
}

/// What [`Store::take_in`] made of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenIn {
    /// It came for the first time: its leaks, in the order in which they were given.
    First(Vec<Known>),
    /// It came before, by its id or its content: what was known of its leaks then, in the order in which they were given
    /// then. Nothing was changed.
    Again(Vec<Known>),
}

impl TakenIn {
    /// What was known of its leaks when it came first.
    pub fn known(&self) -> &[Known] {
        match self {
            Self::First(known) | Self::Again(known) => known,
        }
    }

    /// Whether it had come before.
    pub fn is_again(&self) -> bool {
        matches!(self, Self::Again(_))
    }
}

impl Store {
    /// Takes a delivery in, in one transaction: itself, every leak (as [`Store::record`] does), and a task for each leak
    /// that something is to be done about. Once this is back, all of it is on the disk, and may be answered for.
    ///
    /// `leaks` are what the door could read of it, each with its sightings (see
    /// [`Sighting::reported`](crate::leak::Sighting::reported)); it may be empty, and hold the same leak twice.
    ///
    /// # Errors
    /// A store that cannot be written; then nothing was, and the sender must be asked to send again (503).
    pub async fn take_in(&self, delivery: &Delivery, leaks: &[Held]) -> Result<TakenIn> {
        let mut tx = self.change().await?;
        if let Some(known) = earlier(&mut tx, delivery).await? {
            return Ok(TakenIn::Again(known));
        }
        let mut outcome = Vec::with_capacity(leaks.len());
        for held in leaks {
            let recorded = self.record_in(&mut tx, held).await?;
            self.want(&mut tx, held, recorded.closed).await?;
            outcome.push(Known::of(recorded.leak, recorded.new, recorded.closed));
        }
        sqlx::query(
            "INSERT INTO deliveries (door, delivery_id, content, at, outcome) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(&delivery.door)
        .bind(delivery.id.as_deref().unwrap_or_default())
        .bind(&delivery.content)
        .bind(Timestamp::now().as_microsecond())
        .bind(text(&outcome)?)
        .execute(&mut *tx)
        .await
        .with_context(|| format!("cannot write down a delivery by {}", delivery.door))?;
        let detail = json!({ "door": delivery.door, "leaks": outcome.len() });
        self.append_in(&mut tx, "reported", None, &detail).await?;
        tx.commit()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(TakenIn::First(outcome))
    }

    /// What is known of a secret, by each rule that knows it; empty if it was never heard of.
    pub async fn known(&self, fingerprint: Fingerprint) -> Result<Vec<Known>> {
        let mut tx = self.reading().await?;
        let leaks = super::rows::load(&mut tx, &fingerprint.to_string()).await?;
        let closed = sqlx::query("SELECT rule FROM leaks WHERE fingerprint = ? AND closed_at IS NOT NULL")
            .bind(fingerprint.to_string())
            .fetch_all(&mut *tx)
            .await?;
        let closed: Vec<String> = closed
            .iter()
            .map(|row| row.try_get(0))
            .collect::<sqlx::Result<_>>()?;
        Ok(leaks
            .into_iter()
            .map(|leak| {
                let closed = closed.iter().any(|rule| rule == leak.rule.as_str());
                Known::of(leak, false, closed)
            })
            .collect())
    }

    /// Forgets deliveries older than this, and says how many. One that comes again after that is taken in again, which
    /// records nothing twice.
    pub async fn forget_deliveries(&self, before: Timestamp) -> Result<u64> {
        let done = sqlx::query("DELETE FROM deliveries WHERE at < ?")
            .bind(before.as_microsecond())
            .execute(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(done.rows_affected())
    }

    /// Puts the task of a leak, or wakes the one that is there. One that waits after a failure, or for a time that it was
    /// given, waits on: being reported again is no reason to ask a service sooner than it allowed.
    async fn want(&self, tx: &mut SqliteConnection, held: &Held, closed: bool) -> Result<()> {
        let leak = &held.leak;
        let now = Timestamp::now().as_microsecond();
        // The leak itself no longer keeps its secret, and being seen again does not bring it back.
        let sealed = if closed {
            Some(self.sealed(held, None)?)
        } else {
            None
        };
        sqlx::query(
            "INSERT INTO tasks (fingerprint, rule, state, wanted, put_at, due_at, attempts, lease, lease_until, why, \
             sealed) VALUES (?, ?, 'due', 1, ?, ?, 0, '', 0, '', ?) \
             ON CONFLICT (fingerprint, rule) DO UPDATE SET wanted = tasks.wanted + 1, \
             sealed = COALESCE(excluded.sealed, tasks.sealed), \
             attempts = CASE WHEN tasks.state = 'dead' THEN 0 ELSE tasks.attempts END, \
             due_at = CASE WHEN tasks.state = 'dead' THEN excluded.due_at ELSE tasks.due_at END, \
             state = CASE WHEN tasks.state = 'dead' THEN 'due' ELSE tasks.state END",
        )
        .bind(leak.fingerprint.to_string())
        .bind(leak.rule.as_str())
        .bind(now)
        .bind(now)
        .bind(sealed)
        .execute(tx)
        .await
        .context("cannot put a task")?;
        Ok(())
    }
}

/// What a delivery that came before heard then.
async fn earlier(tx: &mut SqliteConnection, delivery: &Delivery) -> Result<Option<Vec<Known>>> {
    let outcome: Option<String> = sqlx::query_scalar(
        "SELECT outcome FROM deliveries WHERE door = ? AND (content = ? OR (delivery_id <> '' AND delivery_id = ?)) \
         ORDER BY id LIMIT 1",
    )
    .bind(&delivery.door)
    .bind(&delivery.content)
    .bind(delivery.id.as_deref().unwrap_or_default())
    .fetch_optional(tx)
    .await?;
    outcome
        .map(|outcome| serde_json::from_str(&outcome).context("a delivery's outcome cannot be read"))
        .transpose()
}
