//! Signed requests: they prove possession of a key, which never leaves the process.
//!
//! A signature is added to a request that is filled in already, or stands in it as a value; it must never change what the
//! request says, nor where it goes.

mod aws4;
pub(super) mod jwt;
mod rsa;

pub(super) use rsa::{certificate_holds, public_key};

use std::borrow::Cow;

use jiff::Timestamp;

use super::template::Filled;
use super::{CallError, Values};
use crate::rule::file::{CallFile, SignFile};

/// The values of a call, with those that a signature made.
///
/// # Errors
/// A key that is not known, or is none.
pub(super) fn signed_values<'v>(call: &CallFile, values: &'v Values) -> Result<Cow<'v, Values>, CallError> {
    let Some(SignFile::Jwt(file)) = &call.sign else {
        return Ok(Cow::Borrowed(values));
    };
    let mut with = values.clone();
    with.set_secret("jwt", &jwt::made(file, values, Timestamp::now())?);
    Ok(Cow::Owned(with))
}

/// Signs a request that is about to be sent; the signature of an earlier try is replaced.
///
/// # Errors
/// A part of the key that is not known, and a URL without a host.
pub(super) fn sign(filled: &mut Filled, call: &CallFile, values: &Values) -> Result<(), CallError> {
    match &call.sign {
        Some(SignFile::Aws4(file)) => aws4::sign(filled, file, values, Timestamp::now()),
        Some(SignFile::Jwt(_)) | None => Ok(()),
    }
}
