//! Who looks, and what they may see. Everything that a page shows is asked for through this, with no default.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Pages;
use super::trouble::Trouble;
use crate::finding::RuleId;
use crate::leak::{Identity, Leak};
use crate::secret::Secret;
use crate::store::{OrganisationName, Whose};
use crate::token_service::model::Role;
use crate::token_service::{Bearer, Operator, Right, TokenService};

/// An organisation that the visitor is a member of and that lets their token in.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) slug: String,
    pub(super) name: String,
    pub(super) role: Role,
    /// What services call it.
    called: Vec<OrganisationName>,
    sees_leaks: bool,
    sees_addresses: bool,
    ends_leaks: bool,
}

/// Whoever is signed in.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    pub(super) bearer: Bearer,
    /// Their name in ledgers: a login, `operator key`, or what a provider calls an operator who has no login here.
    pub(super) name: String,
    pub(super) places: Vec<Place>,
    /// What their browser keeps.
    pub(super) cookie: Secret,
}

impl Viewer {
    pub(super) fn new(pages: &Pages, bearer: Bearer, cookie: Secret) -> Self {
        let presented = match &bearer {
            Bearer::Token(presented) => presented,
            Bearer::Operator(operator) => {
                return Self {
                    name: match operator {
                        Operator::Key => "operator key".to_owned(),
                        Operator::Person { name, .. } => name.clone(),
                    },
                    places: Vec::new(),
                    bearer,
                    cookie,
                };
            }
        };
        let places = presented.admitted().filter_map(|reach| {
            let organisation = &reach.organisation;
            let may = |right| presented.may(right, &organisation.slug).is_ok();
            Some(Place {
                slug: organisation.slug.clone(),
                name: organisation.name.clone(),
                role: reach.role?,
                called: pages.names_of(&organisation.slug),
                sees_leaks: may(Right::ReadLeaks),
                sees_addresses: may(Right::ReadMembers),
                ends_leaks: may(Right::EndLeaks),
            })
        });
        Self {
            name: presented.token.login.clone().unwrap_or_default(),
            places: places.collect(),
            bearer,
            cookie,
        }
    }

    /// Whether they run the server.
    pub(super) fn is_operator(&self) -> bool {
        matches!(self.bearer, Bearer::Operator(_))
    }

    /// Whose leaks they may see.
    pub(super) fn whose(&self) -> Whose {
        if self.is_operator() {
            return Whose::All;
        }
        let places = self.places.iter().filter(|place| place.sees_leaks);
        let mut names: Vec<OrganisationName> = places.flat_map(|place| place.called.clone()).collect();
        names.sort();
        names.dedup();
        Whose::Of(names)
    }

    /// The organisations of theirs that a leak's token opens.
    fn places_of<'a>(&'a self, rule: &'a RuleId, identity: &'a Identity) -> impl Iterator<Item = &'a Place> {
        self.places.iter().filter(move |place| {
            let mut called = place.called.iter();
            called.any(|name| name.is_of(rule.service(), &identity.organisations))
        })
    }

    /// Whether the addresses of people in this leak are their business.
    pub(super) fn sees_addresses(&self, rule: &RuleId, identity: &Identity) -> bool {
        self.is_operator() || self.places_of(rule, identity).any(|place| place.sees_addresses)
    }

    /// Whether they may do something about a leak.
    pub(super) fn ends(&self, leak: &Leak) -> bool {
        self.is_operator()
            || self
                .places_of(&leak.rule, &leak.identity)
                .any(|place| place.ends_leaks)
    }

    /// Refuses unless they have this right over a leak; a refusal is written down.
    pub(super) async fn may(&self, tokens: &TokenService, right: Right, leak: &Leak) -> Result<(), Trouble> {
        if !self.whose().has(&leak.rule, &leak.identity) {
            return Err(Trouble::NotFound("leak"));
        }
        if self.is_operator() || right == Right::ReadLeaks {
            return Ok(());
        }
        let mut refused = Trouble::NotFound("leak");
        for place in self.places_of(&leak.rule, &leak.identity) {
            match tokens.authorised(&self.bearer, right, &place.slug).await {
                Ok(_) => return Ok(()),
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    /// What every form of theirs carries.
    pub(super) fn form_key(&self) -> String {
        form_key(&self.cookie)
    }

    /// Whether a form is one that they were given.
    pub(super) fn gave(&self, given: &str) -> bool {
        is_key_of(&self.cookie, given)
    }
}

/// The key of forms for whoever keeps this cookie: it tells nothing of the cookie.
pub(super) fn form_key(cookie: &Secret) -> String {
    let mut hash = Sha256::new();
    hash.update(b"unleak form v1\0");
    hash.update(cookie.expose());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a form carries the key for this cookie, in constant time.
pub(super) fn is_key_of(cookie: &Secret, given: &str) -> bool {
    bool::from(form_key(cookie).as_bytes().ct_eq(given.as_bytes()))
}
