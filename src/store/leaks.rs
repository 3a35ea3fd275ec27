//! Leaks in the store: recorded, read back, unsealed, and wiped.
//!
//! A leak is one secret under one rule: (fingerprint, rule). Nothing here writes a secret in clear, not even where a
//! path happens to hold it.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, SqliteConnection};

use super::rows::{load, one, text};
use super::seal::Contents;
use super::{Store, leak_name, sqlite};
use crate::finding::RuleId;
use crate::leak::{Held, Identity, Leak, Owner, Verdict};
use crate::secret::{Fingerprint, Secret};

/// What [`Store::record`] made of a leak.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The leak with everything the store knows of it.
    pub leak: Leak,
    /// Whether it was heard of for the first time.
    pub new: bool,
    /// Whether it was closed before; its secret is then not kept again, unless it is reopened.
    pub closed: bool,
}

impl Store {
    /// Records a leak: a new one, or further sightings of a known one. The secret, its parts and facts are sealed.
    /// What the store knew already (verdict, owners, notices, how its revocation goes) is kept and handed back.
    pub async fn record(&self, held: &Held) -> Result<Recorded> {
        let mut tx = self.change().await?;
        let recorded = self.record_in(&mut tx, held).await?;
        tx.commit()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(recorded)
    }

    /// Records a leak in a transaction that holds the write lock.
    pub(super) async fn record_in(&self, tx: &mut SqliteConnection, held: &Held) -> Result<Recorded> {
        let leak = &held.leak;
        let known = sqlx::query("SELECT sealed, closed_at FROM leaks WHERE fingerprint = ? AND rule = ?")
            .bind(leak.fingerprint.to_string())
            .bind(leak.rule.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        let closed = match &known {
            None => {
                self.insert(tx, held).await?;
                false
            }
            Some(row) => {
                self.seen_again(tx, held, row.try_get("sealed")?).await?;
                row.try_get::<Option<i64>, _>("closed_at")?.is_some()
            }
        };
        let added = add_sightings(tx, held).await?;
        let new = known.is_none();
        if new || added > 0 {
            let action = if new { "found" } else { "seen" };
            let detail = json!({ "redacted": leak.redacted, "places": added });
            self.append_in(tx, action, Some((leak.fingerprint, &leak.rule)), &detail)
                .await?;
        }
        let leak = one(tx, leak.fingerprint, &leak.rule).await?;
        let leak = leak.context("a leak that was just recorded is not there")?;
        Ok(Recorded { leak, new, closed })
    }

    async fn insert(&self, tx: &mut SqliteConnection, held: &Held) -> Result<()> {
        let leak = &held.leak;
        sqlx::query(
            "INSERT INTO leaks (fingerprint, rule, redacted, severity, first_seen, last_seen, verdict, identity, \
             owners, revocation, containment, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(leak.fingerprint.to_string())
        .bind(leak.rule.as_str())
        .bind(&leak.redacted)
        .bind(text(&leak.severity)?)
        .bind(leak.first_seen.as_microsecond())
        .bind(leak.last_seen.as_microsecond())
        .bind(leak.verdict.as_ref().map(text).transpose()?)
        .bind(text(&leak.identity)?)
        .bind(text(&leak.owners)?)
        .bind(leak.revocation.as_ref().map(text).transpose()?)
        .bind(leak.containment.as_ref().map(text).transpose()?)
        .bind(self.sealed(held, None)?)
        .execute(tx)
        .await
        .with_context(|| {
            format!(
                "cannot record the leak {}",
                leak_name(leak.fingerprint, &leak.rule)
            )
        })?;
        Ok(())
    }

    async fn seen_again(
        &self,
        tx: &mut SqliteConnection,
        held: &Held,
        sealed: Option<Vec<u8>>,
    ) -> Result<()> {
        let leak = &held.leak;
        // A closed leak has nothing sealed, and being seen again does not bring its secret back.
        let sealed = match sealed {
            Some(sealed) => Some(self.sealed(held, Some(&sealed))?),
            None => None,
        };
        sqlx::query(
            "UPDATE leaks SET redacted = ?, severity = ?, first_seen = MIN(first_seen, ?), \
             last_seen = MAX(last_seen, ?), sealed = ? WHERE fingerprint = ? AND rule = ?",
        )
        .bind(&leak.redacted)
        .bind(text(&leak.severity)?)
        .bind(leak.first_seen.as_microsecond())
        .bind(leak.last_seen.as_microsecond())
        .bind(sealed)
        .bind(leak.fingerprint.to_string())
        .bind(leak.rule.as_str())
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Seals what `held` holds, and what was `known` besides: one sighting may have parts that another lacks.
    pub(super) fn sealed(&self, held: &Held, known: Option<&[u8]>) -> Result<Vec<u8>> {
        let name = leak_name(held.leak.fingerprint, &held.leak.rule);
        let mut contents = Contents {
            secret: held.secret.clone(),
            parts: held.parts.clone(),
            facts: held.facts.clone(),
        };
        if let Some(known) = known {
            let known = self.sealer.open(&name, known)?;
            for (part, value) in known.parts {
                contents.parts.entry(part).or_insert(value);
            }
            for (fact, value) in known.facts {
                contents.facts.entry(fact).or_insert(value);
            }
        }
        self.sealer.seal(&name, &contents)
    }

    /// The leak of this name, if it is known.
    pub async fn leak(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<Option<Leak>> {
        let mut tx = self.reading().await?;
        one(&mut tx, fingerprint, rule).await
    }

    /// The leaks of the fingerprint that begins so: several, if several rules know the secret; none, if it is
    /// unknown. At least four hexadecimal digits.
    ///
    /// # Errors
    /// Anything else than digits, fewer than four, and a beginning that several fingerprints share.
    pub async fn find(&self, beginning: &str) -> Result<Vec<Leak>> {
        let hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if !(4..=32).contains(&beginning.len()) || !beginning.bytes().all(hexadecimal) {
            bail!("a fingerprint is 32 hexadecimal digits, or its first four or more");
        }
        let mut tx = self.reading().await?;
        let leaks = load(&mut tx, beginning).await?;
        if leaks
            .windows(2)
            .any(|two| two[0].fingerprint != two[1].fingerprint)
        {
            bail!("several leaks have a fingerprint that begins with {beginning}; give more digits");
        }
        Ok(leaks)
    }

    /// Every leak, the one heard of first at the front.
    pub async fn all(&self) -> Result<Vec<Leak>> {
        let mut tx = self.reading().await?;
        let mut leaks = load(&mut tx, "").await?;
        leaks.sort_by_key(|leak| leak.first_seen);
        Ok(leaks)
    }

    /// The leak with its secret at hand; `None` if it is unknown, or closed and its secret wiped.
    pub async fn unseal(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<Option<Held>> {
        let mut tx = self.reading().await?;
        let sealed: Option<Option<Vec<u8>>> =
            sqlx::query_scalar("SELECT sealed FROM leaks WHERE fingerprint = ? AND rule = ?")
                .bind(fingerprint.to_string())
                .bind(rule.as_str())
                .fetch_optional(&mut *tx)
                .await?;
        let (Some(sealed), Some(leak)) = (sealed.flatten(), one(&mut tx, fingerprint, rule).await?) else {
            return Ok(None);
        };
        let contents = self.sealer.open(&leak_name(fingerprint, rule), &sealed)?;
        Ok(Some(Held {
            leak,
            secret: contents.secret,
            parts: contents.parts,
            facts: contents.facts,
        }))
    }

    /// Keeps what the service said, in place of what it said before.
    pub async fn save_verdict(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        verdict: &Verdict,
        identity: &Identity,
    ) -> Result<()> {
        let update =
            sqlx::query("UPDATE leaks SET verdict = ?, identity = ? WHERE fingerprint = ? AND rule = ?")
                .bind(text(verdict)?)
                .bind(text(identity)?);
        self.save(
            update,
            fingerprint,
            rule,
            "verified",
            &json!({ "verdict": verdict }),
        )
        .await
    }

    /// Keeps who must hear, in place of who was known before.
    pub async fn save_owners(&self, fingerprint: Fingerprint, rule: &RuleId, owners: &[Owner]) -> Result<()> {
        let update = sqlx::query("UPDATE leaks SET owners = ? WHERE fingerprint = ? AND rule = ?")
            .bind(text(&owners)?);
        self.save(
            update,
            fingerprint,
            rule,
            "owners",
            &json!({ "count": owners.len() }),
        )
        .await
    }

    /// Closes the leak and wipes its secret: from now on only the fingerprint knows it.
    pub async fn close(&self, fingerprint: Fingerprint, rule: &RuleId, why: &str) -> Result<()> {
        let update = sqlx::query(
            "UPDATE leaks SET sealed = NULL, closed_at = COALESCE(closed_at, ?) WHERE fingerprint = ? AND rule = ?",
        )
        .bind(Timestamp::now().as_microsecond());
        self.save(update, fingerprint, rule, "closed", &json!({ "why": why }))
            .await?;
        // The write-ahead log still has the page as it was; a busy reader only puts this off.
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.pool)
            .await
        {
            tracing::debug!(%error, "the write-ahead log was not emptied");
        }
        Ok(())
    }

    /// Opens a closed leak again, because its secret is alive after all; the secret is sealed again.
    pub async fn reopen(&self, held: &Held) -> Result<()> {
        let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
        let update =
            sqlx::query("UPDATE leaks SET closed_at = NULL, sealed = ? WHERE fingerprint = ? AND rule = ?")
                .bind(self.sealed(held, None)?);
        self.save(update, fingerprint, rule, "reopened", &json!({})).await
    }

    /// One change of one leak and its line in the ledger. `update` ends in `fingerprint = ? AND rule = ?`.
    pub(super) async fn save<'q>(
        &self,
        update: sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>,
        fingerprint: Fingerprint,
        rule: &RuleId,
        action: &str,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let mut tx = self.change().await?;
        let done = update
            .bind(fingerprint.to_string())
            .bind(rule.to_string())
            .execute(&mut *tx)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        if done.rows_affected() != 1 {
            bail!(
                "the store has no leak {}; record it first",
                leak_name(fingerprint, rule)
            );
        }
        self.append_in(&mut tx, action, Some((fingerprint, rule)), detail)
            .await?;
        tx.commit()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))
    }

    /// A transaction for reading, so that a leak and its sightings are of one moment.
    pub(super) async fn reading(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>> {
        self.pool
            .begin()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))
    }
}

/// Adds the sightings that are not known yet and says how many they were.
async fn add_sightings(tx: &mut SqliteConnection, held: &Held) -> Result<u64> {
    let leak = &held.leak;
    let clean = |text: &str| without_secrets(text, held);
    let mut added = 0;
    for sighting in &leak.sightings {
        let commit = sighting.commit.clone().map(|mut commit| {
            commit.author = clean(&commit.author);
            commit.email = clean(&commit.email);
            commit
        });
        let done = sqlx::query(
            "INSERT INTO sightings (fingerprint, rule, origin, path, line, col, commit_id, commit_info) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(leak.fingerprint.to_string())
        .bind(leak.rule.as_str())
        .bind(&sighting.origin)
        .bind(clean(&sighting.path))
        .bind(i64::try_from(sighting.line)?)
        .bind(i64::try_from(sighting.column)?)
        .bind(commit.as_ref().map_or("", |commit| commit.id.as_str()).to_owned())
        .bind(commit.as_ref().map(text).transpose()?)
        .execute(&mut *tx)
        .await?;
        added += done.rows_affected();
    }
    Ok(added)
}

/// A file may be named after the secret it holds.
fn without_secrets(text: &str, held: &Held) -> String {
    std::iter::once(&held.secret)
        .chain(held.parts.values())
        .filter_map(Secret::expose_str)
        // Shorter ones are words: taking them out of a path would spoil it and hide nothing.
        .filter(|secret| secret.len() >= 8)
        .fold(text.to_owned(), |text, secret| {
            text.replace(secret, &held.leak.redacted)
        })
}
