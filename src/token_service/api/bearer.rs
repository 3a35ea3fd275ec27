//! Reads `Authorization: Bearer` (RFC 6750). The scheme in other letters is the same; a token elsewhere is not read.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use crate::secret::Secret;
use crate::token_service::api::reply::Failure;
use crate::token_service::error::{Denied, Error};
use crate::token_service::rights::Bearer;
use crate::token_service::store::TokenService;

/// The secret of the header, not yet looked at.
pub(super) fn presented(parts: &Parts) -> Result<Secret, Failure> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Failure::NoCredential);
    };
    let (scheme, rest) = value
        .as_bytes()
        .split_at_checked(7)
        .ok_or(Failure::NoCredential)?;
    if !scheme.eq_ignore_ascii_case(b"bearer ") {
        return Err(Failure::NoCredential);
    }
    Ok(Secret::new(rest.trim_ascii()))
}

impl FromRequestParts<TokenService> for Bearer {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, service: &TokenService) -> Result<Self, Failure> {
        let secret = presented(parts)?;
        if secret.len() > 4096 {
            return Err(Error::Denied(Denied::Unknown).into());
        }
        Ok(service.authenticate(&secret).await?)
    }
}
