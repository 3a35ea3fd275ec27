//! `POST /reports/{origin}`: GitHub's secret scanning partner program, and those who speak the same protocol.
//!
//! <https://docs.github.com/en/code-security/secret-scanning/secret-scanning-partnership-program/secret-scanning-partner-program>:
//! a JSON array of tokens, signed over the raw body with a P-256 key that the reporter publishes.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::arrival::{may_be_json, one};
use super::refusal::Refusal;
use super::{Door, Intake, record};
use crate::config::reports::SignatureHeaders;
use crate::store::Delivery;
use crate::token_service::api::problem;

/// Takes a report.
pub(super) async fn post(
    State(intake): State<Arc<Intake>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let Some((origin, keys)) = intake.origins.iter().find(|(origin, _)| origin.name == name) else {
        let told = "no reporter of this name is configured here (reports.origins)";
        return problem(StatusCode::NOT_FOUND, "not-found", "Not found", told);
    };
    let taken = async {
        let (parts, body) = request.into_parts();
        may_be_json(&parts.headers)?;
        let (id, signature) = signed(&parts.headers, &origin.headers)?;
        // Before the body is read: whoever makes up a key's id costs us nothing more.
        let key = keys.get(&id).await?;
        let body = intake.room().body(&parts.headers, body).await?;
        if !key.signed(&body, &signature) {
            return Err(Refusal::Unproved(
                "the signature was not made over this body with this key",
            ));
        }
        let batch = record::read(&body, intake.most_records())?;
        let delivery = Delivery::new(&origin.name, &body);
        intake.take(Door::named(&origin.name), delivery, batch).await
    };
    match taken.await {
        Ok(heard) => Json(heard.feedback()).into_response(),
        Err(refusal) => {
            tracing::warn!(origin = origin.name, %refusal, "a report was not taken");
            refusal.into_response()
        }
    }
}

/// The key's id and the signature, out of the one pair of headers that is there.
fn signed(headers: &HeaderMap, pairs: &[SignatureHeaders]) -> Result<(String, String), Refusal> {
    let mut found = None;
    for pair in pairs {
        match (one(headers, &pair.key)?, one(headers, &pair.signature)?) {
            (None, None) => {}
            (Some(_), Some(_)) if found.is_some() => {
                return Err(Refusal::Unreadable(
                    "two pairs of signature headers came; send one",
                ));
            }
            (Some(id), Some(signature)) => found = Some((id.to_owned(), signature.to_owned())),
            _ => return Err(Refusal::Unproved("one of the two signature headers is missing")),
        }
    }
    found.ok_or(Refusal::Unproved(
        "the headers with the key's id and the signature are missing",
    ))
}
