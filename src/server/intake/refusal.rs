//! A report that is not taken: why, as the sender is told. Nothing of what was sent is repeated.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::token_service::api::problem;

/// Why a report is not taken. None of it was written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request is not what this door takes; the same one will never be.
    #[error("{0}")]
    Unreadable(&'static str),
    /// Who sent it is not proved.
    #[error("{0}")]
    Unproved(&'static str),
    /// More than is taken at once.
    #[error("{0}")]
    TooLarge(&'static str),
    /// The body did not end in time.
    #[error("the body did not arrive in time; send it again")]
    TooSlow,
    /// The sender asks too often; seconds until it may again.
    #[error("too many requests from this address; try again later")]
    TooMany(u64),
    /// It may well be right, and cannot be taken now; seconds until it is worth another try.
    #[error("{0}")]
    NotNow(&'static str, u64),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, kind, title, after) = match self {
            Self::Unreadable(_) => (StatusCode::BAD_REQUEST, "unreadable", "Not readable", None),
            Self::Unproved(_) => (StatusCode::UNAUTHORIZED, "unproved", "Sender not proved", None),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large", None),
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "timeout", "Too slow", None),
            Self::TooMany(after) => (
                StatusCode::TOO_MANY_REQUESTS,
                "too-many",
                "Too many requests",
                Some(after),
            ),
            Self::NotNow(_, after) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily-unavailable",
                "Not available",
                Some(after),
            ),
        };
        let mut response = problem(status, kind, title, &self.to_string());
        if let Some(seconds) = after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
