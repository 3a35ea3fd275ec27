//! `GET /api/v1/check`: may this token do this? For an API to ask about each of its requests.

use axum::Json;
use axum::extract::State;
use axum::http::request::Parts;

use crate::token_service::api::bearer::presented;
use crate::token_service::api::extract::Asked;
use crate::token_service::api::reply::Failure;
use crate::token_service::check::Use;
use crate::token_service::format::TokenKind;
use crate::token_service::store::TokenService;

/// What is asked.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CheckQuery {
    /// The scope that the request needs.
    #[param(example = "events:write", min_length = 1, max_length = 64)]
    scope: String,
    /// The organisation that it acts in, by slug.
    #[param(example = "acme", min_length = 1, max_length = 63)]
    organisation: String,
    /// The project that it acts on, by slug.
    #[param(min_length = 1, max_length = 63)]
    project: Option<String>,
}

/// What is answered where it may.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Allowed {
    /// Always true.
    allowed: bool,
    /// The token's id.
    id: String,
    /// Its kind.
    kind: TokenKind,
    /// Who holds it, for a log.
    holder: String,
}

/// Whether the bearer's token may use a scope in an organisation
///
/// 200 if it may; 401 if the token is not accepted at all, 403 if it lacks the scope or the organisation turns it away,
/// 404 if it does not belong there. Nothing is cached: a revocation counts for the next request. Not rate limited.
#[utoipa::path(get, path = "/api/v1/check", tag = "check", params(CheckQuery), responses((status = 200, body = Allowed)))]
pub(super) async fn check(
    State(service): State<TokenService>,
    parts: Parts,
    Asked(asked): Asked<CheckQuery>,
) -> Result<Json<Allowed>, Failure> {
    let secret = presented(&parts)?;
    let used = Use {
        scope: &asked.scope,
        organisation: &asked.organisation,
        project: asked.project.as_deref(),
    };
    let token = service.check(&secret, &used).await?;
    Ok(Json(Allowed {
        allowed: true,
        holder: token.holder(),
        id: token.id,
        kind: token.kind,
    }))
}
