//! One secret over its life: everything found, asked, told and done about one fingerprint.
//!
//! A [`Leak`] never holds the secret; the store keeps that sealed beside it, and wipes it when the leak closes.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{CommitInfo, Finding, RuleId, ScanPath, Severity};
use crate::secret::{Fingerprint, Secret};

/// Why a token is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeadWhy {
    /// The service says that it was revoked.
    Revoked,
    /// The service says that it has expired.
    Expired,
    /// Its owner is disabled, removed or deactivated.
    OwnerDisabled,
    /// The service does not know it; most say no more than that of a revoked one.
    UnknownToService,
}

impl fmt::Display for DeadWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::OwnerDisabled => "owner disabled",
            Self::UnknownToService => "unknown to the service",
        })
    }
}

/// What the service says of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Verdict {
    /// It opens something.
    Live {
        /// The service's answer in a few words, `200` or `403 insufficient scope`.
        reason: String,
    },
    /// It opens nothing any more.
    Dead {
        /// Why.
        why: DeadWhy,
        /// The service's answer in a few words.
        reason: String,
    },
    /// Nobody can tell: not asked, no answer, or an answer that proves nothing. Never taken for dead.
    Unknown {
        /// What stood in the way, with the next step.
        reason: String,
    },
}

impl Verdict {
    /// `live`, `dead` or `unknown`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Live { .. } => "live",
            Self::Dead { .. } => "dead",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// An `Unknown` with this reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
        }
    }

    /// Whether the service said that it opens something.
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live { .. })
    }

    /// Whether the service said that it opens nothing.
    pub fn is_dead(&self) -> bool {
        matches!(self, Self::Dead { .. })
    }
}

/// Whose token it is and what it opens, as the service tells it (or as the token says itself, offline).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    /// Login, user id or name of the token's owner.
    pub principal: Option<String>,
    /// The owner's e-mail.
    pub email: Option<String>,
    /// Organisations it reaches, as the service names them in its API.
    pub organisations: Vec<String>,
    /// Scopes or permissions.
    pub scopes: Vec<String>,
    /// Scopes that its use does not need, where the rule file knows what that is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over_privileged: Vec<String>,
    /// Further values that later calls of the same service need, such as a numeric id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, String>,
    /// The base URL that knew the token, where a service has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

impl Identity {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over what `other` knows and this one does not; lists are joined without repeats.
    pub fn merge(&mut self, other: Self) {
        self.principal = self.principal.take().or(other.principal);
        self.email = self.email.take().or(other.email);
        self.base = self.base.take().or(other.base);
        for (mine, theirs) in [
            (&mut self.organisations, other.organisations),
            (&mut self.scopes, other.scopes),
            (&mut self.over_privileged, other.over_privileged),
        ] {
            for item in theirs {
                if !mine.contains(&item) {
                    mine.push(item);
                }
            }
        }
        for (name, value) in other.more {
            self.more.entry(name).or_insert(value);
        }
    }
}

/// Why somebody must hear of a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OwnerReason {
    /// The token is theirs.
    TokenOwner,
    /// They own an organisation that the token opens.
    OrganisationOwner,
    /// They committed it.
    Committer,
    /// `CODEOWNERS` gives them the file it stands in.
    CodeOwner,
    /// Nobody else was found; the configuration names them.
    Fallback,
    /// No person but a room or service that the configuration names, such as a Slack channel.
    Channel,
    /// The policy names them as one who may say yes.
    Approver,
    /// Nobody has acted, and the policy names them for that case.
    Escalation,
}

impl fmt::Display for OwnerReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TokenOwner => "the token is theirs",
            Self::OrganisationOwner => "owns an organisation that the token opens",
            Self::Committer => "committed it",
            Self::CodeOwner => "owns the file it stands in (CODEOWNERS)",
            Self::Fallback => "named in the configuration for leaks without an owner",
            Self::Channel => "the configuration sends leaks there",
            Self::Approver => "named by the policy to say yes or no",
            Self::Escalation => "named by the policy for leaks that nobody sees to",
        })
    }
}

/// A person or team who must hear, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// Login, team or display name.
    pub name: String,
    /// E-mail, where one is known and may be written to.
    pub email: Option<String>,
    /// Why they must hear.
    pub reason: OwnerReason,
    /// The organisation, for an organisation's owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub organisation: Option<String>,
}

impl Owner {
    /// What tells one owner from another: the address if there is one, else the name, without regard to case. Whoever
    /// must hear for two reasons is told once.
    pub fn key(&self) -> String {
        match &self.email {
            Some(email) => format!("mail:{}", email.trim().to_lowercase()),
            None => format!("name:{}", self.name.trim().to_lowercase()),
        }
    }
}

/// What was told to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Who.
    pub owner: Owner,
    /// The channel, such as `email` or `slack`; for all but the first notice with what it was about: `email, revoked`.
    pub channel: String,
    /// When it was handed over.
    pub sent_at: Timestamp,
}

/// How far a revocation or a containment has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "state")]
pub enum Revocation {
    /// Written down before the request left; after a crash this is asked about, never sent again blindly.
    Sending,
    /// Done and proved: the service says that the token is dead (or, contained, no longer reaches the organisation).
    Done {
        /// The way it was done: `secret`, `operator` or `containment`.
        with: String,
    },
    /// The service refused, or there is no way for us.
    Refused {
        /// Why, and what a person can do.
        reason: String,
    },
    /// Nothing was done, because the service could not be asked now (a limit, no connection): the next run may.
    Postponed {
        /// Why, and until when where the service says.
        reason: String,
    },
    /// Sent, yet the token was still alive when we stopped asking, or the answer was lost.
    Uncertain {
        /// What is known.
        reason: String,
    },
}

impl Revocation {
    /// `sending`, `done`, `refused`, `postponed` or `uncertain`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Done { .. } => "done",
            Self::Refused { .. } => "refused",
            Self::Postponed { .. } => "postponed",
            Self::Uncertain { .. } => "uncertain",
        }
    }
}

/// One place where the secret was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// `worktree`, `staged`, `history`, `stdin`, `report`.
    pub origin: String,
    /// Path, escaped for display; the URL, or the reporter's word for the place, for a report.
    pub path: String,
    /// Line, from 1; 0 where nobody said.
    pub line: usize,
    /// Column in characters, from 1; 0 where nobody said.
    pub column: usize,
    /// The commit that brought it in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub commit: Option<CommitInfo>,
}

impl Sighting {
    /// The place of a finding.
    pub fn of(finding: &Finding) -> Self {
        let at = &finding.location;
        Self {
            origin: at.origin.name().to_owned(),
            path: at.path.to_string(),
            line: at.line,
            column: at.column,
            commit: at.origin.commit().cloned(),
        }
    }

    /// A place that somebody reported: its URL, or their word for it, escaped for display.
    pub fn reported(place: &str) -> Self {
        Self {
            origin: "report".to_owned(),
            path: ScanPath::new(place.trim().as_bytes()).to_string(),
            line: 0,
            column: 0,
            commit: None,
        }
    }
}

/// One secret over its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// The secret's name.
    pub fingerprint: Fingerprint,
    /// The rule that knew it.
    pub rule: RuleId,
    /// The form that people may see.
    pub redacted: String,
    /// How bad it is.
    pub severity: Severity,
    /// Everywhere it was seen.
    pub sightings: Vec<Sighting>,
    /// When we first heard of it.
    pub first_seen: Timestamp,
    /// When we last heard of it.
    pub last_seen: Timestamp,
    /// What its service says; `None` before it was asked.
    pub verdict: Option<Verdict>,
    /// Whose it is.
    pub identity: Identity,
    /// Who must hear.
    pub owners: Vec<Owner>,
    /// Who was told.
    pub notices: Vec<Notice>,
    /// How its revocation goes.
    pub revocation: Option<Revocation>,
    /// How its containment goes.
    pub containment: Option<Revocation>,
}

/// A leak with the secret at hand, as the stages after the scan need it.
#[derive(Clone, Debug)]
pub struct Held {
    /// What is known.
    pub leak: Leak,
    /// The secret.
    pub secret: Secret,
    /// Its other parts.
    pub parts: crate::finding::Parts,
    /// What it says about itself.
    pub facts: BTreeMap<String, String>,
}

/// Groups the findings that count by fingerprint and rule, in the order of their first place.
pub fn gather(findings: &[Finding], now: Timestamp) -> Vec<Held> {
    let mut held: Vec<Held> = Vec::new();
    let mut index: BTreeMap<(Fingerprint, &RuleId), usize> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.suppression.is_none()) {
        let place = *index
            .entry((finding.fingerprint, &finding.rule))
            .or_insert_with(|| {
                held.push(Held {
                    leak: Leak::of(finding, now),
                    secret: finding.secret.clone(),
                    parts: finding.parts.clone(),
                    facts: finding.facts.clone(),
                });
                held.len() - 1
            });
        held[place].leak.sightings.push(Sighting::of(finding));
    }
    held
}

impl Leak {
    /// A leak of which nothing is known yet but that it was seen.
    pub fn new(
        fingerprint: Fingerprint,
        rule: RuleId,
        redacted: String,
        severity: Severity,
        seen: Timestamp,
    ) -> Self {
        Self {
            fingerprint,
            rule,
            redacted,
            severity,
            sightings: Vec::new(),
            first_seen: seen,
            last_seen: seen,
            verdict: None,
            identity: Identity::default(),
            owners: Vec::new(),
            notices: Vec::new(),
            revocation: None,
            containment: None,
        }
    }

    fn of(finding: &Finding, now: Timestamp) -> Self {
        let (rule, redacted) = (finding.rule.clone(), finding.redacted.clone());
        Self::new(finding.fingerprint, rule, redacted, finding.severity, now)
    }
}
