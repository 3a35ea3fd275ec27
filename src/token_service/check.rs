//! May this token do this? The one question an API asks for each of its requests, answered by one look at the database.
//!
//! Nothing is remembered between two questions: a token that another server revoked is refused by the next answer.

use sqlx::FromRow;
use subtle::ConstantTimeEq;

use crate::database::sql;
use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Denied, Error, Result};
use crate::token_service::format::{TokenKind, parse};
use crate::token_service::model::{Organisation, Role, Scopes, Time, Token};
use crate::token_service::people::checked_slug;
use crate::token_service::policy::OrganisationPolicy;
use crate::token_service::presented::{refusal, select_tokens};
use crate::token_service::store::TokenService;
use crate::token_service::uses::Visit;

/// What is asked of a token.
#[derive(Clone, Debug)]
pub struct Use<'a> {
    /// The scope that it needs.
    pub scope: &'a str,
    /// The organisation that it shall act in, by slug.
    pub organisation: &'a str,
    /// The project that it shall act on, by slug; a project token is let on to its own alone.
    pub project: Option<&'a str>,
}

/// The token and its standing with the organisation that was asked about.
#[derive(FromRow)]
struct Standing {
    hash: Vec<u8>,
    key_id: String,
    #[sqlx(flatten)]
    token: Token,
    here_id: Option<String>,
    here_name: Option<String>,
    here_ended_at: Option<Time>,
    refuse_user_tokens: Option<bool>,
    allowed_scopes: Option<Scopes>,
    max_lifetime_days: Option<i64>,
    expiry_required: Option<bool>,
    role: Option<Role>,
    block_cause: Option<String>,
}

const STANDING: &str = concat!(
    "SELECT v.*, o.id AS here_id, o.name AS here_name, o.ended_at AS here_ended_at, o.refuse_user_tokens, \
     o.allowed_scopes, o.max_lifetime_days, o.expiry_required, m.role, b.cause AS block_cause FROM (",
    select_tokens!("WHERE t.hash = $1"),
    ") v LEFT JOIN organisations o ON o.slug = $2 \
     LEFT JOIN memberships m ON m.organisation_id = o.id AND m.user_id = v.user_id AND m.ended_at IS NULL \
     LEFT JOIN blocks b ON b.organisation_id = o.id AND b.token_id = v.id AND b.lifted_at IS NULL"
);

impl TokenService {
    /// The token, if it may be used like this; the use is noted.
    pub async fn check(&self, secret: &Secret, asked: &Use<'_>) -> Result<Token> {
        if parse(secret).is_none() {
            return Err(Error::Denied(Denied::Unknown));
        }
        Scopes::new([asked.scope])?;
        if let Some(project) = asked.project {
            checked_slug("the slug of a project", project, b"-")?;
        }
        let standing = self.standing(secret, asked.organisation).await?;
        self.living(&standing.token).await?;
        let organisation = match allowed(&standing, asked) {
            Ok(organisation) => organisation,
            Err(why) => {
                let by = Actor::through(&standing.token.holder(), &standing.token.id);
                let attempt = Change::plain(&by, "token.check", &standing.token.id, Some(asked.organisation));
                return self.noting_refusal(attempt, Err(why)).await;
            }
        };
        let visit = Visit {
            organisation,
            project: asked.project.unwrap_or_default().to_owned(),
            scope: asked.scope.to_owned(),
        };
        self.uses.note(&standing.token.id, Some(visit));
        Ok(standing.token)
    }

    async fn standing(&self, secret: &Secret, organisation: &str) -> Result<Standing> {
        for (_, key) in self.keys.all() {
            let hash = key.hash(secret);
            let row: Option<Standing> = sql(STANDING)
                .bind(hash)
                .bind(organisation)
                .optional(&self.pool)
                .await?;
            if let Some(row) = row.filter(|row| bool::from(row.hash.ct_eq(&hash))) {
                self.renew_hash(secret, &row.key_id, &row.token.id).await;
                return Ok(row);
            }
        }
        Err(self.unknown().await)
    }
}

/// The organisation's key, if it lets the token do this.
fn allowed(standing: &Standing, asked: &Use<'_>) -> Result<String> {
    let token = &standing.token;
    let (Some(id), Some(name)) = (&standing.here_id, &standing.here_name) else {
        return Err(Error::NotFound("organisation"));
    };
    let belongs = match token.kind {
        TokenKind::User => standing.role.is_some(),
        _ => token.organisation_id.as_ref() == Some(id),
    };
    if !belongs {
        return Err(Error::NotFound("organisation"));
    }
    let organisation = Organisation {
        id: id.clone(),
        slug: asked.organisation.to_owned(),
        name: name.clone(),
        ended_at: standing.here_ended_at,
        policy: OrganisationPolicy {
            refuse_user_tokens: standing.refuse_user_tokens.unwrap_or(true),
            allowed_scopes: standing.allowed_scopes.clone(),
            max_lifetime_days: standing.max_lifetime_days,
            expiry_required: standing.expiry_required.unwrap_or(true),
        },
    };
    if let Some(why) = refusal(&organisation, token, standing.block_cause.as_deref()) {
        return Err(Error::Forbidden(why));
    }
    if token.kind == TokenKind::Project
        && asked.project.is_some()
        && token.project.as_deref() != asked.project
    {
        return Err(Error::Forbidden(
            "this token belongs to another project".to_owned(),
        ));
    }
    if !token.scopes.allow(asked.scope) {
        return Err(Error::MissingScope(asked.scope.to_owned()));
    }
    Ok(organisation.id)
}
