//! Failures of the token service as HTTP answers: problem+json (RFC 9457), and in the words of OAuth (RFC 6750, RFC
//! 6749 section 5.2) where a client of those standards reads them.

use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::token_service::error::Error;

/// A failure on its way out, as problem+json.
#[derive(Debug)]
pub enum Failure {
    /// The request carried no bearer credential.
    NoCredential,
    /// The request could not be read.
    Unreadable(StatusCode, &'static str),
    /// The caller asks too often; seconds until it may ask again.
    TooMany(u64),
    /// The token service said no.
    Service(Error),
}

/// The same in the words of OAuth.
#[derive(Debug)]
pub struct OauthFailure(pub Failure);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Service(error)
    }
}

impl<T: Into<Failure>> From<T> for OauthFailure {
    fn from(failure: T) -> Self {
        Self(failure.into())
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

/// A failure as it is told: RFC 9457.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Problem<'a> {
    /// `urn:unleak:problem:` and the kind of failure, which never changes.
    #[serde(rename = "type")]
    kind: String,
    /// The kind of failure for people.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened, with the next step.
    detail: &'a str,
}

/// A problem+json answer.
pub fn problem(status: StatusCode, kind: &str, title: &'static str, detail: &str) -> Response {
    let problem = Problem {
        kind: format!("urn:unleak:problem:{kind}"),
        title,
        status: status.as_u16(),
        detail,
    };
    let mut response = (status, Json(problem)).into_response();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

/// What is told, before it is written either way.
struct Told {
    status: StatusCode,
    /// The kind for OAuth; for a problem its underscores are hyphens.
    kind: &'static str,
    title: &'static str,
    detail: String,
    challenge: Option<String>,
    retry_after: Option<u64>,
}

impl Told {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            title,
            detail: detail.into(),
            challenge: None,
            retry_after: None,
        }
    }

    fn challenged(self, challenge: String) -> Self {
        Self {
            challenge: Some(challenge),
            ..self
        }
    }

    fn after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    fn headed(self, mut response: Response) -> Response {
        let headers = response.headers_mut();
        if let Some(value) = self
            .challenge
            .and_then(|challenge| HeaderValue::try_from(challenge).ok())
        {
            headers.insert(WWW_AUTHENTICATE, value);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NoCredential => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_request",
                "No credential",
                "send a token as Authorization: Bearer",
            )
            .challenged("Bearer realm=\"unleak\"".into()),
            Failure::Unreadable(status, told) => {
                Self::new(status, "invalid_request", "The request cannot be read", told)
            }
            Failure::TooMany(seconds) => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                "Too many requests",
                format!("ask again in {seconds} seconds"),
            )
            .after(seconds),
            Failure::Service(error) => Self::of(&error),
        }
    }
}

impl Told {
    fn of(error: &Error) -> Self {
        let told = error.to_string();
        match error {
            Error::Denied(_) => Self::new(
                StatusCode::UNAUTHORIZED,
                "invalid_token",
                "The token is not accepted",
                told.clone(),
            )
            .challenged(format!(
                "Bearer error=\"invalid_token\", error_description=\"{told}\""
            )),
            Error::MissingScope(scope) => Self::new(
                StatusCode::FORBIDDEN,
                "insufficient_scope",
                "A scope is missing",
                told,
            )
            .challenged(format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")),
            Error::Forbidden(_) => Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed", told),
            Error::NotFound(_) => Self::new(StatusCode::NOT_FOUND, "not_found", "Not found", told),
            Error::Invalid(_) => Self::new(StatusCode::BAD_REQUEST, "invalid_request", "Not possible", told),
            Error::Conflict(_) => Self::new(StatusCode::CONFLICT, "conflict", "There already", told),
            Error::Store(_) | Error::Random(_) | Error::OldKey => {
                tracing::error!(error = told, "a request could not be answered");
                Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "temporarily_unavailable",
                    "Not available",
                    "the token store does not answer; nothing is known about any token, ask again later",
                )
                .after(5)
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let told = Told::from(self);
        let kind = told.kind.replace('_', "-");
        let response = problem(told.status, &kind, told.title, &told.detail);
        told.headed(response)
    }
}

impl IntoResponse for OauthFailure {
    fn into_response(self) -> Response {
        let told = Told::from(self.0);
        let body = json!({ "error": told.kind, "error_description": told.detail });
        let response = (told.status, Json(body)).into_response();
        told.headed(response)
    }
}
