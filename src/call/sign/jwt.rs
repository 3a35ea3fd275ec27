//! JSON Web Tokens signed by RSA key (RFC 7519, RS256), as GitHub Apps and Google's service accounts send them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::rsa;
use crate::call::template::fill_text;
use crate::call::{CallError, Values};
use crate::rule::file::JwtFile;

/// For how long it holds, unless the rule file says; GitHub takes ten minutes at most.
const SECONDS: u64 = 300;
/// It is dated back so far, so that a service whose clock is behind ours takes it.
const BACK: i64 = 60;

/// The token for one request.
///
/// # Errors
/// A value that is not known, or a key that is none.
pub(in crate::call) fn made(file: &JwtFile, values: &Values, now: Timestamp) -> Result<String, CallError> {
    let text = |template: &String| fill_text(template, values);
    let seconds = i64::try_from(file.seconds.unwrap_or(SECONDS)).unwrap_or(i64::MAX);
    let mut claims = json!({
        "iss": text(&file.issuer)?,
        "iat": now.as_second() - BACK,
        "exp": now.as_second().saturating_add(seconds),
    });
    for (name, template) in [
        ("aud", &file.audience),
        ("sub", &file.subject),
        ("scope", &file.scope),
    ] {
        if let Some(template) = template {
            claims[name] = Value::String(text(template)?);
        }
    }
    let mut head = json!({ "alg": "RS256", "typ": "JWT" });
    if let Some(id) = &file.id {
        head["kid"] = Value::String(text(id)?);
    }
    let encoded = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encoded(&head), encoded(&claims));
    let signature = rsa::sign(&text(&file.key)?, &signed)?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
