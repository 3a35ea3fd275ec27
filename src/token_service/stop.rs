//! Ending tokens: everywhere (revoked) or for one organisation (blocked), or asking their owner to. The first to come
//! ends it; whoever comes later is told so and changes nothing.

use crate::database::{Open, sql};
use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::TokenKind;
use crate::token_service::model::{Organisation, Time, Token};
use crate::token_service::people::checked_text;
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::store::TokenService;

/// What stopping a token did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub enum Effect {
    /// It is dead everywhere.
    #[serde(rename = "revoked")]
    Revoked,
    /// It is dead for this organisation and lives on for others.
    #[serde(rename = "blocked for organisation")]
    Blocked,
    /// The organisation lets it in again.
    #[serde(rename = "unblocked for organisation")]
    Unblocked,
    /// Its owner was asked to stop it; it lives.
    #[serde(rename = "owner asked")]
    Asked,
}

/// How a token was stopped.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Stopped {
    /// The token.
    pub id: String,
    /// What was done, or had been done before.
    pub effect: Effect,
    /// Whether it had been done before.
    pub already: bool,
}

impl TokenService {
    /// Revokes a token everywhere.
    pub async fn revoke(&self, id: &str, cause: &str, by: &Actor) -> Result<Stopped> {
        let token = self.token(id).await?;
        self.end(&token, cause, by).await
    }

    /// Revokes the presented token (RFC 7009): having it is right enough. `None` if it was never issued here.
    pub async fn revoke_presented(&self, secret: &Secret) -> Result<Option<Stopped>> {
        match self.issued(secret).await {
            Ok(token) => {
                let by = Actor::bearer_of(&token.id);
                self.end(&token, "revoked by its bearer", &by).await.map(Some)
            }
            Err(Error::Denied(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stops a token on behalf of an organisation: its own tokens and those of its projects are revoked, by its owners
    /// and by the project's administrators; another person's token is blocked for the organisation; one's own is
    /// revoked, as is any by the operator.
    pub async fn stop_for(&self, bearer: &Bearer, slug: &str, id: &str, cause: &str) -> Result<Stopped> {
        let by = bearer.actor();
        if let Some(token) = self.without_role(bearer, slug, id).await? {
            return self.end(&token, cause, &by).await;
        }
        let organisation = self.authorised(bearer, Right::RevokeTokens, slug).await?;
        let token = self.visitor(&organisation, id).await?.token;
        let everywhere = matches!(bearer, Bearer::Operator(_)) || token.kind != TokenKind::User;
        if everywhere || token.revoked_at.is_some() {
            return self.end(&token, cause, &by).await;
        }
        self.shut_out(&organisation, &token, cause, &by).await
    }

    /// Revokes a token everywhere: one's own, or any by the operator.
    pub async fn stop_everywhere(&self, bearer: &Bearer, id: &str, cause: &str) -> Result<Stopped> {
        let by = bearer.actor();
        let Some(presented) = bearer.presented() else {
            return self.end(&self.token(id).await?, cause, &by).await;
        };
        let own = &presented.token;
        let found = match self.token(id).await {
            // another person's token and one that is not there are never told apart
            Ok(token) if token.id == own.id || token.user_id.is_some() && token.user_id == own.user_id => {
                token
            }
            Ok(_) | Err(Error::NotFound(_)) => return Err(Error::NotFound("token")),
            Err(error) => return Err(error),
        };
        if found.id != own.id {
            let attempt = Change::plain(&by, "token.revoke", id, None);
            self.noting_refusal(attempt, presented.may_stop_its_own()).await?;
        }
        self.end(&found, cause, &by).await
    }

    /// Blocks a token for an organisation, whatever its kind; needs the same right as revoking.
    pub async fn block_for(&self, bearer: &Bearer, slug: &str, id: &str, cause: &str) -> Result<Stopped> {
        let organisation = self.authorised(bearer, Right::RevokeTokens, slug).await?;
        let token = self.visitor(&organisation, id).await?.token;
        self.shut_out(&organisation, &token, cause, &bearer.actor()).await
    }

    /// Lets a token in again that was blocked; needs the same right.
    pub async fn unblock_for(&self, bearer: &Bearer, slug: &str, id: &str, cause: &str) -> Result<Stopped> {
        self.authorised(bearer, Right::RevokeTokens, slug).await?;
        self.unblock(slug, id, cause, &bearer.actor()).await
    }

    /// Blocks a token for an organisation.
    pub async fn block(&self, slug: &str, id: &str, cause: &str, by: &Actor) -> Result<Stopped> {
        let organisation = self.organisation(slug).await?;
        let token = self.visitor(&organisation, id).await?.token;
        self.shut_out(&organisation, &token, cause, by).await
    }

    /// Lets a token in again that was blocked.
    pub async fn unblock(&self, slug: &str, id: &str, cause: &str, by: &Actor) -> Result<Stopped> {
        let cause = checked_text("a cause", cause)?;
        let organisation = self.organisation(slug).await?;
        let token = self.visitor(&organisation, id).await?.token;
        let mut change = self.write().await?;
        let done = sql("UPDATE blocks SET lifted_at = $1, lifted_by = $2 \
             WHERE token_id = $3 AND organisation_id = $4 AND lifted_at IS NULL")
        .bind(Time::now())
        .bind(by.as_str())
        .bind(&token.id)
        .bind(&organisation.id)
        .run(&mut change)
        .await?;
        let told = Change::plain(by, "token.unblock", &token.id, Some(slug)).with(cause);
        self.stopped(change, done > 0, told, Effect::Unblocked).await
    }

    /// The token, if it may be stopped without a role in the organisation: the bearer's own, the bearer itself, or one
    /// of a project that its user administers.
    async fn without_role(&self, bearer: &Bearer, slug: &str, id: &str) -> Result<Option<Token>> {
        let Some(presented) = bearer.presented() else {
            return Ok(None);
        };
        let by = bearer.actor();
        let attempt = Change::plain(&by, "token.revoke", id, Some(slug));
        let (organisation, _) = self.noting_refusal(attempt, presented.inside(slug)).await?;
        let token = match self.visitor(organisation, id).await {
            Ok(visitor) => visitor.token,
            Err(Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if token.id == presented.token.id {
            return Ok(Some(token));
        }
        if let Some(project) = &token.project_id {
            let may = self
                .is_administrator(presented, Right::RevokeTokens, project)
                .await?;
            return Ok(may.then_some(token));
        }
        if token.user_id.is_none() || token.user_id != presented.token.user_id {
            return Ok(None);
        }
        self.noting_refusal(attempt, presented.may_stop_its_own()).await?;
        Ok(Some(token))
    }

    async fn end(&self, token: &Token, cause: &str, by: &Actor) -> Result<Stopped> {
        let cause = checked_text("a cause", cause)?;
        let mut change = self.write().await?;
        let done = sql(
            "UPDATE tokens SET revoked_at = $1, revoked_by = $2, revoked_cause = $3 \
             WHERE id = $4 AND revoked_at IS NULL",
        )
        .bind(Time::now())
        .bind(by.as_str())
        .bind(cause)
        .bind(&token.id)
        .run(&mut change)
        .await?;
        let told = Change::plain(by, "token.revoke", &token.id, token.organisation.as_deref()).with(cause);
        self.stopped(change, done > 0, told, Effect::Revoked).await
    }

    async fn shut_out(&self, from: &Organisation, token: &Token, cause: &str, by: &Actor) -> Result<Stopped> {
        let cause = checked_text("a cause", cause)?;
        let mut change = self.write().await?;
        let done = sql(
            "INSERT INTO blocks (token_id, organisation_id, blocked_at, blocked_by, cause) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (token_id, organisation_id) DO UPDATE SET \
             blocked_at = excluded.blocked_at, blocked_by = excluded.blocked_by, cause = excluded.cause, \
             lifted_at = NULL, lifted_by = NULL WHERE blocks.lifted_at IS NOT NULL",
        )
        .bind(&token.id)
        .bind(&from.id)
        .bind(Time::now())
        .bind(by.as_str())
        .bind(cause)
        .run(&mut change)
        .await?;
        let told = Change::plain(by, "token.block", &token.id, Some(&from.slug)).with(cause);
        self.stopped(change, done > 0, told, Effect::Blocked).await
    }

    /// Writes the line of a change that was one, and makes it last.
    pub(super) async fn stopped(
        &self,
        mut change: Open,
        done: bool,
        told: Change<'_>,
        effect: Effect,
    ) -> Result<Stopped> {
        if done {
            self.note(&mut change, told).await?;
            change.commit().await?;
        }
        Ok(Stopped {
            id: told.subject.to_owned(),
            effect,
            already: !done,
        })
    }
}
