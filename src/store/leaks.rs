//! Leaks in the store: recorded, read back, unsealed, and wiped.
//!
//! A leak is one secret under one rule: (fingerprint, rule).

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::json;

use super::listed::{self, News};
use super::rows::{load, one, text};
use super::{Store, leak_name};
use crate::database::{Ask, sql};
use crate::finding::RuleId;
use crate::leak::{Held, Identity, Leak, Owner, Verdict};
use crate::secret::Fingerprint;

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
        let batch = self.batch(std::slice::from_ref(held))?;
        let mut tx = self.change().await?;
        let written = self.write(&mut tx, &batch).await?;
        let leak = one(&mut tx, held.leak.fingerprint, &held.leak.rule).await?;
        self.commit(tx).await?;
        let (Some(leak), Some(written)) = (leak, written.first()) else {
            bail!("a leak that was just recorded is not there");
        };
        Ok(Recorded {
            leak,
            new: written.new,
            closed: written.closed,
        })
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
        let sealed: Option<(Option<Vec<u8>>,)> =
            sql("SELECT sealed FROM leaks WHERE fingerprint = $1 AND rule = $2")
                .bind(fingerprint.to_string())
                .bind(rule.as_str())
                .optional(&mut tx)
                .await?;
        let sealed = sealed.and_then(|(sealed,)| sealed);
        let (Some(sealed), Some(leak)) = (sealed, one(&mut tx, fingerprint, rule).await?) else {
            return Ok(None);
        };
        let contents = self.sealer.open(&leak_name(fingerprint, rule), &sealed)?;
        Ok(Some(contents.held(leak)))
    }

    /// Keeps what the service said, in place of what it said before.
    pub async fn save_verdict(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        verdict: &Verdict,
        identity: &Identity,
    ) -> Result<()> {
        let update = sql("UPDATE leaks SET verdict = $1, identity = $2 WHERE fingerprint = $3 AND rule = $4")
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
        let update =
            sql("UPDATE leaks SET owners = $1 WHERE fingerprint = $2 AND rule = $3").bind(text(&owners)?);
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
        let update = sql(
            "UPDATE leaks SET sealed = NULL, closed_at = COALESCE(closed_at, $1) WHERE fingerprint = $2 AND rule = $3",
        )
        .bind(Timestamp::now().as_microsecond());
        self.save(update, fingerprint, rule, "closed", &json!({ "why": why }))
            .await?;
        // SQLite's write-ahead log still has the page as it was.
        self.log.empty(&self.pool).await;
        Ok(())
    }

    /// Opens a closed leak again, because its secret is alive after all; the secret is sealed again.
    pub async fn reopen(&self, held: &Held) -> Result<()> {
        let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
        let update =
            sql("UPDATE leaks SET closed_at = NULL, sealed = $1 WHERE fingerprint = $2 AND rule = $3")
                .bind(self.sealed(held, None)?);
        self.save(update, fingerprint, rule, "reopened", &json!({})).await
    }

    /// One change of one leak and its line in the ledger. `update` ends in `fingerprint = $N AND rule = $M`.
    pub(super) async fn save(
        &self,
        update: Ask,
        fingerprint: Fingerprint,
        rule: &RuleId,
        action: &str,
        detail: &serde_json::Value,
    ) -> Result<()> {
        let mut tx = self.change().await?;
        let done = update
            .bind(fingerprint.to_string())
            .bind(rule.as_str())
            .run(&mut tx)
            .await
            .map_err(|error| self.told(error))?;
        if done != 1 {
            bail!(
                "the store has no leak {}; record it first",
                leak_name(fingerprint, rule)
            );
        }
        self.append_in(&mut tx, action, Some((fingerprint, rule)), detail)
            .await?;
        listed::relist_one(&mut tx, fingerprint, rule, &News::default()).await?;
        self.commit(tx).await
    }
}
