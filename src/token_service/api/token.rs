//! `GET /api/v1/token`: what a token is, asked by its bearer. This is the call that proves it alive or dead.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use crate::token_service::api::reply::{Failure, OauthFailure};
use crate::token_service::ask::Wish;
use crate::token_service::error::Error;
use crate::token_service::format::TokenKind;
use crate::token_service::model::{Access, Role, Scopes, Time};
use crate::token_service::presented::{Presented, Reach};
use crate::token_service::rights::Bearer;
use crate::token_service::store::TokenService;

/// The person.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = TokenUser)]
struct User<'a> {
    login: &'a str,
    email: &'a str,
    name: &'a str,
}

/// An organisation that lets the token in.
#[derive(Serialize, utoipa::ToSchema)]
struct Admitting<'a> {
    slug: &'a str,
    name: &'a str,
    role: Option<Role>,
}

/// An organisation that turns the token away.
#[derive(Serialize, utoipa::ToSchema)]
struct Refusing<'a> {
    slug: &'a str,
    reason: &'a str,
}

/// The bearer's own token.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = OwnToken)]
pub(super) struct Shown<'a> {
    id: &'a str,
    kind: TokenKind,
    user: Option<User<'a>>,
    project: Option<&'a str>,
    organisations: Vec<Admitting<'a>>,
    refused: Vec<Refusing<'a>>,
    scopes: &'a Scopes,
    access: Access,
    identity: Option<&'a str>,
    expires_at: Option<Time>,
    /// Organisations whose owners ask that it be stopped.
    asked: Vec<Asking<'a>>,
}

/// An organisation whose owners ask that the token be stopped.
#[derive(Serialize, utoipa::ToSchema)]
struct Asking<'a> {
    slug: &'a str,
    cause: &'a str,
    at: Time,
}

impl<'a> Shown<'a> {
    fn new(presented: &'a Presented, wishes: &'a [Wish]) -> Self {
        let token = &presented.token;
        let user = match (&token.login, &token.email, &token.user_name) {
            (Some(login), Some(email), Some(name)) => Some(User { login, email, name }),
            _ => None,
        };
        let admitting = |reach: &'a Reach| Admitting {
            slug: &reach.organisation.slug,
            name: &reach.organisation.name,
            role: reach.role,
        };
        let refusing = presented.reach.iter().filter_map(|reach| {
            let reason = reach.refused.as_deref()?;
            Some(Refusing {
                slug: &reach.organisation.slug,
                reason,
            })
        });
        Self {
            id: &token.id,
            kind: token.kind,
            user,
            project: token.project.as_deref(),
            organisations: presented.admitted().map(admitting).collect(),
            refused: refusing.collect(),
            scopes: &token.scopes,
            access: token.scopes.access(),
            identity: token.identity.as_deref(),
            expires_at: token.expires_at,
            asked: wishes.iter().map(asking).collect(),
        }
    }
}

fn asking(wish: &Wish) -> Asking<'_> {
    Asking {
        slug: &wish.organisation,
        cause: &wish.cause,
        at: wish.asked_at,
    }
}

/// What the bearer's own token is, and where it reaches
///
/// 401 with `error_description` revoked, expired, owner disabled or unknown token proves it dead.
#[utoipa::path(get, path = "/api/v1/token", tag = "tokens", responses((status = 200, body = Shown)))]
pub(super) async fn show(
    State(service): State<TokenService>,
    bearer: Result<Bearer, Failure>,
) -> Result<Json<serde_json::Value>, OauthFailure> {
    let bearer = bearer?;
    let Some(presented) = bearer.presented() else {
        return Err(Error::invalid("the operator key is no token and has nothing to show here").into());
    };
    let wishes = match presented.token.kind {
        TokenKind::User => service.wishes_about(&presented.token.id).await?,
        _ => Vec::new(),
    };
    Ok(Json(serde_json::json!(Shown::new(presented, &wishes))))
}
