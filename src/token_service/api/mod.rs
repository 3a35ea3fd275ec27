//! The token service over HTTP: introspection, revocation, the check of a scope, and management under `/api/v1`.
//!
//! Every answer is JSON. A token comes in by header or form, never by URL, and goes out once, when it was made.

mod bearer;
mod check;
mod docs;
mod extract;
mod limit;
mod oauth;
mod operate;
mod organisation;
mod people;
mod policy;
mod reply;
mod shown;
mod token;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use limit::Limiter;
pub use reply::{Failure, OauthFailure, problem};

use crate::token_service::settings::Limits;
use crate::token_service::store::TokenService;

/// The routes of the token service, with `/openapi.json`.
pub fn router(service: TokenService, limits: &Limits) -> Router {
    let (router, document) = OpenApiRouter::with_openapi(docs::document())
        .routes(routes!(token::show))
        .routes(routes!(check::check))
        .routes(routes!(tokens::create, tokens::own))
        .routes(routes!(tokens::revoke))
        .routes(routes!(operate::organisations, operate::add_organisation))
        .routes(routes!(operate::end_organisation))
        .routes(routes!(operate::restore_organisation))
        .routes(routes!(operate::add_user))
        .routes(routes!(operate::deactivate))
        .routes(routes!(operate::activate))
        .routes(routes!(people::members))
        .routes(routes!(people::set_member, people::end_membership))
        .routes(routes!(people::projects, people::add_project))
        .routes(routes!(people::project_tokens))
        .routes(routes!(people::add_administrator, people::end_administrator))
        .routes(routes!(people::identities, people::add_identity))
        .routes(routes!(people::deactivate_identity))
        .routes(routes!(people::activate_identity))
        .routes(routes!(organisation::tokens))
        .routes(routes!(organisation::revoke))
        .routes(routes!(organisation::block))
        .routes(routes!(organisation::unblock))
        .routes(routes!(organisation::ask))
        .routes(routes!(policy::policy, policy::set_policy))
        .routes(routes!(policy::impact))
        .routes(routes!(policy::review))
        .routes(routes!(policy::audit))
        .routes(routes!(policy::whole_audit))
        .routes(routes!(oauth::introspect))
        .routes(routes!(oauth::revoke))
        .split_for_parts();
    let document: Arc<str> = docs::finished(document).into();
    router
        .with_state(service)
        .layer(from_fn_with_state(limit::Limiter::new(limits), limit::limited))
        .route(
            "/openapi.json",
            get(|| async move { ([(CONTENT_TYPE, "application/json")], document.to_string()) }),
        )
}
