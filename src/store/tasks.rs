//! What is still to do: a task for each leak, claimed with a lease by one worker at a time.
//!
//! Own code, because a task must be put in the transaction that records its leak, on both databases: of the job libraries
//! for sqlx, sqlxmq, underway and graphile_worker are for PostgreSQL alone, and apalis (a release candidate) puts jobs by
//! a connection of its own. What is needed beyond that is one table: a task is a leak, there is one of it, and what it
//! has to do stands in the leak. A worker that dies loses its lease, and the next one goes on from what is written down.

use std::time::Duration;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use sqlx::FromRow;

use super::rows::rule_id;
use super::{Store, leak_name, without_nul};
use crate::database::{Ask, Pool, sql};
use crate::finding::RuleId;
use crate::leak::Held;
use crate::secret::Fingerprint;
use crate::trace::Trace;

/// A task that this worker holds, until its lease ends or [`Store::end_task`].
#[derive(Debug)]
pub struct Claimed {
    /// Its leak's fingerprint.
    pub fingerprint: Fingerprint,
    /// Its leak's rule.
    pub rule: RuleId,
    /// Which attempt this is, from 1, since it last went well.
    pub attempt: u32,
    /// How long after it was due it was claimed.
    pub late: Duration,
    /// The trace in which its work goes on.
    pub trace: Trace,
    wanted: i64,
    lease: String,
    sealed: Option<Vec<u8>>,
}

/// How a claimed task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Nothing is left to do about its leak.
    Done,
    /// It went well, and its leak is to be looked at again then; a new report may wake it earlier.
    Again {
        /// When.
        at: Timestamp,
        /// Why, in a sentence.
        why: String,
    },
    /// Somebody asked us to wait, which is no failure: a limit, a lock, our own stopping.
    PutOff {
        /// Until when.
        at: Timestamp,
        /// Why, in a sentence.
        why: String,
    },
    /// It failed, and is tried again then.
    Failed {
        /// When.
        at: Timestamp,
        /// Why, in a sentence without secrets.
        why: String,
    },
    /// It failed too often: a dead letter, until a person puts it again.
    Dead {
        /// Why, in a sentence without secrets.
        why: String,
    },
}

impl Ended {
    /// `done`, `again`, `put-off`, `failed` or `dead`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Again { .. } => "again",
            Self::PutOff { .. } => "put-off",
            Self::Failed { .. } => "failed",
            Self::Dead { .. } => "dead",
        }
    }
}

#[derive(FromRow)]
struct ClaimRow {
    fingerprint: String,
    rule: String,
    attempts: i64,
    due_at: i64,
    wanted: i64,
    sealed: Option<Vec<u8>>,
    trace: String,
}

const CLAIM: &str = "UPDATE tasks SET state = 'running', lease = $1, lease_until = $2, attempts = attempts + 1 \
     WHERE (fingerprint, rule) = (SELECT fingerprint, rule FROM tasks \
         WHERE (state = 'due' AND due_at <= $3) OR (state = 'running' AND lease_until <= $3) \
         ORDER BY due_at LIMIT 1) \
     RETURNING fingerprint, rule, attempts, due_at, wanted, sealed, trace";

/// The same where others claim at the same moment: each takes another one, and nobody waits.
const CLAIM_SKIPPING: &str = "UPDATE tasks SET state = 'running', lease = $1, lease_until = $2, attempts = attempts + 1 \
     WHERE (fingerprint, rule) = (SELECT fingerprint, rule FROM tasks \
         WHERE (state = 'due' AND due_at <= $3) OR (state = 'running' AND lease_until <= $3) \
         ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) \
     RETURNING fingerprint, rule, attempts, due_at, wanted, sealed, trace";

impl Store {
    /// Claims the task that has been due longest, for so long; `None` if none is due. Tasks whose lease ended without
    /// word are due too: their worker died.
    pub async fn claim_task(&self, lease: Duration) -> Result<Option<Claimed>> {
        let now = Timestamp::now();
        let until = now.checked_add(SignedDuration::try_from(lease)?)?;
        let id = random_id()?;
        let ask = match &self.pool {
            Pool::Sqlite(..) => sql(CLAIM),
            Pool::Postgres(..) => sql(CLAIM_SKIPPING),
        };
        let row: Option<ClaimRow> = ask
            .bind(&id)
            .bind(until.as_microsecond())
            .bind(now.as_microsecond())
            .optional(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        #[cfg(feature = "kill-points")]
        if row.is_some() {
            super::kill::point();
        }
        row.map(|row| {
            Ok(Claimed {
                fingerprint: Fingerprint::parse(&row.fingerprint).context("a task has no fingerprint")?,
                rule: rule_id(row.rule)?,
                attempt: u32::try_from(row.attempts).unwrap_or(u32::MAX),
                late: Duration::from_micros(
                    u64::try_from(now.as_microsecond() - row.due_at).unwrap_or_default(),
                ),
                trace: Trace::read(&row.trace),
                wanted: row.wanted,
                lease: id,
                sealed: row.sealed,
            })
        })
        .transpose()
    }

    /// The leak of a claimed task with its secret at hand, also where the leak is closed and was seen again. `None` if
    /// nobody has the secret any more: then there is nothing to do.
    pub async fn task_leak(&self, task: &Claimed) -> Result<Option<Held>> {
        let (fingerprint, rule) = (task.fingerprint, &task.rule);
        if let Some(held) = self.unseal(fingerprint, rule).await? {
            return Ok(Some(held));
        }
        let (Some(sealed), Some(leak)) = (&task.sealed, self.leak(fingerprint, rule).await?) else {
            return Ok(None);
        };
        let contents = self.sealer.open(&leak_name(fingerprint, rule), sealed)?;
        Ok(Some(contents.held(leak)))
    }

    /// Holds a claimed task for so long from now; `false` if it is no longer ours, because the lease ended: then nothing
    /// more may be done about it.
    pub async fn renew_task(&self, task: &Claimed, lease: Duration) -> Result<bool> {
        let until = Timestamp::now().checked_add(SignedDuration::try_from(lease)?)?;
        let renewed = task
            .bound(sql(
                "UPDATE tasks SET lease_until = $4 WHERE fingerprint = $1 AND rule = $2 AND lease = $3",
            ))
            .bind(until.as_microsecond())
            .run(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        Ok(renewed == 1)
    }

    /// Ends a claimed task; `false` if it was no longer ours. One that was wanted again meanwhile is due at once, unless it
    /// failed or was put off.
    pub async fn end_task(&self, task: &Claimed, ended: &Ended) -> Result<bool> {
        let ask = match ended {
            Ended::Done => {
                let done = task
                    .bound(sql(
                        "DELETE FROM tasks WHERE fingerprint = $1 AND rule = $2 AND lease = $3 AND wanted = $4",
                    ))
                    .bind(task.wanted)
                    .run(&self.pool)
                    .await
                    .map_err(|error| self.told(error))?;
                if done == 1 {
                    return Ok(true);
                }
                task.waiting(0, true, "it was reported again meanwhile")
            }
            Ended::Again { at, why } => task.waiting(at.as_microsecond(), true, why),
            Ended::PutOff { at, why } => task.waiting(at.as_microsecond(), false, why),
            Ended::Failed { at, why } => task
                .bound(sql(
                    "UPDATE tasks SET state = 'due', lease = '', lease_until = 0, due_at = $4, wakes = 0, why = $5 \
                     WHERE fingerprint = $1 AND rule = $2 AND lease = $3",
                ))
                .bind(at.as_microsecond())
                .bind(without_nul(why)),
            Ended::Dead { why } => return self.bury(task, why).await,
        };
        let ended = ask.run(&self.pool).await.map_err(|error| self.told(error))?;
        #[cfg(feature = "kill-points")]
        super::kill::point();
        Ok(ended == 1)
    }

    async fn bury(&self, task: &Claimed, why: &str) -> Result<bool> {
        let mut tx = self.change().await?;
        let buried = task
            .bound(sql(
                "UPDATE tasks SET state = 'dead', lease = '', lease_until = 0, due_at = $4, why = $5 \
                 WHERE fingerprint = $1 AND rule = $2 AND lease = $3",
            ))
            .bind(Timestamp::now().as_microsecond())
            .bind(without_nul(why))
            .run(&mut tx)
            .await?;
        if buried == 1 {
            let leak = Some((task.fingerprint, &task.rule));
            self.append_in(&mut tx, "given-up", leak, &json!({ "why": why }))
                .await?;
        }
        self.commit(tx).await?;
        Ok(buried == 1)
    }
}

impl Claimed {
    fn bound(&self, ask: Ask) -> Ask {
        ask.bind(self.fingerprint.to_string())
            .bind(self.rule.as_str())
            .bind(&self.lease)
    }

    /// Waits until then, or, where it may be woken and was wanted meanwhile, not at all.
    fn waiting(&self, at: i64, wakes: bool, why: &str) -> Ask {
        self.bound(sql(
            "UPDATE tasks SET state = 'due', lease = '', lease_until = 0, attempts = 0, why = $5, wakes = $6, \
             due_at = CASE WHEN wanted > $7 AND $6 = 1 THEN $8 ELSE $4 END, \
             sealed = CASE WHEN wanted > $7 THEN sealed ELSE NULL END \
             WHERE fingerprint = $1 AND rule = $2 AND lease = $3",
        ))
        .bind(at)
        .bind(without_nul(why))
        .bind(i64::from(wakes))
        .bind(self.wanted)
        .bind(Timestamp::now().as_microsecond())
    }
}

pub(super) fn random_id() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).context("the operating system gave no random bytes")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
