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

use super::Store;
use super::record::{Batch, Written};
use super::rows::{self, text};
use crate::database::{MOST_ROWS, Open, sql, sql_rows};
use crate::finding::RuleId;
use crate::leak::{Held, Revocation, Verdict};
use crate::secret::Fingerprint;
use crate::trace::Trace;

/// One message that came in by a door, by what makes it this one.
#[derive(Clone, PartialEq, Eq)]
pub struct Delivery {
    door: String,
    /// SHA-256 of the sender's id of it; empty without one.
    id: String,
    /// SHA-256 of the body.
    content: String,
    issued: Vec<Option<bool>>,
    trace: Trace,
}

impl Delivery {
    /// A message with this raw body, come in by this door: `github`, `gitlab`, `depsdev`, `webhook`, …. A body that came
    /// in by one door before is new by another one.
    pub fn new(door: &str, body: &[u8]) -> Self {
        Self {
            door: door.to_owned(),
            id: String::new(),
            content: digest(body),
            issued: Vec::new(),
            trace: Trace::default(),
        }
    }

    /// The same, as part of this trace, in which what is to be done about it goes on.
    #[must_use]
    pub fn in_trace(mut self, trace: Trace) -> Self {
        self.trace = trace;
        self
    }

    /// The same, with what the door learnt of each leak, in their order: whether its token was ever issued by whoever is
    /// asked here; `None` where nobody says. It is kept, so that the answer stays the same.
    #[must_use]
    pub fn knowing(mut self, issued: Vec<Option<bool>>) -> Self {
        self.issued = issued;
        self
    }

    /// The same, with the sender's own id of it. It must stand under the sender's signature, or come over a connection
    /// that proves the sender: whoever can choose ids could otherwise have another's message taken for a replay.
    #[must_use]
    pub fn with_id(mut self, id: &str) -> Self {
        self.id = if id.is_empty() {
            String::new()
        } else {
            digest(id.as_bytes())
        };
        self
    }

    /// The door's name.
    pub fn door(&self) -> &str {
        &self.door
    }
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
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
    /// What the door learnt ([`Delivery::knowing`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<bool>,
}

impl Known {
    fn of(held: &Held, written: &Written) -> Self {
        Self {
            issued: None,
            fingerprint: held.leak.fingerprint,
            rule: held.leak.rule.clone(),
            new: written.new,
            closed: written.closed,
            verdict: written.verdict.clone(),
            revocation: written.revocation.clone(),
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
        let batch = self.batch(leaks)?;
        let mut tx = self.change().await?;
        if let Some(known) = earlier(&mut tx, delivery).await? {
            return Ok(TakenIn::Again(known));
        }
        let written = self.write(&mut tx, &batch).await?;
        want(&mut tx, &batch, &written, &delivery.trace).await?;
        let outcome: Vec<Known> = batch
            .places
            .iter()
            .enumerate()
            .map(|(at, place)| Known {
                issued: delivery.issued.get(at).copied().flatten(),
                ..Known::of(&batch.leaks[*place], &written[*place])
            })
            .collect();
        sql("INSERT INTO deliveries (door, delivery_id, content, at, outcome) VALUES ($1, $2, $3, $4, $5)")
            .bind(&delivery.door)
            .bind(&delivery.id)
            .bind(&delivery.content)
            .bind(Timestamp::now().as_microsecond())
            .bind(text(&outcome)?)
            .run(&mut tx)
            .await
            .with_context(|| format!("cannot write down a delivery by {}", delivery.door))?;
        let detail = json!({ "door": delivery.door, "leaks": batch.leaks.len() });
        self.append_in(&mut tx, "reported", None, &detail).await?;
        self.commit(tx).await?;
        Ok(TakenIn::First(outcome))
    }

    /// Whether this delivery was taken in before, by its id or its content.
    pub async fn came_before(&self, delivery: &Delivery) -> Result<bool> {
        let mut tx = self.reading().await?;
        Ok(earlier(&mut tx, delivery).await?.is_some())
    }

    /// What is known of a secret, by each rule that knows it; empty if it was never heard of.
    pub async fn known(&self, fingerprint: Fingerprint) -> Result<Vec<Known>> {
        let rows: Vec<KnownRow> = sql(
            "SELECT rule, closed_at, verdict, revocation FROM leaks WHERE fingerprint = $1 ORDER BY rule",
        )
        .bind(fingerprint.to_string())
        .all(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        rows.into_iter()
            .map(|(rule, closed_at, verdict, revocation)| {
                Ok(Known {
                    fingerprint,
                    rule: rows::rule_id(rule)?,
                    new: false,
                    closed: closed_at.is_some(),
                    verdict: rows::json(verdict, "verdict")?,
                    revocation: rows::json(revocation, "revocation")?,
                    issued: None,
                })
            })
            .collect()
    }

    /// Forgets deliveries older than this, and says how many. One that comes again after that is taken in again, which
    /// records nothing twice.
    pub async fn forget_deliveries(&self, before: Timestamp) -> Result<u64> {
        sql("DELETE FROM deliveries WHERE at < $1")
            .bind(before.as_microsecond())
            .run(&self.pool)
            .await
            .map_err(|error| self.told(error))
    }
}

type KnownRow = (String, Option<i64>, Option<String>, Option<String>);

const PUT: &str = "INSERT INTO tasks (fingerprint, rule, state, wanted, put_at, due_at, wakes, attempts, lease, \
     lease_until, why, trace, sealed) VALUES";

const PUT_AGAIN: &str = "ON CONFLICT (fingerprint, rule) DO UPDATE SET wanted = tasks.wanted + excluded.wakes, \
     sealed = COALESCE(excluded.sealed, tasks.sealed), \
     trace = CASE WHEN tasks.trace = '' OR (tasks.why <> '' AND excluded.wakes = 1) \
         THEN excluded.trace ELSE tasks.trace END, \
     put_at = CASE WHEN tasks.state = 'dead' THEN excluded.put_at ELSE tasks.put_at END, \
     attempts = CASE WHEN tasks.state = 'dead' THEN 0 ELSE tasks.attempts END, \
     due_at = CASE WHEN tasks.state = 'dead' THEN excluded.due_at \
         WHEN tasks.state = 'due' AND tasks.wakes = 1 AND excluded.wakes = 1 AND tasks.due_at > excluded.due_at \
         THEN excluded.due_at ELSE tasks.due_at END, \
     state = CASE WHEN tasks.state = 'dead' THEN 'due' ELSE tasks.state END";

/// Puts the tasks of leaks, or wakes those that are there and of which something new is known. One that waits after a
/// failure waits on: being reported again is no reason to ask a service sooner than it allowed. The work belongs to the trace of
/// the report that it waits for: the first one, and, once that was worked on, the one that woke it.
async fn want(tx: &mut Open, batch: &Batch, written: &[Written], trace: &Trace) -> Result<()> {
    let now = Timestamp::now().as_microsecond();
    let all: Vec<_> = batch.leaks.iter().zip(&batch.sealed).zip(written).collect();
    for some in all.chunks(MOST_ROWS) {
        let mut put = sql_rows(PUT, some.len(), 13, PUT_AGAIN);
        for ((held, sealed), written) in some {
            put = put
                .bind(held.leak.fingerprint.to_string())
                .bind(held.leak.rule.as_str())
                .bind("due")
                .bind(1_i64)
                .bind(now)
                .bind(now)
                .bind(i64::from(written.new || written.closed || written.added > 0))
                .bind(0_i64)
                .bind("")
                .bind(0_i64)
                .bind("")
                .bind(trace.as_str())
                // A closed leak no longer keeps its secret, and being seen again does not bring it back.
                .bind(written.closed.then(|| (*sealed).clone()));
        }
        put.run(&mut *tx).await.context("cannot put the tasks")?;
    }
    Ok(())
}

/// What a delivery that came before heard then.
async fn earlier(tx: &mut Open, delivery: &Delivery) -> Result<Option<Vec<Known>>> {
    let outcome: Option<(String,)> = sql(
        "SELECT outcome FROM deliveries WHERE door = $1 AND (content = $2 OR (delivery_id <> '' AND delivery_id = $3)) \
         ORDER BY id LIMIT 1",
    )
    .bind(&delivery.door)
    .bind(&delivery.content)
    .bind(&delivery.id)
    .optional(tx)
    .await?;
    outcome
        .map(|(outcome,)| serde_json::from_str(&outcome).context("a delivery's outcome cannot be read"))
        .transpose()
}
