//! The whole of `fixtures`, replayed through the real engine: each exchange is asked for by the calls of its rule file, over
//! a socket, of a server that answers what was recorded.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use unleak::call::steps::{Outcome, Run};
use unleak::call::{CallSettings, Caller, ServiceSettings, Values, template, way};
use unleak::finding::RuleId;
use unleak::leak::{Held, Identity, Leak, OwnerReason};
use unleak::owner::{self, OwnerSettings};
use unleak::rule::file::{FindFile, StepFile};
use unleak::rule::judge::first;
use unleak::rule::{Rule, RuleSet, Service};
use unleak::secret::{FingerprintKey, Secret};
use unleak::verify::Verifier;

use super::key;
use super::recording::Exchange;

/// What the server saw, and what it answers: to the first thing that it is asked the first text, to the next the second.
#[derive(Default)]
struct Script {
    answers: Vec<Vec<u8>>,
    seen: Vec<String>,
}

/// A server with the callers that ask it in place of every service.
pub(super) struct Stage {
    script: Arc<Mutex<Script>>,
    address: SocketAddr,
    caller: Caller,
    /// Whom the caller may ask still: a service that asked to be left alone is not asked again.
    of: Option<String>,
}

/// How a value is made up that a request needs and the recording does not give; digits, as JSON bodies want them.
const MADE_UP: &str = "7";

impl Stage {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::<Mutex<Script>>::default();
        tokio::spawn(serve(listener, Arc::clone(&script)));
        Self {
            script,
            address,
            caller: Caller::new(CallSettings::default()).unwrap(),
            of: None,
        }
    }

    /// What the engine makes of the exchange, in the words of its name; and what it read out of it.
    pub(super) async fn replay(
        &mut self,
        rule: &Rule,
        exchange: &Exchange,
        before: Option<&Exchange>,
    ) -> (String, Vec<String>) {
        if self.of.as_ref() != Some(&rule.service.name) {
            self.caller = Caller::new(settings(&rule.service, self.address)).unwrap();
        }
        self.of = Some(rule.service.name.clone()).filter(|_| !exchange.may_ask_for_silence());
        *self.script.lock().unwrap() = Script {
            answers: before
                .into_iter()
                .chain([exchange])
                .map(Exchange::bytes)
                .collect(),
            seen: Vec::new(),
        };
        let held = held(rule, exchange);
        match exchange.ask.as_str() {
            "" | "fallback" => (self.verdict(rule, &held).await, Vec::new()),
            "owners" => ("list".to_owned(), self.owners(rule, &held).await),
            _ => self.step(rule, &held, exchange).await,
        }
    }

    async fn verdict(&self, rule: &Rule, held: &Held) -> String {
        let verifier = Verifier::new(self.caller.clone());
        let answer = verifier.ask_again(rule, held).await;
        let seen: BTreeSet<String> = self.script.lock().unwrap().seen.iter().cloned().collect();
        // One answer was recorded and a second question asked: the first led there.
        if seen.len() > 1 && self.script.lock().unwrap().answers.len() == 1 && !answer.verdict.is_live() {
            return "fallback".to_owned();
        }
        super::word(&answer.verdict).to_owned()
    }

    async fn owners(&self, rule: &Rule, held: &Held) -> Vec<String> {
        let found = owner::find(&self.caller, rule, held, &OwnerSettings::default(), None).await;
        let listed = found
            .owners
            .into_iter()
            .filter(|owner| owner.reason == OwnerReason::OrganisationOwner);
        let mut listed: Vec<String> = listed
            .map(|owner| match owner.email {
                Some(email) => format!("{} <{email}>", owner.name),
                None => owner.name,
            })
            .collect();
        listed.sort();
        listed
    }

    /// One step by itself, and behind it one of ours: what it found stands in our request, and that it ended the way is
    /// seen by ours not being sent.
    async fn step(&self, rule: &Rule, held: &Held, exchange: &Exchange) -> (String, Vec<String>) {
        let steps = steps_of(rule, exchange);
        let step = &steps[exchange.step - 1];
        let base = format!("http://{}", self.address);
        let organisation = "acme".to_owned();
        let mut values = way::values(held, &self.caller, &rule.service, &base, Some(&organisation));
        for (name, value) in &exchange.given {
            values.set(name, value);
        }
        make_up(step, &mut values);
        let taken: Vec<String> = step
            .find
            .iter()
            .flat_map(|find: &FindFile| find.take.keys().cloned())
            .collect();
        let after = StepFile {
            request: format!(
                "DELETE {{base}}/seen{}",
                taken
                    .iter()
                    .map(|name| format!("/{{{name}}}"))
                    .collect::<String>()
            ),
            ..StepFile::default()
        };
        let touch = || -> BoxFuture<'_, bool> { Box::pin(async { true }) };
        let run = Run {
            caller: &self.caller,
            service: &rule.service,
            touch: &touch,
        };
        let outcome = run.steps(&[step.clone(), after], values).await;
        let seen = self.script.lock().unwrap().seen.clone();
        let reached = seen.iter().find_map(|line| line.strip_prefix("DELETE /seen"));
        let outcome = match (reached, outcome) {
            (Some(_), _) if step.find.is_some() => "found",
            (Some(_), _) => "done",
            (None, Outcome::Accepted) => "already",
            (None, _) => "refused",
        };
        (outcome.to_owned(), found_in(reached, &taken))
    }
}

/// The service at our server, with everything configured that it asks for.
fn settings(service: &Service, address: SocketAddr) -> CallSettings {
    let base = format!("http://{address}");
    let head = service.head();
    let settings = ServiceSettings {
        bases: vec![base.clone()],
        credential: Some(Secret::new("operator:of-the-test")),
        credentials: head
            .credentials
            .keys()
            .map(|name| (name.clone(), Secret::new(key::pem())))
            .collect(),
        instead: head
            .hosts
            .iter()
            .map(|host| (host.clone(), base.clone()))
            .collect(),
        organisations: vec!["acme".to_owned()],
        values: head
            .values
            .keys()
            .map(|name| (name.clone(), MADE_UP.to_owned()))
            .collect(),
        settle: Some(Duration::ZERO),
        ..ServiceSettings::default()
    };
    CallSettings {
        services: [(service.name.clone(), settings)].into(),
        timeout: Duration::from_secs(5),
        longest_wait: Duration::ZERO,
        back_off: Duration::from_millis(1),
        pace: Duration::ZERO,
        ..CallSettings::default()
    }
}

/// A token of the rule, out of its first example, with its parts and what the recording gives.
fn held(rule: &Rule, exchange: &Exchange) -> Held {
    let example = rule.accepts().remove(0);
    let judged =
        first(rule, example.as_bytes()).unwrap_or_else(|| panic!("{}: its example is none", rule.id));
    let by_key = rule
        .verify()
        .is_some_and(|verify| verify.live.iter().any(|live| live.certifies.is_some()));
    let secret = match by_key {
        true => Secret::new(key::pem()),
        false => Secret::new(&example.as_bytes()[judged.range.clone()]),
    };
    let mut identity = Identity {
        organisations: vec!["acme".to_owned()],
        principal: Some("mia".to_owned()),
        email: Some("mia@acme.example".to_owned()),
        ..Identity::default()
    };
    let mut facts = judged.facts;
    for name in asked(rule) {
        if ![
            "secret",
            "base",
            "region",
            "operator",
            "organisation",
            "principal",
            "email",
            "cause",
        ]
        .contains(&name.as_str())
        {
            facts.entry(name).or_insert_with(|| MADE_UP.to_owned());
        }
    }
    for (name, value) in &exchange.given {
        match name.as_str() {
            "principal" => identity.principal = Some(value.clone()),
            "email" => identity.email = Some(value.clone()),
            "organisation" => identity.organisations = vec![value.clone()],
            _ => drop(facts.insert(name.clone(), value.clone())),
        }
    }
    // Each its own: what stands under two names would be taken for a secret that slipped into a URL.
    let needed = rule.needs.iter().map(RuleId::rule);
    let names = needed.chain(rule.near.iter().map(|(name, _)| name.as_str()));
    let parts = names.map(|name| (name.to_owned(), Secret::new(format!("the-part-{name}"))));
    Held {
        leak: leak(rule, &secret, identity),
        parts: parts.collect(),
        secret,
        facts,
    }
}

fn leak(rule: &Rule, secret: &Secret, identity: Identity) -> Leak {
    let now = Timestamp::now();
    Leak {
        fingerprint: FingerprintKey::new("test").fingerprint(secret),
        rule: RuleId::clone(&rule.id),
        redacted: secret.redacted(&rule.prefix),
        severity: rule.severity,
        sightings: Vec::new(),
        first_seen: now,
        last_seen: now,
        verdict: None,
        identity,
        owners: Vec::new(),
        notices: Vec::new(),
        revocation: None,
        containment: None,
    }
}

/// The steps that the exchange is one of.
fn steps_of(rule: &Rule, exchange: &Exchange) -> Vec<StepFile> {
    match exchange.ask.as_str() {
        "contain" => rule.contain().expect("a [contain]").steps(),
        "finish" => rule
            .revoke()
            .expect("a [revoke]")
            .ways()
            .nth(exchange.way - 1)
            .unwrap()
            .finish
            .clone(),
        "revoke" => rule
            .revoke()
            .expect("a [revoke]")
            .ways()
            .nth(exchange.way - 1)
            .unwrap()
            .steps(),
        other => panic!("X-Ask: {other} is nothing that is asked"),
    }
}

/// What our own request says that was taken of the entry.
fn found_in(reached: Option<&str>, taken: &[String]) -> Vec<String> {
    let read = reached
        .unwrap_or_default()
        .split_whitespace()
        .next()
        .unwrap_or_default();
    let read = read
        .split('/')
        .skip(1)
        .map(|value| percent_encoding::percent_decode_str(value).decode_utf8_lossy());
    let found = taken
        .iter()
        .zip(read)
        .map(|(name, value)| format!("{name} = {value}"));
    found.collect()
}

/// The names that the questions of the rule need.
fn asked(rule: &Rule) -> BTreeSet<String> {
    let verify = rule.verify().into_iter().flat_map(|verify| {
        let second = verify.fallback.as_ref().map(|second| second.call());
        let pointers = verify
            .live
            .iter()
            .chain(&verify.dead)
            .flat_map(|expect| expect.absent.iter().chain(&expect.certifies));
        let pointers: BTreeSet<String> = pointers.flat_map(|text| template::names_in(text)).collect();
        let calls = std::iter::once(verify.call()).chain(second);
        calls.flat_map(|call| template::names(&call)).chain(pointers)
    });
    let owners = rule
        .owners()
        .into_iter()
        .flat_map(|owners| template::names(&owners.call()));
    verify.chain(owners).collect()
}

/// Gives every name that a step needs and nobody knows a value.
fn make_up(step: &StepFile, values: &mut Values) {
    let compared = step.find.iter().flat_map(|find| find.conditions.values());
    let compared: BTreeSet<String> = compared.flat_map(|text| template::names_in(text)).collect();
    for name in template::names(&step.call()).into_iter().chain(compared) {
        if !values.knows(&name) {
            values.set(&name, MADE_UP);
        }
    }
}

async fn serve(listener: TcpListener, script: Arc<Mutex<Script>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let script = Arc::clone(&script);
        tokio::spawn(async move {
            let request = crate::played::read_request(&mut stream).await;
            let answer = answer(&script, &request);
            let _ = stream.write_all(&answer).await;
        });
    }
}

/// A question that was asked before gets the same answer, so that one asked again because of trouble meets it again.
fn answer(script: &Mutex<Script>, request: &str) -> Vec<u8> {
    let line = request.lines().next().unwrap_or_default().to_owned();
    let mut script = script.lock().unwrap();
    let known = script.seen.iter().position(|seen| *seen == line);
    let place = known.unwrap_or_else(|| {
        script.seen.push(line);
        script.seen.len() - 1
    });
    let nothing = b"HTTP/1.1 418 Nothing was recorded\r\nContent-Length: 0\r\n\r\n".to_vec();
    script.answers.get(place).cloned().unwrap_or(nothing)
}

/// The rule that an exchange names.
pub(super) fn rule_of<'s>(set: &'s RuleSet, path: &Path, exchange: &Exchange) -> &'s Rule {
    let service = path.parent().and_then(Path::file_name).unwrap().to_string_lossy();
    let id = format!("{service}/{}", exchange.rule);
    let rule = set.rules.iter().find(|rule| rule.id.as_str() == id);
    rule.unwrap_or_else(|| panic!("{}: no rule {id}", path.display()))
}
