//! People who sign in elsewhere, with a provider of identities: what ties the provider's answer to the browser that asked,
//! and who may begin a session with it.
//!
//! Whoever is known to the provider and not to this service is nobody here. State, nonce and PKCE verifier are worked out
//! of what the browser keeps, under the server's key, so that none of them lies in the database.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::FromRow;
use subtle::ConstantTimeEq as _;

use crate::database::sql;
use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::random_base62;
use crate::token_service::keys::ServerKey;
use crate::token_service::model::{Scopes, Time, User};
use crate::token_service::rights::{Bearer, Operator};
use crate::token_service::session::{LENGTH, SessionTimes, SignedIn, Whom};
use crate::token_service::store::TokenService;

/// Seconds within which whoever was sent to the provider must be back.
pub const BACK_WITHIN: i64 = 600;
/// Longest name and address that are looked for.
const LONGEST: usize = 254;

/// What ties a provider's answer to one browser and one sign-in.
#[derive(Debug)]
pub struct Ties {
    /// Comes back beside the code.
    pub state: String,
    /// Comes back inside the id token.
    pub nonce: String,
    /// Shown when the code is exchanged; its SHA-256 was sent before (PKCE).
    pub verifier: Secret,
}

/// A sign-in that is sent to the provider.
#[derive(Debug)]
pub struct Begun {
    /// What the browser is to keep: the only time it is in clear.
    pub cookie: Secret,
    /// What goes with it.
    pub ties: Ties,
}

/// Who a provider says that somebody is.
#[derive(Clone, Debug)]
pub enum Somebody {
    /// The user of this login.
    Login(String),
    /// The user of this address, which the provider has seen to be theirs.
    Email(String),
}

/// What a provider vouches for.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// Whose word it is.
    pub issuer: String,
    /// The provider's own name for them, for the audit log.
    pub subject: String,
    /// Who they are, if it says so.
    pub somebody: Option<Somebody>,
    /// Whether they run the server.
    pub operator: bool,
    /// What they may do through the session, as far as their roles let them.
    pub scopes: Scopes,
}

#[derive(FromRow)]
struct Sent {
    next: String,
}

fn ties(key: &ServerKey, cookie: &Secret) -> Ties {
    let text = |what: &[u8]| URL_SAFE_NO_PAD.encode(key.tie(what, cookie));
    Ties {
        state: text(b"state"),
        nonce: text(b"nonce"),
        verifier: Secret::new(text(b"verifier").into_bytes()),
    }
}

impl TokenService {
    /// Begins a sign-in elsewhere; whoever comes back from it is sent on to `next`.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn begin_elsewhere(&self, next: &str) -> Result<Begun> {
        let cookie = Secret::new(random_base62(LENGTH)?.to_vec());
        let key = &self.keys.current().1;
        let now = Time::now();
        sql("DELETE FROM sign_ins WHERE ends_at < $1")
            .bind(now)
            .run(&self.pool)
            .await?;
        sql("INSERT INTO sign_ins (hash, next, ends_at) VALUES ($1, $2, $3)")
            .bind(key.session(&cookie))
            .bind(next)
            .bind(now.plus_seconds(BACK_WITHIN))
            .run(&self.pool)
            .await?;
        let ties = ties(key, &cookie);
        Ok(Begun { cookie, ties })
    }

    /// What a browser that is back was sent with, and where it wanted to; `None` if it was not sent with this state, is too
    /// late, or was back before. A wrong state uses nothing up: anybody can make a browser come here with one.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn back_from_elsewhere(&self, cookie: &Secret, state: &str) -> Result<Option<(Ties, String)>> {
        if cookie.len() != LENGTH {
            return Ok(None);
        }
        let now = Time::now();
        for (_, key) in self.keys.all() {
            let ties = ties(key, cookie);
            if !bool::from(ties.state.as_bytes().ct_eq(state.as_bytes())) {
                continue;
            }
            let hash = key.session(cookie);
            let used =
                sql("UPDATE sign_ins SET used_at = $1 WHERE hash = $2 AND used_at IS NULL AND ends_at > $1")
                    .bind(now)
                    .bind(hash)
                    .run(&self.pool)
                    .await?;
            if used == 0 {
                return Ok(None);
            }
            let sent: Option<Sent> = sql("SELECT next FROM sign_ins WHERE hash = $1")
                .bind(hash)
                .optional(&self.pool)
                .await?;
            return Ok(sent.map(|sent| (ties, sent.next)));
        }
        Ok(None)
    }

    /// Begins a session for whoever a provider vouches for.
    ///
    /// # Errors
    /// Somebody who is neither an active user nor an operator, and an address that several users have.
    pub async fn sign_in_vouched(&self, vouched: &Vouched, times: SessionTimes) -> Result<SignedIn> {
        let stranger = Actor::local(&format!("{} of {}", vouched.subject, vouched.issuer));
        let attempt = || Change::plain(&stranger, "session.begin", "", None);
        let user = match self.vouched_user(vouched).await {
            Ok(user) => user,
            Err(error) => return self.noting_refusal(attempt(), Err(error)).await,
        };
        let bearer = match (user, vouched.operator) {
            (user, true) => {
                let name = match (user, &vouched.somebody) {
                    (Some(user), _) => user.login,
                    (None, Some(Somebody::Email(name) | Somebody::Login(name))) => name.clone(),
                    (None, None) => vouched.subject.clone(),
                };
                Bearer::Operator(Operator::Person {
                    name,
                    issuer: vouched.issuer.clone(),
                })
            }
            (Some(user), false) => {
                let ends_at = Time::now().plus_seconds(times.longest);
                let presented = self
                    .presented_for(user, &vouched.issuer, vouched.scopes.clone(), ends_at)
                    .await?;
                Bearer::Token(Box::new(presented))
            }
            (None, false) => {
                let why = "nobody here is called that".to_owned();
                return self.noting_refusal(attempt(), Err(Error::Forbidden(why))).await;
            }
        };
        let whom = match &bearer {
            Bearer::Operator(_) => Whom::Operator {
                issuer: &vouched.issuer,
            },
            Bearer::Token(presented) => Whom::Person {
                user: presented.token.user_id.as_deref().unwrap_or_default(),
                issuer: &vouched.issuer,
                scopes: &vouched.scopes,
            },
        };
        let cookie = self.begin_session(&bearer, whom, &vouched.subject, times).await?;
        Ok(SignedIn { cookie, bearer })
    }

    /// The user that somebody is, if they are one.
    async fn vouched_user(&self, vouched: &Vouched) -> Result<Option<User>> {
        let found = match &vouched.somebody {
            None => return Ok(None),
            Some(Somebody::Login(name) | Somebody::Email(name))
                if name.is_empty() || name.len() > LONGEST =>
            {
                return Ok(None);
            }
            Some(Somebody::Login(login)) => match self.user(login).await {
                Ok(user) => Some(user),
                Err(Error::NotFound(_)) => None,
                Err(error) => return Err(error),
            },
            Some(Somebody::Email(email)) => {
                let mut found: Vec<User> = sql(
                    "SELECT id, login, email, name, active FROM users WHERE lower(email) = $1 ORDER BY login",
                )
                .bind(email.to_ascii_lowercase())
                .all(&self.pool)
                .await?;
                // somebody who left and came back by another login is whoever is active
                if found.iter().any(|user| user.active) {
                    found.retain(|user| user.active);
                }
                if found.len() > 1 {
                    let why = "several users have this address; each needs one of their own".to_owned();
                    return Err(Error::Forbidden(why));
                }
                found.pop()
            }
        };
        match found {
            Some(user) if !user.active => Err(Error::Forbidden(format!("{} was deactivated", user.login))),
            found => Ok(found),
        }
    }
}
