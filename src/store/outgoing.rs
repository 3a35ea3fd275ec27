//! Notices that are still to be sent: collected for one message, or tried again later.
//!
//! What stands here survives a crash. It gives nobody the right to send: that is claimed in `notices` first, so that
//! of two processes one sends.

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::rows::{json_of, key, text};
use super::{Store, sqlite};
use crate::finding::RuleId;
use crate::leak::Owner;
use crate::secret::Fingerprint;

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
}

impl Store {
    /// Puts a notice into the queue: `false` if it stands there already, or was sent, or is just being sent. One that
    /// was given up gets another chance.
    pub async fn queue_notice(&self, notice: &Outgoing) -> Result<bool> {
        let done = sqlx::query(
            "INSERT INTO outgoing (fingerprint, rule, owner_key, channel, slot, owner, about, due_at, tries) \
             SELECT ?, ?, ?, ?, ?, ?, ?, ?, 0 WHERE NOT EXISTS (SELECT 1 FROM notices WHERE fingerprint = ? \
             AND rule = ? AND owner_key = ? AND channel = ? AND state != 'failed') \
             ON CONFLICT (fingerprint, rule, owner_key, slot) DO UPDATE SET due_at = excluded.due_at, tries = 0 \
             WHERE outgoing.due_at IS NULL",
        )
        .bind(notice.fingerprint.to_string())
        .bind(notice.rule.as_str())
        .bind(notice.owner.key())
        .bind(&notice.channel)
        .bind(&notice.slot)
        .bind(text(&notice.owner)?)
        .bind(notice.about.to_string())
        .bind(notice.due_at.map(Timestamp::as_microsecond))
        .bind(notice.fingerprint.to_string())
        .bind(notice.rule.as_str())
        .bind(notice.owner.key())
        .bind(&notice.slot)
        .execute(&self.pool)
        .await
        .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(done.rows_affected() == 1)
    }

    /// What is to be sent now: every notice to whomever one is due to by that channel, the oldest first, so that they
    /// leave together. At most `limit`.
    pub async fn notices_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Outgoing>> {
        let rows = sqlx::query(
            "SELECT * FROM outgoing WHERE due_at IS NOT NULL AND EXISTS (SELECT 1 FROM outgoing AS due \
             WHERE due.owner_key = outgoing.owner_key AND due.channel = outgoing.channel AND due.due_at <= ?) \
             ORDER BY id LIMIT ?",
        )
        .bind(now.as_microsecond())
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(|error| sqlite::explain(error, &self.shown))?;
        rows.iter().map(read).collect()
    }

    /// What waits about this leak, the oldest first.
    pub async fn notices_of(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<Vec<Outgoing>> {
        let rows = sqlx::query(
            "SELECT * FROM outgoing WHERE fingerprint = ? AND rule = ? AND due_at IS NOT NULL ORDER BY id",
        )
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(|error| sqlite::explain(error, &self.shown))?;
        rows.iter().map(read).collect()
    }

    /// When the next notice is due, if any waits.
    pub async fn next_notice_due(&self) -> Result<Option<Timestamp>> {
        let at: Option<i64> = sqlx::query_scalar("SELECT MIN(due_at) FROM outgoing")
            .fetch_one(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(at.map(Timestamp::from_microsecond).transpose()?)
    }

    /// The notices that were tried often enough and given up: a person should look.
    pub async fn notices_given_up(&self) -> Result<Vec<Outgoing>> {
        let rows = sqlx::query("SELECT * FROM outgoing WHERE due_at IS NULL ORDER BY id")
            .fetch_all(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        rows.iter().map(read).collect()
    }

    /// Whether a notice about this leak waits.
    pub async fn is_queued(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<bool> {
        let row = sqlx::query("SELECT 1 FROM outgoing WHERE fingerprint = ? AND rule = ? LIMIT 1")
            .bind(fingerprint.to_string())
            .bind(rule.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(row.is_some())
    }

    /// Makes all that waits about this leak due now.
    pub async fn hasten_notices(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query("UPDATE outgoing SET due_at = ? WHERE fingerprint = ? AND rule = ? AND due_at > ?")
            .bind(now.as_microsecond())
            .bind(fingerprint.to_string())
            .bind(rule.as_str())
            .bind(now.as_microsecond())
            .execute(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(())
    }

    /// Takes a notice out of the queue.
    pub async fn notice_left(&self, notice: &Outgoing) -> Result<()> {
        let update = "DELETE FROM outgoing WHERE fingerprint = ? AND rule = ? AND owner_key = ? AND slot = ?";
        self.of_outgoing(sqlx::query(update), notice).await
    }

    /// Puts a notice off that was `tried` so often, or gives it up.
    pub async fn notice_put_off(
        &self,
        notice: &Outgoing,
        tried: u32,
        until: Option<Timestamp>,
    ) -> Result<()> {
        let update = sqlx::query(
            "UPDATE outgoing SET tries = ?, due_at = ? WHERE fingerprint = ? AND rule = ? AND owner_key = ? AND slot = ?",
        )
        .bind(tried)
        .bind(until.map(Timestamp::as_microsecond));
        self.of_outgoing(update, notice).await
    }

    /// Takes over a claim that was made before `before` and never heard of again: `true` in one process alone. Only
    /// for channels where sending twice does no harm.
    pub async fn reclaim_notice(&self, notice: &Outgoing, before: Timestamp) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE notices SET at = ? WHERE fingerprint = ? AND rule = ? AND owner_key = ? AND channel = ? \
             AND state = 'claimed' AND at < ?",
        )
        .bind(Timestamp::now().as_microsecond())
        .bind(notice.fingerprint.to_string())
        .bind(notice.rule.as_str())
        .bind(notice.owner.key())
        .bind(&notice.slot)
        .bind(before.as_microsecond())
        .execute(&self.pool)
        .await
        .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(done.rows_affected() == 1)
    }

    /// Since when this notice is claimed, if it is; `None` for one that was sent, failed, or never claimed.
    pub async fn claimed_since(&self, notice: &Outgoing) -> Result<Option<Timestamp>> {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT at FROM notices WHERE fingerprint = ? AND rule = ? AND owner_key = ? AND channel = ? \
             AND state = 'claimed'",
        )
        .bind(notice.fingerprint.to_string())
        .bind(notice.rule.as_str())
        .bind(notice.owner.key())
        .bind(&notice.slot)
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(at.map(Timestamp::from_microsecond).transpose()?)
    }

    async fn of_outgoing(
        &self,
        update: sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
        notice: &Outgoing,
    ) -> Result<()> {
        update
            .bind(notice.fingerprint.to_string())
            .bind(notice.rule.to_string())
            .bind(notice.owner.key())
            .bind(notice.slot.clone())
            .execute(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(())
    }
}

fn read(row: &SqliteRow) -> Result<Outgoing> {
    let (fingerprint, rule) = key(row)?;
    let due_at: Option<i64> = row.try_get("due_at")?;
    Ok(Outgoing {
        fingerprint: Fingerprint::parse(&fingerprint).context("the fingerprint of a notice is none")?,
        rule: serde_json::from_value(rule.into())?,
        owner: json_of(row, "owner")?.context("a notice has no owner")?,
        channel: row.try_get("channel")?,
        slot: row.try_get("slot")?,
        about: json_of(row, "about")?.unwrap_or_default(),
        due_at: due_at.map(Timestamp::from_microsecond).transpose()?,
        tries: u32::try_from(row.try_get::<i64, _>("tries")?)?,
    })
}
