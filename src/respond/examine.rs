//! What is known of a leak: recorded, asked about, its owners found. Nothing is sent that changes anything.

use anyhow::Result;

use super::Case;
use crate::leak::{Identity, Owner, OwnerReason, Revocation, Verdict};
use crate::owner;
use crate::verify::{Answer, weigh};

impl Case<'_> {
    /// Whether there is anything left to decide: not for a token that is dead, which is closed here.
    pub(super) async fn examine(&mut self) -> Result<bool> {
        let recorded = self.to.store.record(&self.held).await?;
        self.held.leak = recorded.leak;
        let (fingerprint, rule) = (self.held.leak.fingerprint, self.held.leak.rule.clone());
        // Another sighting may have brought parts that this one lacks.
        if let Some(whole) = self.to.store.unseal(fingerprint, &rule).await? {
            self.held = whole;
        }
        let known = match (recorded.new, recorded.closed) {
            (true, _) => "recorded as a new leak",
            (false, false) => "known already",
            (false, true) => "known, and closed before",
        };
        self.say(known);
        let answer = self.ask().await;
        self.keep(answer).await?;
        self.settle_interrupted().await?;
        match &self.held.leak.verdict {
            Some(Verdict::Dead { .. }) => {
                self.dead().await?;
                return Ok(false);
            }
            Some(Verdict::Live { .. }) if recorded.closed => {
                self.to.store.reopen(&self.held).await?;
                self.say("opened again, because it is alive");
            }
            // The proof that closed it stands until the service says otherwise.
            _ if recorded.closed => {
                self.closed = true;
                return Ok(false);
            }
            _ => {}
        }
        self.find_owners().await?;
        Ok(true)
    }

    /// The service's answer. A request that an earlier run sent, and whose outcome nobody wrote down, is given the
    /// time that it would have been given then.
    async fn ask(&mut self) -> Answer {
        let sending = |state: &Option<Revocation>| matches!(state, Some(Revocation::Sending));
        let leak = &self.held.leak;
        self.interrupted = sending(&leak.revocation) || sending(&leak.containment);
        if !self.interrupted {
            return self.to.verifier.verify(self.rule, &self.held).await;
        }
        self.say(
            "an earlier run was cut off after its request had left: the service is asked, nothing is sent",
        );
        let dead = |answer: &Answer| answer.verdict.is_dead().then(|| answer.clone());
        match self.to.verifier.ask_until(self.rule, &self.held, dead).await {
            Ok(answer) | Err(answer) => answer,
        }
    }

    /// Writes an answer down. What a dead token, or one that nobody can ask about, no longer tells is kept.
    pub(super) async fn keep(&mut self, answer: Answer) -> Result<()> {
        let Answer {
            verdict,
            mut identity,
        } = answer;
        let mut known: Identity = std::mem::take(&mut self.held.leak.identity);
        if verdict.is_live() && !identity.organisations.is_empty() {
            known.organisations.clear();
            known.scopes.clear();
        }
        identity.merge(known);
        let leak = &mut self.held.leak;
        self.to
            .store
            .save_verdict(leak.fingerprint, &leak.rule, &verdict, &identity)
            .await?;
        let said = match &verdict {
            Verdict::Live { reason } => format!("alive ({reason})"),
            Verdict::Dead { why, reason } => format!("dead: {why} ({reason})"),
            Verdict::Unknown { reason } => format!("whether it is alive is unknown: {reason}"),
        };
        if verdict.is_live() {
            leak.severity = weigh(self.rule, &identity).severity;
        }
        leak.identity = identity;
        leak.verdict = Some(verdict);
        self.say(said);
        Ok(())
    }

    /// What the answer says of requests whose outcome was open.
    async fn settle_interrupted(&mut self) -> Result<()> {
        let (fingerprint, rule) = (self.held.leak.fingerprint, self.held.leak.rule.clone());
        // The run that sent may not have been cut off at all, and may have written its outcome down while we asked.
        if let Some(now) = self
            .to
            .store
            .leak(fingerprint, &rule)
            .await?
            .filter(|_| self.interrupted)
        {
            self.held.leak.revocation = now.revocation;
            self.held.leak.containment = now.containment;
        }
        let leak = &self.held.leak;
        let revocation = outcome(leak.revocation.as_ref(), leak.verdict.as_ref(), "proved later");
        let containment = outcome(leak.containment.as_ref(), leak.verdict.as_ref(), "containment");
        if let Some(state) = revocation {
            self.to.store.save_revocation(fingerprint, &rule, &state).await?;
            self.held.leak.revocation = Some(state);
        }
        if let Some(state) = containment {
            self.to.store.save_containment(fingerprint, &rule, &state).await?;
            self.held.leak.containment = Some(state);
        }
        Ok(())
    }

    async fn find_owners(&mut self) -> Result<()> {
        let root = self.to.root.as_deref();
        let found = owner::find(&self.to.caller, self.rule, &self.held, &self.to.owners, root).await;
        let mut owners = found.owners;
        // Who was known stays known while somebody could not be asked.
        if !found.problems.is_empty() {
            let known = std::mem::take(&mut self.held.leak.owners);
            owners.extend(
                known
                    .into_iter()
                    .filter(|owner| owner.reason != OwnerReason::Fallback),
            );
            once_each(&mut owners);
        }
        for problem in found.problems {
            self.say(problem);
        }
        let leak = &mut self.held.leak;
        leak.owners = owners;
        self.to
            .store
            .save_owners(leak.fingerprint, &leak.rule, &leak.owners)
            .await
    }
}

fn once_each(owners: &mut Vec<Owner>) {
    let mut seen = std::collections::BTreeSet::new();
    owners.retain(|owner| seen.insert(owner.key()));
}

/// How a request that was sent ended, if the answer tells and nobody wrote it down yet.
fn outcome(state: Option<&Revocation>, verdict: Option<&Verdict>, with: &str) -> Option<Revocation> {
    let reason = match (state?, verdict?) {
        (Revocation::Sending | Revocation::Uncertain { .. }, Verdict::Dead { .. }) => {
            return Some(Revocation::Done {
                with: with.to_owned(),
            });
        }
        (Revocation::Sending, Verdict::Live { .. }) => "the token is still alive".to_owned(),
        (Revocation::Sending, Verdict::Unknown { reason }) => {
            format!("whether the token is alive is unknown ({reason})")
        }
        _ => return None,
    };
    Some(Revocation::Uncertain {
        reason: format!(
            "the run was cut off after its request had left, and {reason}; it was not sent again"
        ),
    })
}
