//! Who was told: claimed before it is sent, so that nobody hears twice.
//!
//! A notice is one leak, one owner, one channel. A claim is given up only by a failure that was seen: after a crash
//! between claim and sending nobody knows whether the owner heard, and the claim stands until a person looks.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::rows::{LeakKey, json_of, key, text};
use super::{Store, leak_name, sqlite};
use crate::finding::RuleId;
use crate::leak::{Notice, Owner};
use crate::secret::Fingerprint;

/// A notice that was claimed and then neither sent nor given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The leak's fingerprint.
    pub fingerprint: String,
    /// The leak's rule.
    pub rule: String,
    /// Who may not have heard.
    pub owner: Owner,
    /// By which channel.
    pub channel: String,
    /// Since when.
    pub claimed_at: Timestamp,
}

impl Store {
    /// Claims the right to tell this owner of this leak by this channel: `true` exactly once, in however many
    /// processes, until [`Store::notice_failed`] gives the claim up.
    pub async fn claim_notice(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        owner: &Owner,
        channel: &str,
    ) -> Result<bool> {
        let done = sqlx::query(
            "INSERT INTO notices (fingerprint, rule, owner_key, channel, owner, state, at) \
             VALUES (?, ?, ?, ?, ?, 'claimed', ?) \
             ON CONFLICT (fingerprint, rule, owner_key, channel) \
             DO UPDATE SET state = 'claimed', at = excluded.at, owner = excluded.owner, why = NULL \
             WHERE state = 'failed'",
        )
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .bind(owner.key())
        .bind(channel)
        .bind(text(owner)?)
        .bind(Timestamp::now().as_microsecond())
        .execute(&self.pool)
        .await
        .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether anybody was told of this leak, or another run is just telling them.
    pub async fn is_told(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<bool> {
        let row = sqlx::query(
            "SELECT 1 FROM notices WHERE fingerprint = ? AND rule = ? AND state != 'failed' LIMIT 1",
        )
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(row.is_some())
    }

    /// Marks a claimed notice as sent, for good.
    pub async fn notice_sent(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        owner: &Owner,
        channel: &str,
    ) -> Result<()> {
        self.settle(fingerprint, rule, owner, channel, None).await
    }

    /// Gives a claimed notice up, so that a later run may try again. `why` holds no secret.
    pub async fn notice_failed(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        owner: &Owner,
        channel: &str,
        why: &str,
    ) -> Result<()> {
        self.settle(fingerprint, rule, owner, channel, Some(why)).await
    }

    async fn settle(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        owner: &Owner,
        channel: &str,
        failed: Option<&str>,
    ) -> Result<()> {
        let mut tx = self.change().await?;
        let done = sqlx::query(
            "UPDATE notices SET state = ?, at = ?, why = ? \
             WHERE fingerprint = ? AND rule = ? AND owner_key = ? AND channel = ? AND state = 'claimed'",
        )
        .bind(if failed.is_some() { "failed" } else { "sent" })
        .bind(Timestamp::now().as_microsecond())
        .bind(failed)
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .bind(owner.key())
        .bind(channel)
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() != 1 {
            bail!(
                "no claimed notice of {} to {} by {channel}; claim it before sending",
                leak_name(fingerprint, rule),
                owner.name
            );
        }
        let action = if failed.is_some() { "not-told" } else { "told" };
        let detail =
            json!({ "owner": owner.name, "reason": owner.reason, "channel": channel, "why": failed });
        self.append_in(&mut tx, action, Some((fingerprint, rule)), &detail)
            .await?;
        tx.commit()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))
    }

    /// Notices claimed before `before` and never heard of again: a process died in between. They are not sent again
    /// by themselves; a person should ask whether the owner heard.
    pub async fn unfinished_notices(&self, before: Timestamp) -> Result<Vec<Unfinished>> {
        let rows = sqlx::query("SELECT * FROM notices WHERE state = 'claimed' AND at < ? ORDER BY id")
            .bind(before.as_microsecond())
            .fetch_all(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        rows.iter()
            .map(|row| {
                let (fingerprint, rule) = key(row)?;
                Ok(Unfinished {
                    fingerprint,
                    rule,
                    owner: json_of(row, "owner")?.context("a notice has no owner")?,
                    channel: row.try_get("channel")?,
                    claimed_at: Timestamp::from_microsecond(row.try_get("at")?)?,
                })
            })
            .collect()
    }
}

/// The notices that were sent, by leak, for fingerprints from `beginning` up to `end`.
pub(super) async fn load(
    tx: &mut SqliteConnection,
    beginning: &str,
    end: &str,
) -> Result<BTreeMap<LeakKey, Vec<Notice>>> {
    let rows = sqlx::query(
        "SELECT * FROM notices WHERE fingerprint >= ? AND fingerprint < ? AND state = 'sent' ORDER BY at, id",
    )
    .bind(beginning)
    .bind(end)
    .fetch_all(tx)
    .await?;
    let mut notices: BTreeMap<_, Vec<Notice>> = BTreeMap::new();
    for row in &rows {
        notices.entry(key(row)?).or_default().push(Notice {
            owner: json_of(row, "owner")?.context("a notice has no owner")?,
            channel: row.try_get("channel")?,
            sent_at: Timestamp::from_microsecond(row.try_get("at")?)?,
        });
    }
    Ok(notices)
}
