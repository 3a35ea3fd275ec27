//! What whoever runs the server does with the operator key: organisations and users. Owners may delete their own
//! organisation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::token_service::api::extract::{At, Sent};
use crate::token_service::api::organisation::{Answer, CauseBody, Org};
use crate::token_service::api::people::Named;
use crate::token_service::api::reply::Failure;
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::store::TokenService;

/// An organisation.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct OrganisationShown {
    slug: String,
    name: String,
    /// Whether it was deleted.
    deleted: bool,
}

/// Organisations by slug.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Organisations {
    organisations: Vec<OrganisationShown>,
}

/// The organisations that the bearer's token belongs in; all of them, with the operator key
#[utoipa::path(get, path = "/api/v1/organisations", tag = "people", responses((status = 200, body = Organisations)))]
pub(super) async fn organisations(
    State(service): State<TokenService>,
    bearer: Bearer,
) -> Answer<Organisations> {
    let found = match bearer.presented() {
        None => service.organisations().await?,
        Some(presented) => presented
            .reach
            .iter()
            .map(|reach| reach.organisation.clone())
            .collect(),
    };
    let shown = found.into_iter().map(|organisation| OrganisationShown {
        slug: organisation.slug,
        name: organisation.name,
        deleted: organisation.ended_at.is_some(),
    });
    Ok(Json(Organisations {
        organisations: shown.collect(),
    }))
}

/// Make an organisation
#[utoipa::path(post, path = "/api/v1/organisations", tag = "operator", request_body = Named,
    responses((status = 201, body = Named)))]
pub(super) async fn add_organisation(
    State(service): State<TokenService>,
    bearer: Bearer,
    Sent(body): Sent<Named>,
) -> Result<(StatusCode, Json<Named>), Failure> {
    service
        .only_operator(&bearer, "organisation.create", &body.slug)
        .await?;
    service
        .add_organisation(&body.slug, &body.name, &bearer.actor())
        .await?;
    Ok((StatusCode::CREATED, Json(body)))
}

/// What became of an organisation.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Turned {
    /// Whether it was so before, and nothing was changed.
    already: bool,
}

/// Delete an organisation: its tokens stop, and no other reaches it; everything is kept
#[utoipa::path(post, path = "/api/v1/organisations/{org}/delete", tag = "people", params(Org), request_body = CauseBody,
    responses((status = 200, body = Turned)))]
pub(super) async fn end_organisation(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Sent(body): Sent<CauseBody>,
) -> Answer<Turned> {
    service
        .authorised(&bearer, Right::EndOrganisation, &at.org)
        .await?;
    let done = service
        .end_organisation(&at.org, &body.cause, &bearer.actor())
        .await?;
    Ok(Json(Turned { already: !done }))
}

/// Take that back
#[utoipa::path(post, path = "/api/v1/organisations/{org}/restore", tag = "operator", params(Org),
    responses((status = 200, body = Turned)))]
pub(super) async fn restore_organisation(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
) -> Answer<Turned> {
    service
        .only_operator(&bearer, "organisation.restore", &at.org)
        .await?;
    let done = service.restore_organisation(&at.org, &bearer.actor()).await?;
    Ok(Json(Turned { already: !done }))
}

/// A user.
#[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserBody {
    /// Lower-case letters, digits and - . _
    #[schema(pattern = "^[a-z0-9][a-z0-9._-]{0,62}$")]
    login: String,
    /// Address for mail.
    #[schema(example = "ann@acme.example")]
    email: String,
    /// Name for people.
    #[schema(min_length = 1, max_length = 500)]
    name: String,
}

/// Make a user
#[utoipa::path(post, path = "/api/v1/users", tag = "operator", request_body = UserBody,
    responses((status = 201, body = UserBody)))]
pub(super) async fn add_user(
    State(service): State<TokenService>,
    bearer: Bearer,
    Sent(body): Sent<UserBody>,
) -> Result<(StatusCode, Json<UserBody>), Failure> {
    service.only_operator(&bearer, "user.create", &body.login).await?;
    service
        .add_user(&body.login, &body.email, &body.name, &bearer.actor())
        .await?;
    Ok((StatusCode::CREATED, Json(body)))
}

/// A user in the path.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Login {
    /// The user's login.
    login: String,
}

/// Stop all tokens of a user at once
#[utoipa::path(post, path = "/api/v1/users/{login}/deactivate", tag = "operator", params(Login),
    responses((status = 204)))]
pub(super) async fn deactivate(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Login>,
) -> Result<StatusCode, Failure> {
    service
        .only_operator(&bearer, "user.deactivate", &at.login)
        .await?;
    service.set_user_active(&at.login, false, &bearer.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let the tokens of a user work again that were not revoked
#[utoipa::path(post, path = "/api/v1/users/{login}/activate", tag = "operator", params(Login),
    responses((status = 204)))]
pub(super) async fn activate(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Login>,
) -> Result<StatusCode, Failure> {
    service.only_operator(&bearer, "user.activate", &at.login).await?;
    service.set_user_active(&at.login, true, &bearer.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}
