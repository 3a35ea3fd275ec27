//! Who belongs to an organisation: members, projects with their administrators, service identities.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use crate::token_service::api::extract::{Asked, At, Sent};
use crate::token_service::api::organisation::{Answer, Org};
use crate::token_service::api::reply::Failure;
use crate::token_service::api::shown::{PageQuery, Shown, Tokens};
use crate::token_service::identity::ServiceIdentity;
use crate::token_service::model::{Member, Role};
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::store::TokenService;

/// Query of [`members`].
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct MembersQuery {
    /// Only those of this role.
    #[param(inline)]
    role: Option<Role>,
}

/// Members by login.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Members {
    members: Vec<Member>,
}

/// Members that can act, all or those of one role
#[utoipa::path(get, path = "/api/v1/organisations/{org}/members", tag = "people", params(Org, MembersQuery),
    responses((status = 200, body = Members)))]
pub(super) async fn members(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Asked(query): Asked<MembersQuery>,
) -> Answer<Members> {
    let organisation = service.authorised(&bearer, Right::ReadMembers, &at.org).await?;
    let mut members = service.members(&organisation, query.role).await?;
    members.retain(|member| member.active);
    Ok(Json(Members { members }))
}

/// A member in the path.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OrgLogin {
    /// The organisation's slug.
    org: String,
    /// The user's login.
    login: String,
}

/// What a member may do.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleBody {
    role: Role,
}

/// Make a user a member, or change the role
#[utoipa::path(put, path = "/api/v1/organisations/{org}/members/{login}", tag = "people", params(OrgLogin),
    request_body = RoleBody, responses((status = 204)))]
pub(super) async fn set_member(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgLogin>,
    Sent(body): Sent<RoleBody>,
) -> Result<StatusCode, Failure> {
    service.authorised(&bearer, Right::WriteMembers, &at.org).await?;
    service
        .set_member(&at.org, &at.login, body.role, &bearer.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End a membership; the user's tokens reach the organisation no more
#[utoipa::path(delete, path = "/api/v1/organisations/{org}/members/{login}", tag = "people", params(OrgLogin),
    responses((status = 204)))]
pub(super) async fn end_membership(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgLogin>,
) -> Result<StatusCode, Failure> {
    service.authorised(&bearer, Right::WriteMembers, &at.org).await?;
    service
        .end_membership(&at.org, &at.login, &bearer.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Something with a name in URLs and one for people.
#[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    /// Lower-case letters, digits and -.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    pub(super) slug: String,
    /// One line.
    #[schema(min_length = 1, max_length = 500)]
    pub(super) name: String,
}

/// Projects by slug.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Projects {
    projects: Vec<Named>,
}

/// The projects of the organisation
#[utoipa::path(get, path = "/api/v1/organisations/{org}/projects", tag = "people", params(Org),
    responses((status = 200, body = Projects)))]
pub(super) async fn projects(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
) -> Answer<Projects> {
    let organisation = service.authorised(&bearer, Right::ReadMembers, &at.org).await?;
    let projects = service.projects(&organisation).await?;
    let named = projects.into_iter().map(|project| Named {
        slug: project.slug,
        name: project.name,
    });
    Ok(Json(Projects {
        projects: named.collect(),
    }))
}

/// Make a project
#[utoipa::path(post, path = "/api/v1/organisations/{org}/projects", tag = "people", params(Org),
    request_body = Named, responses((status = 201, body = Named)))]
pub(super) async fn add_project(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Sent(body): Sent<Named>,
) -> Result<(StatusCode, Json<Named>), Failure> {
    service.authorised(&bearer, Right::WriteMembers, &at.org).await?;
    service
        .add_project(&at.org, &body.slug, &body.name, &bearer.actor())
        .await?;
    Ok((StatusCode::CREATED, Json(body)))
}

/// A project in the path.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OrgProject {
    /// The organisation's slug.
    org: String,
    /// The project's slug.
    project: String,
}

/// The tokens of a project, for its administrators
#[utoipa::path(get, path = "/api/v1/organisations/{org}/projects/{project}/tokens", tag = "tokens",
    params(OrgProject, PageQuery), responses((status = 200, body = Tokens)))]
pub(super) async fn project_tokens(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgProject>,
    Asked(query): Asked<PageQuery>,
) -> Answer<Tokens> {
    let page = query.page()?;
    let (_, project) = service
        .authorised_in(&bearer, Right::ReadTokens, &at.org, &at.project)
        .await?;
    let tokens = service.tokens_in(&project, &page).await?;
    Ok(Json(Tokens::of(tokens, &page, |token| token, Shown::token)))
}

/// An administrator in the path.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OrgProjectLogin {
    /// The organisation's slug.
    org: String,
    /// The project's slug.
    project: String,
    /// The user's login.
    login: String,
}

/// Let a member see, make and stop the tokens of a project
#[utoipa::path(put, path = "/api/v1/organisations/{org}/projects/{project}/administrators/{login}", tag = "people",
    params(OrgProjectLogin), responses((status = 204)))]
pub(super) async fn add_administrator(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgProjectLogin>,
) -> Result<StatusCode, Failure> {
    service.authorised(&bearer, Right::WriteMembers, &at.org).await?;
    service
        .add_administrator(&at.org, &at.project, &at.login, &bearer.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End that
#[utoipa::path(delete, path = "/api/v1/organisations/{org}/projects/{project}/administrators/{login}", tag = "people",
    params(OrgProjectLogin), responses((status = 204)))]
pub(super) async fn end_administrator(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgProjectLogin>,
) -> Result<StatusCode, Failure> {
    service.authorised(&bearer, Right::WriteMembers, &at.org).await?;
    service
        .end_administrator(&at.org, &at.project, &at.login, &bearer.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Service identities by slug.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Identities {
    identities: Vec<ServiceIdentity>,
}

/// The service identities of the organisation
#[utoipa::path(get, path = "/api/v1/organisations/{org}/identities", tag = "people", params(Org),
    responses((status = 200, body = Identities)))]
pub(super) async fn identities(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
) -> Answer<Identities> {
    let organisation = service.authorised(&bearer, Right::ReadMembers, &at.org).await?;
    Ok(Json(Identities {
        identities: service.identities(&organisation).await?,
    }))
}

/// A new service identity.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewIdentity {
    /// Its name in the audit log: lower-case letters, digits and -.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    slug: String,
    /// One line for people.
    #[schema(min_length = 1, max_length = 500)]
    name: String,
    /// The project that it belongs to; without one it belongs to the whole organisation.
    project: Option<String>,
}

/// A service identity in the path.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct OrgIdentity {
    /// The organisation's slug.
    org: String,
    /// The slug of the service identity.
    identity: String,
}

/// Stop all tokens of a service identity at once
#[utoipa::path(post, path = "/api/v1/organisations/{org}/identities/{identity}/deactivate", tag = "people",
    params(OrgIdentity), responses((status = 204)))]
pub(super) async fn deactivate_identity(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgIdentity>,
) -> Result<StatusCode, Failure> {
    turn_identity(&service, &bearer, &at, false).await
}

/// Let the tokens of a service identity work again that were not revoked
#[utoipa::path(post, path = "/api/v1/organisations/{org}/identities/{identity}/activate", tag = "people",
    params(OrgIdentity), responses((status = 204)))]
pub(super) async fn activate_identity(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<OrgIdentity>,
) -> Result<StatusCode, Failure> {
    turn_identity(&service, &bearer, &at, true).await
}

async fn turn_identity(
    service: &TokenService,
    bearer: &Bearer,
    at: &OrgIdentity,
    active: bool,
) -> Result<StatusCode, Failure> {
    service.authorised(bearer, Right::WriteMembers, &at.org).await?;
    service
        .set_identity_active(&at.org, &at.identity, active, &bearer.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Make a service identity
#[utoipa::path(post, path = "/api/v1/organisations/{org}/identities", tag = "people", params(Org),
    request_body = NewIdentity, responses((status = 204)))]
pub(super) async fn add_identity(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Sent(body): Sent<NewIdentity>,
) -> Result<StatusCode, Failure> {
    service.authorised(&bearer, Right::WriteMembers, &at.org).await?;
    let project = body.project.as_deref();
    service
        .add_identity(&at.org, project, &body.slug, &body.name, &bearer.actor())
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
