//! Sessions of browsers: a person shows a token once and is known for some hours by something else, which is worth less.
//!
//! A session can do what its token can, now: a token that is revoked, expired or whose owner was disabled ends it at once.
//! Somebody who signed in elsewhere has a session without a token: it can do what their roles can, as far as the
//! configuration lets such sessions, and no policy about tokens turns it away. What the browser keeps is kept here as a hash
//! alone, and is no token.

use sqlx::FromRow;
use subtle::ConstantTimeEq as _;

use crate::database::sql;
use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::{TokenKind, random_base62};
use crate::token_service::model::{Scopes, Time, Token, User};
use crate::token_service::presented::Presented;
use crate::token_service::rights::{Bearer, Operator};
use crate::token_service::store::TokenService;

/// Characters of what a browser keeps: 256 random bits.
pub(super) const LENGTH: usize = 43;
/// A session that is used is written down once in so many seconds.
const NOTED_EVERY: i64 = 60;
/// Days after their end for which sessions are kept.
const KEPT_DAYS: i64 = 30;

/// How long a session lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimes {
    /// Seconds after which it ends in any case.
    pub longest: i64,
    /// Seconds without a request after which it ends.
    pub idle: i64,
}

/// Somebody who has just signed in.
#[derive(Debug)]
pub struct SignedIn {
    /// What the browser is to keep: the only time it is in clear.
    pub cookie: Secret,
    /// Who it is.
    pub bearer: Bearer,
}

#[derive(FromRow)]
struct Kept {
    hash: Vec<u8>,
    token_id: Option<String>,
    operator: Option<Vec<u8>>,
    user_id: Option<String>,
    operator_name: Option<String>,
    issuer: Option<String>,
    scopes: Option<Scopes>,
    ends_at: Time,
    seen_at: Time,
}

/// Whose session it is.
pub(super) enum Whom<'a> {
    /// The bearer of a token, or of the operator key, for as long as it is the same key.
    Token(Option<&'a Token>),
    /// A user who signed in elsewhere.
    Person {
        user: &'a str,
        issuer: &'a str,
        scopes: &'a Scopes,
    },
    /// An operator who did.
    Operator { issuer: &'a str },
}

impl TokenService {
    /// Begins a session for whoever shows a person's token or the operator key.
    ///
    /// # Errors
    /// A token that is not accepted, and one that belongs to no person: someone must answer for what is done.
    pub async fn sign_in(&self, secret: &Secret, times: SessionTimes) -> Result<SignedIn> {
        let bearer = self.authenticate(secret).await?;
        let by = bearer.actor();
        let token = bearer.presented().map(|presented| &presented.token);
        if token.is_some_and(|token| token.kind != TokenKind::User) {
            let attempt = Change::plain(&by, "session.begin", "", None);
            let why = "sign in with a token of a person: somebody must answer for what is done".to_owned();
            return self.noting_refusal(attempt, Err(Error::Forbidden(why))).await;
        }
        let cookie = self.begin_session(&bearer, Whom::Token(token), "", times).await?;
        Ok(SignedIn { cookie, bearer })
    }

    /// Writes a session down and gives what the browser is to keep.
    pub(super) async fn begin_session(
        &self,
        bearer: &Bearer,
        whom: Whom<'_>,
        detail: &str,
        times: SessionTimes,
    ) -> Result<Secret> {
        let cookie = Secret::new(random_base62(LENGTH)?.to_vec());
        let now = Time::now();
        let ends_at = now.plus_seconds(times.longest);
        let (mut token_id, mut operator, mut user_id, mut operator_name) = (None, None, None, None);
        let (mut vouched, mut may, mut ends) = (None, None, ends_at);
        match whom {
            Whom::Token(None) => operator = self.operator_mark().map(|mark| mark.to_vec()),
            Whom::Token(Some(token)) => {
                token_id = Some(token.id.as_str());
                // no session outlives its token
                ends = token.expires_at.map_or(ends_at, |end| end.min(ends_at));
            }
            Whom::Person { user, issuer, scopes } => {
                (user_id, vouched, may) = (Some(user), Some(issuer), Some(scopes.to_string()));
            }
            Whom::Operator { issuer } => (operator_name, vouched) = (Some(named(bearer)), Some(issuer)),
        }
        let mut change = self.write().await?;
        sql("DELETE FROM sessions WHERE ends_at < $1")
            .bind(now.plus_days(-KEPT_DAYS))
            .run(&mut change)
            .await?;
        sql(
            "INSERT INTO sessions (hash, token_id, operator, user_id, operator_name, issuer, scopes, began_at, seen_at, \
             ends_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)",
        )
        .bind(self.keys.current().1.session(&cookie))
        .bind(token_id)
        .bind(operator)
        .bind(user_id)
        .bind(operator_name)
        .bind(vouched)
        .bind(may)
        .bind(now)
        .bind(ends)
        .run(&mut change)
        .await?;
        let by = bearer.actor();
        let name = named(bearer);
        let told = Change::plain(&by, "session.begin", &name, None);
        self.note(
            &mut change,
            if detail.is_empty() {
                told
            } else {
                told.with(detail)
            },
        )
        .await?;
        change.commit().await?;
        Ok(cookie)
    }

    /// Who is signed in by what a browser kept; `None` if nobody is any more. Whoever signed in elsewhere is known for as
    /// long as `elsewhere` is still where people sign in.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn signed_in(
        &self,
        cookie: &Secret,
        times: SessionTimes,
        elsewhere: Option<&str>,
    ) -> Result<Option<Bearer>> {
        let now = Time::now();
        let Some(kept) = self.session(cookie, now, times).await? else {
            return Ok(None);
        };
        let bearer = match &kept.issuer {
            None => self.by_token(&kept, now).await?,
            Some(issuer) if elsewhere != Some(issuer) => None,
            Some(issuer) => self.vouched(&kept, issuer).await?,
        };
        let Some(bearer) = bearer else { return Ok(None) };
        if kept.seen_at.plus_seconds(NOTED_EVERY) <= now {
            sql("UPDATE sessions SET seen_at = $1 WHERE hash = $2 AND seen_at < $1")
                .bind(now)
                .bind(kept.hash)
                .run(&self.pool)
                .await?;
        }
        Ok(Some(bearer))
    }

    /// The bearer of a session that a token or the operator key began.
    async fn by_token(&self, kept: &Kept, now: Time) -> Result<Option<Bearer>> {
        let Some(id) = &kept.token_id else {
            let mark = self.operator_mark();
            let same = mark.is_some_and(|mark| {
                kept.operator
                    .as_ref()
                    .is_some_and(|kept| bool::from(kept.as_slice().ct_eq(&mark)))
            });
            return Ok(same.then_some(Bearer::Operator(Operator::Key)));
        };
        let token = self.token(id).await?;
        if token.ended(now).is_some() {
            return Ok(None);
        }
        self.uses.note(&token.id, None);
        let reach = self.reach(&token).await?;
        Ok(Some(Bearer::Token(Box::new(Presented {
            token,
            reach,
            issuer: None,
        }))))
    }

    /// The bearer of a session that began elsewhere.
    async fn vouched(&self, kept: &Kept, issuer: &str) -> Result<Option<Bearer>> {
        if let Some(name) = &kept.operator_name {
            return Ok(Some(Bearer::Operator(Operator::Person {
                name: name.clone(),
                issuer: issuer.to_owned(),
            })));
        }
        let (Some(id), Some(scopes)) = (&kept.user_id, &kept.scopes) else {
            return Ok(None);
        };
        let user = self.user_of(id).await?;
        if !user.active {
            return Ok(None);
        }
        let presented = self
            .presented_for(user, issuer, scopes.clone(), kept.ends_at)
            .await?;
        Ok(Some(Bearer::Token(Box::new(presented))))
    }

    /// What a user who signed in elsewhere may do: as with a token of theirs that has these scopes, but that no policy about
    /// tokens applies.
    pub(super) async fn presented_for(
        &self,
        user: User,
        issuer: &str,
        scopes: Scopes,
        ends_at: Time,
    ) -> Result<Presented> {
        let token = Token {
            id: String::new(),
            kind: TokenKind::User,
            last_four: String::new(),
            user_id: Some(user.id),
            login: Some(user.login),
            email: Some(user.email),
            user_name: Some(user.name),
            active: Some(user.active),
            identity: None,
            project_id: None,
            project: None,
            organisation_id: None,
            organisation: None,
            organisation_ended_at: None,
            description: format!("signed in with {issuer}"),
            reason: None,
            scopes,
            preset: None,
            created_at: Time::now(),
            created_by: issuer.to_owned(),
            expires_at: Some(ends_at),
            last_used_at: None,
            revoked_at: None,
            revoked_by: None,
            revoked_cause: None,
        };
        let mut reach = self.reach(&token).await?;
        for reach in &mut reach {
            let gone = "this organisation was deleted";
            reach.refused = reach.organisation.ended_at.map(|_| gone.to_owned());
        }
        Ok(Presented {
            token,
            reach,
            issuer: Some(issuer.to_owned()),
        })
    }

    /// Ends a session; whatever the browser kept is worth nothing from now on.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn sign_out(&self, cookie: &Secret, bearer: &Bearer) -> Result<()> {
        let mut change = self.write().await?;
        for (_, key) in self.keys.all() {
            sql("UPDATE sessions SET ended_at = $1 WHERE hash = $2 AND ended_at IS NULL")
                .bind(Time::now())
                .bind(key.session(cookie))
                .run(&mut change)
                .await?;
        }
        let by = bearer.actor();
        self.note(
            &mut change,
            Change::plain(&by, "session.end", &named(bearer), None),
        )
        .await?;
        Ok(change.commit().await?)
    }

    async fn session(&self, cookie: &Secret, now: Time, times: SessionTimes) -> Result<Option<Kept>> {
        if cookie.len() != LENGTH {
            return Ok(None);
        }
        for (_, key) in self.keys.all() {
            let hash = key.session(cookie);
            let kept: Option<Kept> = sql(
                "SELECT hash, token_id, operator, user_id, operator_name, issuer, scopes, ends_at, seen_at FROM sessions \
                 WHERE hash = $1 AND ended_at IS NULL AND ends_at > $2 AND seen_at > $3")
            .bind(hash)
            .bind(now)
            .bind(now.plus_seconds(-times.idle))
            .optional(&self.pool)
            .await?;
            if let Some(kept) = kept.filter(|kept| bool::from(kept.hash.as_slice().ct_eq(&hash))) {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }
}

/// Whose session it is, as the audit log calls them.
fn named(bearer: &Bearer) -> String {
    match bearer {
        Bearer::Operator(Operator::Key) => Actor::operator().as_str().to_owned(),
        Bearer::Operator(Operator::Person { name, .. }) => name.clone(),
        Bearer::Token(presented) => presented.token.login.clone().unwrap_or_default(),
    }
}
