//! When a leak is to be looked at again: what the worker makes its tasks of.

use anyhow::Result;
use jiff::Timestamp;

use super::Case;
use crate::leak::{Revocation, Verdict};
use crate::policy;

/// When a leak is to be looked at again, and why, in a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`at` is the time and `why` the reason, throughout")]
pub enum Next {
    /// Never: it is closed, or nothing can change by itself.
    Never,
    /// Then: a grace period ends, nobody has acted, or it is time to ask again.
    At { at: Timestamp, why: String },
    /// Soon, and again and again: something failed that may work later.
    Retry { why: String },
    /// Later: somebody asked us to wait, and nothing was done.
    PutOff { why: String },
}

impl Case<'_> {
    /// What is left to do after this run.
    pub(super) async fn next(&mut self) -> Result<Next> {
        if self.closed {
            return Ok(Next::Never);
        }
        let under_way = [&self.held.leak.revocation, &self.held.leak.containment];
        let under_way = under_way
            .into_iter()
            .flatten()
            .any(|state| !matches!(state, Revocation::Done { .. } | Revocation::Refused { .. }));
        if !under_way && self.is_dismissed().await? {
            return Ok(Next::Never);
        }
        if let Some(soon) = self.soon() {
            return Ok(soon);
        }
        // Nobody can be asked: only people may still have to hear.
        let silent = matches!(self.held.leak.verdict, Some(Verdict::Unknown { .. }));
        if !silent && !self.decided && !self.held.leak.verdict.as_ref().is_some_and(Verdict::is_dead) {
            return Ok(Next::Never);
        }
        // A step that waits in the queue, or was given up there, is taken.
        self.held.leak.notices = self.told(|_| true).await?;
        let leak = &self.held.leak;
        let look = if silent {
            policy::next_escalation(leak, &self.to.policy)
        } else {
            policy::next_look(leak, &self.to.policy, &self.to.standing(leak).await?)
        };
        Ok(match look {
            Some(look) => Next::At {
                at: look.at,
                why: look.why,
            },
            None => Next::Never,
        })
    }

    /// What cannot wait for its time.
    fn soon(&self) -> Option<Next> {
        let leak = &self.held.leak;
        for state in [&leak.revocation, &leak.containment].into_iter().flatten() {
            let why = match state {
                Revocation::Sending => "whether a request was carried out is not known yet".to_owned(),
                Revocation::Uncertain { reason } => reason.clone(),
                Revocation::Postponed { reason } => {
                    return Some(Next::PutOff { why: reason.clone() });
                }
                Revocation::Done { .. } | Revocation::Refused { .. } => continue,
            };
            return Some(Next::Retry { why });
        }
        if self.interrupted {
            return Some(Next::Retry {
                why: "an earlier run was cut off; this one only asked".to_owned(),
            });
        }
        if let Some(why) = &self.untold {
            return Some(Next::Retry { why: why.clone() });
        }
        match &leak.verdict {
            Some(Verdict::Unknown { reason }) if self.rule.verify().is_some() && !self.rule.public => {
                Some(Next::Retry { why: reason.clone() })
            }
            _ => None,
        }
    }
}
