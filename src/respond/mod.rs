//! The life of one leak: recorded, asked about, its owners found and told, ended where the policy allows, proved dead,
//! closed. Every door calls this and nothing below it.
//!
//! It can be cut off anywhere and run again: what is written down decides what is still to do. What must never happen
//! here: a request that changes something without an order, or a second time because nobody knows how the first ended;
//! an owner told twice; anything but a proof of death closing a leak.

mod act;
pub mod alerts;
mod deliver;
mod examine;
mod next;
mod tell;

use std::path::PathBuf;

pub use deliver::Told;
pub use next::Next;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tracing::{Instrument as _, info_span};

use crate::call::Caller;
use crate::finding::RuleId;
use crate::leak::{Held, Leak};
use crate::notify::Notifier;
use crate::owner::OwnerSettings;
use crate::policy::{self, Action, Decision, Order, Policy, Standing};
use crate::revoke::{self, Plan};
use crate::rule::{Rule, RuleSet};
use crate::secret::Fingerprint;
use crate::store::Store;
use crate::verify::Verifier;

/// What a door needs to respond to leaks; made once for a run.
#[derive(Clone)]
pub struct Responder {
    /// Sends calls.
    pub caller: Caller,
    /// Asks services. It remembers what it asked: a process that runs for long makes a new one now and then.
    pub verifier: Verifier,
    /// Remembers.
    pub store: Store,
    /// Tells owners.
    pub notifier: Notifier,
    /// What may be done.
    pub policy: Policy,
    /// `[owners]` of the configuration.
    pub owners: OwnerSettings,
    /// The working tree that was scanned, for its `CODEOWNERS`.
    pub root: Option<PathBuf>,
}

/// How responding went.
#[derive(Clone, Debug)]
pub struct Response {
    /// The leak as it stands now.
    pub leak: Leak,
    /// What was done and what was not, one line each, for people; no secret in any.
    pub steps: Vec<String>,
    /// When it is to be looked at again.
    pub next: Next,
}

/// One leak on its way.
struct Case<'a> {
    to: &'a Responder,
    rules: &'a RuleSet,
    rule: &'a Rule,
    held: Held,
    steps: Vec<String>,
    /// A request had left when an earlier run was cut off: this run asks and sends nothing.
    interrupted: bool,
    /// Whether the policy was asked.
    decided: bool,
    /// Why somebody outside, who should have heard of the end, has not.
    untold: Option<String>,
    closed: bool,
}

impl Responder {
    /// Everything that is to be done about a leak now.
    ///
    /// # Errors
    /// A rule that is not loaded, and a store that cannot be read or written. A service, an owner or a channel that
    /// fails is part of the [`Response`].
    pub async fn respond(&self, held: Held, rules: &RuleSet) -> Result<Response> {
        let mut case = self.case(held, rules)?;
        if case.examine().await? {
            case.decide().await?;
            case.escalate().await?;
        }
        case.response().await
    }

    /// The first half of [`Responder::respond`]: records the leak, asks about it and finds its owners, and tells and
    /// changes nothing. The [`Held`] that comes back is what [`Responder::plan`], [`policy::confirmed`] and
    /// [`Responder::carry_out`] take.
    pub async fn examine(&self, held: Held, rules: &RuleSet) -> Result<(Held, Response)> {
        let mut case = self.case(held, rules)?;
        case.examine().await?;
        let held = case.held.clone();
        let response = case.response().await?;
        let leak = response.leak.clone();
        Ok((Held { leak, ..held }, response))
    }

    /// What could be done about a leak; no call is made.
    pub fn plan(&self, held: &Held, rules: &RuleSet) -> Result<Plan> {
        let rule = rule_of(held, rules)?;
        Ok(revoke::plan(&self.caller, rule, held))
    }

    /// Carries out an order, with its notices before and after: what a person confirmed after seeing the plan.
    pub async fn carry_out(&self, order: Order, held: Held, rules: &RuleSet) -> Result<Response> {
        let mut case = self.case(held, rules)?;
        case.tell(order.why()).await?;
        case.act(order).await?;
        case.response().await
    }

    /// Sends the notices that are due: what was collected long enough, and what is to be tried again. Says what became
    /// of each.
    ///
    /// # Errors
    /// A store that cannot be read or written. A channel that fails is part of what is said.
    pub async fn deliver(&self, rules: &RuleSet) -> Result<Vec<Told>> {
        self.deliver_at(rules, Timestamp::now()).await
    }

    /// The same as if it were this time.
    ///
    /// # Errors
    /// As [`Responder::deliver`].
    pub async fn deliver_at(&self, rules: &RuleSet, now: Timestamp) -> Result<Vec<Told>> {
        deliver::due(self, rules, now, None).await
    }

    /// The same for these leaks without waiting any longer, at the end of a run.
    ///
    /// # Errors
    /// As [`Responder::deliver`].
    pub async fn deliver_now(&self, leaks: &[(Fingerprint, RuleId)], rules: &RuleSet) -> Result<Vec<Told>> {
        let now = Timestamp::now();
        for (fingerprint, rule) in leaks {
            self.store.hasten_notices(*fingerprint, rule, now).await?;
        }
        let mut all = Vec::new();
        loop {
            let told = deliver::due(self, rules, now, None).await?;
            if told.is_empty() {
                return Ok(all);
            }
            all.extend(told);
        }
    }

    /// How things stand for a leak: the clock, the limit, the stop switch, and who said yes.
    ///
    /// # Errors
    /// A store that cannot be read.
    pub async fn standing(&self, leak: &Leak) -> Result<Standing> {
        standing(&self.store, leak).await
    }

    fn case<'a>(&'a self, held: Held, rules: &'a RuleSet) -> Result<Case<'a>> {
        Ok(Case {
            to: self,
            rules,
            rule: rule_of(&held, rules)?,
            held,
            steps: Vec::new(),
            interrupted: false,
            decided: false,
            untold: None,
            closed: false,
        })
    }
}

/// How things stand for a leak of this store.
///
/// # Errors
/// A store that cannot be read.
pub async fn standing(store: &Store, leak: &Leak) -> Result<Standing> {
    let mut standing = standing_of_all(store).await?;
    for action in [Action::Revoke, Action::Contain] {
        let yes = store
            .approvals(leak.fingerprint, &leak.rule, &action.to_string())
            .await?;
        standing.approved.extend(yes.into_iter().map(|who| (action, who)));
    }
    let dismissed = store.dismissed(leak.fingerprint, &leak.rule).await?;
    standing.dismissed = dismissed.map(|dismissed| dismissed.to_string());
    Ok(standing)
}

/// How things stand for every leak of this store: the clock, the limit and the stop switch.
///
/// # Errors
/// A store that cannot be read.
pub async fn standing_of_all(store: &Store) -> Result<Standing> {
    let now = Timestamp::now();
    let since = now.saturating_sub(SignedDuration::from_hours(1))?;
    Ok(Standing {
        recent: store.recent_revocations(since).await?,
        stopped: store.stopped().await?.map(|stopped| stopped.to_string()),
        ..Standing::at(now)
    })
}

fn rule_of<'a>(held: &Held, rules: &'a RuleSet) -> Result<&'a Rule> {
    let id = &held.leak.rule;
    rules
        .find(id)
        .map(AsRef::as_ref)
        .with_context(|| format!("rule {id} is not loaded; give its file with --rules"))
}

/// Logs are read by more people than the store: whom somebody wrote to is not in them.
pub(crate) fn without_addresses(step: &str) -> String {
    let hidden = step
        .split(' ')
        .map(|word| if word.contains('@') { "…" } else { word });
    hidden.collect::<Vec<_>>().join(" ")
}

impl Case<'_> {
    /// Whether a person said that this leak needs nothing.
    async fn is_dismissed(&self) -> Result<bool> {
        let leak = &self.held.leak;
        let dismissed = self.to.store.dismissed(leak.fingerprint, &leak.rule).await?;
        Ok(dismissed.is_some())
    }

    fn say(&mut self, step: impl Into<String>) {
        let step = step.into();
        let leak = &self.held.leak;
        tracing::info!(rule = %leak.rule, fingerprint = %leak.fingerprint, "{}", without_addresses(&step));
        self.steps.push(step);
    }

    /// Lets the policy decide and does what it says, until there is nothing more to do now. A refused action gives way
    /// to the next entry that fits, so this ends after one round for each kind of action and one more.
    async fn decide(&mut self) -> Result<()> {
        loop {
            let standing = self.to.standing(&self.held.leak).await?;
            let decision = policy::decide(&self.held.leak, &self.to.policy, &standing);
            self.decided = true;
            let span = info_span!(target: "traces", "decide", unleak.decision = decision.name());
            self.write_down(&decision).instrument(span).await?;
            self.say(format!("decision: {}", decision.why()));
            if matches!(decision, Decision::Record { .. }) {
                return Ok(());
            }
            self.leave().await?;
            let order = match decision {
                Decision::Act(order) if !self.interrupted => order,
                Decision::Act(_) => {
                    self.say(
                        "nothing is sent in the run that found an interrupted request; the next one may",
                    );
                    return Ok(());
                }
                Decision::Approve { .. } => {
                    let fingerprint = self.held.leak.fingerprint;
                    self.say(format!("`unleak approve {fingerprint}` shows the plan and asks"));
                    return Ok(());
                }
                Decision::Record { .. } | Decision::Notify { .. } | Decision::Wait { .. } => return Ok(()),
            };
            if !self.act(order).await? {
                return Ok(());
            }
        }
    }

    /// The decision, and whom it makes hear, in one transaction.
    async fn write_down(&mut self, decision: &Decision) -> Result<()> {
        let mut notices = Vec::new();
        if !matches!(decision, Decision::Record { .. }) {
            notices = self.notices(decision.why()).await?;
        }
        if let Decision::Approve { why, .. } = decision {
            notices.extend(self.approvals_wanted(why)?);
        }
        let leak = &self.held.leak;
        let detail = json!({ "decision": decision.name(), "why": decision.why() });
        let store = &self.to.store;
        store
            .decide(leak.fingerprint, &leak.rule, &detail, &notices)
            .await
    }

    async fn response(mut self) -> Result<Response> {
        let Leak {
            fingerprint, rule, ..
        } = &self.held.leak;
        if let Some(leak) = self.to.store.leak(*fingerprint, rule).await? {
            self.held.leak = leak;
        }
        let next = self.next().await?;
        Ok(Response {
            leak: self.held.leak,
            steps: self.steps,
            next,
        })
    }
}
