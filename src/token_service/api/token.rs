//! `GET /api/v1/token`: what a token is, asked by its bearer. This is the call that proves it alive or dead.

use axum::Json;
use serde::Serialize;

use crate::token_service::api::reply::Failure;
use crate::token_service::error::Error;
use crate::token_service::format::TokenKind;
use crate::token_service::model::{Role, Scopes, Time};
use crate::token_service::presented::{Presented, Reach};
use crate::token_service::rights::Bearer;

#[derive(Serialize)]
struct User<'a> {
    login: &'a str,
    email: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Admitting<'a> {
    slug: &'a str,
    name: &'a str,
    role: Option<Role>,
}

#[derive(Serialize)]
struct Refusing<'a> {
    slug: &'a str,
    reason: &'a str,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    kind: TokenKind,
    user: Option<User<'a>>,
    project: Option<&'a str>,
    organisations: Vec<Admitting<'a>>,
    refused: Vec<Refusing<'a>>,
    scopes: &'a Scopes,
    expires_at: Option<Time>,
}

impl<'a> From<&'a Presented> for Shown<'a> {
    fn from(presented: &'a Presented) -> Self {
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
            expires_at: token.expires_at,
        }
    }
}

/// Shows the bearer's own token.
pub(super) async fn show(bearer: Bearer) -> Result<Json<serde_json::Value>, Failure> {
    let Some(presented) = bearer.presented() else {
        return Err(Error::invalid("the operator key is no token and has nothing to show here").into());
    };
    Ok(Json(serde_json::json!(Shown::from(presented))))
}
