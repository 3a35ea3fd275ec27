//! The token service over HTTP: introspection, revocation, and what an organisation's owners do with tokens.
//!
//! Every answer is JSON. A token comes in by header or form, never by URL, and never goes out again.

mod bearer;
mod oauth;
mod organisation;
mod reply;
mod token;

use axum::Router;
use axum::routing::{get, post};

pub use reply::Failure;

use crate::token_service::store::TokenService;

/// The routes of the token service.
pub fn router(service: TokenService) -> Router {
    Router::new()
        .route("/api/v1/token", get(token::show))
        .route("/api/v1/organisations/{org}/members", get(organisation::members))
        .route("/api/v1/organisations/{org}/tokens", get(organisation::tokens))
        .route(
            "/api/v1/organisations/{org}/tokens/{id}/revoke",
            post(organisation::revoke),
        )
        .route(
            "/api/v1/organisations/{org}/tokens/{id}/block",
            post(organisation::block),
        )
        .route(
            "/api/v1/organisations/{org}/policy",
            get(organisation::policy).put(organisation::set_policy),
        )
        .route("/oauth/introspect", post(oauth::introspect))
        .route("/oauth/revoke", post(oauth::revoke))
        .with_state(service)
}
