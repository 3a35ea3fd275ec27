//! What an organisation can still do where it cannot revoke: remove the member, block the token, disable the key.
//!
//! The token lives on elsewhere, so this is never called a revocation. Nothing is sent without an
//! [`Order`] to contain, and nothing is called done that neither the service's next answer nor
//! its own confirmation shows.

use crate::call::way::{self, Way};
use crate::call::{Caller, steps};
use crate::leak::{Held, Revocation, Verdict};
use crate::policy::{Action, Order};
use crate::rule::Rule;
use crate::rule::file::ContainFile;
use crate::verify::Verifier;

/// How a containment was done: seen by asking the service, or only confirmed by it.
const CONTAINMENT: &str = "containment";
const CONFIRMED: &str = "containment, confirmed by the service";

/// The containments of this leak, one for each organisation, without any call.
pub fn plan(caller: &Caller, rule: &Rule, held: &Held) -> Vec<Way> {
    let Some(file) = rule.contain() else {
        return Vec::new();
    };
    let steps = file.steps();
    let bases = way::bases(caller, &rule.service, held, file.with, false);
    let base = bases.as_ref().ok().and_then(|bases| bases.first());
    way::places(caller, &rule.service, held, &steps)
        .into_iter()
        .map(|organisation| {
            let base = base.map_or("", String::as_str);
            let values = way::values(held, caller, &rule.service, base, organisation.as_ref());
            let undo = if file.reversible {
                "can be undone"
            } else {
                "cannot be undone"
            };
            let page = file.page.as_ref();
            Way {
                effect: Some(format!("{} ({undo})", file.effect)),
                organisation,
                ..way::look(&rule.service, file.with, &steps, page, &bases, &values)
            }
        })
        .collect()
}

/// Contains a leak in every organisation where that is open to us, and proves it.
///
/// The proof is the service's next answer: the token is dead, or the organisation is gone from those it reaches. Where
/// the service tells neither, its own confirmation of the request counts, and the outcome says so.
pub async fn contain(
    order: Order,
    caller: &Caller,
    verifier: &Verifier,
    rule: &Rule,
    held: &Held,
) -> Revocation {
    let refused = |reason: &str| Revocation::Refused {
        reason: reason.to_owned(),
    };
    if !order.is_for(&held.leak) || order.action() != Action::Contain {
        return refused("the order is for something else: nothing was sent");
    }
    let Some(file) = rule.contain() else {
        return refused("the rule file knows no containment for this token");
    };
    let bases = match way::bases(caller, &rule.service, held, file.with, false) {
        Ok(bases) => bases,
        Err(error) => return refused(&error.to_string()),
    };
    let task = Task {
        caller,
        verifier,
        rule,
        held,
        file,
    };
    let mut outcomes = Vec::new();
    for way in plan(caller, rule, held) {
        let organisation = way.organisation.clone();
        let outcome = match way.closed {
            Some(why) => Revocation::Refused {
                reason: by_hand(why, way.page.as_deref()),
            },
            None => task.at(&bases, way).await,
        };
        outcomes.push((organisation, outcome));
    }
    together(outcomes)
}

struct Task<'a> {
    caller: &'a Caller,
    verifier: &'a Verifier,
    rule: &'a Rule,
    held: &'a Held,
    file: &'a ContainFile,
}

impl Task<'_> {
    async fn at(&self, bases: &[String], way: Way) -> Revocation {
        let touch = || {
            let asked = self.verifier.ask_again(self.rule, self.held);
            Box::pin(async move { asked.await.verdict.is_live() })
                as futures_util::future::BoxFuture<'_, bool>
        };
        let run = steps::Run {
            caller: self.caller,
            service: &self.rule.service,
            touch: &touch,
        };
        let mut outcome = steps::Outcome::Refused("no base URL is known".to_owned());
        for base in bases {
            let place = way.organisation.as_ref();
            let values = way::values(self.held, self.caller, &self.rule.service, base, place);
            outcome = run.steps(&self.file.steps(), values).await;
            if !matches!(outcome, steps::Outcome::Refused(_)) {
                break;
            }
        }
        match outcome {
            steps::Outcome::Refused(why) => Revocation::Refused {
                reason: by_hand(why, way.page.as_deref()),
            },
            steps::Outcome::NotNow(why) => Revocation::Postponed {
                reason: by_hand(why, way.page.as_deref()),
            },
            steps::Outcome::Accepted => self.prove(&way, true, "").await,
            steps::Outcome::Lost(why) => self.prove(&way, false, &why).await,
        }
    }

    /// Asks until the token no longer reaches the organisation, or until the limit.
    async fn prove(&self, way: &Way, confirmed: bool, why: &str) -> Revocation {
        let limit = self.verifier.limit(self.rule);
        let proof = self
            .verifier
            .ask_until(self.rule, self.held, |answer| match &answer.verdict {
                Verdict::Dead { .. } => Some(Seen::Gone),
                Verdict::Unknown { .. } => None,
                Verdict::Live { .. } => self.seen(way, &answer.identity.organisations),
            })
            .await;
        let done = |with: &str| Revocation::Done {
            with: with.to_owned(),
        };
        match proof {
            Ok(Seen::Gone) => done(CONTAINMENT),
            Ok(Seen::Untold) if confirmed => done(CONFIRMED),
            Err(last) if confirmed && (way.organisation.is_none() || !last.verdict.is_live()) => {
                done(CONFIRMED)
            }
            Ok(Seen::Untold) | Err(_) if !confirmed => Revocation::Uncertain {
                reason: by_hand(
                    format!("{why}; whether it took effect cannot be seen"),
                    way.page.as_deref(),
                ),
            },
            Ok(Seen::Untold) | Err(_) => Revocation::Uncertain {
                reason: by_hand(
                    format!(
                        "the service accepted it, yet {} s later the token still reached the organisation",
                        limit.as_secs()
                    ),
                    way.page.as_deref(),
                ),
            },
        }
    }

    /// What a live answer shows; `None`: still there, ask again.
    fn seen(&self, way: &Way, now: &[String]) -> Option<Seen> {
        let organisation = way.organisation.as_ref()?;
        let told_before = self.held.leak.identity.organisations.contains(organisation);
        match (told_before, now.contains(organisation)) {
            (_, true) => None,
            // An empty list may as well be a question that was not answered.
            (true, false) if !now.is_empty() => Some(Seen::Gone),
            (_, false) => Some(Seen::Untold),
        }
    }
}

enum Seen {
    Gone,
    /// The service tells no organisations.
    Untold,
}

fn by_hand(why: String, page: Option<&str>) -> String {
    match page {
        Some(page) => format!("{why}; by hand: {page}"),
        None => why,
    }
}

/// One outcome of all. Done is what was done somewhere, and it names where it was not: an organisation in which we have
/// no say must not hide what ours has done. What is open or may still be done comes first.
fn together(outcomes: Vec<(Option<String>, Revocation)>) -> Revocation {
    let (mut done, mut confirmed_only) = (Vec::new(), false);
    let (mut not_done, mut uncertain, mut postponed) = (Vec::new(), false, false);
    for (organisation, outcome) in outcomes {
        let place = organisation.unwrap_or_default();
        let colon = if place.is_empty() { "" } else { ": " };
        match outcome {
            Revocation::Done { with } => {
                confirmed_only |= with != CONTAINMENT;
                done.push(place);
            }
            Revocation::Refused { reason } => not_done.push(format!("{place}{colon}{reason}")),
            Revocation::Sending => {}
            Revocation::Postponed { reason } => {
                postponed = true;
                not_done.push(format!("{place}{colon}{reason}"));
            }
            Revocation::Uncertain { reason } => {
                uncertain = true;
                not_done.push(format!("{place}{colon}{reason}"));
            }
        }
    }
    let with = if confirmed_only { CONFIRMED } else { CONTAINMENT };
    let open = uncertain || postponed;
    if !done.is_empty() && !open {
        let with = match not_done.is_empty() {
            true => with.to_owned(),
            false => format!("{with} in {}; not in {}", done.join(", "), not_done.join("; ")),
        };
        return Revocation::Done { with };
    }
    if !done.is_empty() {
        not_done.push(format!("done in {} ({with})", done.join(", ")));
    }
    let reason = not_done.join("; ");
    match (uncertain, postponed) {
        (true, _) => Revocation::Uncertain { reason },
        (false, true) => Revocation::Postponed { reason },
        (false, false) => Revocation::Refused { reason },
    }
}
