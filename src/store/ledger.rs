//! The ledger: one line for everything that was found, asked, told and done, each chained to the line before.
//!
//! A line's hash is SHA-256 over its fields as netstrings (`length:bytes,`): the words `unleak ledger v1`, then seq,
//! at, action, fingerprint, rule, actor, detail, prev; what is absent is empty. Beside the chain stands a MAC of the
//! last line under the store's key: without that key nobody can cut lines off the end or write the chain anew.
//! Lines never hold a secret.

use std::fmt;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::FromRow;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::listed::{self, News};
use super::{Store, StoreKey, StoreKeys};
use crate::database::{MOST_ROWS, Open, sql, sql_rows};
use crate::finding::RuleId;
use crate::secret::{Fingerprint, mac_sha256};

/// `prev` of the first line.
const NO_LINE: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const LINES: &str = "SELECT seq, at, action, COALESCE(fingerprint, '') AS fingerprint, COALESCE(rule, '') AS rule, actor, \
     detail, prev, hash FROM ledger WHERE seq > $1 ORDER BY seq LIMIT $2";

/// Lines that are read at a time.
const PAGE: i64 = 1000;

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, FromRow)]
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
}

/// What becomes a line.
pub(super) struct Entry<'a> {
    pub(super) action: &'a str,
    pub(super) leak: Option<(Fingerprint, &'a RuleId)>,
    pub(super) detail: Value,
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

/// Signs the last line with the current key, and knows the signatures of all.
pub(super) struct HeadKeys(Vec<Zeroizing<[u8; 32]>>);

impl HeadKeys {
    pub(super) fn new(keys: &StoreKeys) -> Self {
        let all = std::iter::once(&keys.current).chain(&keys.further);
        Self(
            all.map(|key: &StoreKey| key.derive(b"unleak store: ledger head v1"))
                .collect(),
        )
    }

    fn signatures(&self, seq: i64, hash: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(move |key| {
            let mac = mac_sha256(key.as_ref(), &[&seq.to_be_bytes(), hash.as_bytes()]);
            mac.iter().map(|byte| format!("{byte:02x}")).collect()
        })
    }

    fn sign(&self, seq: i64, hash: &str) -> String {
        self.signatures(seq, hash).next().unwrap_or_default()
    }

    fn signed(&self, seq: i64, hash: &str, signature: &str) -> bool {
        self.signatures(seq, hash)
            .any(|own| bool::from(signature.as_bytes().ct_eq(own.as_bytes())))
    }
}

impl Store {
    /// Adds a line of its own, for what changes nothing else here. `detail` is a JSON object without any secret.
    pub async fn append(
        &self,
        action: &str,
        leak: Option<(Fingerprint, &RuleId)>,
        detail: &Value,
    ) -> Result<()> {
        let mut tx = self.change().await?;
        self.append_in(&mut tx, action, leak, detail).await?;
        self.commit(tx).await
    }

    /// Adds the line of a change to the change's own transaction, which must hold the write lock.
    pub(super) async fn append_in(
        &self,
        tx: &mut Open,
        action: &str,
        leak: Option<(Fingerprint, &RuleId)>,
        detail: &Value,
    ) -> Result<()> {
        let detail = detail.clone();
        self.append_all(tx, &[Entry { action, leak, detail }]).await
    }

    /// The same for several lines at once.
    pub(super) async fn append_all(&self, tx: &mut Open, entries: &[Entry<'_>]) -> Result<()> {
        let last: Option<(i64, String)> = sql("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")
            .optional(&mut *tx)
            .await?;
        let (mut seq, mut prev) = last.unwrap_or((0, NO_LINE.to_owned()));
        for some in entries.chunks(MOST_ROWS) {
            let mut insert = sql_rows(
                "INSERT INTO ledger (seq, at, action, fingerprint, rule, actor, detail, prev, hash) VALUES",
                some.len(),
                9,
                "",
            );
            for entry in some {
                let line = self.line(entry, seq + 1, prev);
                let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
                insert = insert
                    .bind(line.seq)
                    .bind(line.at)
                    .bind(line.action)
                    .bind(filled(&line.fingerprint))
                    .bind(filled(&line.rule))
                    .bind(line.actor)
                    .bind(line.detail)
                    .bind(line.prev)
                    .bind(&line.hash);
                (seq, prev) = (line.seq, line.hash);
            }
            insert.run(&mut *tx).await.context("the ledger took no line")?;
        }
        for entry in entries {
            if let (Some((fingerprint, rule)), Some(decision)) =
                (entry.leak, entry.detail["decision"].as_str())
            {
                let news = News {
                    decision: Some(decision),
                    ..News::default()
                };
                listed::relist_one(tx, fingerprint, rule, &news).await?;
            }
        }
        self.sign(tx, seq, &prev).await
    }

    fn line(&self, entry: &Entry<'_>, seq: i64, prev: String) -> Line {
        let (fingerprint, rule) = entry
            .leak
            .map(|(fingerprint, rule)| (fingerprint.to_string(), rule.to_string()))
            .unzip();
        let mut line = Line {
            seq,
            at: Timestamp::now().as_microsecond(),
            action: entry.action.to_owned(),
            fingerprint: fingerprint.unwrap_or_default(),
            rule: rule.unwrap_or_default(),
            actor: self.actor.to_string(),
            detail: entry.detail.to_string(),
            prev,
            hash: String::new(),
        };
        line.hash = line.computed_hash();
        line
    }

    async fn sign(&self, tx: &mut Open, seq: i64, hash: &str) -> Result<()> {
        sql("INSERT INTO marks (name, value) VALUES ('ledger', $1) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(self.heads.sign(seq, hash))
        .run(tx)
        .await?;
        Ok(())
    }

    /// Signs the last line with the current key, if an accepted one signed it before.
    pub(super) async fn sign_anew(&self, tx: &mut Open) -> Result<()> {
        let last: Option<(i64, String)> = sql("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")
            .optional(&mut *tx)
            .await?;
        let (Some((seq, hash)), Some(head)) = (last, head(tx).await?) else {
            return Ok(());
        };
        // What was tampered with stays so.
        if self.heads.signed(seq, &hash, &head) {
            self.sign(tx, seq, &hash).await?;
        }
        Ok(())
    }

    /// Lines after `seq` (0 for all), oldest first, at most `limit`.
    pub async fn ledger(&self, after: i64, limit: u32) -> Result<Vec<Line>> {
        sql(LINES)
            .bind(after)
            .bind(i64::from(limit))
            .all(&self.pool)
            .await
            .map_err(|error| self.told(error))
    }

    /// Reads the whole ledger and says whether it is as it was written.
    pub async fn verify_chain(&self) -> Result<Chain> {
        let mut tx = self.reading().await?;
        let (mut seq, mut hash) = (0, NO_LINE.to_owned());
        loop {
            let lines: Vec<Line> = sql(LINES).bind(seq).bind(PAGE).all(&mut tx).await?;
            if lines.is_empty() {
                break;
            }
            for line in lines {
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
        Ok(match head(&mut tx).await? {
            None if seq == 0 => Chain::Whole { lines: 0 },
            Some(head) if self.heads.signed(seq, &hash, &head) => Chain::Whole { lines: seq },
            _ => Chain::Broken {
                line: seq + 1,
                why: "the signature of the last line does not fit: lines after this one were cut off, or the chain \
                      was written anew without the store's key"
                    .to_owned(),
            },
        })
    }
}

/// The signature of the last line.
async fn head(tx: &mut Open) -> Result<Option<String>> {
    let head: Option<(String,)> = sql("SELECT value FROM marks WHERE name = 'ledger'")
        .optional(tx)
        .await?;
    Ok(head.map(|(head,)| head))
}
