//! A presented token: whether it is accepted, and which organisations it still reaches.
//!
//! The checksum is verified before anything is looked up, and hashes are compared in constant time.

use sqlx::FromRow;
use subtle::ConstantTimeEq;

use crate::secret::Secret;
use crate::token_service::error::{Denied, Error, Result};
use crate::token_service::format::parse;
use crate::token_service::model::{Organisation, Role, Scopes, Time, Token};
use crate::token_service::policy::Applicant;
use crate::token_service::rights::Bearer;
use crate::token_service::store::TokenService;

/// How long a token is used before the time of its last use is written again, in seconds.
const COALESCE: i64 = 60;

/// The columns of [`Token`], and what follows.
macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.kind, t.hash, t.last_four, t.user_id, t.organisation_id, t.description, t.reason, ",
            "t.scopes, t.created_at, t.created_by, t.expires_at, t.last_used_at, t.revoked_at, t.revoked_by, ",
            "t.revoked_cause, u.login, u.email, u.name AS user_name, u.active, p.slug AS project ",
            "FROM tokens t LEFT JOIN users u ON u.id = t.user_id LEFT JOIN projects p ON p.id = t.project_id ",
            $rest
        )
    };
}

/// An organisation that a token belongs in, and whether it is let in.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The organisation.
    pub organisation: Organisation,
    /// The role of the token's user there; `None` for project and organisation tokens.
    pub role: Option<Role>,
    /// Why the organisation turns the token away, if it does.
    pub refused: Option<String>,
}

/// A token that was presented and is accepted.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The token.
    pub token: Token,
    /// Where it belongs, with where it is turned away.
    pub reach: Vec<Reach>,
}

impl Presented {
    /// The organisations that let the token in.
    pub fn admitted(&self) -> impl Iterator<Item = &Reach> {
        self.reach.iter().filter(|reach| reach.refused.is_none())
    }
}

#[derive(FromRow)]
struct HashedToken {
    hash: Vec<u8>,
    #[sqlx(flatten)]
    token: Token,
}

#[derive(FromRow)]
struct ReachRow {
    #[sqlx(flatten)]
    organisation: Organisation,
    role: Option<Role>,
    block_cause: Option<String>,
}

/// A token that can reach an organisation, as its owners see it.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The token.
    pub token: Token,
    /// Why the organisation turns it away, if it does.
    pub refused: Option<String>,
    /// Whether its owners blocked it.
    pub blocked: bool,
}

impl Visitor {
    /// One word for how it stands with the organisation, and why where there is more to say.
    pub fn state(&self, now: Time) -> (&'static str, Option<&str>) {
        match self.token.ended(now) {
            Some(Denied::Revoked) => ("revoked", self.token.revoked_cause.as_deref()),
            Some(Denied::Expired) => ("expired", None),
            Some(Denied::OwnerDisabled) => ("owner disabled", None),
            Some(Denied::Unknown) => ("unknown", None),
            None if self.blocked => ("blocked", self.refused.as_deref()),
            None if self.refused.is_some() => ("refused", self.refused.as_deref()),
            None => ("live", None),
        }
    }
}

fn refusal(organisation: &Organisation, token: &Token, block_cause: Option<&str>) -> Option<String> {
    block_cause
        .map(|cause| format!("blocked by an owner of this organisation: {cause}"))
        .or_else(|| organisation.policy.refusal(Applicant::from(token)))
}

impl TokenService {
    /// Who presents this secret: the operator key, or a token that is accepted.
    pub async fn authenticate(&self, secret: &Secret) -> Result<Bearer> {
        if self.is_operator(secret) {
            return Ok(Bearer::Operator);
        }
        Ok(Bearer::Token(Box::new(self.accept(secret).await?)))
    }

    /// Accepts a token, notes its use, and tells where it reaches.
    pub async fn accept(&self, secret: &Secret) -> Result<Presented> {
        let token = self.issued(secret).await?;
        let now = Time::now();
        if let Some(why) = token.ended(now) {
            // somebody still holds it and tries it: worth an eye
            tracing::warn!(token = token.id, %why, "a token that has ended was presented");
            return Err(Error::Denied(why));
        }
        if token
            .last_used_at
            .is_none_or(|last| last.plus_seconds(COALESCE) <= now)
            && let Err(error) = self.note_last_use(&token.id, now).await
        {
            tracing::warn!(token = token.id, %error, "the last use of a token could not be written");
        }
        let reach = self.reach(&token).await?;
        Ok(Presented { token, reach })
    }

    /// The token as it was issued, ended or not.
    pub(super) async fn issued(&self, secret: &Secret) -> Result<Token> {
        if parse(secret).is_none() {
            return Err(Error::Denied(Denied::Unknown));
        }
        let hash = self.key.hash(secret);
        let row: Option<HashedToken> = sqlx::query_as(select_tokens!("WHERE t.hash = $1"))
            .bind(hash.to_vec())
            .fetch_optional(&self.pool)
            .await?;
        // the index found it; that it is the same is decided in constant time
        row.filter(|row| bool::from(row.hash.ct_eq(&hash)))
            .map(|row| row.token)
            .ok_or(Error::Denied(Denied::Unknown))
    }

    /// The id of a token, ended or not.
    pub async fn id_of(&self, secret: &Secret) -> Result<String> {
        Ok(self.issued(secret).await?.id)
    }

    /// The token of this id.
    pub async fn token(&self, id: &str) -> Result<Token> {
        sqlx::query_as(select_tokens!("WHERE t.id = $1"))
            .bind(id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or(Error::NotFound("token"))
    }

    /// Every token there is, oldest first.
    pub async fn tokens(&self) -> Result<Vec<Token>> {
        Ok(sqlx::query_as(select_tokens!("ORDER BY t.created_at, t.id"))
            .fetch_all(&self.pool)
            .await?)
    }

    /// Every token that can reach an organisation, ended and refused ones included, oldest first.
    pub async fn visitors(&self, organisation: &Organisation) -> Result<Vec<Visitor>> {
        let tokens: Vec<Token> = sqlx::query_as(select_tokens!(
            "WHERE t.organisation_id = $1 OR EXISTS (SELECT 1 FROM memberships m WHERE m.user_id = t.user_id \
             AND m.organisation_id = $1 AND m.ended_at IS NULL) ORDER BY t.created_at, t.id"
        ))
        .bind(&organisation.id)
        .fetch_all(&self.pool)
        .await?;
        let blocks: Vec<(String, String)> =
            sqlx::query_as("SELECT token_id, cause FROM blocks WHERE organisation_id = $1")
                .bind(&organisation.id)
                .fetch_all(&self.pool)
                .await?;
        let blocks: std::collections::HashMap<String, String> = blocks.into_iter().collect();
        let visit = |token: Token| {
            let cause = blocks.get(&token.id).map(String::as_str);
            Visitor {
                refused: refusal(organisation, &token, cause),
                blocked: cause.is_some(),
                token,
            }
        };
        Ok(tokens.into_iter().map(visit).collect())
    }

    /// The token of this id, if it can reach the organisation.
    pub(super) async fn visitor(&self, organisation: &Organisation, id: &str) -> Result<Token> {
        sqlx::query_as(select_tokens!(
            "WHERE t.id = $1 AND (t.organisation_id = $2 OR EXISTS (SELECT 1 FROM memberships m \
             WHERE m.user_id = t.user_id AND m.organisation_id = $2 AND m.ended_at IS NULL))"
        ))
        .bind(id)
        .bind(&organisation.id)
        .fetch_optional(&self.pool)
        .await?
        .ok_or(Error::NotFound("token"))
    }

    /// Where a token belongs, by slug.
    pub async fn reach(&self, token: &Token) -> Result<Vec<Reach>> {
        let asked = match &token.user_id {
            Some(user) => sqlx::query_as(
                "SELECT o.*, m.role, b.cause AS block_cause FROM memberships m \
                 JOIN organisations o ON o.id = m.organisation_id \
                 LEFT JOIN blocks b ON b.organisation_id = o.id AND b.token_id = $1 \
                 WHERE m.user_id = $2 AND m.ended_at IS NULL ORDER BY o.slug",
            )
            .bind(&token.id)
            .bind(user),
            None => sqlx::query_as(
                "SELECT o.*, NULL AS role, b.cause AS block_cause FROM organisations o \
                 LEFT JOIN blocks b ON b.organisation_id = o.id AND b.token_id = $1 WHERE o.id = $2",
            )
            .bind(&token.id)
            .bind(&token.organisation_id),
        };
        let rows: Vec<ReachRow> = asked.fetch_all(&self.pool).await?;
        let reach = |row: ReachRow| Reach {
            refused: refusal(&row.organisation, token, row.block_cause.as_deref()),
            organisation: row.organisation,
            role: row.role,
        };
        Ok(rows.into_iter().map(reach).collect())
    }

    async fn note_last_use(&self, id: &str, now: Time) -> Result<()> {
        sqlx::query(
            "UPDATE tokens SET last_used_at = $1 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at <= $3)",
        )
        .bind(now)
        .bind(id)
        .bind(now.plus_seconds(-COALESCE))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes that a token used a scope, at most once a minute; a failure is logged and stops nobody.
    pub(super) async fn note_scope_use(&self, token: &str, scope: &str) {
        let now = Time::now();
        let noted = async {
            let last: Option<(Time,)> =
                sqlx::query_as("SELECT last_used_at FROM token_uses WHERE token_id = $1 AND scope = $2")
                    .bind(token)
                    .bind(scope)
                    .fetch_optional(&self.pool)
                    .await?;
            if last.is_some_and(|(last,)| last.plus_seconds(COALESCE) > now) {
                return Ok::<(), sqlx::Error>(());
            }
            sqlx::query(
                "INSERT INTO token_uses (token_id, scope, last_used_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (token_id, scope) DO UPDATE SET last_used_at = excluded.last_used_at",
            )
            .bind(token)
            .bind(scope)
            .bind(now)
            .execute(&self.pool)
            .await?;
            Ok(())
        };
        if let Err(error) = noted.await {
            tracing::warn!(token, scope, %error, "the use of a scope could not be written");
        }
    }

    /// The scopes that a token was seen to use.
    pub(super) async fn used_scopes(&self, token: &str) -> Result<Scopes> {
        let used: Vec<(String,)> = sqlx::query_as("SELECT scope FROM token_uses WHERE token_id = $1")
            .bind(token)
            .fetch_all(&self.pool)
            .await?;
        Scopes::new(used.into_iter().map(|(scope,)| scope))
    }
}
