//! GitLab's token revocation API: a self-managed GitLab asks which kinds of token we take, and sends those it found.
//!
//! `type` is the primary identifier of the finding in GitLab's report, `location` is where it is. What is sent is taken
//! as a report of a leak; whether the token is revoked is the policy's to say.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::arrival::{may_be_json, one};
use super::refusal::Refusal;
use super::{Door, Intake, record};
use crate::config::reports::Reports;
use crate::rule::RuleSet;
use crate::secret::Secret;
use crate::store::Delivery;

/// What comes before a rule's name in the identifiers of GitLab's own analyzer, and of our reports.
const IDENTIFIERS: [&str; 2] = ["gitleaks_rule_id", "unleak_rule"];

/// The kinds that GitLab is told: the configured ones; else those of `[reports.types]`, and every rule that knows a way
/// to revoke, as GitLab writes its name.
pub(super) fn types(reports: &Reports, rules: &RuleSet) -> Vec<String> {
    let Some((_, configured)) = &reports.gitlab_revocation else {
        return Vec::new();
    };
    if !configured.is_empty() {
        return configured.clone();
    }
    let mut types: BTreeSet<String> = reports.types.keys().cloned().collect();
    for rule in rules.rules.iter().filter(|rule| rule.revoke().is_some()) {
        let name = rule.id.as_str().replace(['/', '-'], "_");
        types.extend(IDENTIFIERS.iter().map(|start| format!("{start}_{name}")));
    }
    types.into_iter().collect()
}

/// `GET /v1/revocable_token_types`.
pub(super) async fn list(
    State(intake): State<Arc<Intake>>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    proved(&intake, &headers)?;
    Ok(Json(json!({ "types": intake.revocable })))
}

/// `POST /v1/revoke_tokens`.
pub(super) async fn revoke(
    State(intake): State<Arc<Intake>>,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let (parts, body) = request.into_parts();
    proved(&intake, &parts.headers)?;
    may_be_json(&parts.headers)?;
    let body = intake.room().body(&parts.headers, body).await?;
    let batch = record::read(&body, intake.most_records())?;
    let delivery = Delivery::new("revocation/gitlab", &body);
    intake.take(Door::named("GitLab"), delivery, batch).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The token stands in `Authorization` without any scheme; older versions send `X-Gitlab-Token`.
fn proved(intake: &Intake, headers: &HeaderMap) -> Result<(), Refusal> {
    let sent = match one(headers, "authorization")? {
        Some(sent) => Some(sent),
        None => one(headers, "x-gitlab-token")?,
    };
    let sent = sent.map(|sent| Secret::new(sent.as_bytes()));
    let tokens = intake
        .reports
        .gitlab_revocation
        .as_ref()
        .map(|(tokens, _)| tokens.as_slice());
    // Each is compared, so that the time says nothing of which it was.
    let known = tokens
        .unwrap_or_default()
        .iter()
        .fold(false, |known, token| known | (Some(token) == sent.as_ref()));
    if known {
        return Ok(());
    }
    Err(Refusal::Unproved(
        "Authorization does not hold a token of reports.gitlab_revocation",
    ))
}
