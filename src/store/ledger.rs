//! The ledger: one line for everything that was found, asked, told and done, each chained to the line before.
//!
//! A line's hash is SHA-256 over its fields as netstrings (`length:bytes,`): the words `unleak ledger v1`, then seq,
//! at, action, fingerprint, rule, actor, detail, prev; what is absent is empty. Beside the chain stands a MAC of the
//! last line under the store's key: without that key nobody can cut lines off the end or write the chain anew.
//! Lines never hold a secret.

use std::fmt;

use anyhow::{Context, Result};
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Store, StoreKey, sqlite};
use crate::finding::RuleId;
use crate::secret::{Fingerprint, mac_sha256};

/// `prev` of the first line.
const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number, from 1, without gaps.
    pub seq: i64,
    /// When, in microseconds since 1970 UTC.
    pub at: i64,
    /// What happened: `found`, `seen`, `verified`, `owners`, `told`, `not-told`, `revocation-…`, `containment-…`,
    /// `closed`, `reopened`, or what a caller of [`Store::append`] named.
    pub action: String,
    /// The leak's fingerprint, empty where no leak is meant.
    pub fingerprint: String,
    /// The leak's rule, empty where no leak is meant.
    pub rule: String,
    /// Who: a person, a door, or `unleak`.
    pub actor: String,
    /// More, as a JSON object; kept as the text that was hashed.
    pub detail: String,
    /// Hash of the line before.
    pub prev: String,
    /// Hash of this line.
    pub hash: String,
}

impl Line {
    /// When it happened.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_microsecond(self.at).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    fn computed_hash(&self) -> String {
        let mut hash = Sha256::new();
        let (seq, at) = (self.seq.to_string(), self.at.to_string());
        for field in [
            "unleak ledger v1",
            &seq,
            &at,
            &self.action,
            &self.fingerprint,
            &self.rule,
            &self.actor,
            &self.detail,
            &self.prev,
        ] {
            hash.update(format!("{}:{field},", field.len()));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn read(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            seq: row.try_get("seq")?,
            at: row.try_get("at")?,
            action: row.try_get("action")?,
            fingerprint: row
                .try_get::<Option<String>, _>("fingerprint")?
                .unwrap_or_default(),
            rule: row.try_get::<Option<String>, _>("rule")?.unwrap_or_default(),
            actor: row.try_get("actor")?,
            detail: row.try_get("detail")?,
            prev: row.try_get("prev")?,
            hash: row.try_get("hash")?,
        })
    }
}

/// What [`Store::verify_chain`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// Every line is as it was written, and none is missing.
    Whole {
        /// How many lines there are.
        lines: i64,
    },
    /// The ledger was changed.
    Broken {
        /// The first line that is not as it was written, or is missing.
        line: i64,
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole { lines } => write!(f, "the ledger is whole: {lines} lines"),
            Self::Broken { line, why } => write!(f, "the ledger is broken at line {line}: {why}"),
        }
    }
}

/// Signs the last line.
pub(super) struct HeadKey(Zeroizing<[u8; 32]>);

impl HeadKey {
    pub(super) fn new(key: &StoreKey) -> Self {
        Self(key.derive(b"unleak store: ledger head v1"))
    }

    fn sign(&self, seq: i64, hash: &str) -> String {
        let mac = mac_sha256(self.0.as_ref(), &[&seq.to_be_bytes(), hash.as_bytes()]);
        mac.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Store {
    /// Adds a line of its own, for what changes nothing else here. `detail` is a JSON object without any secret.
    pub async fn append(
        &self,
        action: &str,
        leak: Option<(Fingerprint, &RuleId)>,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let mut tx = self.change().await?;
        self.append_in(&mut tx, action, leak, detail).await?;
        tx.commit()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))
    }

    /// Adds the line of a change to the change's own transaction, which must hold the write lock.
    pub(super) async fn append_in(
        &self,
        tx: &mut SqliteConnection,
        action: &str,
        leak: Option<(Fingerprint, &RuleId)>,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let last = sqlx::query("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *tx)
            .await?;
        let (seq, prev) = match last {
            Some(row) => (row.try_get::<i64, _>(0)? + 1, row.try_get(1)?),
            None => (1, NO_LINE.to_owned()),
        };
        let (fingerprint, rule) = leak
            .map(|(fingerprint, rule)| (fingerprint.to_string(), rule.to_string()))
            .unzip();
        let mut line = Line {
            seq,
            at: Timestamp::now().as_microsecond(),
            action: action.to_owned(),
            fingerprint: fingerprint.unwrap_or_default(),
            rule: rule.unwrap_or_default(),
            actor: self.actor.to_string(),
            detail: detail.to_string(),
            prev,
            hash: String::new(),
        };
        line.hash = line.computed_hash();
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        sqlx::query(
            "INSERT INTO ledger (seq, at, action, fingerprint, rule, actor, detail, prev, hash) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(line.seq)
        .bind(line.at)
        .bind(&line.action)
        .bind(filled(&line.fingerprint))
        .bind(filled(&line.rule))
        .bind(&line.actor)
        .bind(&line.detail)
        .bind(&line.prev)
        .bind(&line.hash)
        .execute(&mut *tx)
        .await
        .context("the ledger took no line")?;
        sqlx::query(
            "INSERT INTO marks (name, value) VALUES ('ledger', ?) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(self.head.sign(line.seq, &line.hash))
        .execute(&mut *tx)
        .await?;
        Ok(())
    }

    /// Lines after `seq` (0 for all), oldest first, at most `limit`.
    pub async fn ledger(&self, after: i64, limit: u32) -> Result<Vec<Line>> {
        let rows = sqlx::query("SELECT * FROM ledger WHERE seq > ? ORDER BY seq LIMIT ?")
            .bind(after)
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(rows.iter().map(Line::read).collect::<sqlx::Result<_>>()?)
    }

    /// Reads the whole ledger and says whether it is as it was written.
    pub async fn verify_chain(&self) -> Result<Chain> {
        let mut tx = self
            .pool
            .begin()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        let (mut seq, mut hash) = (0, NO_LINE.to_owned());
        {
            let mut rows = sqlx::query("SELECT * FROM ledger ORDER BY seq").fetch(&mut *tx);
            while let Some(row) = rows.try_next().await? {
                let line = Line::read(&row)?;
                let expected = seq + 1;
                let why = if line.seq != expected {
                    "it is missing"
                } else if line.prev != hash {
                    "it does not follow the line before it"
                } else if line.hash != line.computed_hash() {
                    "its fields were changed"
                } else {
                    (seq, hash) = (line.seq, line.hash);
                    continue;
                };
                return Ok(Chain::Broken {
                    line: expected,
                    why: why.to_owned(),
                });
            }
        }
        let head: Option<String> = sqlx::query_scalar("SELECT value FROM marks WHERE name = 'ledger'")
            .fetch_optional(&mut *tx)
            .await?;
        Ok(match head {
            None if seq == 0 => Chain::Whole { lines: 0 },
            Some(head) if bool::from(head.as_bytes().ct_eq(self.head.sign(seq, &hash).as_bytes())) => {
                Chain::Whole { lines: seq }
            }
            _ => Chain::Broken {
                line: seq + 1,
                why: "the signature of the last line does not fit: lines after this one were cut off, or the chain \
                      was written anew without the store's key"
                    .to_owned(),
            },
        })
    }
}
