//! Leaks that a person said need nothing: a sample, a token of a test, a risk that is taken. A dismissal is a line of the
//! ledger; it ends no token and wipes no secret, and can be taken back.

use std::fmt;

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use super::listed::{self, News};
use super::{Store, leak_name};
use crate::database::sql;
use crate::finding::RuleId;
use crate::secret::Fingerprint;

/// Longest reason, in characters.
const LONGEST: usize = 500;

/// Who said that a leak needs nothing, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dismissed {
    /// The person.
    pub by: String,
    /// Their reason.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for Dismissed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dismissed by {} at {:.0}: {}", self.by, self.at, self.why)
    }
}

impl Store {
    /// Writes down that a leak needs nothing, and why. Their name is the ledger's actor.
    ///
    /// # Errors
    /// No reason, or one longer than 500 characters.
    pub async fn dismiss(&self, fingerprint: Fingerprint, rule: &RuleId, why: &str) -> Result<()> {
        let why = why.trim();
        if why.is_empty() || why.chars().count() > LONGEST {
            bail!("a dismissal needs a reason of at most {LONGEST} characters");
        }
        self.say_whether(fingerprint, rule, "dismissed", why, true).await
    }

    /// Takes a dismissal back.
    ///
    /// # Errors
    /// As [`Store::dismiss`].
    pub async fn reinstate(&self, fingerprint: Fingerprint, rule: &RuleId, why: &str) -> Result<()> {
        let why = why.trim();
        if why.chars().count() > LONGEST {
            bail!("a reason has at most {LONGEST} characters");
        }
        self.say_whether(fingerprint, rule, "reinstated", why, false)
            .await
    }

    async fn say_whether(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        action: &str,
        why: &str,
        dismissed: bool,
    ) -> Result<()> {
        let mut tx = self.change().await?;
        let known: Option<(i64,)> = sql("SELECT first_seen FROM leaks WHERE fingerprint = $1 AND rule = $2")
            .bind(fingerprint.to_string())
            .bind(rule.as_str())
            .optional(&mut tx)
            .await?;
        if known.is_none() {
            bail!("the store has no leak {}", leak_name(fingerprint, rule));
        }
        let detail = json!({ "why": why });
        self.append_in(&mut tx, action, Some((fingerprint, rule)), &detail)
            .await?;
        let news = News {
            dismissed: Some(dismissed),
            ..News::default()
        };
        listed::relist_one(&mut tx, fingerprint, rule, &news).await?;
        self.commit(tx).await
    }

    /// Whether a person said that this leak needs nothing, and has not taken it back.
    pub async fn dismissed(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<Option<Dismissed>> {
        let last: Option<(String, String, String, i64)> = sql("SELECT action, actor, detail, at FROM ledger \
             WHERE fingerprint = $1 AND rule = $2 AND action IN ('dismissed', 'reinstated') ORDER BY seq DESC LIMIT 1")
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .optional(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        let Some((_, by, detail, at)) = last.filter(|(action, ..)| action == "dismissed") else {
            return Ok(None);
        };
        let detail: serde_json::Value = serde_json::from_str(&detail)?;
        Ok(Some(Dismissed {
            by,
            why: detail["why"].as_str().unwrap_or_default().to_owned(),
            at: Timestamp::from_microsecond(at)?,
        }))
    }
}
