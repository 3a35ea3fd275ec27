//! Failures of the token service as HTTP answers (RFC 6750, RFC 6749 section 5.2).

use axum::Json;
use axum::extract::rejection::{FormRejection, JsonRejection, QueryRejection};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::token_service::error::Error;

/// A failure on its way out.
#[derive(Debug)]
pub enum Failure {
    /// The request carried no bearer credential.
    NoCredential,
    /// The request could not be read.
    Unreadable(StatusCode, &'static str),
    /// The token service said no.
    Service(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

/// What was sent is not repeated in the answer: it may hold a token.
impl From<FormRejection> for Failure {
    fn from(rejection: FormRejection) -> Self {
        Self::Unreadable(
            rejection.status(),
            "send application/x-www-form-urlencoded with one field token",
        )
    }
}

impl From<JsonRejection> for Failure {
    fn from(rejection: JsonRejection) -> Self {
        Self::Unreadable(
            rejection.status(),
            "send application/json with exactly the fields this request takes",
        )
    }
}

impl From<QueryRejection> for Failure {
    fn from(rejection: QueryRejection) -> Self {
        Self::Unreadable(
            rejection.status(),
            "a query parameter has no value that is known here",
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = match self {
            Self::NoCredential => {
                let told = "send a token as Authorization: Bearer";
                return with_challenge(
                    answer(StatusCode::UNAUTHORIZED, "invalid_request", told),
                    "Bearer realm=\"unleak\"".into(),
                );
            }
            Self::Unreadable(status, told) => return answer(status, "invalid_request", told),
            Self::Service(error) => error,
        };
        let told = error.to_string();
        match error {
            Error::Denied(_) => with_challenge(
                answer(StatusCode::UNAUTHORIZED, "invalid_token", &told),
                format!("Bearer error=\"invalid_token\", error_description=\"{told}\""),
            ),
            Error::MissingScope(scope) => with_challenge(
                answer(StatusCode::FORBIDDEN, "insufficient_scope", &told),
                format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\""),
            ),
            Error::Forbidden(_) => answer(StatusCode::FORBIDDEN, "forbidden", &told),
            Error::NotFound(_) => answer(StatusCode::NOT_FOUND, "not_found", &told),
            Error::Invalid(_) => answer(StatusCode::BAD_REQUEST, "invalid_request", &told),
            Error::Store(_) | Error::Random(_) => {
                tracing::error!(error = told, "a request could not be answered");
                let told =
                    "the token store does not answer; nothing is known about any token, ask again later";
                let mut response = answer(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", told);
                response
                    .headers_mut()
                    .insert(RETRY_AFTER, HeaderValue::from_static("5"));
                response
            }
        }
    }
}

fn answer(status: StatusCode, error: &str, told: &str) -> Response {
    (status, Json(json!({ "error": error, "error_description": told }))).into_response()
}

fn with_challenge(mut response: Response, challenge: String) -> Response {
    if let Ok(value) = HeaderValue::try_from(challenge) {
        response.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    response
}
