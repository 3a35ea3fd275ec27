//! The written form of a service: one TOML file, everything that is known about one token service.
//!
//! These types say what may be written and nothing else; `compile` gives it meaning and `check` proves it.
//! Unknown fields are errors, so that a misspelt one never silently does nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::finding::{Confidence, Severity};
use crate::leak::DeadWhy;

/// A whole rule file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// What holds for all rules of the file.
    pub service: ServiceHead,
    /// The shapes of its tokens.
    #[serde(default)]
    pub rule: Vec<RuleFile>,
    /// How to ask whether a token is alive; a rule may override it.
    pub verify: Option<VerifyFile>,
    /// How to find the owners of an organisation.
    pub owners: Option<OwnersFile>,
    /// What an organisation can do without the token's owner.
    pub contain: Option<ContainFile>,
    /// How to revoke.
    pub revoke: Option<RevokeFile>,
}

/// `[service]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceHead {
    /// The service's name for people, `GitHub`.
    pub name: String,
    /// Its documentation of tokens.
    pub docs: String,
    /// Hosts that a token may be sent to; self-hosted ones come from the configuration.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Base URLs to ask in turn. Left out: `https://` and the first host. With neither, the configuration must name one.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Names that its calls use and that the configuration gives (`services.NAME.values`), each with what it is.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

/// `[[rule]]`: one shape of token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Name below the service; it never changes once published.
    pub id: String,
    /// What it is called, for people.
    pub title: String,
    /// Regular expression (syntax of the `regex` crate; `\b`, `\w`, `\d`, `\s` and `(?i)` are ASCII) with a group named
    /// `secret`.
    pub pattern: String,
    /// Literals of which one must occur; derived from the pattern, or from `context`, if left out.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Name of a built-in checksum that the secret must pass.
    pub checksum: Option<String>,
    /// Least Shannon entropy of the secret, in bits per character.
    pub entropy: Option<f64>,
    /// The secret holds at least so many digits.
    #[serde(default)]
    pub digits: usize,
    /// How sure a match is.
    pub confidence: Confidence,
    /// How bad a live one is.
    pub severity: Severity,
    /// Public by design: reported as information, never verified or revoked.
    #[serde(default)]
    pub public: bool,
    /// Words that must stand near, for shapes without a prefix.
    pub context: Option<ContextFile>,
    /// Other parts of the credential, by rule id of this file, that must stand near.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What the secret says about itself, readable offline.
    pub decode: Option<DecodeFile>,
    /// Texts in which the rule must find something; `·` is dropped on load.
    #[serde(default)]
    pub accepts: Vec<String>,
    /// Texts in which it must not.
    #[serde(default)]
    pub rejects: Vec<String>,
    /// Overrides the file's `[verify]`; `false` switches it off.
    pub verify: Option<Section<VerifyFile>>,
    /// Overrides the file's `[owners]`; `false` switches it off.
    pub owners: Option<Section<OwnersFile>>,
    /// Overrides the file's `[contain]`; `false` switches it off.
    pub contain: Option<Section<ContainFile>>,
    /// Overrides the file's `[revoke]`; `false` switches it off.
    pub revoke: Option<Section<RevokeFile>>,
}

/// A section that a rule overrides, or `false` for "not for this rule".
#[derive(Clone, Debug)]
pub enum Section<T> {
    /// Used instead of the file's.
    Own(T),
    /// None for this rule.
    Off,
}

/// By hand, because serde's `untagged` would lose the line and the field of an error inside the table.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Section<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table, or false")
            }
            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
                if value {
                    Err(E::custom("only false, or a table, may stand here"))
                } else {
                    Ok(Section::Off)
                }
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Section::Own)
            }
        }
        deserializer.deserialize_any(Visitor(std::marker::PhantomData))
    }
}

/// Words near a match.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextFile {
    /// One of these must occur, in any case of letters.
    pub words: Vec<String>,
    /// At most so many bytes before the secret or after it; within it counts too.
    pub within: usize,
    /// None of these may stand, as a whole word, in the 24 bytes before the secret: what the value is instead
    /// (`commit`, `sha`).
    #[serde(default)]
    pub unless: Vec<String>,
}

/// How to read a part of the secret itself, without any call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeFile {
    /// The named group that holds it.
    pub group: String,
    /// How it is written.
    pub format: DecodeFormat,
    /// JSON pointers that must be there; a match without them is no token.
    #[serde(default)]
    pub require: Vec<String>,
    /// Fact name to JSON pointer. `base` and `region` are URLs that later calls go to, if their host is listed.
    #[serde(default)]
    pub take: BTreeMap<String, String>,
    /// Identity field to fact name, known without asking.
    #[serde(default)]
    pub identity: BTreeMap<String, String>,
}

/// Encodings of a self-describing part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum DecodeFormat {
    Base64Json,
    Base64urlJson,
}

/// One request: the method and URL, headers and body, with `{name}` filled in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFile {
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    pub headers: BTreeMap<String, String>,
    /// The body; JSON unless a `Content-Type` header says otherwise.
    pub body: Option<String>,
}

/// A condition on a reply; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The status code.
    pub status: Option<u16>,
    /// Text that the body holds.
    pub body: Option<String>,
    /// Text that the body does not hold.
    pub without: Option<String>,
    /// JSON pointer to the value that must stand there.
    pub json: BTreeMap<String, serde_json::Value>,
    /// For `dead`: why. Left out: unknown to the service.
    pub why: Option<DeadWhy>,
}

/// Identity field to where its value stands: a JSON pointer (`*` for every element), or `header:NAME`.
/// `principal`, `email`, `organisations` and `scopes` are known; other names are kept for later calls.
pub type IdentityFile = BTreeMap<String, String>;

/// `[verify]`: is it alive, and whose is it? Read-only by contract.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyFile {
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// Why the request only reads although it is not a GET or HEAD; for people, and so that it is never a slip.
    pub reads: Option<String>,
    /// Replies that prove it alive.
    pub live: Vec<Expect>,
    /// Replies that prove it dead. Anything else is unknown.
    pub dead: Vec<Expect>,
    /// What a live reply tells.
    #[serde(default)]
    pub identity: IdentityFile,
    /// Asked instead when the reply is one of its `when`.
    pub fallback: Option<FallbackFile>,
    /// Asked after a live reply, to learn more; their failure changes nothing.
    #[serde(default)]
    pub identify: Vec<IdentifyFile>,
}

/// `[verify.fallback]`: another question for services that do not know the first.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackFile {
    /// Replies to the first question that lead here.
    pub when: Vec<Expect>,
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// Replies that prove it alive.
    pub live: Vec<Expect>,
    /// Replies that prove it dead.
    pub dead: Vec<Expect>,
    /// What a live reply tells.
    #[serde(default)]
    pub identity: IdentityFile,
}

/// `[[verify.identify]]`: a further read-only call for a token known to be alive.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifyFile {
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// What a 200 tells.
    pub identity: IdentityFile,
}

/// With whose authority a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum With {
    /// Holding the secret is enough.
    Secret,
    /// The operator's credential for this service, from the configuration.
    Operator,
    /// Only a person signed in can do it: a link is all we have.
    Session,
}

/// `[owners]`: who owns an organisation that the token opens. Called once for each organisation where the request
/// holds `{organisation}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnersFile {
    /// Left out: the operator's.
    #[serde(default = "With::operator")]
    pub with: With,
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// JSON pointer to the entries, ending in `/*`.
    pub each: String,
    /// Entries count only where these hold: JSON pointer to value.
    #[serde(default, rename = "where")]
    pub conditions: BTreeMap<String, serde_json::Value>,
    /// `name` and `email`: JSON pointers within an entry.
    pub fields: BTreeMap<String, String>,
    /// How the list goes on.
    pub next: Option<Paging>,
}

/// How a list goes on; a page is only asked for on the base that gave the first.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Paging {
    /// The `Link` header's `rel="next"` (with Sentry's `results="true"`).
    Link,
    /// A JSON pointer to the next page's URL.
    Json(String),
}

impl With {
    const fn operator() -> Self {
        Self::Operator
    }
}

/// One step of a containment or revocation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFile {
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// Replies with which the step is done. Left out: 200.
    #[serde(default)]
    pub done: Vec<Expect>,
    /// Replies that say it had been done before.
    #[serde(default)]
    pub already: Vec<Expect>,
    /// Picks exactly one entry of a list.
    pub find: Option<FindFile>,
    /// How that list goes on.
    pub next: Option<Paging>,
    /// Name to JSON pointer: values for later steps.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
}

/// Picks the one entry of a list that is meant. None or several: the whole action stops. Never "the first".
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindFile {
    /// JSON pointer to the entries, ending in `/*`.
    pub each: String,
    /// JSON pointer within an entry to the text (with `{name}`) that must stand there.
    #[serde(rename = "where")]
    pub conditions: BTreeMap<String, String>,
    /// Tells entries apart that the conditions leave: the one that our own use of the token moves.
    pub touched: Option<TouchedFile>,
    /// Name to JSON pointer within the entry.
    pub take: BTreeMap<String, String>,
}

/// A last-use mark that moves when the token is used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TouchedFile {
    /// JSON pointer within an entry to the mark.
    pub pointer: String,
    /// Seconds after which every use shows; waited out in full, so that one that moves late is not overlooked.
    pub settle_seconds: u64,
}

/// `[contain]`: what an organisation can do when it cannot revoke.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainFile {
    /// Left out: the operator's.
    #[serde(default = "With::operator")]
    pub with: With,
    /// What it does, for the plan: "removes the member from the organisation".
    pub effect: String,
    /// Whether it can be undone.
    pub reversible: bool,
    /// `METHOD URL`, where one call is enough.
    pub request: Option<String>,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// Replies with which it is done. Left out: 200.
    #[serde(default)]
    pub done: Vec<Expect>,
    /// Replies that say it had been done before.
    #[serde(default)]
    pub already: Vec<Expect>,
    /// Steps, where one call is not enough.
    #[serde(default)]
    pub step: Vec<StepFile>,
    /// The page where a person does it by hand.
    pub page: Option<String>,
}

/// `[revoke]`: how the token is ended.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeFile {
    /// With whose authority.
    pub with: With,
    /// `METHOD URL`, where one call is enough.
    pub request: Option<String>,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// Replies with which it is accepted; asking again is the proof. Left out: 200.
    #[serde(default)]
    pub done: Vec<Expect>,
    /// Replies that say it had been revoked before.
    #[serde(default)]
    pub already: Vec<Expect>,
    /// Steps, where one call is not enough.
    #[serde(default)]
    pub step: Vec<StepFile>,
    /// Sent to every region instead of only where the token lives.
    #[serde(default)]
    pub everywhere: bool,
    /// The page where a person does it by hand.
    pub page: Option<String>,
    /// Further ways, tried in order when this one is not open to us or was refused.
    #[serde(default)]
    pub otherwise: Vec<RevokeFile>,
}

impl RevokeFile {
    /// This way and the further ones, in the order they are tried.
    pub fn ways(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(&self.otherwise)
    }
}

macro_rules! has_call {
    ($($section:ty),*) => {$(
        impl $section {
            /// Its request.
            pub fn call(&self) -> CallFile {
                CallFile { request: self.request.clone(), headers: self.headers.clone(), body: self.body.clone() }
            }
        }
    )*};
}
has_call!(VerifyFile, FallbackFile, IdentifyFile, OwnersFile, StepFile);

macro_rules! has_steps {
    ($($section:ty),*) => {$(
        impl $section {
            /// Its steps; a single request is one step.
            pub fn steps(&self) -> Vec<StepFile> {
                let single = self.request.as_ref().map(|request| StepFile {
                    request: request.clone(),
                    headers: self.headers.clone(),
                    body: self.body.clone(),
                    done: self.done.clone(),
                    already: self.already.clone(),
                    find: None,
                    next: None,
                    save: BTreeMap::new(),
                });
                self.step.iter().cloned().chain(single).collect()
            }
        }
    )*};
}
has_steps!(ContainFile, RevokeFile);
