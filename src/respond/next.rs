//! When a leak is to be looked at again: what the worker makes its tasks of.

use jiff::Timestamp;

use super::Case;
use crate::leak::{Revocation, Verdict};
use crate::policy::Decision;

/// When a leak is to be looked at again, and why, in a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "`at` is the time and `why` the reason, throughout")]
pub enum Next {
    /// Never: it is closed, or nothing can change by itself.
    Never,
    /// Now and then: it is for a person to act, or for its service to bring it back.
    Watch { why: String },
    /// Then.
    At { at: Timestamp, why: String },
    /// Soon, and again and again: something failed that may work later.
    Retry { why: String },
    /// Later: somebody asked us to wait, and nothing was done.
    PutOff { why: String },
}

impl Next {
    /// What a decision asks for, if all that it asks for works.
    pub(super) fn wanted(decision: &Decision) -> Self {
        let why = decision.why().to_owned();
        match decision {
            Decision::Record { .. } => Self::Never,
            Decision::Wait { until, .. } => Self::At { at: *until, why },
            Decision::Notify { .. } | Decision::Approve { .. } | Decision::Act(_) => Self::Watch { why },
        }
    }
}

impl Case<'_> {
    /// What is left to do after this run.
    pub(super) fn next(&self) -> Next {
        if self.closed {
            return Next::Never;
        }
        let leak = &self.held.leak;
        for state in [&leak.revocation, &leak.containment].into_iter().flatten() {
            let why = match state {
                Revocation::Sending => "whether a request was carried out is not known yet".to_owned(),
                Revocation::Uncertain { reason } => reason.clone(),
                Revocation::Postponed { reason } => {
                    return Next::PutOff { why: reason.clone() };
                }
                Revocation::Done { .. } | Revocation::Refused { .. } => continue,
            };
            return Next::Retry { why };
        }
        if self.interrupted {
            return Next::Retry {
                why: "an earlier run was cut off; this one only asked".to_owned(),
            };
        }
        if let Some(why) = &self.untold {
            return Next::Retry { why: why.clone() };
        }
        match &leak.verdict {
            Some(Verdict::Unknown { reason }) if self.rule.verify().is_some() && !self.rule.public => {
                Next::Retry { why: reason.clone() }
            }
            Some(Verdict::Unknown { .. }) => Next::Never,
            Some(Verdict::Dead { .. }) => Next::Watch {
                why: "the token lives again when its owner is enabled".to_owned(),
            },
            Some(Verdict::Live { .. }) | None => self.wanted.clone().unwrap_or(Next::Never),
        }
    }
}
