//! RFC 7662 introspection and RFC 7009 revocation.
//!
//! A stranger must never learn from introspection whether a token exists; revocation needs no caller but the token.

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::secret::Secret;
use crate::token_service::api::reply::Failure;
use crate::token_service::error::Error;
use crate::token_service::presented::{Presented, Reach};
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::store::TokenService;

/// The form of both requests; a hint or any other field is not needed to find a token and is passed over.
#[derive(serde::Deserialize)]
pub(super) struct TokenForm {
    token: String,
}

type Sent = Result<Form<TokenForm>, FormRejection>;

/// Tells whether a token is alive to those who may know.
pub(super) async fn introspect(
    State(service): State<TokenService>,
    bearer: Bearer,
    form: Sent,
) -> Result<Json<Value>, Failure> {
    let secret = Secret::new(form?.0.token);
    let asked = match service.accept(&secret).await {
        Ok(asked) => asked,
        Err(Error::Denied(_)) => return Ok(inactive()),
        Err(error) => return Err(error.into()),
    };
    let known = known_to(&bearer, &asked);
    Ok(match known {
        Some(organisations) => Json(active(&asked, &organisations)),
        None => inactive(),
    })
}

/// The organisations that the caller may hear of with the token; `None` if the token is none of its business.
fn known_to<'a>(bearer: &Bearer, asked: &'a Presented) -> Option<Vec<&'a Reach>> {
    let caller = match bearer {
        Bearer::Operator => return Some(asked.admitted().collect()),
        Bearer::Token(caller) => caller,
    };
    if caller.token.id == asked.token.id {
        return Some(asked.admitted().collect());
    }
    let shared: Vec<&Reach> = asked
        .admitted()
        .filter(|reach| caller.may(Right::Introspect, &reach.organisation.slug).is_ok())
        .collect();
    (!shared.is_empty()).then_some(shared)
}

fn inactive() -> Json<Value> {
    Json(json!({ "active": false }))
}

fn active(asked: &Presented, organisations: &[&Reach]) -> Value {
    let token = &asked.token;
    let slugs: Vec<&str> = organisations
        .iter()
        .map(|reach| reach.organisation.slug.as_str())
        .collect();
    let mut told = json!({
        "active": true,
        "scope": token.scopes.to_string(),
        "token_type": "Bearer",
        "iat": token.created_at.seconds(),
        "jti": token.id,
        "sub": token.holder(),
        "kind": token.kind,
        "organisations": slugs,
    });
    if let Some(login) = &token.login {
        told["username"] = json!(login);
    }
    if let Some(end) = token.expires_at {
        told["exp"] = json!(end.seconds());
    }
    told
}

/// Revokes the token of the form. 200 tells nothing about whether there was one, as RFC 7009 asks.
pub(super) async fn revoke(State(service): State<TokenService>, form: Sent) -> Result<StatusCode, Failure> {
    let secret = Secret::new(form?.0.token);
    service.revoke_presented(&secret).await?;
    Ok(StatusCode::OK)
}
