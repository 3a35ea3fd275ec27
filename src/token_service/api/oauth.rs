//! RFC 7662 introspection and RFC 7009 revocation.
//!
//! A stranger must never learn from introspection whether a token exists; revocation needs no caller but the token.

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::secret::Secret;
use crate::token_service::api::reply::{Failure, OauthFailure};
use crate::token_service::error::Error;
use crate::token_service::presented::{Presented, Reach};
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::store::TokenService;

/// The form of both requests; a hint or any other field is not needed to find a token and is passed over.
#[derive(serde::Deserialize, utoipa::ToSchema)]
pub(super) struct TokenForm {
    /// The token.
    token: String,
}

type Sent = Result<Form<TokenForm>, FormRejection>;

/// Whether a token is alive, for those who may know (RFC 7662)
///
/// A stranger is told `{"active": false}` and nothing else.
#[utoipa::path(post, path = "/oauth/introspect", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, body = Value)))]
pub(super) async fn introspect(
    State(service): State<TokenService>,
    bearer: Result<Bearer, Failure>,
    form: Sent,
) -> Result<Json<Value>, OauthFailure> {
    let bearer = bearer?;
    let secret = Secret::new(form?.0.token);
    let asked = match service.accept(&secret).await {
        Ok(asked) => asked,
        Err(Error::Denied(_)) => return Ok(inactive()),
        Err(error) => return Err(error.into()),
    };
    let known = known_to(&bearer, &asked);
    let Some(organisations) = known else {
        return Ok(inactive());
    };
    if let Some(caller) = bearer
        .presented()
        .filter(|caller| caller.token.id != asked.token.id)
    {
        // an organisation that asks about a token has just seen it in use
        for reach in &organisations {
            service.note_scope(&asked, "", &reach.organisation, "");
            service.note_scope(caller, Right::Introspect.scope(), &reach.organisation, "");
        }
    }
    Ok(Json(active(&asked, &organisations)))
}

/// The organisations that the caller may hear of with the token; `None` if the token is none of its business.
fn known_to<'a>(bearer: &Bearer, asked: &'a Presented) -> Option<Vec<&'a Reach>> {
    let caller = match bearer {
        Bearer::Operator(_) => return Some(asked.admitted().collect()),
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

/// Revoke the token of the form (RFC 7009)
///
/// Having it is right enough. 200 tells nothing about whether there was one.
#[utoipa::path(post, path = "/oauth/revoke", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "it does not work, now at the latest")))]
pub(super) async fn revoke(
    State(service): State<TokenService>,
    form: Sent,
) -> Result<StatusCode, OauthFailure> {
    let secret = Secret::new(form?.0.token);
    service.revoke_presented(&secret).await?;
    Ok(StatusCode::OK)
}
