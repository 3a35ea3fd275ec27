//! Notices that are still to be sent: collected for one message, or tried again later.
//!
//! What stands here survives a crash. It gives nobody the right to send: see `sending`.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;

use super::Store;
use super::notices::owner_key;
use super::rows::{json, rule_id, text};
use crate::database::{Ask, Open, sql};
use crate::finding::RuleId;
use crate::leak::Owner;
use crate::secret::Fingerprint;
use crate::trace::Trace;

/// A notice that is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Outgoing {
    /// The leak's fingerprint.
    pub fingerprint: Fingerprint,
    /// The leak's rule.
    pub rule: RuleId,
    /// Who must hear.
    pub owner: Owner,
    /// The channel, such as `email`.
    pub channel: String,
    /// How `notices` calls it: the channel, for all but the first notice with what it is about.
    pub slot: String,
    /// What it is about, as the caller needs it to make the message; no secret.
    pub about: Value,
    /// When it is to be sent; `None` after it was given up.
    pub due_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
    /// The message in which it was to leave, if one was begun and never heard of again; `None` for a new one.
    pub sending: Option<String>,
    /// The trace of the work that wrote it down.
    pub trace: Trace,
}

#[derive(FromRow)]
struct Row {
    fingerprint: String,
    rule: String,
    channel: String,
    slot: String,
    owner: String,
    about: String,
    due_at: Option<i64>,
    tries: i64,
    sending: String,
    trace: String,
}

/// What is waiting in the queue, for people and their instruments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoticeQueue {
    /// Notices that wait for their time, or are just being sent.
    pub waiting: u64,
    /// Of these, those that were tried and not taken.
    pub failing: u64,
    /// Notices that were given up: a person should look.
    pub given_up: u64,
}

impl Store {
    /// Writes a decision about a leak down, and whom it makes hear, in one transaction: what was decided is told, whatever
    /// happens to the process after it.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub async fn decide(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        decision: &Value,
        notices: &[Outgoing],
    ) -> Result<()> {
        let mut tx = self.change().await?;
        self.append_in(&mut tx, "decided", Some((fingerprint, rule)), decision)
            .await?;
        for notice in notices {
            queue(&mut tx, notice).await?;
        }
        self.commit(tx).await
    }

    /// Puts notices into the queue, all or none, and says how many are new there. One that stands there already, was
    /// sent, or is just being sent, is passed over; one that was given up gets another chance.
    ///
    /// # Errors
    /// A leak that is not recorded; a store that cannot be written.
    pub async fn queue_notices(&self, notices: &[Outgoing]) -> Result<u64> {
        if notices.is_empty() {
            return Ok(0);
        }
        let mut tx = self.change().await?;
        let mut new = 0;
        for notice in notices {
            new += queue(&mut tx, notice).await?;
        }
        self.commit(tx).await?;
        Ok(new)
    }

    /// What is to be sent now, the oldest first: what is due, and what was collected for whomever something is due to by
    /// that channel, so that they leave together. What was tried before waits for its own time. At most `limit`.
    pub async fn notices_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Outgoing>> {
        let rows = sql(
            "SELECT fingerprint, rule, channel, slot, owner, about, due_at, tries, sending, trace FROM outgoing \
             WHERE due_at <= $1 OR (due_at IS NOT NULL AND sending = '' AND tries = 0 AND EXISTS ( \
                 SELECT 1 FROM outgoing AS due WHERE due.owner_key = outgoing.owner_key \
                 AND due.channel = outgoing.channel AND due.due_at <= $1)) \
             ORDER BY id LIMIT $2",
        )
        .bind(now.as_microsecond())
        .bind(i64::from(limit));
        self.rows(rows).await
    }

    /// What waits about this leak, the oldest first; what is just being sent is left out.
    pub async fn notices_of(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        now: Timestamp,
    ) -> Result<Vec<Outgoing>> {
        let rows = sql(
            "SELECT fingerprint, rule, channel, slot, owner, about, due_at, tries, sending, trace FROM outgoing \
             WHERE fingerprint = $1 AND rule = $2 AND due_at IS NOT NULL AND (sending = '' OR due_at <= $3) ORDER BY id",
        )
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .bind(now.as_microsecond());
        self.rows(rows).await
    }

    /// All that stands in the queue about this leak: what waits, what is being sent, and what was given up.
    pub async fn notices_left(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<Vec<Outgoing>> {
        let rows = sql(
            "SELECT fingerprint, rule, channel, slot, owner, about, due_at, tries, sending, trace FROM outgoing \
             WHERE fingerprint = $1 AND rule = $2 ORDER BY id",
        )
        .bind(fingerprint.to_string())
        .bind(rule.as_str());
        self.rows(rows).await
    }

    /// When the next notice is due, if any waits.
    pub async fn next_notice_due(&self) -> Result<Option<Timestamp>> {
        let at: Option<(Option<i64>,)> = sql("SELECT MIN(due_at) FROM outgoing")
            .optional(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        let at = at.and_then(|(at,)| at);
        Ok(at.map(Timestamp::from_microsecond).transpose()?)
    }

    /// The notices that were tried often enough and given up: a person should look.
    pub async fn notices_given_up(&self) -> Result<Vec<Outgoing>> {
        let rows = sql(
            "SELECT fingerprint, rule, channel, slot, owner, about, due_at, tries, sending, trace FROM outgoing \
             WHERE due_at IS NULL ORDER BY id",
        );
        self.rows(rows).await
    }

    /// How many notices wait.
    pub async fn notice_queue(&self) -> Result<NoticeQueue> {
        let counts: Option<(i64, i64, i64)> = sql(
            "SELECT COUNT(due_at), COALESCE(SUM(CASE WHEN due_at IS NOT NULL AND tries > 0 THEN 1 ELSE 0 END), 0), \
             COUNT(*) FROM outgoing",
        )
        .optional(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        let (waiting, failing, all) = counts.unwrap_or_default();
        Ok(NoticeQueue {
            waiting: u64::try_from(waiting)?,
            failing: u64::try_from(failing)?,
            given_up: u64::try_from(all - waiting)?,
        })
    }

    /// Makes all that waits about this leak due now.
    pub async fn hasten_notices(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        now: Timestamp,
    ) -> Result<()> {
        sql(
            "UPDATE outgoing SET due_at = $1 WHERE fingerprint = $2 AND rule = $3 AND sending = '' AND due_at > $1",
        )
        .bind(now.as_microsecond())
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .run(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        Ok(())
    }

    /// Puts a notice off that cannot be sent before something else changes.
    pub async fn put_notice_off(&self, notice: &Outgoing, until: Timestamp) -> Result<()> {
        let put = sql(
            "UPDATE outgoing SET due_at = $5 WHERE fingerprint = $1 AND rule = $2 AND owner_key = $3 \
             AND slot = $4 AND due_at IS NOT NULL",
        );
        notice
            .named(put)
            .bind(until.as_microsecond())
            .run(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        Ok(())
    }

    async fn rows(&self, ask: Ask) -> Result<Vec<Outgoing>> {
        let rows: Vec<Row> = ask.all(&self.pool).await.map_err(|error| self.told(error))?;
        rows.into_iter().map(Row::read).collect()
    }
}

/// One notice into the queue; how many are new.
async fn queue(tx: &mut Open, notice: &Outgoing) -> Result<u64> {
    let put = sql(
        "INSERT INTO outgoing (fingerprint, rule, owner_key, slot, channel, owner, about, due_at, trace, tries, sending) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 0, '' WHERE NOT EXISTS (SELECT 1 FROM notices WHERE fingerprint = $1 \
         AND rule = $2 AND owner_key = $3 AND channel = $4 AND state <> 'failed') \
         ON CONFLICT (fingerprint, rule, owner_key, slot) DO UPDATE SET due_at = excluded.due_at, tries = 0 \
         WHERE outgoing.due_at IS NULL",
    );
    notice
        .named(put)
        .bind(&notice.channel)
        .bind(text(&notice.owner)?)
        .bind(text(&notice.about)?)
        .bind(notice.due_at.map(Timestamp::as_microsecond))
        .bind(notice.trace.as_str())
        .run(tx)
        .await
        .with_context(|| format!("cannot queue a notice about {}", notice.fingerprint))
}

impl Outgoing {
    /// Binds what names it: fingerprint, rule, owner, slot.
    pub(super) fn named(&self, ask: Ask) -> Ask {
        self.named_as(ask, &self.slot)
    }

    /// The same under another slot.
    pub(super) fn named_as(&self, ask: Ask, slot: &str) -> Ask {
        ask.bind(self.fingerprint.to_string())
            .bind(self.rule.as_str())
            .bind(owner_key(&self.owner))
            .bind(slot)
    }
}

impl Row {
    fn read(self) -> Result<Outgoing> {
        Ok(Outgoing {
            fingerprint: Fingerprint::parse(&self.fingerprint)
                .context("the fingerprint of a notice is none")?,
            rule: rule_id(self.rule)?,
            owner: json(Some(self.owner), "owner")?.context("a notice has no owner")?,
            channel: self.channel,
            slot: self.slot,
            about: json(Some(self.about), "about")?.unwrap_or_default(),
            due_at: self.due_at.map(Timestamp::from_microsecond).transpose()?,
            tries: u32::try_from(self.tries)?,
            sending: (!self.sending.is_empty()).then_some(self.sending),
            trace: Trace::read(&self.trace),
        })
    }
}
