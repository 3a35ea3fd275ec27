//! An organisation's policy, what it would stop, the review of its tokens and its audit log.

use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use crate::token_service::api::extract::{Asked, At, Sent};
use crate::token_service::api::organisation::{Answer, Org};
use crate::token_service::api::reply::Failure;
use crate::token_service::api::shown::Free;
use crate::token_service::audit::AuditLine;
use crate::token_service::error::Error;
use crate::token_service::impact::IMPACT_DAYS;
use crate::token_service::model::Time;
use crate::token_service::policy::OrganisationPolicy;
use crate::token_service::review::{self, UNUSED_DAYS};
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::store::TokenService;

/// Longest span that is looked back, in days.
const LONGEST: i64 = 36_500;

fn days(asked: Option<i64>, otherwise: i64, least: i64) -> Result<i64, Error> {
    match asked.unwrap_or(otherwise) {
        days if (least..=LONGEST).contains(&days) => Ok(days),
        _ => Err(Error::invalid(format!(
            "a number of days is from {least} to {LONGEST}"
        ))),
    }
}

/// The organisation's policy
#[utoipa::path(get, path = "/api/v1/organisations/{org}/policy", tag = "policy", params(Org),
    responses((status = 200, body = OrganisationPolicy)))]
pub(super) async fn policy(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
) -> Answer<OrganisationPolicy> {
    let organisation = service.authorised(&bearer, Right::ReadPolicy, &at.org).await?;
    Ok(Json(organisation.policy))
}

/// Replace the organisation's policy
#[utoipa::path(put, path = "/api/v1/organisations/{org}/policy", tag = "policy", params(Org),
    request_body = OrganisationPolicy, responses((status = 200, body = OrganisationPolicy)))]
pub(super) async fn set_policy(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Sent(policy): Sent<OrganisationPolicy>,
) -> Answer<OrganisationPolicy> {
    let organisation = service.authorised(&bearer, Right::WritePolicy, &at.org).await?;
    service
        .set_policy(&organisation.slug, &policy, &bearer.actor())
        .await?;
    Ok(Json(policy))
}

/// How far back use counts.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ImpactQuery {
    /// Days; 90 if left out.
    #[param(minimum = 1, maximum = 36500)]
    days: Option<i64>,
}

/// Which tokens a policy would stop, without switching it on
///
/// `stops` are those that used this organisation lately, `idle` the others.
#[utoipa::path(post, path = "/api/v1/organisations/{org}/policy/impact", tag = "policy", params(Org, ImpactQuery),
    request_body = OrganisationPolicy, responses((status = 200, body = Free)))]
pub(super) async fn impact(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Asked(query): Asked<ImpactQuery>,
    Sent(policy): Sent<OrganisationPolicy>,
) -> Answer<Free> {
    let days = days(query.days, IMPACT_DAYS, 1)?;
    let organisation = service.authorised(&bearer, Right::ReadPolicy, &at.org).await?;
    service.authorised(&bearer, Right::ReadTokens, &at.org).await?;
    Ok(Json(service.impact(&organisation, &policy, days).await?.json()))
}

/// How a review is written.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum ReviewFormat {
    Json,
    Html,
    Text,
}

/// What is reviewed.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ReviewQuery {
    /// Days after which an unused token is listed; 90 if left out.
    #[param(minimum = 0, maximum = 36500)]
    unused_days: Option<i64>,
    /// json if left out.
    #[param(inline)]
    format: Option<ReviewFormat>,
}

/// Tokens of the organisation that should be smaller or gone, with what would do
#[utoipa::path(get, path = "/api/v1/organisations/{org}/review", tag = "policy", params(Org, ReviewQuery),
    responses((status = 200, description = "the review", content(
        (Free = "application/json"), (String = "text/html"), (String = "text/plain")))))]
pub(super) async fn review(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Asked(query): Asked<ReviewQuery>,
) -> Result<Response, Failure> {
    let days = days(query.unused_days, UNUSED_DAYS, 0)?;
    service.authorised(&bearer, Right::ReadTokens, &at.org).await?;
    let advice = service.review(Some(&at.org), days).await?;
    Ok(match query.format {
        None | Some(ReviewFormat::Json) => Json(review::json(&advice)).into_response(),
        Some(ReviewFormat::Text) => review::text(&advice).into_response(),
        Some(ReviewFormat::Html) => (
            [
                (CONTENT_TYPE, "text/html; charset=utf-8"),
                (
                    CONTENT_SECURITY_POLICY,
                    "default-src 'none'; style-src 'unsafe-inline'",
                ),
            ],
            review::html(&advice, Time::now()),
        )
            .into_response(),
    })
}

/// Which part of the log.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// Lines behind this number; from the beginning if left out.
    #[param(minimum = 0)]
    after: Option<i64>,
    /// At most so many; 1000 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

/// A part of the audit log, oldest line first.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct AuditPage {
    lines: Vec<AuditLine>,
    /// `after` of the next page; null on the last one.
    next: Option<i64>,
}

async fn page(
    service: &TokenService,
    organisation: Option<&str>,
    query: &AuditQuery,
) -> Result<AuditPage, Error> {
    let (after, most) = (query.after.unwrap_or(0), query.limit.unwrap_or(1000));
    if after < 0 || !(1..=1000).contains(&most) {
        return Err(Error::invalid("after is at least 0, and limit from 1 to 1000"));
    }
    let lines = service.audit_lines(organisation, after, most).await?;
    let full = i64::try_from(lines.len()).is_ok_and(|length| length >= most);
    let next = lines.last().filter(|_| full).map(|line| line.number);
    Ok(AuditPage { lines, next })
}

/// What was done in the organisation, and what was refused
#[utoipa::path(get, path = "/api/v1/organisations/{org}/audit", tag = "audit", params(Org, AuditQuery),
    responses((status = 200, body = AuditPage)))]
pub(super) async fn audit(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Org>,
    Asked(query): Asked<AuditQuery>,
) -> Answer<AuditPage> {
    service.authorised(&bearer, Right::ReadAudit, &at.org).await?;
    Ok(Json(page(&service, Some(&at.org), &query).await?))
}

/// The whole audit log, for whoever runs the server
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = AuditPage)))]
pub(super) async fn whole_audit(
    State(service): State<TokenService>,
    bearer: Bearer,
    Asked(query): Asked<AuditQuery>,
) -> Answer<AuditPage> {
    service
        .only_operator(&bearer, "audit.read", "the whole log")
        .await?;
    Ok(Json(page(&service, None, &query).await?))
}
