//! What people say to a running unleak: yes to an action, stop everything, go on.
//!
//! A yes is a line of the ledger, so that nobody can add or take one away unseen. The stop switch is a mark that is
//! looked at before every order.

use std::fmt;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row as _;

use super::{Store, sqlite};
use crate::finding::RuleId;
use crate::secret::Fingerprint;

/// Who stopped everything, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// The person.
    pub by: String,
    /// Their reason; may be empty.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.why.is_empty() {
            String::new()
        } else {
            format!(": {}", self.why.escape_debug())
        };
        write!(
            f,
            "everything was stopped by {} at {:.0}{why}",
            self.by.escape_debug(),
            self.at
        )
    }
}

impl Store {
    /// Writes down that a person says yes to this action (`revoke` or `contain`) on this leak. Their name is the
    /// ledger's actor. Saying it twice counts once.
    pub async fn approve(&self, fingerprint: Fingerprint, rule: &RuleId, action: &str) -> Result<()> {
        let detail = json!({ "action": action });
        self.append("approved", Some((fingerprint, rule)), &detail).await
    }

    /// Who said yes to this action since the leak was last closed: each once, in the order in which they did.
    pub async fn approvals(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        action: &str,
    ) -> Result<Vec<String>> {
        let rows = sqlx::query(
            "SELECT action, actor, detail FROM ledger WHERE action IN ('approved', 'closed') \
             AND fingerprint = ? AND rule = ? ORDER BY seq",
        )
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(|error| sqlite::explain(error, &self.shown))?;
        let mut people: Vec<String> = Vec::new();
        for row in rows {
            if row.try_get::<String, _>("action")? == "closed" {
                people.clear();
                continue;
            }
            let detail: serde_json::Value = serde_json::from_str(row.try_get("detail")?)?;
            let person: String = row.try_get("actor")?;
            if detail["action"] == action && !people.contains(&person) {
                people.push(person);
            }
        }
        Ok(people)
    }

    /// Stops every revocation and containment until [`Store::resume`]. The actor is who did it.
    pub async fn stop(&self, why: &str) -> Result<Stopped> {
        let stopped = Stopped {
            by: self.actor.to_string(),
            why: why.to_owned(),
            at: Timestamp::now(),
        };
        let mut tx = self.change().await?;
        sqlx::query(
            "INSERT INTO marks (name, value) VALUES ('stopped', ?) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(serde_json::to_string(&stopped)?)
        .execute(&mut *tx)
        .await?;
        self.append_in(&mut tx, "stopped", None, &json!({ "why": why }))
            .await?;
        tx.commit()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(stopped)
    }

    /// Lets revocations and containments go on; `false` if nothing had stopped them.
    pub async fn resume(&self) -> Result<bool> {
        let mut tx = self.change().await?;
        let done = sqlx::query("DELETE FROM marks WHERE name = 'stopped'")
            .execute(&mut *tx)
            .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        self.append_in(&mut tx, "resumed", None, &json!({})).await?;
        tx.commit()
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        Ok(true)
    }

    /// Whether a person has stopped everything.
    pub async fn stopped(&self) -> Result<Option<Stopped>> {
        let value: Option<String> = sqlx::query_scalar("SELECT value FROM marks WHERE name = 'stopped'")
            .fetch_optional(&self.pool)
            .await
            .map_err(|error| sqlite::explain(error, &self.shown))?;
        value
            .map(|value| serde_json::from_str(&value).context("the store's stop switch cannot be read"))
            .transpose()
    }
}
