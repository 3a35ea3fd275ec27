//! Signs a filled request the way AWS wants it: Signature Version 4.
//!
//! The key never leaves the process: only the signature made with it does. It must never change what a request says, nor
//! where it goes. Described in <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html>.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};

use crate::call::template::{self, Filled};
use crate::call::{CallError, Values};
use crate::rule::file::Aws4File;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// Adds the headers of a signature to a request that is about to be sent; those of an earlier try are replaced.
///
/// # Errors
/// A part of the key pair that is not known, and a URL without a host.
pub(super) fn sign(
    filled: &mut Filled,
    sign: &Aws4File,
    values: &Values,
    now: Timestamp,
) -> Result<(), CallError> {
    let text = |template: &str| template::fill_text(template, values);
    let (id, key, region, service) = (
        text(&sign.id)?,
        text(&sign.key)?,
        text(&sign.region)?,
        &sign.service,
    );
    let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    let day = &time[..8];
    put(filled, "x-amz-date", &time, false)?;
    if let Some(session) = &sign.session
        && let Ok(session) = text(session)
    {
        put(filled, "x-amz-security-token", &session, true)?;
    }
    let (signed, request) = canonical(filled)?;
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let digest = hex(&Sha256::digest(request.as_bytes()));
    let wanted = format!("{ALGORITHM}\n{time}\n{scope}\n{digest}");
    let mut signing = hmac(format!("AWS4{key}").as_bytes(), day);
    for part in [region.as_str(), service, "aws4_request"] {
        signing = hmac(&signing, part);
    }
    let signature = hex(&hmac(&signing, &wanted));
    let header =
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={signed}, Signature={signature}");
    put(filled, AUTHORIZATION.as_str(), &header, true)
}

/// The names of the signed headers, and the request as both sides write it down before they sign.
fn canonical(filled: &Filled) -> Result<(String, String), CallError> {
    let host = filled
        .url
        .host_str()
        .ok_or_else(|| CallError::Invalid("its URL has no host".to_owned()))?;
    let host = match filled.url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    };
    let mut headers = vec![("host".to_owned(), host)];
    for (name, value) in &filled.headers {
        let name = name.as_str();
        if name == "content-type" || name.starts_with("x-amz-") {
            let value = String::from_utf8_lossy(value.as_bytes());
            let words: Vec<&str> = value.split_ascii_whitespace().collect();
            headers.push((name.to_owned(), words.join(" ")));
        }
    }
    headers.sort();
    let signed: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let signed = signed.join(";");
    // As they stand: the template encoded every value by the same rules as AWS does.
    let mut query: Vec<String> = filled
        .url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            if pair.contains('=') {
                pair.to_owned()
            } else {
                format!("{pair}=")
            }
        })
        .collect();
    query.sort();
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let body = hex(&Sha256::digest(filled.body.as_deref().unwrap_or_default()));
    let request = format!(
        "{}\n{}\n{}\n{lines}\n{signed}\n{body}",
        filled.method,
        filled.url.path(),
        query.join("&")
    );
    Ok((signed, request))
}

fn put(filled: &mut Filled, name: &str, value: &str, secret: bool) -> Result<(), CallError> {
    let invalid = |_| CallError::Invalid("a part of its signature is no header".to_owned());
    let name =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| CallError::Invalid("no header".to_owned()))?;
    let mut value = HeaderValue::from_str(value).map_err(invalid)?;
    value.set_sensitive(secret);
    filled.headers.insert(name, value);
    Ok(())
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC accepts any key length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use reqwest::header::AUTHORIZATION;

    use super::sign;
    use crate::call::{Values, template};
    use crate::rule::file::{Aws4File, CallFile};

    fn signed(request: &str, body: Option<&str>) -> String {
        let call = CallFile {
            request: request.to_owned(),
            headers: [(
                "Content-Type".to_owned(),
                "application/x-www-form-urlencoded".to_owned(),
            )]
            .into_iter()
            .filter(|_| body.is_some())
            .collect(),
            body: body.map(str::to_owned),
            sign: None,
        };
        let mut values = Values::new("aws");
        values.set("base", "https://example.amazonaws.com");
        values.set_secret("access-key-id", "AKIDEXAMPLE");
        values.set_secret(
            "secret",
            &["wJalrXUtnFEMI/K7MDENG", "+bPxRfiCYEXAMPLEKEY"].concat(),
        );
        let file = Aws4File {
            id: "{access-key-id}".to_owned(),
            key: "{secret}".to_owned(),
            session: None,
            region: "us-east-1".to_owned(),
            service: "service".to_owned(),
        };
        let mut filled = template::fill(&call, &values).unwrap();
        let now: Timestamp = "2015-08-30T12:36:00Z".parse().unwrap();
        sign(&mut filled, &file, &values, now).unwrap();
        filled.headers[AUTHORIZATION].to_str().unwrap().to_owned()
    }

    /// The published test suite of AWS for Signature Version 4.
    #[test]
    fn requests_are_signed_as_the_published_vectors_of_aws_are() {
        for (request, body, signature) in [
            (
                "GET {base}/",
                None,
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "GET {base}/?Param2=value2&Param1=value1",
                None,
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "POST {base}/",
                Some("Param1=value1"),
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
        ] {
            let header = signed(request, body);
            assert!(
                header.ends_with(&format!("Signature={signature}")),
                "{request}: {header}"
            );
        }
    }
}
