//! What may be done about a leak. Default: tell people, never revoke.
//!
//! Pure: no clock, no network, no store. Nothing can be revoked or contained without an [`Order`], and an order is
//! made here alone, by [`decide`] or, where a person said yes, by [`confirmed`]. What is not proved to be alive gets
//! none, and neither does what is on the deny list.

mod explain;
mod file;
mod look;

use jiff::Timestamp;

pub use explain::explain;
pub use file::{Action, Allow, Approval, Escalate, Length, Place, Policy};
pub use look::{Look, escalations, next_escalation, next_look};

use crate::finding::{RuleId, Severity};
use crate::leak::{Leak, Revocation, Verdict};
use crate::secret::Fingerprint;

/// What is to be done about a leak now, and why, in a sentence for people and the ledger.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "`why` is the reason, `until` the end of the grace period, `action` what waits, throughout"
)]
pub enum Decision {
    /// Nothing but writing it down.
    Record { why: String },
    /// Owners are told; nothing else.
    Notify { why: String },
    /// Owners are told; the action follows when their time is over.
    Wait { until: Timestamp, why: String },
    /// Owners are told; a person must say yes to this before anything else.
    Approve { action: Action, why: String },
    /// Owners are told, and this is done.
    Act(Order),
}

impl Decision {
    /// `record`, `notify`, `wait`, `approve` or `act`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Record { .. } => "record",
            Self::Notify { .. } => "notify",
            Self::Wait { .. } => "wait",
            Self::Approve { .. } => "approve",
            Self::Act(_) => "act",
        }
    }

    /// The reason, with the policy entry that made the decision.
    pub fn why(&self) -> &str {
        match self {
            Self::Record { why }
            | Self::Notify { why }
            | Self::Wait { why, .. }
            | Self::Approve { why, .. } => why,
            Self::Act(order) => &order.why,
        }
    }
}

/// Permission to do one thing about one leak. It cannot be made elsewhere, copied, or read from a file:
///
/// ```compile_fail,E0451
/// # fn forge(fingerprint: unleak::secret::Fingerprint, leak_rule: unleak::finding::RuleId) {
/// use unleak::policy::{Action, Order};
/// let order = Order { fingerprint, leak_rule, action: Action::Revoke, rule: String::new(), why: String::new() };
/// # }
/// ```
/// ```compile_fail,E0599
/// fn twice(order: unleak::policy::Order) -> [unleak::policy::Order; 2] { [order.clone(), order] }
/// ```
/// ```compile_fail,E0277
/// fn read(text: &str) -> unleak::policy::Order { toml::from_str(text).unwrap() }
/// ```
#[derive(Debug)]
#[must_use = "an order does nothing by itself"]
pub struct Order {
    fingerprint: Fingerprint,
    leak_rule: RuleId,
    action: Action,
    rule: String,
    why: String,
}

impl Order {
    /// The leak's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// The leak's rule; with the fingerprint, the leak it is for.
    pub fn leak_rule(&self) -> &RuleId {
        &self.leak_rule
    }

    /// What is to be done.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Name of the policy entry that made it, or who confirmed it.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Why it was made, in a sentence.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Whether it is for this leak.
    pub fn is_for(&self, leak: &Leak) -> bool {
        self.fingerprint == leak.fingerprint && self.leak_rule == leak.rule
    }
}

/// Why a confirmed action is refused all the same, with the next step.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(String);

/// What a decision depends on besides the leak and the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The time of the decision.
    pub now: Timestamp,
    /// Leaks revoked or contained in the hour before.
    pub recent: usize,
    /// Who stopped everything, when and why, in words, if somebody did.
    pub stopped: Option<String>,
    /// Who said yes to what about this leak, each person once for an action.
    pub approved: Vec<(Action, String)>,
    /// Who said that this leak needs nothing, and why, in words, if somebody did.
    pub dismissed: Option<String>,
}

impl Standing {
    /// At this time, with nothing done lately, nothing stopped and nothing approved.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now,
            recent: 0,
            stopped: None,
            approved: Vec::new(),
            dismissed: None,
        }
    }

    fn approved(&self, action: Action) -> Vec<&str> {
        let yes = self.approved.iter().filter(|(what, _)| *what == action);
        yes.map(|(_, who)| who.as_str()).collect()
    }
}

/// What the policy wants done about a leak.
pub fn decide(leak: &Leak, policy: &Policy, standing: &Standing) -> Decision {
    if leak.severity == Severity::Info {
        return Decision::Record {
            why: "it is public by design".to_owned(),
        };
    }
    match (&leak.verdict, &standing.dismissed) {
        (Some(Verdict::Dead { why, .. }), _) => {
            return Decision::Record {
                why: format!("it is dead: {why}"),
            };
        }
        (_, Some(dismissed)) => {
            return Decision::Record {
                why: format!("a person says that it needs nothing: {dismissed}"),
            };
        }
        (Some(Verdict::Live { .. }), None) => {}
        (verdict, None) => {
            return Decision::Notify {
                why: not_live(verdict.as_ref()),
            };
        }
    }
    if let Some(entry) = denied(leak, policy) {
        return Decision::Notify {
            why: format!("the deny list has {entry:?}: nothing but telling people"),
        };
    }
    let mut fitting = policy.allow.iter().filter(|allow| allow.fits(leak));
    let Some(allow) = fitting.next() else {
        return Decision::Notify {
            why: "no policy entry allows more than telling people".to_owned(),
        };
    };
    allowed(allow, leak, policy, standing)
}

fn allowed(allow: &Allow, leak: &Leak, policy: &Policy, standing: &Standing) -> Decision {
    let Allow { name, action, .. } = allow;
    let by = format!("policy entry {name:?} allows to {action}");
    if let Some(state @ (Revocation::Sending | Revocation::Done { .. })) = action.state(leak) {
        let why = format!(
            "{by}, yet that is {} already: the service is asked, not told again",
            state.name()
        );
        return Decision::Notify { why };
    }
    if let Some(stopped) = &standing.stopped {
        return Decision::Notify {
            why: format!("{by}, but {stopped}; `unleak resume` lets it go on"),
        };
    }
    match leak.first_seen.checked_add(allow.grace.duration()) {
        Ok(until) if until <= standing.now => {}
        later => {
            let until = later.unwrap_or(Timestamp::MAX);
            let why = format!("{by} after a grace period that ends at {until}");
            return Decision::Wait { until, why };
        }
    }
    let yes = standing.approved(*action);
    let people = allow.approval.people();
    if yes.len() < people {
        let so_far = if yes.is_empty() {
            String::new()
        } else {
            format!("; so far: {}", yes.join(", "))
        };
        let who = if people == 1 {
            "a person approves".to_owned()
        } else {
            format!("{people} people approve{so_far}")
        };
        return Decision::Approve {
            action: *action,
            why: format!("{by} once {who}"),
        };
    }
    if standing.recent >= policy.limit_per_hour && yes.is_empty() {
        let limit = policy.limit_per_hour;
        return Decision::Approve {
            action: *action,
            why: format!("{by}, but the limit of {limit} an hour is reached: it waits for a person"),
        };
    }
    let (mut rule, mut why) = (name.clone(), by);
    if !yes.is_empty() {
        let approved = format!(", approved by {}", yes.join(", "));
        rule.push_str(&approved);
        why.push_str(&approved);
    }
    Decision::Act(Order::new(leak, *action, rule, why))
}

/// The order of a person who saw the plan and said yes. The limit, the grace period and the need of an approval are
/// theirs to decide; the deny list, the stop switch, a second person where the policy wants one, and the proof that
/// the token is alive, are not.
///
/// # Errors
/// A token not proved alive, one that is public by design, the deny list, everything stopped, too few people, and an
/// action whose request has left already.
pub fn confirmed(
    leak: &Leak,
    policy: &Policy,
    action: Action,
    by: &str,
    standing: &Standing,
) -> Result<Order, Refusal> {
    if leak.severity == Severity::Info {
        return Err(Refusal(
            "it is public by design: there is nothing to end".to_owned(),
        ));
    }
    if !leak.verdict.as_ref().is_some_and(Verdict::is_live) {
        let why = match &leak.verdict {
            Some(Verdict::Dead { why, .. }) => format!("it is dead already: {why}"),
            verdict => not_live(verdict.as_ref()),
        };
        return Err(Refusal(why));
    }
    if let Some(entry) = denied(leak, policy) {
        return Err(Refusal(format!(
            "the deny list of the policy has {entry:?}; take it out of `policy.deny` first"
        )));
    }
    if let Some(stopped) = &standing.stopped {
        return Err(Refusal(format!("{stopped}; `unleak resume` lets it go on")));
    }
    if let Some(dismissed) = &standing.dismissed {
        return Err(Refusal(format!("it is {dismissed}; take that back first")));
    }
    enough_people(leak, policy, action, by, standing)?;
    if let Some(Revocation::Sending) = action.state(leak) {
        return Err(Refusal(format!(
            "a request to {action} has left and its outcome is not known yet; ask the service with `unleak verify` first"
        )));
    }
    let why = format!("{by} confirmed to {action}");
    Ok(Order::new(leak, action, format!("confirmed by {by}"), why))
}

/// Where the policy wants several people, one alone cannot go around it.
fn enough_people(
    leak: &Leak,
    policy: &Policy,
    action: Action,
    by: &str,
    standing: &Standing,
) -> Result<(), Refusal> {
    let mut fitting = policy.allow.iter().filter(|allow| allow.fits(leak));
    let Some(allow) = fitting.find(|allow| allow.action == action) else {
        return Ok(());
    };
    let people = allow.approval.people();
    let others = standing.approved(action).into_iter().filter(|who| *who != by);
    let have = others.count() + 1;
    if have < people {
        return Err(Refusal(format!(
            "policy entry {:?} wants {people} people to approve, and with you there are {have}; `unleak approve {}` \
             writes your yes down",
            allow.name, leak.fingerprint
        )));
    }
    Ok(())
}

impl Order {
    fn new(leak: &Leak, action: Action, rule: String, why: String) -> Self {
        Self {
            fingerprint: leak.fingerprint,
            leak_rule: leak.rule.clone(),
            action,
            rule,
            why,
        }
    }
}

impl Action {
    /// How far the leak's revocation or containment has come.
    fn state(self, leak: &Leak) -> Option<&Revocation> {
        match self {
            Self::Revoke => leak.revocation.as_ref(),
            Self::Contain => leak.containment.as_ref(),
        }
    }
}

impl Allow {
    fn fits(&self, leak: &Leak) -> bool {
        let is =
            |wanted: &Option<String>, actual: &str| wanted.as_ref().is_none_or(|wanted| wanted == actual);
        is(&self.service, leak.rule.service())
            && is(&self.rule, leak.rule.as_str())
            // The worst severity is the least.
            && self.severity.is_none_or(|least| leak.severity <= least)
            && self
                .source
                .is_none_or(|source| leak.sightings.iter().any(|seen| seen.origin == source.name()))
            && self.organisation.as_ref().is_none_or(|wanted| {
                leak.identity.organisations.iter().any(|name| name.eq_ignore_ascii_case(wanted))
            })
            // What the service has refused is not tried again by itself; a later entry may offer another way.
            && !matches!(self.action.state(leak), Some(Revocation::Refused { .. }))
    }
}

fn not_live(verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict::Unknown { reason }) => {
            format!("whether it is alive is unknown ({reason}): what is not proved alive is never revoked")
        }
        _ => "its service was not asked; `unleak verify` asks: what is not proved alive is never revoked"
            .to_owned(),
    }
}

/// The entry of the deny list that has the leak's service or rule.
fn denied<'p>(leak: &Leak, policy: &'p Policy) -> Option<&'p str> {
    policy
        .deny
        .iter()
        .map(String::as_str)
        .find(|entry| *entry == leak.rule.as_str() || *entry == leak.rule.service())
}
