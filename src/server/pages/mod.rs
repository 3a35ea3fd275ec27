//! The pages for people: leaks and what is done about them, the services, the policy, the token service.
//!
//! They are made on the server and work without a script. Every route stands in one table ([`routes`]) with who may use
//! it, and is asked through one door (`door`) that checks that; a handler never sees a request that was not let in. They
//! contain no rule of the domain: what a button does is what the command line and the workers do. No page holds a secret,
//! but a token that was just made, once.

mod act;
mod assets;
mod cookie;
mod decision;
mod door;
mod elsewhere;
mod leak;
mod leaks;
mod live;
mod org_policy;
mod org_tokens;
mod organisations;
mod policy;
pub mod routes;
mod services;
mod shown;
mod sign;
mod tasks;
mod timeline;
mod trends;
mod trouble;
mod users;
mod viewer;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use tokio::sync::{Semaphore, watch};

use crate::config::dashboard::DashboardSection;
use crate::respond::Responder;
use crate::rule::RuleSet;
use crate::secret::Secret;
use crate::server::oidc::Provider;
use crate::server::worker::Sign;
use crate::store::OrganisationName;
use crate::token_service::api::Limiter;
use crate::token_service::{self, Bearer, SessionTimes, TokenService};

/// Pages that follow a leak at the same time.
const MOST_FOLLOWERS: usize = 200;
/// How often one address may try to sign in, an hour.
const MOST_SIGN_INS: u32 = 300;
/// How often one address may be sent to a provider of identities or come back from it, an hour: nothing can be guessed there,
/// and behind a proxy all people may have one address.
const MOST_ELSEWHERE: u32 = 6000;

/// What the pages need.
pub struct Parts {
    /// `[serve.dashboard]` of the configuration.
    pub settings: DashboardSection,
    /// Does what a person asks for.
    pub responder: Responder,
    /// The rules in use.
    pub rules: Arc<RuleSet>,
    /// Who people are.
    pub tokens: TokenService,
    /// Days after which an unused token is worth a question.
    pub unused_days: i64,
    /// Wakes the workers.
    pub bell: Sign,
    /// Says `true` once the server stops.
    pub stopping: watch::Receiver<bool>,
}

/// The pages.
pub struct Pages {
    responder: Responder,
    rules: Arc<RuleSet>,
    tokens: TokenService,
    unused_days: i64,
    bell: Sign,
    stopping: watch::Receiver<bool>,
    times: SessionTimes,
    behind_tls: bool,
    provider: Option<Provider>,
    names: BTreeMap<String, Vec<OrganisationName>>,
    sign_ins: Arc<Limiter>,
    elsewhere: Arc<Limiter>,
    followers: Arc<Semaphore>,
    at_work: act::AtWork,
}

impl Pages {
    /// Makes the pages.
    ///
    /// # Errors
    /// An address in the configuration that is none, and a provider of identities that is not configured well.
    pub fn new(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            settings,
            responder,
            rules,
            tokens,
            unused_days,
            bell,
            stopping,
        } = parts;
        let behind_tls = settings.address()?.is_some_and(|url| url.scheme() == "https");
        let names = settings.organisations.iter().map(|(slug, names)| {
            let names = names.iter().map(|name| OrganisationName::parse(name));
            (slug.clone(), names.collect())
        });
        Ok(Arc::new(Self {
            responder,
            rules,
            tokens,
            unused_days,
            bell,
            stopping,
            times: SessionTimes {
                longest: i64::from(settings.session_hours.max(1)) * 3600,
                idle: i64::from(settings.idle_minutes.max(1)) * 60,
            },
            behind_tls,
            provider: settings.oidc()?.map(Provider::new).transpose()?,
            names: names.collect(),
            sign_ins: Limiter::per_hour(MOST_SIGN_INS),
            elsewhere: Limiter::per_hour(MOST_ELSEWHERE),
            followers: Arc::new(Semaphore::new(MOST_FOLLOWERS)),
            at_work: act::AtWork::default(),
        }))
    }

    /// All their routes.
    pub fn router(self: Arc<Self>) -> Router {
        door::router(self)
    }

    /// Who is signed in by this cookie.
    async fn signed_in(&self, cookie: &Secret) -> token_service::Result<Option<Bearer>> {
        let elsewhere = self.provider.as_ref().map(Provider::issuer);
        self.tokens.signed_in(cookie, self.times, elsewhere).await
    }

    /// What services call this organisation of the token service.
    fn names_of(&self, slug: &str) -> Vec<OrganisationName> {
        match self.names.get(slug) {
            Some(names) => names.clone(),
            None => vec![OrganisationName {
                service: None,
                name: slug.to_lowercase(),
            }],
        }
    }
}
