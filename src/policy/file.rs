//! The written form of the policy: `[policy]` of the configuration.
//!
//! These types say what may be written and what it means, never what is decided. Unknown fields are errors, so that a
//! misspelt condition never silently widens an entry.

use std::collections::BTreeSet;
use std::fmt;

use anyhow::{Result, bail};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer};

use crate::finding::Severity;
use crate::rule::RuleSet;

/// `[policy]` of the configuration.
///
/// ```
/// let policy: unleak::policy::Policy = toml::from_str(r#"
///     deny = ["gocd"]
///     limit_per_hour = 5
///     [[allow]]
///     name = "our own CI tokens"
///     action = "revoke"
///     service = "github"
///     severity = "high"
///     source = "history"
///     organisation = "acme"
///     grace = "24h"
/// "#)?;
/// assert_eq!(policy.limit_per_hour, 5);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Services and full rule ids that are never revoked nor contained, not even when a person confirms it.
    pub deny: Vec<String>,
    /// Leaks revoked or contained in an hour, after which everything waits for a person.
    pub limit_per_hour: usize,
    /// What may be done without asking; the first entry that fits a leak decides. Empty: nothing.
    pub allow: Vec<Allow>,
    /// Who is asked where a person must say yes: `Security <security@acme.example>` or the address alone.
    pub approvers: Vec<String>,
    /// Who hears when nobody acts; each step once.
    pub escalate: Vec<Escalate>,
    /// How often a leak whose token is alive is looked at again; 6 hours if left out.
    pub recheck: Length,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            deny: Vec::new(),
            limit_per_hour: 10,
            allow: Vec::new(),
            approvers: Vec::new(),
            escalate: Vec::new(),
            recheck: Length(SignedDuration::from_hours(6)),
        }
    }
}

/// `[[policy.allow]]`: fits a leak if every condition that is given holds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Its name, for the ledger and for people.
    pub name: String,
    /// What may be done.
    pub action: Action,
    /// Only this service.
    pub service: Option<String>,
    /// Only this rule, by full id.
    pub rule: Option<String>,
    /// Only leaks at least as bad.
    pub severity: Option<Severity>,
    /// Only leaks that were seen in such a place.
    pub source: Option<Place>,
    /// Only tokens that open this organisation, as the service names it, without regard to case.
    pub organisation: Option<String>,
    /// Time after the leak was first seen in which its owners may act themselves.
    #[serde(default)]
    pub grace: Length,
    /// How many people must approve each case: `true` for one, or a number.
    #[serde(default)]
    pub approval: Approval,
}

/// `[[policy.escalate]]`: who hears when a leak was told and nobody acted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalate {
    /// How long after the first notice; after the leak was first seen, where nobody could be told.
    pub after: Length,
    /// Addresses of people, and channels by name such as `pagerduty`.
    pub to: Vec<String>,
    /// Only leaks at least as bad.
    pub severity: Option<Severity>,
    /// Only this service.
    pub service: Option<String>,
}

/// How many different people must say yes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Approval(u8);

impl Approval {
    /// The number; 0 where nobody is asked.
    pub fn people(self) -> usize {
        self.0.into()
    }
}

impl<'de> Deserialize<'de> for Approval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "approval is true, false, or a number of people up to 5"
        )]
        enum Written {
            Asked(bool),
            People(u8),
        }
        match Written::deserialize(deserializer)? {
            Written::Asked(asked) => Ok(Self(asked.into())),
            Written::People(people) if people <= 5 => Ok(Self(people)),
            Written::People(_) => Err(serde::de::Error::custom("approval by more than 5 people")),
        }
    }
}

/// What may be done about a leak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// End the token.
    Revoke,
    /// What an organisation can do without ending the token.
    Contain,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Revoke => "revoke",
            Self::Contain => "contain",
        })
    }
}

/// Where a leak was seen: the origins of sightings, and `report` for what others reported to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the origins")]
pub enum Place {
    Worktree,
    History,
    Staged,
    Stdin,
    Report,
}

impl Place {
    /// The word that sightings use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Worktree => "worktree",
            Self::History => "history",
            Self::Staged => "staged",
            Self::Stdin => "stdin",
            Self::Report => "report",
        }
    }
}

/// A length of time such as `24h`, `90 minutes`, `2d`; a day has 24 hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Length(SignedDuration);

impl Length {
    /// The length.
    pub fn duration(self) -> SignedDuration {
        self.0
    }

    /// Reads a length of time; months and years have no fixed length and are refused, as is anything negative.
    pub fn parse(text: &str) -> Result<Self> {
        let duration = text
            .parse::<Span>()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
        match duration {
            Ok(duration) if !duration.is_negative() => Ok(Self(duration)),
            _ => {
                bail!("{text:?} is no length of time; write hours, minutes or days: \"24h\", \"90m\", \"2d\"")
            }
        }
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Policy {
    /// Finds what would silently do nothing: names of services and rules that do not exist, and entries that cannot
    /// be told apart. `rules` are all that are loaded, before `--only` and `--skip`.
    pub fn check(&self, rules: &RuleSet) -> Result<()> {
        let service = |name: &str| rules.services.iter().any(|service| service.name == name);
        let rule = |id: &str| rules.rules.iter().any(|rule| rule.id.as_str() == id);
        for name in &self.deny {
            if !service(name) && !rule(name) {
                bail!("policy.deny: no rule or service is called {name:?}; `unleak rules list` shows them");
            }
        }
        let mut names = BTreeSet::new();
        for allow in &self.allow {
            let name = &allow.name;
            if name.trim().is_empty() || !names.insert(name) {
                bail!("policy.allow: each entry needs a name of its own; {name:?} is empty or used twice");
            }
            if let Some(unknown) = allow.service.as_ref().filter(|name| !service(name)) {
                bail!(
                    "policy.allow {name:?}: no service is called {unknown:?}; `unleak rules list` shows them"
                );
            }
            if allow.approval.people() > 1 && self.approvers.len() == 1 {
                bail!(
                    "policy.allow {name:?} wants {} people to approve, and policy.approvers names one",
                    allow.approval.people()
                );
            }
            if let Some(unknown) = allow.rule.as_ref().filter(|id| !rule(id)) {
                bail!("policy.allow {name:?}: no rule is called {unknown:?}; `unleak rules list` shows them");
            }
        }
        for (at, step) in self.escalate.iter().enumerate() {
            let number = at + 1;
            if step.to.is_empty() || number > u8::MAX.into() {
                bail!("policy.escalate, step {number}: it names nobody in `to`, or there are too many steps");
            }
            if let Some(unknown) = step.service.as_ref().filter(|name| !service(name)) {
                bail!(
                    "policy.escalate, step {number}: no service is called {unknown:?}; `unleak rules list` shows them"
                );
            }
        }
        if self.recheck.duration() < SignedDuration::from_mins(1) {
            bail!(
                "policy.recheck is shorter than a minute: services would be asked without end; write \"6h\""
            );
        }
        Ok(())
    }
}
