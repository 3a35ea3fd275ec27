//! Asking the owner of a token to stop it: what an organisation does when it would rather not block.
//!
//! The wish is kept until it was mailed; who mails it claims it first, so that of several servers one does. The token lives on.

use sqlx::FromRow;

use crate::database::sql;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::TokenKind;
use crate::token_service::model::Time;
use crate::token_service::people::checked_text;
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::stop::{Effect, Stopped};
use crate::token_service::store::TokenService;

/// A wish that a token be stopped, with whom to tell.
#[derive(Clone, Debug, FromRow, serde::Serialize)]
pub struct Wish {
    /// The token.
    pub token_id: String,
    /// Its last four characters.
    pub last_four: String,
    /// What it is for.
    pub description: String,
    /// The organisation that asks, by slug.
    pub organisation: String,
    /// When.
    pub asked_at: Time,
    /// Who.
    pub asked_by: String,
    /// Why.
    pub cause: String,
    /// The owner's login.
    pub login: String,
    /// The owner's name.
    pub name: String,
    /// The owner's address.
    pub email: String,
}

macro_rules! select_wishes {
    ($rest:literal) => {
        concat!(
            "SELECT a.token_id, t.last_four, t.description, o.slug AS organisation, a.asked_at, a.asked_by, a.cause, ",
            "u.login, u.name, u.email FROM asks a JOIN tokens t ON t.id = a.token_id ",
            "JOIN users u ON u.id = t.user_id JOIN organisations o ON o.id = a.organisation_id ",
            $rest
        )
    };
}

impl TokenService {
    /// Asks the owner of a user token to stop it; needs the same right as revoking.
    pub async fn ask_for(&self, bearer: &Bearer, slug: &str, id: &str, cause: &str) -> Result<Stopped> {
        self.authorised(bearer, Right::RevokeTokens, slug).await?;
        self.ask(slug, id, cause, &bearer.actor()).await
    }

    /// Asks the owner of a user token to stop it.
    pub async fn ask(&self, slug: &str, id: &str, cause: &str, by: &Actor) -> Result<Stopped> {
        let cause = checked_text("a cause", cause)?;
        let organisation = self.organisation(slug).await?;
        let token = self.visitor(&organisation, id).await?.token;
        if token.kind != TokenKind::User {
            return Err(Error::invalid(
                "only a user token has an owner to ask; revoke this one, it is the organisation's own",
            ));
        }
        if token.revoked_at.is_some() {
            return Ok(Stopped {
                id: token.id,
                effect: Effect::Revoked,
                already: true,
            });
        }
        let mut change = self.write().await?;
        let done = sql(
            "INSERT INTO asks (token_id, organisation_id, asked_at, asked_by, cause) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (token_id, organisation_id) DO NOTHING",
        )
        .bind(&token.id)
        .bind(&organisation.id)
        .bind(Time::now())
        .bind(by.as_str())
        .bind(cause)
        .run(&mut change)
        .await?;
        let told = Change::plain(by, "token.ask", &token.id, Some(slug)).with(cause);
        self.stopped(change, done > 0, told, Effect::Asked).await
    }

    /// Wishes that no owner was told of, oldest first; a token that ended meanwhile needs none.
    pub async fn wishes_to_tell(&self) -> Result<Vec<Wish>> {
        sql(select_wishes!(
            "WHERE a.told_at IS NULL AND t.revoked_at IS NULL ORDER BY a.asked_at, a.token_id"
        ))
        .all(&self.pool)
        .await
        .map_err(Into::into)
    }

    /// What organisations ask of the owner of this token.
    pub async fn wishes_about(&self, token: &str) -> Result<Vec<Wish>> {
        sql(select_wishes!("WHERE a.token_id = $1 ORDER BY o.slug"))
            .bind(token)
            .all(&self.pool)
            .await
            .map_err(Into::into)
    }

    /// Whether telling the owner is the caller's now; then nobody else does.
    pub async fn claim_wish(&self, wish: &Wish) -> Result<bool> {
        let claimed = sql(
            "UPDATE asks SET told_at = $1 WHERE told_at IS NULL AND token_id = $2 \
             AND organisation_id = (SELECT id FROM organisations WHERE slug = $3)",
        )
        .bind(Time::now())
        .bind(&wish.token_id)
        .bind(&wish.organisation)
        .run(&self.pool)
        .await?;
        Ok(claimed > 0)
    }

    /// Notes that nobody took a claimed wish: its owner must still be told.
    pub async fn wish_was_lost(&self, wish: &Wish) -> Result<()> {
        sql("UPDATE asks SET told_at = NULL WHERE token_id = $1 \
             AND organisation_id = (SELECT id FROM organisations WHERE slug = $2)")
        .bind(&wish.token_id)
        .bind(&wish.organisation)
        .run(&self.pool)
        .await?;
        Ok(())
    }
}
