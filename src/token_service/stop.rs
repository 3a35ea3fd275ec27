//! Ending tokens: everywhere (revoked) or for one organisation (blocked). The first to come ends it; whoever comes
//! later is told so and changes nothing.

use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::TokenKind;
use crate::token_service::model::{Organisation, Time, Token};
use crate::token_service::people::checked_text;
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::store::TokenService;

/// What stopping a token did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Effect {
    /// It is dead everywhere.
    #[serde(rename = "revoked")]
    Revoked,
    /// It is dead for this organisation and lives on for others.
    #[serde(rename = "blocked for organisation")]
    Blocked,
}

/// How a token was stopped.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
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

    /// Stops a token on behalf of an organisation: its own tokens and those of its projects are revoked; another
    /// person's token is blocked for the organisation; one's own is revoked, as is any by the operator.
    pub async fn stop_for(&self, bearer: &Bearer, slug: &str, id: &str, cause: &str) -> Result<Stopped> {
        let (organisation, token, own) = match self.own(bearer, slug, id).await? {
            Some((organisation, token)) => (organisation, token, true),
            None => {
                let organisation = self.authorised(bearer, Right::RevokeTokens, slug).await?;
                let token = self.visitor(&organisation, id).await?;
                (organisation, token, false)
            }
        };
        let everywhere = own || matches!(bearer, Bearer::Operator) || token.kind != TokenKind::User;
        if everywhere || token.revoked_at.is_some() {
            return self.end(&token, cause, &bearer.actor()).await;
        }
        self.shut_out(&organisation, &token, cause, &bearer.actor()).await
    }

    /// Blocks a token for an organisation, whatever its kind; needs the same right as revoking.
    pub async fn block_for(&self, bearer: &Bearer, slug: &str, id: &str, cause: &str) -> Result<Stopped> {
        let organisation = self.authorised(bearer, Right::RevokeTokens, slug).await?;
        let token = self.visitor(&organisation, id).await?;
        self.shut_out(&organisation, &token, cause, &bearer.actor()).await
    }

    /// Blocks a token for an organisation.
    pub async fn block(&self, slug: &str, id: &str, cause: &str, by: &Actor) -> Result<Stopped> {
        let organisation = self.organisation(slug).await?;
        let token = self.visitor(&organisation, id).await?;
        self.shut_out(&organisation, &token, cause, by).await
    }

    /// The token, if it is the bearer's own or the bearer itself and may be stopped without any role.
    async fn own(&self, bearer: &Bearer, slug: &str, id: &str) -> Result<Option<(Organisation, Token)>> {
        let Some(presented) = bearer.presented() else {
            return Ok(None);
        };
        let (organisation, _) = presented.inside(slug)?;
        let token = match self.visitor(organisation, id).await {
            Ok(token) => token,
            Err(Error::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if token.id == presented.token.id {
            return Ok(Some((organisation.clone(), token)));
        }
        if token.user_id.is_none() || token.user_id != presented.token.user_id {
            return Ok(None);
        }
        presented.may_stop_its_own()?;
        Ok(Some((organisation.clone(), token)))
    }

    async fn end(&self, token: &Token, cause: &str, by: &Actor) -> Result<Stopped> {
        let cause = checked_text("a cause", cause)?;
        let mut change = self.write().await?;
        let done = sqlx::query(
            "UPDATE tokens SET revoked_at = $1, revoked_by = $2, revoked_cause = $3 \
             WHERE id = $4 AND revoked_at IS NULL",
        )
        .bind(Time::now())
        .bind(by.as_str())
        .bind(cause)
        .bind(&token.id)
        .execute(&mut *change)
        .await?;
        let already = done.rows_affected() == 0;
        if !already {
            let told = Change {
                by,
                action: "token.revoke",
                subject: &token.id,
                organisation: None,
                detail: cause,
            };
            self.note(&mut change, told).await?;
            change.commit().await?;
        }
        Ok(Stopped {
            id: token.id.clone(),
            effect: Effect::Revoked,
            already,
        })
    }

    async fn shut_out(&self, from: &Organisation, token: &Token, cause: &str, by: &Actor) -> Result<Stopped> {
        let cause = checked_text("a cause", cause)?;
        let mut change = self.write().await?;
        let done = sqlx::query(
            "INSERT INTO blocks (token_id, organisation_id, blocked_at, blocked_by, cause) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (token_id, organisation_id) DO NOTHING",
        )
        .bind(&token.id)
        .bind(&from.id)
        .bind(Time::now())
        .bind(by.as_str())
        .bind(cause)
        .execute(&mut *change)
        .await?;
        let already = done.rows_affected() == 0;
        if !already {
            let told = Change {
                by,
                action: "token.block",
                subject: &token.id,
                organisation: Some(&from.slug),
                detail: cause,
            };
            self.note(&mut change, told).await?;
            change.commit().await?;
        }
        Ok(Stopped {
            id: token.id.clone(),
            effect: Effect::Blocked,
            already,
        })
    }
}
