//! Who was told: a notice is one leak, one owner, and one slot, which is the channel and what it was about.
//!
//! It is claimed before it is sent (see `sending`), and stands here for good once it was taken.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::FromRow;

use super::rows::{LeakKey, json};
use super::{Store, without_nul};
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

impl Store {
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
}

/// What tells one owner from another, short enough for an index.
pub(super) fn owner_key(owner: &Owner) -> String {
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
