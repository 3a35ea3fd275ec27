//! Ending a token, and proving that it ended.
//!
//! Nothing is sent without an [`Order`] to revoke; no request that changes something is sent twice; an accepted
//! request is no proof: the service is asked until it says that the token is dead.

use std::fmt;

use futures_util::future::BoxFuture;
use serde::Serialize;

use crate::call::Caller;
use crate::call::steps::{self, Outcome};
use crate::call::way::{self, Way};
use crate::contain;
use crate::leak::{Held, Revocation, Verdict};
use crate::policy::{Action, Order};
use crate::rule::Rule;
use crate::rule::file::{RevokeFile, With};
use crate::verify::Verifier;

/// What could be done about a token, worked out without any call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What is meant, without the secret.
    pub token: String,
    /// Ways to revoke, in the order they are tried.
    pub ways: Vec<Way>,
    /// What an organisation can do instead.
    pub containments: Vec<Way>,
}

impl Plan {
    /// Whether a revocation has a way that is open to us.
    pub fn can_revoke(&self) -> bool {
        self.ways.iter().any(Way::is_open)
    }

    /// Whether a containment is open to us.
    pub fn can_contain(&self) -> bool {
        self.containments.iter().any(Way::is_open)
    }

    /// The page where a person revokes by hand.
    pub fn page(&self) -> Option<&str> {
        self.ways.iter().find_map(|way| way.page.as_deref())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.token)?;
        for (title, ways) in [("revoke", &self.ways), ("contain", &self.containments)] {
            if !ways.is_empty() {
                write!(f, "\n{title}:")?;
            }
            for (number, way) in ways.iter().enumerate() {
                write!(f, "\n  {}. {way}", number + 1)?;
            }
        }
        if self.ways.is_empty() {
            write!(f, "\nno way to revoke it is known")?;
        }
        Ok(())
    }
}

/// Works out what could be done. No call is made.
pub fn plan(caller: &Caller, rule: &Rule, held: &Held) -> Plan {
    let ways = rule.revoke().into_iter().flat_map(|file| file.ways());
    Plan {
        token: format!("{} {}", rule.title(), held.leak.redacted),
        ways: ways.map(|file| look(caller, rule, held, file)).collect(),
        containments: contain::plan(caller, rule, held),
    }
}

/// A way as it stands in the first place where it could be gone.
fn look(caller: &Caller, rule: &Rule, held: &Held, file: &RevokeFile) -> Way {
    let (service, steps) = (&rule.service, file.steps());
    let bases = way::bases(caller, service, held, file.with, file.everywhere);
    let base = bases.as_ref().map_or("", |bases| way::home(held, bases));
    let place = way::places(caller, service, held, &steps)
        .into_iter()
        .next()
        .flatten();
    let values = way::values(held, caller, service, base, place.as_ref());
    Way {
        effect: effect(file, caller.settings(&service.name).finish),
        ..way::look(service, file.with, &steps, file.page.as_ref(), &bases, &values)
    }
}

/// What a way does besides ending the token, for the plan.
fn effect(file: &RevokeFile, finish: bool) -> Option<String> {
    let undone = match (file.reversible, file.finish.is_empty()) {
        (false, _) => None,
        (true, false) if finish => Some("switched off, and made final once it is proved dead"),
        (true, _) => Some("can be undone"),
    };
    let collateral = file.collateral.as_ref().map(|what| format!("collateral: {what}"));
    let said: Vec<String> = undone.map(str::to_owned).into_iter().chain(collateral).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

/// Revokes a token by the first way that is open and that the service takes, and proves it.
///
/// Never fails: a refusal, and what a person can do then, is a [`Revocation`] like any other.
pub async fn revoke(
    order: Order,
    caller: &Caller,
    verifier: &Verifier,
    rule: &Rule,
    held: &Held,
) -> Revocation {
    if !order.is_for(&held.leak) || order.action() != Action::Revoke {
        return Revocation::Refused {
            reason: "the order is for something else: nothing was sent".to_owned(),
        };
    }
    let task = Task {
        caller,
        verifier,
        rule,
        held,
    };
    let plan = plan(caller, rule, held);
    let mut refusals = Vec::new();
    // Collected: an iterator of closures cannot be held across a question by what may move between threads.
    let files: Vec<&RevokeFile> = rule.revoke().into_iter().flat_map(|file| file.ways()).collect();
    for (file, way) in files.into_iter().zip(&plan.ways) {
        if let Some(why) = &way.closed {
            refusals.push(why.clone());
            continue;
        }
        match task.go(file).await {
            Outcome::Accepted => return task.prove(&plan, file, None).await,
            Outcome::Lost(why) => return task.prove(&plan, file, Some(why)).await,
            // A further way would meet the same limit, and this one is the one to take.
            Outcome::NotNow(why) => {
                refusals.push(why);
                return Revocation::Postponed {
                    reason: advice(refusals, &plan),
                };
            }
            Outcome::Refused(why) => refusals.push(why),
        }
        // Only a token that is alive for certain is worth another way.
        match verifier.ask_again(rule, held).await.verdict {
            Verdict::Live { .. } => {}
            Verdict::Dead { .. } => {
                return Revocation::Done {
                    with: "nobody: it was dead already".to_owned(),
                };
            }
            Verdict::Unknown { reason } => {
                refusals.push(format!(
                    "no further way was tried, because whether it is alive is unknown ({reason})"
                ));
                break;
            }
        }
    }
    if refusals.is_empty() {
        refusals.push("no way to revoke it is known".to_owned());
    }
    Revocation::Refused {
        reason: advice(refusals, &plan),
    }
}

struct Task<'a> {
    caller: &'a Caller,
    verifier: &'a Verifier,
    rule: &'a Rule,
    held: &'a Held,
}

impl Task<'_> {
    /// Makes final what is proved, where the operator wants that; what could not be done is said and changes nothing.
    async fn finish(&self, file: &RevokeFile) -> String {
        let service = &self.rule.service;
        if !file.reversible {
            return String::new();
        }
        if file.finish.is_empty() || !self.caller.settings(&service.name).finish {
            return ", can be undone".to_owned();
        }
        let base = match way::bases(self.caller, service, self.held, file.with, false) {
            Ok(bases) => way::home(self.held, &bases).to_owned(),
            Err(error) => return format!(", not made final: {error}"),
        };
        let touch = || -> BoxFuture<'_, bool> { Box::pin(async { false }) };
        let run = steps::Run {
            caller: self.caller,
            service,
            touch: &touch,
        };
        let values = way::values(self.held, self.caller, service, &base, None);
        match run.steps(&file.finish, values).await {
            Outcome::Accepted => ", then made final".to_owned(),
            Outcome::Refused(why) | Outcome::NotNow(why) | Outcome::Lost(why) => {
                format!(", can be undone; not made final: {why}")
            }
        }
    }

    /// Goes one way: on each of its bases and in each organisation, up to the first that takes it, or everywhere.
    async fn go(&self, file: &RevokeFile) -> Outcome {
        let (service, steps) = (&self.rule.service, file.steps());
        let touch = || -> BoxFuture<'_, bool> {
            Box::pin(async {
                self.verifier
                    .ask_again(self.rule, self.held)
                    .await
                    .verdict
                    .is_live()
            })
        };
        let run = steps::Run {
            caller: self.caller,
            service,
            touch: &touch,
        };
        let bases = match way::bases(self.caller, service, self.held, file.with, file.everywhere) {
            Ok(bases) => bases,
            Err(error) => return Outcome::Refused(error.to_string()),
        };
        let places = way::places(self.caller, service, self.held, &steps);
        let (mut accepted, mut lost, mut refused, mut not_now) = (false, Vec::new(), Vec::new(), false);
        let targets: Vec<_> = bases
            .iter()
            .flat_map(|base| places.iter().map(move |place| (base, place)))
            .collect();
        for (base, place) in targets {
            let values = way::values(self.held, self.caller, service, base, place.as_ref());
            let at = place
                .as_ref()
                .map_or(base.clone(), |place| format!("{base} ({place})"));
            match run.steps(&steps, values).await {
                Outcome::Accepted => accepted = true,
                Outcome::Lost(why) => lost.push(format!("{at}: {why}")),
                Outcome::Refused(why) => refused.push(format!("{at}: {why}")),
                Outcome::NotNow(why) => {
                    not_now = true;
                    refused.push(format!("{at}: {why}"));
                }
            }
            if (accepted || !lost.is_empty()) && !file.everywhere {
                break;
            }
        }
        match (accepted, lost.is_empty()) {
            (true, _) => Outcome::Accepted,
            (false, false) => Outcome::Lost(lost.join("; ")),
            (false, true) if not_now => Outcome::NotNow(refused.join("; ")),
            (false, true) => Outcome::Refused(refused.join("; ")),
        }
    }

    /// Asks until the token is dead, or until the limit. `lost` says what is known where the answer was lost.
    async fn prove(&self, plan: &Plan, file: &RevokeFile, lost: Option<String>) -> Revocation {
        let limit = self.verifier.limit(self.rule);
        let proof = self
            .verifier
            .ask_until(self.rule, self.held, |answer| {
                answer.verdict.is_dead().then_some(())
            })
            .await;
        let last = match proof {
            Ok(()) => {
                return Revocation::Done {
                    with: format!("{}{}", name(file.with), self.finish(file).await),
                };
            }
            Err(last) => last,
        };
        let state = match last.verdict {
            Verdict::Live { .. } | Verdict::Dead { .. } => "the token was still alive".to_owned(),
            Verdict::Unknown { reason } => format!("whether it is dead was unknown ({reason})"),
        };
        let sent = lost.unwrap_or_else(|| "the service accepted it".to_owned());
        let reason = format!(
            "{sent}, and after {} s of asking {state}; it is not sent again, verify it later",
            limit.as_secs()
        );
        Revocation::Uncertain {
            reason: advice(vec![reason], plan),
        }
    }
}

fn name(with: With) -> &'static str {
    match with {
        With::Secret => "secret",
        With::Operator => "operator",
        With::Session => "session",
    }
}

/// The reasons with what a person can do now.
fn advice(mut reasons: Vec<String>, plan: &Plan) -> String {
    reasons.dedup();
    if let Some(page) = plan.page() {
        reasons.push(format!("revoke it by hand: {page}"));
    }
    if let Some(way) = plan.containments.iter().find(|way| way.is_open()) {
        reasons.push(format!(
            "containment is open: {}",
            way.effect.as_deref().unwrap_or("contain")
        ));
    }
    reasons.join("; ")
}
