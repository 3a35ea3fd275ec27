//! A notice to one recipient, ready for every channel.
//!
//! Made from a leak, which does not hold the secret, by [`super::Texts`]. The id of a message is the same
//! whenever it is made again, so that a channel that remembers ids never shows one twice.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::finding::{RuleCard, Severity};
use crate::leak::{Leak, Owner, OwnerReason, Revocation, Verdict};

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A leak was found; the token is alive, or may be.
    Found,
    /// A person must say yes before anything is done.
    Approval,
    /// Nobody has acted; the number of the step, from 1.
    Escalation(u8),
    /// The token is kept away from an organisation, and alive.
    Contained,
    /// The token is dead.
    Revoked,
    /// Several leaks at once.
    Digest,
    /// No leak: tokens of the embedded token service that their owner should look at.
    Tokens,
}

impl Kind {
    /// What the leak's state makes of it.
    pub fn of(leak: &Leak) -> Self {
        let done = |state: &Option<Revocation>| matches!(state, Some(Revocation::Done { .. }));
        if done(&leak.revocation) || leak.verdict.as_ref().is_some_and(Verdict::is_dead) {
            Self::Revoked
        } else if done(&leak.containment) {
            Self::Contained
        } else {
            Self::Found
        }
    }

    /// The event's name: `leak.found`, `leak.revoked`, `leak.contained`, `leak.approval`, `leak.escalation`,
    /// `leak.digest`, `tokens.review`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "leak.found",
            Self::Approval => "leak.approval",
            Self::Escalation(_) => "leak.escalation",
            Self::Contained => "leak.contained",
            Self::Revoked => "leak.revoked",
            Self::Digest => "leak.digest",
            Self::Tokens => "tokens.review",
        }
    }

    /// What ids are made of: each escalation is an event of its own.
    fn mark(self) -> String {
        match self {
            Self::Escalation(step) => format!("{}.{step}", self.name()),
            _ => self.name().to_owned(),
        }
    }
}

/// What a message is made from.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What it is about.
    pub kind: Kind,
    /// The leak as it stands now, with the verdict that followed the revocation.
    pub leak: &'a Leak,
    /// Who is told.
    pub owner: &'a Owner,
    /// The leak's rule.
    pub card: &'a RuleCard,
    /// What will be done and why: the words of the policy's decision.
    pub planned: &'a str,
    /// What the owner's organisation can do without the token's owner, where there is something.
    pub containment: Option<&'a str>,
    /// The command with which a person says yes, or revokes.
    pub command: &'a str,
}

/// One fact of a leak.
#[derive(Clone, Debug, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// What is known.
    pub value: String,
}

/// One thing to do.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What.
    pub text: String,
    /// Where, or empty.
    pub link: String,
}

/// One leak of a digest.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields of the templates, which say what they are")]
pub struct Row {
    pub severity: String,
    pub colour: &'static str,
    pub title: String,
    pub redacted: String,
    pub whose: String,
    pub why_you: String,
    pub place: String,
    pub more: String,
    pub state: String,
    pub done: String,
    pub link: String,
    pub link_text: String,
    pub rule: String,
    pub fingerprint: String,
}

/// What a message says, in parts, for channels with a form of their own. All of it is harmless text, none of it is
/// escaped for any markup.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(missing_docs, reason = "the fields of the templates, which say what they are")]
pub struct Content {
    pub subject: String,
    pub headline: String,
    pub badge: String,
    pub colour: &'static str,
    pub greeting: String,
    pub why: String,
    pub facts: Vec<Fact>,
    pub places: Vec<String>,
    pub done: Vec<String>,
    pub todo: Vec<Step>,
    pub rows: Vec<Row>,
    pub left_out: usize,
    pub link: String,
    pub link_text: String,
    pub footer: String,
}

/// A message to one owner, ready for every channel.
#[derive(Clone, Debug)]
pub struct Message {
    /// What it is about.
    pub kind: Kind,
    /// Its name, the same whenever it is made again: `msg_` and 32 hexadecimal digits.
    pub id: String,
    /// Names of the messages that it follows or stands for; a mail reader shows them as one thread.
    pub thread: Vec<String>,
    /// Name of the incident, the same for all messages about one leak; none for several leaks.
    pub incident: Option<String>,
    /// Who it is for.
    pub owner: Owner,
    /// The worst of its leaks.
    pub severity: Severity,
    /// One line.
    pub subject: String,
    /// Plain text, wrapped.
    pub body: String,
    /// The same as HTML, where there is one.
    pub html: Option<String>,
    /// The same in parts.
    pub content: Content,
    /// Places as they were reported, where a channel follows them.
    pub places: Vec<String>,
    /// The same for machines, below 18 kB.
    pub data: Value,
}

impl Message {
    /// A letter of the token service, in plain text; no leak is meant.
    pub fn letter(name: &str, email: &str, subject: String, body: String, data: Value) -> Self {
        Self {
            kind: Kind::Tokens,
            id: named(&format!("{email}\n{subject}\n{body}")),
            thread: Vec::new(),
            incident: None,
            owner: Owner {
                name: name.to_owned(),
                email: Some(email.to_owned()),
                reason: OwnerReason::TokenOwner,
                organisation: None,
            },
            severity: Severity::Low,
            subject,
            body,
            html: None,
            content: Content::default(),
            places: Vec::new(),
            data,
        }
    }
}

/// The id of a message of this kind about this leak to this owner.
pub(super) fn id(kind: Kind, leak: &Leak, owner: &Owner) -> String {
    named(&format!(
        "{}\n{}\n{}\n{}",
        kind.mark(),
        leak.fingerprint,
        leak.rule,
        owner.key()
    ))
}

/// The name of a leak's incident.
pub(super) fn incident(leak: &Leak) -> String {
    let hash = digits(&format!("{}\n{}", leak.fingerprint, leak.rule));
    format!("unleak-{hash}")
}

/// The id of a message that is made of others.
pub(super) fn id_of_all(ids: &[String]) -> String {
    let mut ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.sort_unstable();
    named(&format!("{}\n{}", Kind::Digest.mark(), ids.join("\n")))
}

fn named(name: &str) -> String {
    format!("msg_{}", digits(name))
}

fn digits(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
