//! A presented token: whether it is accepted, and which organisations it still reaches.
//!
//! The checksum is verified before anything is looked up, and hashes are compared in constant time.

use sqlx::FromRow;
use subtle::ConstantTimeEq;

use crate::database::sql;
use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Denied, Error, Result};
use crate::token_service::format::parse;
use crate::token_service::model::{Organisation, Role, Time, Token};
use crate::token_service::policy::Applicant;
use crate::token_service::rights::{Bearer, Operator};
use crate::token_service::store::TokenService;

/// The columns of [`Token`], and what follows.
macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT t.id, t.kind, t.hash, t.key_id, t.last_four, t.user_id, t.project_id, t.organisation_id, ",
            "t.description, t.reason, t.scopes, t.preset, t.created_at, t.created_by, t.expires_at, ",
            "t.last_used_at, t.revoked_at, t.revoked_by, t.revoked_cause, u.login, u.email, ",
            "u.name AS user_name, COALESCE(u.active, s.active) AS active, s.slug AS identity, ",
            "p.slug AS project, h.slug AS organisation, h.ended_at AS organisation_ended_at ",
            "FROM tokens t LEFT JOIN users u ON u.id = t.user_id LEFT JOIN projects p ON p.id = t.project_id ",
            "LEFT JOIN service_identities s ON s.id = t.identity_id ",
            "LEFT JOIN organisations h ON h.id = t.organisation_id ",
            $rest
        )
    };
}
pub(super) use select_tokens;

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
    /// With whom its person signed in, where they hold no token: then [`Presented::token`] is none that was ever issued,
    /// and has no id.
    pub issuer: Option<String>,
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
    key_id: String,
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

/// Why an organisation turns a token away; `None` lets it in.
pub(super) fn refusal(
    organisation: &Organisation,
    token: &Token,
    block_cause: Option<&str>,
) -> Option<String> {
    if organisation.ended_at.is_some() {
        return Some("this organisation was deleted".to_owned());
    }
    block_cause
        .map(|cause| format!("blocked by an owner of this organisation: {cause}"))
        .or_else(|| organisation.policy.refusal(Applicant::from(token)))
}

impl TokenService {
    /// Who presents this secret: the operator key, or a token that is accepted.
    pub async fn authenticate(&self, secret: &Secret) -> Result<Bearer> {
        if self.is_operator(secret) {
            return Ok(Bearer::Operator(Operator::Key));
        }
        Ok(Bearer::Token(Box::new(self.accept(secret).await?)))
    }

    /// Accepts a token, notes its use, and tells where it reaches.
    pub async fn accept(&self, secret: &Secret) -> Result<Presented> {
        let token = self.issued(secret).await?;
        self.living(&token).await?;
        self.uses.note(&token.id, None);
        let reach = self.reach(&token).await?;
        Ok(Presented {
            token,
            reach,
            issuer: None,
        })
    }

    /// Refuses a token that has ended. Somebody still holds it and tries it, so the attempt is written down.
    pub(super) async fn living(&self, token: &Token) -> Result<()> {
        let Some(why) = token.ended(Time::now()) else {
            return Ok(());
        };
        tracing::warn!(token = token.id, %why, "a token that has ended was presented");
        let by = Actor::bearer_of(&token.id);
        let attempt = Change::plain(&by, "token.present", &token.id, token.organisation.as_deref());
        self.noting_refusal(attempt, Err(Error::Denied(why))).await
    }

    /// The token as it was issued, ended or not: found by its hash under any key that is given. The hash is renewed
    /// if that key is an old one.
    pub(super) async fn issued(&self, secret: &Secret) -> Result<Token> {
        if parse(secret).is_none() {
            return Err(Error::Denied(Denied::Unknown));
        }
        for (_, key) in self.keys.all() {
            let hash = key.hash(secret);
            let row: Option<HashedToken> = sql(select_tokens!("WHERE t.hash = $1"))
                .bind(hash)
                .optional(&self.pool)
                .await?;
            // the index found it; that it is the same is decided in constant time
            if let Some(row) = row.filter(|row| bool::from(row.hash.ct_eq(&hash))) {
                self.renew_hash(secret, &row.key_id, &row.token.id).await;
                return Ok(row.token);
            }
        }
        Err(self.unknown().await)
    }

    /// What to say of a token that no key finds.
    pub(super) async fn unknown(&self) -> Error {
        match self.is_behind().await {
            Ok(false) => Error::Denied(Denied::Unknown),
            Ok(true) => Error::OldKey,
            Err(error) => error,
        }
    }

    /// Hashes a token that was seen under the current key; a failure is logged and stops nobody.
    pub(super) async fn renew_hash(&self, secret: &Secret, key_id: &str, id: &str) {
        let (current, key) = self.keys.current();
        if key_id == current || !self.newest {
            return;
        }
        let renewed = sql("UPDATE tokens SET hash = $1, key_id = $2 WHERE id = $3 AND key_id = $4")
            .bind(key.hash(secret))
            .bind(current)
            .bind(id)
            .bind(key_id)
            .run(&self.pool)
            .await;
        if let Err(error) = renewed {
            tracing::warn!(token = id, %error, "a token could not be hashed under the current key");
        }
    }

    /// The id of a token, ended or not.
    pub async fn id_of(&self, secret: &Secret) -> Result<String> {
        Ok(self.issued(secret).await?.id)
    }

    /// The token of this id.
    pub async fn token(&self, id: &str) -> Result<Token> {
        sql(select_tokens!("WHERE t.id = $1"))
            .bind(id)
            .optional(&self.pool)
            .await?
            .ok_or(Error::NotFound("token"))
    }

    /// Where a token belongs, by slug.
    pub async fn reach(&self, token: &Token) -> Result<Vec<Reach>> {
        let asked = match &token.user_id {
            Some(user) => sql("SELECT o.*, m.role, b.cause AS block_cause FROM memberships m \
                 JOIN organisations o ON o.id = m.organisation_id \
                 LEFT JOIN blocks b ON b.organisation_id = o.id AND b.token_id = $1 AND b.lifted_at IS NULL \
                 WHERE m.user_id = $2 AND m.ended_at IS NULL ORDER BY o.slug")
            .bind(&token.id)
            .bind(user),
            None => sql(
                "SELECT o.*, NULL AS role, b.cause AS block_cause FROM organisations o \
                 LEFT JOIN blocks b ON b.organisation_id = o.id AND b.token_id = $1 AND b.lifted_at IS NULL \
                 WHERE o.id = $2",
            )
            .bind(&token.id)
            .bind(&token.organisation_id),
        };
        let rows: Vec<ReachRow> = asked.all(&self.pool).await?;
        let reach = |row: ReachRow| Reach {
            refused: refusal(&row.organisation, token, row.block_cause.as_deref()),
            organisation: row.organisation,
            role: row.role,
        };
        Ok(rows.into_iter().map(reach).collect())
    }
}
