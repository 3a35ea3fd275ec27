//! Is a secret alive, and whose is it? Asked by the read-only calls of its rule file.
//!
//! What must never happen here: a call that changes something; a token sent to a host that only the token itself
//! names; "dead" for anything but an answer that proves it. Whatever else happens is [`Verdict::Unknown`] with the
//! next step.
//!
//! A rule file may take a bare `status = 200` for "live". What makes that safe against a captive portal, or a proxy that
//! answers everything with a page, is the probe: before the first question a made-up token of the same shape is tried,
//! and where that is "live" too, no answer of that service is believed in this run.

mod again;
mod answers;
mod judge;
mod probe;
mod weigh;

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

pub use answers::{Answers, Kept};
pub use judge::{identity, judge};
pub use probe::made_up;
pub use weigh::{Weight, weigh};

use crate::call::{CallError, Caller, Reply, Values, expect, template};
use crate::finding::{RuleId, SEVERAL};
use crate::leak::{Held, Identity, Verdict};
use crate::rule::Rule;
use crate::rule::file::{Expect, IdentityFile, VerifyFile};
use crate::secret::Fingerprint;

/// What the service says of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Live, dead or unknown.
    pub verdict: Verdict,
    /// Whose it is: what the service tells of a live one, and what the token itself says.
    pub identity: Identity,
}

/// Asks services; one for each run. Cheap to clone: clones share what was asked.
///
/// In a run each distinct secret is asked about once, also when many ask at the same time, and each service (and
/// base, and kind of question) gets one made-up token.
#[derive(Clone)]
pub struct Verifier {
    caller: Caller,
    asked: Once<(RuleId, Fingerprint), Answer>,
    probed: Once<(String, String, String), bool>,
    answers: Option<Answers>,
}

/// The first who asks for a key does the work, all others wait for it.
type Once<K, V> = Arc<Mutex<HashMap<K, Arc<OnceCell<V>>>>>;

async fn once<K: Eq + Hash, V: Clone>(all: &Once<K, V>, key: K, work: impl Future<Output = V>) -> V {
    let cell = Arc::clone(
        all.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default(),
    );
    cell.get_or_init(|| work).await.clone()
}

impl Verifier {
    /// A verifier for one run.
    pub fn new(caller: Caller) -> Self {
        Self {
            caller,
            asked: Once::default(),
            probed: Once::default(),
            answers: None,
        }
    }

    /// The same, believing answers that an earlier run was given. Not for whoever acts on them.
    pub fn believing(caller: Caller, answers: Option<Answers>) -> Self {
        Self {
            answers,
            ..Self::new(caller)
        }
    }

    /// A verifier for another run of the same process: every secret is asked about anew, and what is known of services
    /// stays.
    #[must_use]
    pub fn for_another_run(&self) -> Self {
        Self {
            asked: Once::default(),
            ..self.clone()
        }
    }

    /// The caller that it asks with.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Asks once in a run; the same answer is given to everybody.
    pub async fn verify(&self, rule: &Rule, held: &Held) -> Answer {
        let key = (rule.id.clone(), held.leak.fingerprint);
        once(&self.asked, key, self.answered(rule, held)).await
    }

    /// The answer that an earlier run was given, else a new one.
    async fn answered(&self, rule: &Rule, held: &Held) -> Answer {
        let question = answers::question(held, &self.caller.bases(&rule.service));
        let Some((answers, question)) = self.answers.as_ref().zip(question) else {
            return self.question(rule, held, true).await;
        };
        if let Some(answer) = answers.get(&question) {
            return answer;
        }
        let answer = self.question(rule, held, true).await;
        answers.put(question, &answer);
        answer
    }

    /// Asks anew, without the probe: after a revocation, until it is dead.
    pub async fn ask_again(&self, rule: &Rule, held: &Held) -> Answer {
        self.question(rule, held, false).await
    }

    async fn question(&self, rule: &Rule, held: &Held, probe: bool) -> Answer {
        let offline = judge::offline(rule, held);
        let span = info_span!(target: "traces", "verify", unleak.rule = %rule.id, unleak.verdict = Empty);
        let said = self.verdict(rule, held, probe).instrument(span.clone()).await;
        let (verdict, mut identity) = match said {
            Ok(answer) => answer,
            Err(reason) => (Verdict::unknown(reason), Identity::default()),
        };
        span.record("unleak.verdict", verdict.name());
        identity.merge(offline);
        identity.over_privileged = weigh::beyond_use(rule, &identity);
        Answer { verdict, identity }
    }

    /// Asks base after base. Live at one settles it; dead are only those that all say dead.
    async fn verdict(&self, rule: &Rule, held: &Held, probe: bool) -> Result<(Verdict, Identity), String> {
        if rule.public {
            return Err("public by design: never asked".to_owned());
        }
        let Some(verify) = rule.verify() else {
            return Err("no call is known that proves it".to_owned());
        };
        let bases = match self.caller.bases_of(&rule.service, held) {
            Ok(bases) => bases,
            Err(CallError::NoBase { .. }) if !needs_base(verify) => vec![String::new()],
            Err(error) => return Err(error.to_string()),
        };
        let asked = template::names(&verify.call());
        let apart = |(name, rules): &&(String, Vec<RuleId>)| {
            asked.contains(name)
                && !held.parts.contains_key(name)
                && !self.gives(rule, name)
                && !rules.is_empty()
        };
        if let Some((_, rules)) = rule.near.iter().find(apart) {
            let rules: Vec<&str> = rules.iter().map(RuleId::as_str).collect();
            return Err(format!(
                "its other part ({}) does not stand near it: give both in one text",
                rules.join(" or ")
            ));
        }
        let several = bases.len() > 1;
        let mut dead: Option<Verdict> = None;
        let mut unknown: Vec<String> = Vec::new();
        for base in bases {
            let (verdict, mut identity) = self.at(rule, verify, held, &base, probe).await;
            match verdict {
                Verdict::Live { .. } => {
                    identity.base = Some(base).filter(|base| !base.is_empty() && needs_base(verify));
                    return Ok((verdict, identity));
                }
                Verdict::Dead { .. } => dead = Some(judge::more_telling(dead, verdict)),
                Verdict::Unknown { reason } if several => unknown.push(format!("{base}: {reason}")),
                Verdict::Unknown { reason } => unknown.push(reason),
            }
        }
        match dead {
            Some(dead) if unknown.is_empty() => Ok((dead, Identity::default())),
            _ => Err(unknown.join("; ")),
        }
    }

    /// Whether the configuration gives this value.
    fn gives(&self, rule: &Rule, name: &str) -> bool {
        self.caller.settings(&rule.service.name).values.contains_key(name)
    }

    /// One base's answer.
    async fn at(
        &self,
        rule: &Rule,
        verify: &VerifyFile,
        held: &Held,
        base: &str,
        probe: bool,
    ) -> (Verdict, Identity) {
        if probe && self.says_yes_to_all(rule, verify, held, base).await {
            let reason = "the service says yes to a made-up token (captive portal or proxy?)";
            return (Verdict::unknown(reason), Identity::default());
        }
        let (verdict, mut identity) = self.ask(rule, verify, held, base).await;
        if verdict.is_live() {
            self.identify(rule, verify, held, base, &mut identity).await;
        }
        (verdict, identity)
    }

    /// Whether a made-up token is "live" there. A probe without an answer is taken for a no: what stands in its way
    /// stands in the question's way too.
    async fn says_yes_to_all(&self, rule: &Rule, verify: &VerifyFile, held: &Held, base: &str) -> bool {
        let Some(probe) = probe::of(rule, held) else {
            return false;
        };
        let key = (rule.service.name.clone(), base.to_owned(), verify.request.clone());
        let work = async {
            let (verdict, _) = self.ask(rule, verify, &probe, base).await;
            tracing::debug!(
                service = rule.service.name,
                base,
                verdict = verdict.name(),
                "probed"
            );
            verdict.is_live()
        };
        once(&self.probed, key, work).await
    }

    /// The question itself, with its fallback where the service does not know the first.
    async fn ask(&self, rule: &Rule, verify: &VerifyFile, held: &Held, base: &str) -> (Verdict, Identity) {
        let values = Values::of(held, &self.caller, &rule.service, base);
        let reply = match self.caller.ask(&rule.service, &verify.call(), &values).await {
            Ok(reply) => reply,
            Err(error) => return (Verdict::unknown(error.to_string()), Identity::default()),
        };
        let Some(fallback) = verify
            .fallback
            .as_ref()
            .filter(|fallback| expect::any(&fallback.when, &reply))
        else {
            let verdict = judged(&verify.live, &verify.dead, &reply, &values);
            let verdict = doubted(verdict, held);
            return with_identity(verdict, &verify.identity, &reply, held);
        };
        match self.caller.ask(&rule.service, &fallback.call(), &values).await {
            Ok(reply) => {
                let verdict = judged(&fallback.live, &fallback.dead, &reply, &values);
                with_identity(verdict, &fallback.identity, &reply, held)
            }
            Err(error) => (Verdict::unknown(error.to_string()), Identity::default()),
        }
    }

    /// Further questions about a live token; what they do not tell stays unknown.
    async fn identify(
        &self,
        rule: &Rule,
        verify: &VerifyFile,
        held: &Held,
        base: &str,
        identity: &mut Identity,
    ) {
        let mut known = held.clone();
        for further in &verify.identify {
            known.leak.identity.merge(identity.clone());
            let values = Values::of(&known, &self.caller, &rule.service, base);
            match self.caller.ask(&rule.service, &further.call(), &values).await {
                Ok(reply) if reply.status == 200 => {
                    identity.merge(judge::identity(&further.identity, &reply, held));
                }
                Ok(reply) => tracing::debug!(
                    rule = %rule.id,
                    status = reply.status,
                    "a further question about a live token was refused"
                ),
                Err(error) => {
                    tracing::debug!(rule = %rule.id, %error, "a further question about a live token failed");
                }
            }
        }
    }
}

fn judged(live: &[Expect], dead: &[Expect], reply: &Reply, values: &Values) -> Verdict {
    judge(&expect::fill(live, values), &expect::fill(dead, values), reply)
}

/// A pair that does not open proves nothing where the other half may be another's.
fn doubted(verdict: Verdict, held: &Held) -> Verdict {
    match (verdict, held.facts.get(SEVERAL)) {
        (Verdict::Dead { reason, .. }, Some(rule)) => Verdict::unknown(format!(
            "{reason}, yet several different {rule} stand near it and which is its own is not known: give it with its own alone"
        )),
        (verdict, _) => verdict,
    }
}

fn with_identity(verdict: Verdict, file: &IdentityFile, reply: &Reply, held: &Held) -> (Verdict, Identity) {
    let identity = if verdict.is_live() {
        identity(file, reply, held)
    } else {
        Identity::default()
    };
    (verdict, identity)
}

/// Whether any question depends on a base URL.
fn needs_base(verify: &VerifyFile) -> bool {
    let fallback = verify.fallback.as_ref().map(|fallback| &fallback.request);
    std::iter::once(&verify.request)
        .chain(fallback)
        .chain(verify.identify.iter().map(|further| &further.request))
        .any(|request| request.contains("{base}") || request.contains("{region}"))
}
