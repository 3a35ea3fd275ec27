//! Who knows which tokens were issued: the embedded token service, an RFC 7662 endpoint, a callback of the issuer's.
//!
//! They are asked while a reporter waits, so each has a limit, and whoever does not answer in time is left out: a label
//! that nobody knows is never made up. Nothing is changed here, and a token's last use does not move.

mod callback;
mod introspection;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use futures_util::StreamExt as _;

use super::kind::{Kinds, unknown_kind};
use crate::config::reports::{AskBy, TokenStore};
use crate::finding::RuleId;
use crate::secret::Secret;
use crate::token_service::{Denied, Error, TokenService};

/// The service whose tokens the embedded token service issues.
const EMBEDDED: &str = "unleak";
/// Questions that are open at a time, for each store.
const AT_ONCE: usize = 16;

/// One token to ask about.
pub(super) struct Asked<'a> {
    pub(super) secret: &'a Secret,
    /// SHA-256 of the token, in hexadecimal.
    pub(super) hash: &'a str,
    /// What its reporter calls its kind.
    pub(super) kind: &'a str,
    pub(super) rule: &'a RuleId,
}

/// What is known of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Issued {
    /// Whether it was ever issued, alive or not; `None` where nobody says.
    pub(super) here: Option<bool>,
    /// The rule that the store which knows it says it belongs to.
    pub(super) rule: Option<RuleId>,
}

enum Ask {
    Embedded(TokenService),
    Introspection(introspection::Introspection),
    Callback(callback::Callback),
}

struct Store {
    /// Rules and services; empty is everything.
    of: Vec<String>,
    rule: Option<RuleId>,
    ask: Ask,
}

impl Store {
    /// Whether it is asked about tokens of this rule; of unknown kind, if it may say what they are.
    fn is_asked(&self, rule: &RuleId) -> bool {
        self.answers_for(rule) || (self.rule.is_some() && *rule == unknown_kind())
    }

    /// Whether its no is one: it issues all tokens of this rule.
    fn answers_for(&self, rule: &RuleId) -> bool {
        let named = |name: &String| name == rule.as_str() || name == rule.service();
        self.of.is_empty() || self.of.iter().any(named)
    }
}

/// What was said of one token so far.
#[derive(Clone, Default)]
struct Heard {
    yes: bool,
    no: bool,
    /// Stores that issue such tokens and did not answer yet.
    silent: usize,
    rule: Option<RuleId>,
}

impl Heard {
    /// Of several stores one that issued it is enough; that none did is known when all have said so.
    fn issued(self) -> Issued {
        let here = if self.yes {
            Some(true)
        } else {
            (self.no && self.silent == 0).then_some(false)
        };
        Issued {
            here,
            rule: self.rule,
        }
    }
}

/// All of them.
pub(super) struct TokenStores {
    stores: Vec<Store>,
    within: Duration,
}

impl TokenStores {
    /// The configured ones, and the embedded one, if this server has one.
    ///
    /// # Errors
    /// A rule or service that is not loaded.
    pub(super) fn new(
        configured: &[TokenStore],
        embedded: Option<TokenService>,
        kinds: &Kinds,
        within: Duration,
    ) -> Result<Self> {
        let mut stores: Vec<Store> = configured
            .iter()
            .map(|store| open(store, kinds, within))
            .collect::<Result<_>>()?;
        stores.extend(embedded.map(|tokens| Store {
            of: vec![EMBEDDED.to_owned()],
            rule: None,
            ask: Ask::Embedded(tokens),
        }));
        Ok(Self { stores, within })
    }

    /// What is known of each, in their order, as far as it is known in time.
    pub(super) async fn ask(&self, asked: &[Asked<'_>]) -> Vec<Issued> {
        let heard = |one: &Asked<'_>| Heard {
            silent: self
                .stores
                .iter()
                .filter(|store| store.answers_for(one.rule))
                .count(),
            ..Heard::default()
        };
        let heard = Mutex::new(asked.iter().map(heard).collect::<Vec<_>>());
        let asking = self.stores.iter().map(|store| self.ask_one(store, asked, &heard));
        futures_util::future::join_all(asking).await;
        let heard = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
        heard.into_iter().map(Heard::issued).collect()
    }

    async fn ask_one(&self, store: &Store, asked: &[Asked<'_>], heard: &Mutex<Vec<Heard>>) {
        let concerned: Vec<usize> = (0..asked.len())
            .filter(|&at| store.is_asked(asked[at].rule))
            .collect();
        if concerned.is_empty() {
            return;
        }
        let learn = |at: usize, here: Option<bool>| {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            let (one, answers) = (&mut heard[at], store.answers_for(asked[at].rule));
            match here {
                Some(true) => {
                    one.yes = true;
                    one.rule = one.rule.take().or_else(|| store.rule.clone());
                }
                Some(false) => one.no |= answers,
                None => return,
            }
            one.silent -= usize::from(answers);
        };
        let asking = async {
            match &store.ask {
                Ask::Callback(callback) => callback.ask(asked, &concerned, &learn).await,
                Ask::Embedded(_) | Ask::Introspection(_) => {
                    let one = |at: usize| async move { (at, answer(&store.ask, asked[at].secret).await) };
                    let mut answers = futures_util::stream::iter(concerned)
                        .map(one)
                        .buffer_unordered(AT_ONCE);
                    while let Some((at, here)) = answers.next().await {
                        learn(at, here);
                    }
                }
            }
        };
        if tokio::time::timeout(self.within, asking).await.is_err() {
            tracing::warn!(
                "a token store did not answer in time; the feedback leaves out what it did not say"
            );
        }
    }
}

fn open(store: &TokenStore, kinds: &Kinds, within: Duration) -> Result<Store> {
    let rules = kinds.rules();
    let known = |name: &String| {
        rules.services.iter().any(|service| service.name == *name) || kinds.rule(name).is_some()
    };
    if let Some(unknown) = store.of.iter().find(|name| !known(name)) {
        bail!(
            "reports.token_stores: no rule or service is called {unknown:?}; `unleak rules list` shows them"
        );
    }
    let rule = match &store.rule {
        None => None,
        Some(id) => match kinds.rule(id) {
            Some(rule) => Some(rule.id.clone()),
            None => bail!("reports.token_stores: no rule is called {id:?}; `unleak rules list` shows them"),
        },
    };
    Ok(Store {
        of: store.of.clone(),
        rule,
        ask: match store.ask {
            AskBy::Introspection => Ask::Introspection(introspection::Introspection::new(store, within)?),
            AskBy::Callback => Ask::Callback(callback::Callback::new(store, within)?),
        },
    })
}

async fn answer(ask: &Ask, secret: &Secret) -> Option<bool> {
    match ask {
        Ask::Embedded(tokens) => match tokens.id_of(secret).await {
            Ok(_) => Some(true),
            Err(Error::Denied(Denied::Unknown)) => Some(false),
            Err(error) => {
                tracing::warn!(%error, "the embedded token service could not say whether it issued a token");
                None
            }
        },
        Ask::Introspection(introspection) => introspection.ask(secret).await,
        Ask::Callback(_) => None,
    }
}
