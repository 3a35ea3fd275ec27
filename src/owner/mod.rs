//! Who must hear of a leak, and why.
//!
//! The service is asked first, because the owner of a repository and the owner of a token's organisation are often
//! different people; then git and `CODEOWNERS`. What could not be asked is said, never passed over in silence. Nothing
//! is written anywhere here: reading only.

mod code_owners;
mod committer;
mod organisation;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

pub use code_owners::CodeOwners;
pub use committer::{address, author, clean};

use crate::call::Caller;
use crate::leak::{Held, Owner, OwnerReason};
use crate::rule::Rule;

/// At most so many places are looked up in git and `CODEOWNERS`, and so many organisations asked.
const MOST_SIGHTINGS: usize = 200;

/// `[owners]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OwnerSettings {
    /// Who hears when nobody else with an address was found: `Security <security@acme.example>` or the address alone.
    pub fallback: Vec<String>,
    /// Address of a login, a `CODEOWNERS` handle or a team, where the service does not tell it: `"@acme/security"`.
    pub addresses: BTreeMap<String, String>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Each person or team once, with the weightiest reason, in the order of the reasons.
    pub owners: Vec<Owner>,
    /// What could not be asked, with the next step.
    pub problems: Vec<String>,
}

impl Found {
    fn add(&mut self, owner: Owner) {
        self.owners.push(owner);
    }

    fn problem(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }
}

/// Finds the owners of a leak: the token's, its organisations', the commit's, the file's under `root` (the working
/// tree that was scanned), else the fallback contacts. Never fails: what went wrong is in [`Found::problems`].
pub async fn find(
    caller: &Caller,
    rule: &Rule,
    held: &Held,
    settings: &OwnerSettings,
    root: Option<&Path>,
) -> Found {
    let mut found = Found::default();
    token_owner(held, &mut found);
    let span = info_span!(target: "traces", "find owners", unleak.owners = Empty);
    organisation::ask(caller, rule, held, &mut found)
        .instrument(span.clone())
        .await;
    from_repository(held, root, &mut found);
    finish(&mut found, settings);
    span.record("unleak.owners", found.owners.len());
    found
}

fn token_owner(held: &Held, found: &mut Found) {
    let identity = &held.leak.identity;
    let email = identity.email.as_deref().and_then(address);
    // Nobody is called by a number who can be called by an address.
    let is_name = |name: &&str| email.is_none() || !name.bytes().all(|byte| byte.is_ascii_digit());
    let name = identity.principal.as_deref().filter(is_name).or(email);
    let name = name.map(clean);
    if let Some(name) = name.filter(|name| !name.is_empty()) {
        found.add(Owner {
            name,
            email: email.map(str::to_owned),
            reason: OwnerReason::TokenOwner,
            organisation: None,
        });
    }
}

/// The commit's author and the file's owners, for every place.
fn from_repository(held: &Held, root: Option<&Path>, found: &mut Found) {
    let sightings = held.leak.sightings.iter().take(MOST_SIGHTINGS);
    for commit in sightings.clone().filter_map(|seen| seen.commit.as_ref()) {
        author(commit).into_iter().for_each(|owner| found.add(owner));
    }
    let code_owners = match root.map(CodeOwners::read) {
        Some(Ok(Some(code_owners))) => code_owners,
        Some(Err(problem)) => return found.problem(problem),
        Some(Ok(None)) | None => return,
    };
    for seen in sightings.filter(|seen| seen.origin != "stdin") {
        for name in code_owners.of(&seen.path) {
            found.add(Owner {
                name: clean(name),
                email: address(name).map(str::to_owned),
                reason: OwnerReason::CodeOwner,
                organisation: None,
            });
        }
    }
}

/// Adds the addresses that the configuration knows, keeps each person once, and falls back where nobody can be
/// written to.
fn finish(found: &mut Found, settings: &OwnerSettings) {
    for owner in found.owners.iter_mut().filter(|owner| owner.email.is_none()) {
        owner.email = settings
            .addresses
            .get(&owner.name)
            .and_then(|email| address(email))
            .map(str::to_owned);
    }
    found.owners = once_each(std::mem::take(&mut found.owners));
    if found.owners.iter().any(|owner| owner.email.is_some()) {
        return;
    }
    if settings.fallback.is_empty() {
        found.problem("nobody with an address was found: set owners.fallback to say who hears of such leaks");
    }
    for contact in &settings.fallback {
        match contact_of(contact, OwnerReason::Fallback) {
            Some(owner) => found.add(owner),
            None => found.problem(format!("owners.fallback: {contact:?} is no mail address")),
        }
    }
}

/// A person whom the configuration names: `Security <security@acme.example>` or the address alone.
pub fn contact_of(contact: &str, reason: OwnerReason) -> Option<Owner> {
    let (name, email) = match contact
        .trim()
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    {
        Some((name, email)) => (clean(name), address(email)?),
        None => (String::new(), address(contact)?),
    };
    Some(Owner {
        name: if name.is_empty() { email.to_owned() } else { name },
        email: Some(email.to_owned()),
        reason,
        organisation: None,
    })
}

/// The same address is the same person, and so is the same name where one of the two has no address and both names
/// come from the same place.
fn once_each(mut owners: Vec<Owner>) -> Vec<Owner> {
    owners.sort_by_key(|owner| owner.reason);
    let mut kept: Vec<Owner> = Vec::new();
    for owner in owners {
        match kept.iter_mut().find(|known| same(known, &owner)) {
            Some(known) => {
                known.email = known.email.take().or(owner.email);
            }
            None => kept.push(owner),
        }
    }
    kept
}

fn same(one: &Owner, other: &Owner) -> bool {
    match (&one.email, &other.email) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => one.name == other.name && named_by(one.reason) == named_by(other.reason),
    }
}

/// Who gives the names: a login of the service is another thing than git's name or a handle of the code host.
fn named_by(reason: OwnerReason) -> u8 {
    match reason {
        OwnerReason::TokenOwner | OwnerReason::OrganisationOwner => 0,
        OwnerReason::Committer => 1,
        OwnerReason::CodeOwner => 2,
        OwnerReason::Fallback | OwnerReason::Channel | OwnerReason::Approver | OwnerReason::Escalation => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, OwnerSettings, finish};
    use crate::leak::{Owner, OwnerReason};

    fn owner(name: &str, email: Option<&str>, reason: OwnerReason) -> Owner {
        Owner {
            name: name.to_owned(),
            email: email.map(str::to_owned),
            reason,
            organisation: None,
        }
    }

    fn finished(owners: Vec<Owner>, settings: &OwnerSettings) -> Vec<String> {
        let mut found = Found {
            owners,
            problems: Vec::new(),
        };
        finish(&mut found, settings);
        let owners = found.owners.into_iter();
        owners
            .map(|owner| {
                format!(
                    "{:?} {} {}",
                    owner.reason,
                    owner.name,
                    owner.email.unwrap_or_default()
                )
            })
            .chain(found.problems)
            .collect()
    }

    #[test]
    fn one_person_is_told_once_and_for_the_weightiest_reason() {
        let owners = vec![
            owner("Mia M.", Some("MIA@acme.example"), OwnerReason::Committer),
            owner("mia", Some("mia@acme.example"), OwnerReason::TokenOwner),
            owner("olga", None, OwnerReason::OrganisationOwner),
            owner("olga", Some("olga@acme.example"), OwnerReason::OrganisationOwner),
        ];
        assert_eq!(
            finished(owners, &OwnerSettings::default()),
            [
                "TokenOwner mia mia@acme.example",
                "OrganisationOwner olga olga@acme.example"
            ]
        );
    }

    #[test]
    fn the_fallback_hears_only_when_nobody_can_be_written_to() {
        let settings = OwnerSettings {
            fallback: vec!["Security <security@acme.example>".to_owned(), "nobody".to_owned()],
            addresses: [("@acme/web".to_owned(), "web@acme.example".to_owned())].into(),
        };
        assert_eq!(
            finished(vec![owner("Mia", None, OwnerReason::Committer)], &settings),
            [
                "Committer Mia ",
                "Fallback Security security@acme.example",
                "owners.fallback: \"nobody\" is no mail address"
            ]
        );
        assert_eq!(
            finished(vec![owner("@acme/web", None, OwnerReason::CodeOwner)], &settings),
            ["CodeOwner @acme/web web@acme.example"]
        );
    }
}
