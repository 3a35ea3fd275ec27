//! Carrying out an order: `Sending` is on the disk before anything leaves, the outcome right after.

use anyhow::Result;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

use super::Case;
use crate::contain;
use crate::leak::{DeadWhy, Revocation, Verdict};
use crate::policy::{Action, Order};
use crate::revoke;

impl Case<'_> {
    /// Does what the order says and writes down how it ended. Whether it was refused, so that another entry of the
    /// policy may have its turn.
    pub(super) async fn act(&mut self, order: Order) -> Result<bool> {
        let action = order.action();
        // Looked at again right here: it may have been thrown after the decision.
        if let Some(stopped) = self.to.store.stopped().await? {
            self.say(format!("not sent: {stopped}; `unleak resume` lets it go on"));
            return Ok(false);
        }
        let span = info_span!(
            target: "traces",
            "act",
            otel.name = %action,
            unleak.rule = %self.held.leak.rule,
            unleak.outcome = Empty,
        );
        let Some(ended) = self.send(order).instrument(span.clone()).await? else {
            self.say(format!(
                "not sent: another run is at it, it was done before, or everything was just stopped ({action})"
            ));
            return Ok(false);
        };
        span.record("unleak.outcome", ended.name());
        drop(span);
        self.save(action, &ended).await?;
        let said = match &ended {
            Revocation::Done { with } => format!("{action}: done and proved ({with})"),
            Revocation::Refused { reason } => format!("{action}: refused: {reason}"),
            Revocation::Postponed { reason } => {
                format!("{action}: put off: {reason}; nothing was done, the next run tries again")
            }
            Revocation::Uncertain { reason } => format!("{action}: uncertain: {reason}"),
            Revocation::Sending => format!("{action}: sending"),
        };
        self.say(said);
        match ended {
            Revocation::Done { .. } => self.done(action).await?,
            Revocation::Refused { .. } => return Ok(true),
            Revocation::Postponed { .. } | Revocation::Uncertain { .. } | Revocation::Sending => {}
        }
        Ok(false)
    }

    /// `None` where the store does not let us send.
    async fn send(&mut self, order: Order) -> Result<Option<Revocation>> {
        let (to, rule, held) = (self.to, self.rule, &self.held);
        let (store, leak) = (&to.store, &held.leak);
        let plan = revoke::plan(&to.caller, rule, held);
        let by = order.rule().to_owned();
        match order.action() {
            Action::Revoke => {
                // What is not open to us is refused without a request, and must not count as one.
                let open = plan.can_revoke();
                let seen = leak.revocation.as_ref();
                if open
                    && !store
                        .begin_revocation(leak.fingerprint, &leak.rule, seen, &by)
                        .await?
                {
                    return Ok(None);
                }
                let ended = revoke::revoke(order, &to.caller, &to.verifier, rule, held).await;
                #[cfg(feature = "kill-points")]
                crate::store::kill::point();
                Ok(Some(ended))
            }
            Action::Contain => {
                let open = plan.can_contain();
                let seen = leak.containment.as_ref();
                if open
                    && !store
                        .begin_containment(leak.fingerprint, &leak.rule, seen, &by)
                        .await?
                {
                    return Ok(None);
                }
                let ended = contain::contain(order, &to.caller, &to.verifier, rule, held).await;
                #[cfg(feature = "kill-points")]
                crate::store::kill::point();
                Ok(Some(ended))
            }
        }
    }

    async fn save(&mut self, action: Action, state: &Revocation) -> Result<()> {
        let (store, leak) = (&self.to.store, &mut self.held.leak);
        match action {
            Action::Revoke => {
                store.save_revocation(leak.fingerprint, &leak.rule, state).await?;
                leak.revocation = Some(state.clone());
            }
            Action::Contain => {
                store
                    .save_containment(leak.fingerprint, &leak.rule, state)
                    .await?;
                leak.containment = Some(state.clone());
            }
        }
        Ok(())
    }

    /// After a proof: what the service says now, who must hear that it is over, and the end.
    async fn done(&mut self, action: Action) -> Result<()> {
        let answer = self.to.verifier.ask_again(self.rule, &self.held).await;
        self.keep(answer).await?;
        if self.held.leak.verdict.as_ref().is_some_and(Verdict::is_dead) {
            return self.dead().await;
        }
        if action == Action::Revoke {
            let state = Revocation::Uncertain {
                reason: "the service said that the token is dead, and then no longer; verify it later"
                    .to_owned(),
            };
            return self.save(action, &state).await;
        }
        self.tell("").await
    }

    /// A dead token: whoever heard of the leak hears of its end, and the secret is wiped, unless it can come back.
    pub(super) async fn dead(&mut self) -> Result<()> {
        let (fingerprint, rule) = (self.held.leak.fingerprint, self.held.leak.rule.clone());
        let store = &self.to.store;
        // What waits to be told needs no secret, so the leak is closed all the same.
        if store.is_told(fingerprint, &rule).await?
            || !store.notices_left(fingerprint, &rule).await?.is_empty()
        {
            self.tell("").await?;
        }
        self.resolve_alerts().await?;
        let leak = &self.held.leak;
        let why = match &leak.verdict {
            // Whoever enables the owner again brings the token back to life: it is asked about again whenever it is seen.
            Some(Verdict::Dead {
                why: DeadWhy::OwnerDisabled,
                ..
            }) => {
                self.say("not closed: the token lives again when its owner is enabled");
                return Ok(());
            }
            Some(Verdict::Dead { why, .. }) => format!("it is dead: {why}"),
            _ => return Ok(()),
        };
        // A closed leak is not looked at again, and GitHub's alert would stay open.
        if let Some(untold) = &self.untold {
            let step = format!("not closed yet: {untold}; the next run tries again");
            self.say(step);
            return Ok(());
        }
        self.to.store.close(leak.fingerprint, &leak.rule, &why).await?;
        self.closed = true;
        self.say("closed; the secret is wiped from the store");
        Ok(())
    }
}
