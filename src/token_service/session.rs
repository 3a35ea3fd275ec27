//! Sessions of browsers: a person shows a token once and is known for some hours by something else, which is worth less.
//!
//! A session can do what its token can, now: a token that is revoked, expired or whose owner was disabled ends it at once.
//! What the browser keeps is kept here as a hash alone, and is no token.

use sqlx::FromRow;
use subtle::ConstantTimeEq as _;

use crate::database::sql;
use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::{TokenKind, random_base62};
use crate::token_service::model::Time;
use crate::token_service::presented::Presented;
use crate::token_service::rights::Bearer;
use crate::token_service::store::TokenService;

/// Characters of what a browser keeps: 256 random bits.
const LENGTH: usize = 43;
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
    seen_at: Time,
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
        let cookie = Secret::new(random_base62(LENGTH)?.to_vec());
        let now = Time::now();
        let ends_at = now.plus_seconds(times.longest);
        // no session outlives its token
        let ends_at = match token.and_then(|token| token.expires_at) {
            Some(end) => end.min(ends_at),
            None => ends_at,
        };
        let operator = match token {
            None => self.operator_mark().map(|mark| mark.to_vec()),
            Some(_) => None,
        };
        let mut change = self.write().await?;
        sql("DELETE FROM sessions WHERE ends_at < $1")
            .bind(now.plus_days(-KEPT_DAYS))
            .run(&mut change)
            .await?;
        sql("INSERT INTO sessions (hash, token_id, operator, began_at, seen_at, ends_at) VALUES ($1, $2, $3, $4, $4, $5)")
            .bind(self.keys.current().1.session(&cookie))
            .bind(token.map(|token| token.id.as_str()))
            .bind(operator)
            .bind(now)
            .bind(ends_at)
            .run(&mut change)
            .await?;
        self.note(
            &mut change,
            Change::plain(&by, "session.begin", &named(&bearer), None),
        )
        .await?;
        change.commit().await?;
        Ok(SignedIn { cookie, bearer })
    }

    /// Who is signed in by what a browser kept; `None` if nobody is any more.
    ///
    /// # Errors
    /// A database that does not answer.
    pub async fn signed_in(&self, cookie: &Secret, times: SessionTimes) -> Result<Option<Bearer>> {
        let now = Time::now();
        let Some(kept) = self.session(cookie, now, times).await? else {
            return Ok(None);
        };
        let bearer = match &kept.token_id {
            None => {
                let mark = self.operator_mark();
                let same = mark.is_some_and(|mark| {
                    kept.operator
                        .as_ref()
                        .is_some_and(|kept| bool::from(kept.as_slice().ct_eq(&mark)))
                });
                if !same {
                    return Ok(None);
                }
                Bearer::Operator
            }
            Some(id) => {
                let token = self.token(id).await?;
                if token.ended(now).is_some() {
                    return Ok(None);
                }
                self.uses.note(&token.id, None);
                let reach = self.reach(&token).await?;
                Bearer::Token(Box::new(Presented { token, reach }))
            }
        };
        if kept.seen_at.plus_seconds(NOTED_EVERY) <= now {
            sql("UPDATE sessions SET seen_at = $1 WHERE hash = $2 AND seen_at < $1")
                .bind(now)
                .bind(kept.hash)
                .run(&self.pool)
                .await?;
        }
        Ok(Some(bearer))
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
            let kept: Option<Kept> = sql("SELECT hash, token_id, operator, seen_at FROM sessions \
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
    match bearer.presented() {
        None => Actor::operator().as_str().to_owned(),
        Some(presented) => presented.token.login.clone().unwrap_or_default(),
    }
}
