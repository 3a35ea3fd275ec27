//! What people say to a running unleak: yes to an action, stop everything, go on.
//!
//! A yes is a line of the ledger, so that nobody can add or take one away unseen. The stop switch is a mark that is
//! looked at before every order.

use std::fmt;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rows::text;
use super::{Store, without_nul};
use crate::database::sql;
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
        let rows: Vec<(String, String, String)> = sql(
            "SELECT action, actor, detail FROM ledger WHERE action IN ('approved', 'closed') \
             AND fingerprint = $1 AND rule = $2 ORDER BY seq",
        )
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .all(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        let mut people: Vec<String> = Vec::new();
        for (line, person, detail) in rows {
            if line == "closed" {
                people.clear();
                continue;
            }
            let detail: serde_json::Value = serde_json::from_str(&detail)?;
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
            why: without_nul(why),
            at: Timestamp::now(),
        };
        let mut tx = self.change().await?;
        sql("INSERT INTO marks (name, value) VALUES ('stopped', $1) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(text(&stopped)?)
        .run(&mut tx)
        .await?;
        self.append_in(&mut tx, "stopped", None, &json!({ "why": why }))
            .await?;
        self.commit(tx).await?;
        Ok(stopped)
    }

    /// Lets revocations and containments go on, and has every leak looked at that waits; `false` if nothing had stopped
    /// them.
    pub async fn resume(&self) -> Result<bool> {
        let mut tx = self.change().await?;
        let done = sql("DELETE FROM marks WHERE name = 'stopped'")
            .run(&mut tx)
            .await?;
        if done == 0 {
            return Ok(false);
        }
        let now = Timestamp::now().as_microsecond();
        sql("UPDATE tasks SET due_at = $1 WHERE state = 'due' AND wakes = 1 AND due_at > $1")
            .bind(now)
            .run(&mut tx)
            .await?;
        self.append_in(&mut tx, "resumed", None, &json!({})).await?;
        self.commit(tx).await?;
        Ok(true)
    }

    /// Whether a person has stopped everything.
    pub async fn stopped(&self) -> Result<Option<Stopped>> {
        let value: Option<(String,)> = sql("SELECT value FROM marks WHERE name = 'stopped'")
            .optional(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        value
            .map(|(value,)| serde_json::from_str(&value).context("the store's stop switch cannot be read"))
            .transpose()
    }
}
