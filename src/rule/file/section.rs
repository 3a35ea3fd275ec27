//! The written form of the sections: what is asked of a service, and how its replies are read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ask::{CallFile, Expect, IdentityFile, SignFile};

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
    /// How it is signed, if it is.
    pub sign: Option<SignFile>,
    /// Why the request only reads although it is not a GET or HEAD; for people, and so that it is never a slip.
    pub reads: Option<String>,
    /// Why the secret stands in the URL; for people, and so that it is never a slip.
    pub secret_in_url: Option<String>,
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
    /// Why the request only reads although it is not a GET or HEAD.
    pub reads: Option<String>,
    /// Replies to the first question that lead here.
    pub when: Vec<Expect>,
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// How it is signed, if it is.
    pub sign: Option<SignFile>,
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
    /// Why the request only reads although it is not a GET or HEAD.
    pub reads: Option<String>,
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// How it is signed, if it is.
    pub sign: Option<SignFile>,
    /// What a 200 tells.
    pub identity: IdentityFile,
}

/// With whose authority a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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
    /// How it is signed, if it is.
    pub sign: Option<SignFile>,
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
    /// A word of the reply that goes into the query of the first page's URL; none, or an empty one, at the end.
    Cursor {
        /// JSON pointer to the word.
        at: String,
        /// The query's parameter.
        parameter: String,
    },
}

impl With {
    const fn operator() -> Self {
        Self::Operator
    }
}

/// One step of a containment or revocation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFile {
    /// Why the request changes nothing about the token although it is not a GET or HEAD: it may be repeated.
    pub reads: Option<String>,
    /// `METHOD URL`.
    pub request: String,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// How it is signed, if it is.
    pub sign: Option<SignFile>,
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
    /// The same for values that may not be shown, such as an installation's token.
    #[serde(default)]
    pub save_secret: BTreeMap<String, String>,
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
    /// Asked for also where only one entry fits: where the list may well lack the token, so that the one is another's.
    #[serde(default)]
    pub always: bool,
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
    /// How it is signed, if it is.
    pub sign: Option<SignFile>,
    /// Replies with which it is done. Left out: 200.
    #[serde(default)]
    pub done: Vec<Expect>,
    /// Replies that say it had been done before.
    #[serde(default)]
    pub already: Vec<Expect>,
    /// Steps, where one call is not enough.
    #[serde(default)]
    pub step: Vec<StepFile>,
    /// The page where a person does it by hand; `{base}/…` where every instance has its own.
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
    /// How it is signed, if it is.
    pub sign: Option<SignFile>,
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
    /// Whether it can be undone. Such a way goes before one that cannot.
    #[serde(default)]
    pub reversible: bool,
    /// What else ends with it, for the plan: "every token made from this one ends too".
    pub collateral: Option<String>,
    /// What makes it final, once the token is proved dead; done where the configuration says `finish = true`.
    #[serde(default)]
    pub finish: Vec<StepFile>,
    /// The page where a person does it by hand; `{base}/…` where every instance has its own.
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
                CallFile { request: self.request.clone(), headers: self.headers.clone(), body: self.body.clone(), sign: self.sign.clone() }
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
                    sign: self.sign.clone(),
                    done: self.done.clone(),
                    already: self.already.clone(),
                    ..StepFile::default()
                });
                self.step.iter().cloned().chain(single).collect()
            }
        }
    )*};
}
has_steps!(ContainFile, RevokeFile);
