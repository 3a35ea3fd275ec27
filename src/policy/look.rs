//! When a leak must be looked at again, and whom it goes to when nobody acts.
//!
//! Pure: whoever drives time (a worker, a run by hand) asks here and decides nothing itself.

use jiff::{SignedDuration, Timestamp};

use super::{Decision, Escalate, Policy, Standing, decide};
use crate::finding::Severity;
use crate::leak::{DeadWhy, Leak, Revocation, Verdict};

/// A time to look at a leak again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// When; never before the time it was asked at.
    pub at: Timestamp,
    /// Why, in a few words for people.
    pub why: String,
}

/// A request whose outcome is not known, or that a limit turned away, is looked at this soon.
const SOON: SignedDuration = SignedDuration::from_mins(5);

/// When this leak must be looked at again, and why: the end of a grace period, a step of the escalation, a token to
/// ask about once more. `None` for what is over: public by design, or dead for good.
pub fn next_look(leak: &Leak, policy: &Policy, standing: &Standing) -> Option<Look> {
    let now = standing.now;
    if leak.severity == Severity::Info {
        return None;
    }
    let after = |wait: SignedDuration, why: &str| Look {
        at: now.saturating_add(wait).unwrap_or(now),
        why: why.to_owned(),
    };
    let recheck = policy.recheck.duration();
    let mut looks = Vec::new();
    match &leak.verdict {
        Some(Verdict::Dead {
            why: DeadWhy::OwnerDisabled,
            ..
        }) => return Some(after(recheck, "the token lives again when its owner is enabled")),
        Some(Verdict::Dead { .. }) => return None,
        Some(Verdict::Live { .. }) => looks.push(after(recheck, "whether it is still alive")),
        _ => looks.push(after(recheck, "whether it is alive is not known yet")),
    }
    for state in [&leak.revocation, &leak.containment].into_iter().flatten() {
        match state {
            Revocation::Sending => looks.push(after(SOON, "a request has left and its outcome is not known")),
            Revocation::Uncertain { .. } => {
                looks.push(after(SOON, "the outcome of a request is not certain"))
            }
            Revocation::Postponed { .. } => looks.push(after(SOON, "the service could not be asked")),
            Revocation::Done { .. } | Revocation::Refused { .. } => {}
        }
    }
    match decide(leak, policy, standing) {
        Decision::Wait { until, .. } => looks.push(Look {
            at: until.max(now),
            why: "the grace period ends".to_owned(),
        }),
        Decision::Act(_) => looks.push(after(SignedDuration::ZERO, "the policy allows to act")),
        Decision::Record { .. } | Decision::Notify { .. } | Decision::Approve { .. } => {}
    }
    looks.extend(next_escalation(leak, policy).map(|look| Look {
        at: look.at.max(now),
        ..look
    }));
    looks.into_iter().min_by_key(|look| look.at)
}

/// When the next step of the escalation is due, if one is left.
pub fn next_escalation(leak: &Leak, policy: &Policy) -> Option<Look> {
    let steps = open_steps(leak, policy).into_iter();
    steps.min_by_key(|(_, at)| *at).map(|(number, at)| Look {
        at,
        why: format!("escalation {number} if nobody has acted"),
    })
}

/// The steps of the escalation that are due and were not taken yet, each with its number from 1.
pub fn escalations<'p>(leak: &Leak, policy: &'p Policy, now: Timestamp) -> Vec<(u8, &'p Escalate)> {
    let due = open_steps(leak, policy).into_iter().filter(|(_, at)| *at <= now);
    due.filter_map(|(number, _)| Some((number, policy.escalate.get(usize::from(number) - 1)?)))
        .collect()
}

/// Steps that fit the leak and were not taken yet, with the time of each.
fn open_steps(leak: &Leak, policy: &Policy) -> Vec<(u8, Timestamp)> {
    let done = |state: &Option<Revocation>| matches!(state, Some(Revocation::Done { .. }));
    let over = leak.severity == Severity::Info
        || leak.verdict.as_ref().is_some_and(Verdict::is_dead)
        || done(&leak.revocation)
        || done(&leak.containment);
    if over {
        return Vec::new();
    }
    let told = leak.notices.iter().map(|notice| notice.sent_at).min();
    let since = told.unwrap_or(leak.first_seen);
    let steps = policy.escalate.iter().zip(1_u8..).filter(|(step, number)| {
        let fits = step.severity.is_none_or(|least| leak.severity <= least)
            && step
                .service
                .as_ref()
                .is_none_or(|service| service == leak.rule.service());
        let taken = format!(", escalation {number}");
        fits && !leak.notices.iter().any(|notice| notice.channel.ends_with(&taken))
    });
    steps
        .map(|(step, number)| {
            let at = since.checked_add(step.after.duration());
            (number, at.unwrap_or(Timestamp::MAX))
        })
        .collect()
}
