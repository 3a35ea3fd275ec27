//! What an organisation's owners and admins do with tokens: see them, stop them, ask their owners.

use axum::Json;
use axum::extract::State;

use crate::token_service::api::extract::{Asked, At, Sent};
use crate::token_service::api::reply::Failure;
use crate::token_service::api::shown::{PageQuery, Shown, Tokens};
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::stop::Stopped;
use crate::token_service::store::TokenService;

pub(super) type Answer<T> = Result<Json<T>, Failure>;

/// An organisation in the path.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Org {
    /// The organisation's slug.
    pub(super) org: String,
}

/// A token of an organisation in the path.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OrgToken {
    /// The organisation's slug.
    org: String,
    /// The token's id.
    id: String,
}

/// Every token that can reach the organisation, ended ones included
#[utoipa::path(get, path = "/api/v1/organisations/{org}/tokens", tag = "tokens", params(Org, PageQuery),
    responses((status = 200, body = Tokens)))]
pub(super) async fn tokens(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Asked(query): Asked<PageQuery>,
) -> Answer<Tokens> {
    let page = query.page()?;
    let organisation = service.authorised(&bearer, Right::ReadTokens, &at.org).await?;
    let visitors = service.visitors(&organisation, &page).await?;
    Ok(Json(Tokens::of(
        visitors,
        &page,
        |visitor| &visitor.token,
        Shown::visitor,
    )))
}

/// Why something is done; it is kept.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CauseBody {
    /// One line of at most 500 characters.
    #[schema(min_length = 1, max_length = 500, example = "found in a public repository")]
    pub(super) cause: String,
}

/// Stop a token as far as the bearer may: everywhere, or for the organisation
#[utoipa::path(post, path = "/api/v1/organisations/{org}/tokens/{id}/revoke", tag = "tokens", params(OrgToken),
    request_body = CauseBody, responses((status = 200, body = Stopped)))]
pub(super) async fn revoke(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgToken>,
    Sent(body): Sent<CauseBody>,
) -> Answer<Stopped> {
    Ok(Json(
        service.stop_for(&bearer, &at.org, &at.id, &body.cause).await?,
    ))
}

/// Block a token for the organisation; it lives on for others
#[utoipa::path(post, path = "/api/v1/organisations/{org}/tokens/{id}/block", tag = "tokens", params(OrgToken),
    request_body = CauseBody, responses((status = 200, body = Stopped)))]
pub(super) async fn block(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgToken>,
    Sent(body): Sent<CauseBody>,
) -> Answer<Stopped> {
    Ok(Json(
        service.block_for(&bearer, &at.org, &at.id, &body.cause).await?,
    ))
}

/// Let a token in again that was blocked
#[utoipa::path(post, path = "/api/v1/organisations/{org}/tokens/{id}/unblock", tag = "tokens", params(OrgToken),
    request_body = CauseBody, responses((status = 200, body = Stopped)))]
pub(super) async fn unblock(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgToken>,
    Sent(body): Sent<CauseBody>,
) -> Answer<Stopped> {
    Ok(Json(
        service.unblock_for(&bearer, &at.org, &at.id, &body.cause).await?,
    ))
}

/// Ask the owner of a user token to stop it
#[utoipa::path(post, path = "/api/v1/organisations/{org}/tokens/{id}/ask", tag = "tokens", params(OrgToken),
    request_body = CauseBody, responses((status = 200, body = Stopped)))]
pub(super) async fn ask(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgToken>,
    Sent(body): Sent<CauseBody>,
) -> Answer<Stopped> {
    Ok(Json(
        service.ask_for(&bearer, &at.org, &at.id, &body.cause).await?,
    ))
}
