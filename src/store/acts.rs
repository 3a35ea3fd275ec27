//! Revocation and containment: how far each has come, written down before any request leaves.
//!
//! `Sending` is committed first; whoever finds it after a crash asks the service and never sends blindly again.

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::json as object;

use super::rows::{json, text};
use super::{Store, leak_name};
use crate::database::{Ask, sql};
use crate::finding::RuleId;
use crate::leak::Revocation;
use crate::secret::Fingerprint;

#[derive(Clone, Copy)]
enum Act {
    Revocation,
    Containment,
}

impl Act {
    fn name(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Containment => "containment",
        }
    }

    fn update(self) -> Ask {
        sql(match self {
            Self::Revocation => "UPDATE leaks SET revocation = $1 WHERE fingerprint = $2 AND rule = $3",
            Self::Containment => "UPDATE leaks SET containment = $1 WHERE fingerprint = $2 AND rule = $3",
        })
    }

    fn read(self) -> Ask {
        sql(match self {
            Self::Revocation => "SELECT revocation FROM leaks WHERE fingerprint = $1 AND rule = $2",
            Self::Containment => "SELECT containment FROM leaks WHERE fingerprint = $1 AND rule = $2",
        })
    }
}

impl Store {
    /// Writes `Sending` down, and says whether the caller may send: `true` only if the revocation still stands where
    /// the caller `seen` it (so that of two processes one sends), that was neither `Sending` nor `Done`, and nobody has
    /// stopped everything.
    /// `by` names the policy rule or the person. Once this is back, the state is on the disk.
    pub async fn begin_revocation(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        seen: Option<&Revocation>,
        by: &str,
    ) -> Result<bool> {
        self.begin(Act::Revocation, fingerprint, rule, seen, by).await
    }

    /// The same for a containment.
    pub async fn begin_containment(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        seen: Option<&Revocation>,
        by: &str,
    ) -> Result<bool> {
        self.begin(Act::Containment, fingerprint, rule, seen, by).await
    }

    /// Keeps how the revocation stands now.
    pub async fn save_revocation(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        state: &Revocation,
    ) -> Result<()> {
        self.save_act(Act::Revocation, fingerprint, rule, state).await
    }

    /// Keeps how the containment stands now.
    pub async fn save_containment(
        &self,
        fingerprint: Fingerprint,
        rule: &RuleId,
        state: &Revocation,
    ) -> Result<()> {
        self.save_act(Act::Containment, fingerprint, rule, state).await
    }

    async fn begin(
        &self,
        act: Act,
        fingerprint: Fingerprint,
        rule: &RuleId,
        seen: Option<&Revocation>,
        by: &str,
    ) -> Result<bool> {
        if matches!(seen, Some(Revocation::Sending | Revocation::Done { .. })) {
            return Ok(false);
        }
        let mut tx = self.change().await?;
        let stopped: Option<(String,)> = sql("SELECT value FROM marks WHERE name = 'stopped'")
            .optional(&mut tx)
            .await?;
        if stopped.is_some() {
            return Ok(false);
        }
        let row: Option<(Option<String>,)> = act
            .read()
            .bind(fingerprint.to_string())
            .bind(rule.as_str())
            .optional(&mut tx)
            .await?;
        let Some((state,)) = row else {
            bail!(
                "the store has no leak {}; record it first",
                leak_name(fingerprint, rule)
            );
        };
        let current: Option<Revocation> = json(state, act.name())?;
        if current.as_ref() != seen {
            return Ok(false);
        }
        act.update()
            .bind(text(&Revocation::Sending)?)
            .bind(fingerprint.to_string())
            .bind(rule.as_str())
            .run(&mut tx)
            .await?;
        let action = format!("{}-sending", act.name());
        self.append_in(
            &mut tx,
            &action,
            Some((fingerprint, rule)),
            &object!({ "by": by }),
        )
        .await?;
        self.commit(tx).await?;
        Ok(true)
    }

    async fn save_act(
        &self,
        act: Act,
        fingerprint: Fingerprint,
        rule: &RuleId,
        state: &Revocation,
    ) -> Result<()> {
        let action = format!("{}-{}", act.name(), state.name());
        let update = act.update().bind(text(state)?);
        self.save(update, fingerprint, rule, &action, &object!(state))
            .await
    }

    /// How many leaks a revocation or containment was sent for since then: what the policy's limit counts.
    pub async fn recent_revocations(&self, since: Timestamp) -> Result<usize> {
        let count: Option<(i64,)> = sql("SELECT COUNT(DISTINCT fingerprint || '|' || rule) FROM ledger \
             WHERE action IN ('revocation-sending', 'containment-sending') AND at >= $1")
        .bind(since.as_microsecond())
        .optional(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        let (count,) = count.unwrap_or_default();
        Ok(usize::try_from(count)?)
    }
}
