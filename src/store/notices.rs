//! Who was told: claimed before it is sent, so that nobody hears twice.
//!
//! A notice is one leak, one owner, one channel. A claim is given up by a failure that was seen. After a crash between
//! claim and end nobody knows whether the owner heard: a worker sends such a notice again after a while, with the same
//! id, by which outboxes, webhooks and mail servers know it; without a worker the claim stands until a person looks.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use jiff::{SignedDuration, Timestamp};
use serde_json::json as object;
use sha2::{Digest, Sha256};
use sqlx::FromRow;

use super::rows::{LeakKey, json, text};
use super::{Store, leak_name, without_nul};
use crate::database::{Open, sql};
use crate::finding::RuleId;
use crate::leak::{Notice, Owner};
use crate::secret::Fingerprint;

#[derive(FromRow)]
struct NoticeRow {
    fingerprint: String,
    rule: String,
    owner: String,
    channel: String,
    at: i64,
}

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
    /// processes, until [`Store::notice_failed`] gives the claim up, or, for a worker, the claim is old (see
    /// [`Store::sending_again_after`]).
    pub async fn claim_notice(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        owner: &Owner,
        channel: &str,
    ) -> Result<bool> {
        let now = Timestamp::now();
        let stale = match self.stale {
            Some(stale) => now
                .saturating_sub(SignedDuration::try_from(stale)?)?
                .as_microsecond(),
            None => i64::MIN,
        };
        let claimed = sql(
            "INSERT INTO notices (fingerprint, rule, owner_key, channel, owner, state, at) \
             VALUES ($1, $2, $3, $4, $5, 'claimed', $6) \
             ON CONFLICT (fingerprint, rule, owner_key, channel) \
             DO UPDATE SET state = 'claimed', at = excluded.at, owner = excluded.owner, why = NULL \
             WHERE notices.state = 'failed' OR (notices.state = 'claimed' AND notices.at < $7)",
        )
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .bind(owner_key(owner))
        .bind(channel)
        .bind(text(owner)?)
        .bind(now.as_microsecond())
        .bind(stale)
        .run(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        #[cfg(feature = "kill-points")]
        super::kill::point();
        Ok(claimed == 1)
    }

    /// Since when the oldest notice of this leak is claimed and not ended: somebody is at it, or died at it.
    pub async fn unended_notice(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<Option<Timestamp>> {
        let oldest: Option<(Option<i64>,)> =
            sql("SELECT MIN(at) FROM notices WHERE fingerprint = $1 AND rule = $2 AND state = 'claimed'")
                .bind(fingerprint.to_string())
                .bind(rule.as_str())
                .optional(&self.pool)
                .await
                .map_err(|error| self.told(error))?;
        let oldest = oldest.and_then(|(at,)| at);
        Ok(oldest.map(Timestamp::from_microsecond).transpose()?)
    }

    /// Whether anybody was told of this leak, is just being told, or should have been and could not be.
    pub async fn is_told(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<bool> {
        let row: Option<(i64,)> = sql("SELECT id FROM notices WHERE fingerprint = $1 AND rule = $2 LIMIT 1")
            .bind(fingerprint.to_string())
            .bind(rule.as_str())
            .optional(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
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
        let done = sql("UPDATE notices SET state = $1, at = $2, why = $3 \
             WHERE fingerprint = $4 AND rule = $5 AND owner_key = $6 AND channel = $7 AND state = 'claimed'")
        .bind(if failed.is_some() { "failed" } else { "sent" })
        .bind(Timestamp::now().as_microsecond())
        .bind(failed.map(without_nul))
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .bind(owner_key(owner))
        .bind(channel)
        .run(&mut tx)
        .await?;
        if done != 1 {
            bail!(
                "no claimed notice of {} to {} by {channel}; claim it before sending",
                leak_name(fingerprint, rule),
                owner.name
            );
        }
        let action = if failed.is_some() { "not-told" } else { "told" };
        let detail =
            object!({ "owner": owner.name, "reason": owner.reason, "channel": channel, "why": failed });
        self.append_in(&mut tx, action, Some((fingerprint, rule)), &detail)
            .await?;
        self.commit(tx).await
    }

    /// Notices claimed before `before` and never heard of again: a process died in between. Where no worker
    /// runs they are not sent again; a person should ask whether the owner heard.
    pub async fn unfinished_notices(&self, before: Timestamp) -> Result<Vec<Unfinished>> {
        let rows: Vec<NoticeRow> = sql(
            "SELECT fingerprint, rule, owner, channel, at FROM notices WHERE state = 'claimed' AND at < $1 ORDER BY id",
        )
        .bind(before.as_microsecond())
        .all(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        rows.into_iter()
            .map(|row| {
                Ok(Unfinished {
                    fingerprint: row.fingerprint,
                    rule: row.rule,
                    owner: json(Some(row.owner), "owner")?.context("a notice has no owner")?,
                    channel: row.channel,
                    claimed_at: Timestamp::from_microsecond(row.at)?,
                })
            })
            .collect()
    }
}

/// What tells one owner from another, short enough for an index.
fn owner_key(owner: &Owner) -> String {
    let key = without_nul(&owner.key());
    if key.len() <= 300 {
        return key;
    }
    let hash = Sha256::digest(key.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The notices that were sent, by leak, for fingerprints from `beginning` up to `end`.
pub(super) async fn load(
    tx: &mut Open,
    beginning: &str,
    end: &str,
) -> Result<BTreeMap<LeakKey, Vec<Notice>>> {
    let rows: Vec<NoticeRow> = sql("SELECT fingerprint, rule, owner, channel, at FROM notices \
         WHERE fingerprint >= $1 AND fingerprint < $2 AND state = 'sent' ORDER BY at, id")
    .bind(beginning)
    .bind(end)
    .all(tx)
    .await?;
    let mut notices: BTreeMap<_, Vec<Notice>> = BTreeMap::new();
    for row in rows {
        notices
            .entry((row.fingerprint, row.rule))
            .or_default()
            .push(Notice {
                owner: json(Some(row.owner), "owner")?.context("a notice has no owner")?,
                channel: row.channel,
                sent_at: Timestamp::from_microsecond(row.at)?,
            });
    }
    Ok(notices)
}
