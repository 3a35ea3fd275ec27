//! What an organisation's owners and admins do: see members and tokens, stop tokens, set the policy.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde_json::{Value, json};

use crate::token_service::api::reply::Failure;
use crate::token_service::model::{Role, Time};
use crate::token_service::policy::OrganisationPolicy;
use crate::token_service::presented::Visitor;
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::stop::Stopped;
use crate::token_service::store::TokenService;

type Answer<T> = Result<Json<T>, Failure>;

/// Query of [`members`].
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MembersQuery {
    role: Option<Role>,
}

/// Members that can act, all or those of one role.
pub(super) async fn members(
    State(service): State<TokenService>,
    bearer: Bearer,
    Path(org): Path<String>,
    query: Result<Query<MembersQuery>, QueryRejection>,
) -> Answer<Value> {
    let role = query?.0.role;
    let organisation = service.authorised(&bearer, Right::ReadMembers, &org).await?;
    let mut members = service.members(&organisation, role).await?;
    members.retain(|member| member.active);
    Ok(Json(json!({ "members": members })))
}

/// Every token that can reach the organisation.
pub(super) async fn tokens(
    State(service): State<TokenService>,
    bearer: Bearer,
    Path(org): Path<String>,
) -> Answer<Value> {
    let organisation = service.authorised(&bearer, Right::ReadTokens, &org).await?;
    let visitors = service.visitors(&organisation).await?;
    let now = Time::now();
    let tokens: Vec<Value> = visitors.iter().map(|visitor| shown(visitor, now)).collect();
    Ok(Json(json!({ "tokens": tokens })))
}

fn shown(visitor: &Visitor, now: Time) -> Value {
    let token = &visitor.token;
    let (state, reason) = visitor.state(now);
    let owner = token
        .login
        .as_ref()
        .map(|login| json!({ "login": login, "name": token.user_name, "email": token.email }));
    json!({
        "id": token.id,
        "kind": token.kind,
        "owner": owner,
        "project": token.project,
        "description": token.description,
        "last_four": token.last_four,
        "scopes": token.scopes,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
        "state": state,
        "reason": reason,
    })
}

/// Body of [`revoke`] and [`block`].
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CauseBody {
    cause: String,
}

type Cause = Result<Json<CauseBody>, JsonRejection>;

/// Stops a token as far as the bearer may: everywhere, or for the organisation.
pub(super) async fn revoke(
    State(service): State<TokenService>,
    bearer: Bearer,
    Path((org, id)): Path<(String, String)>,
    body: Cause,
) -> Answer<Stopped> {
    let cause = body?.0.cause;
    Ok(Json(service.stop_for(&bearer, &org, &id, &cause).await?))
}

/// Blocks a token for the organisation.
pub(super) async fn block(
    State(service): State<TokenService>,
    bearer: Bearer,
    Path((org, id)): Path<(String, String)>,
    body: Cause,
) -> Answer<Stopped> {
    let cause = body?.0.cause;
    Ok(Json(service.block_for(&bearer, &org, &id, &cause).await?))
}

/// The organisation's policy.
pub(super) async fn policy(
    State(service): State<TokenService>,
    bearer: Bearer,
    Path(org): Path<String>,
) -> Answer<OrganisationPolicy> {
    Ok(Json(
        service.authorised(&bearer, Right::ReadPolicy, &org).await?.policy,
    ))
}

/// Replaces the organisation's policy.
pub(super) async fn set_policy(
    State(service): State<TokenService>,
    bearer: Bearer,
    Path(org): Path<String>,
    body: Result<Json<OrganisationPolicy>, JsonRejection>,
) -> Answer<OrganisationPolicy> {
    let policy = body?.0;
    let organisation = service.authorised(&bearer, Right::WritePolicy, &org).await?;
    service
        .set_policy(&organisation.slug, &policy, &bearer.actor())
        .await?;
    Ok(Json(policy))
}
