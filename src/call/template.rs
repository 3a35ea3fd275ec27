//! Fills a call of a rule file with values, so that none can break out of the place it is put.
//!
//! `{name}` stands for a value (`rule::template` lists what else there is). In a URL a value is percent-encoded (only `{base}` and
//! `{region}`, at its start, are URLs themselves), in a JSON body it is escaped as within a string, in a form it is
//! form-encoded, and a header takes none with control characters. What must never happen here: a value that changes
//! the host, the path's depth, the structure of a body, or adds a header; a secret in a URL that the rule file did not
//! put there.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest as _, Sha256};
use url::Url;
use zeroize::Zeroizing;

use super::{CallError, Values};
use crate::rule::file::{CallFile, SignFile};
use crate::rule::template::{self, Hole, How, Part, Piece, pieces};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Shorter secrets are not looked for in URLs: they would be found by chance.
const SHORTEST_SOUGHT: usize = 8;

/// Headers that belong to the connection, not to a rule file.
const NOT_OURS: [&str; 5] = [
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "cookie",
];

/// A request ready to be sent. It holds secrets and is never shown.
pub struct Filled {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: Url,
    /// Headers; those with a secret are marked sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Vec<u8>>,
}

/// The names of all values that a call needs; `jwt` is what its signature makes.
pub fn names(call: &CallFile) -> BTreeSet<String> {
    let texts = std::iter::once(&call.request)
        .chain(call.headers.values())
        .chain(&call.body);
    let key = call.sign.iter().flat_map(SignFile::texts);
    let mut names: BTreeSet<String> = texts.chain(key).flat_map(|text| names_in(text)).collect();
    if matches!(call.sign, Some(SignFile::Jwt(_))) {
        names.remove("jwt");
    }
    names
}

/// The names of all values in a text.
pub fn names_in(text: &str) -> BTreeSet<String> {
    template::names(text)
}

/// Fills a call in.
pub fn fill(call: &CallFile, values: &Values) -> Result<Filled, CallError> {
    let (method, url) = call
        .request
        .split_once(' ')
        .ok_or_else(|| invalid("the request is not `METHOD URL`"))?;
    let method = match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" => Method::from_bytes(method.as_bytes()),
        _ => {
            return Err(invalid(
                "its method is none of GET, HEAD, POST, PUT, PATCH, DELETE",
            ));
        }
    }
    .map_err(|_| invalid("its method is none"))?;
    let url = fill_url(url.trim(), values)?;
    let mut headers = fill_headers(call, values)?;
    let body = match &call.body {
        None => None,
        Some(body) => Some(fill_body(body, &mut headers, values)?),
    };
    Ok(Filled {
        method,
        url,
        headers,
        body,
    })
}

/// Fills `{name}` in a text that is only compared, never sent, such as a `where` of a list's entry.
pub fn fill_text(text: &str, values: &Values) -> Result<String, CallError> {
    let mut filled = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Hole(hole) => filled.push_str(&value(&hole, values)?.0),
        }
    }
    Ok(filled)
}

/// Fills `{name}` in a JSON pointer, where a value is one step.
pub(super) fn fill_pointer(text: &str, values: &Values) -> Result<String, CallError> {
    let mut filled = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Hole(hole) => {
                let (text, _) = value(&hole, values)?;
                if *text == "*" {
                    return Err(invalid("a value would change its pointer"));
                }
                filled.push_str(&text.replace('~', "~0").replace('/', "~1"));
            }
        }
    }
    Ok(filled)
}

/// Fills in what is known of a text that only people read, `METHOD URL` or a page; the rest stays `{name}`.
pub fn fill_known(text: &str, values: &Values) -> String {
    let mut filled = String::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Hole(hole) => match value(&hole, values) {
                Ok((base, false)) if matches!(hole.whole, "{base}" | "{region}") => {
                    filled.push_str(base.trim_end_matches('/'));
                }
                Ok((text, false)) => filled.extend(utf8_percent_encode(&text, RESERVED)),
                Ok(_) | Err(_) => filled.push_str(hole.whole),
            },
        }
    }
    filled
}

fn invalid(what: &str) -> CallError {
    CallError::Invalid(what.to_owned())
}

/// The value, and whether it is secret.
fn value(hole: &Hole<'_>, values: &Values) -> Result<(Zeroizing<String>, bool), CallError> {
    let (mut text, mut secret) = (Zeroizing::new(String::new()), false);
    for part in &hole.parts {
        match part {
            Part::Text(piece) => text.push_str(piece),
            Part::Name(name) => {
                let (value, hidden) = values.get(name).ok_or_else(|| CallError::MissingValue {
                    name: (*name).to_owned(),
                    service: values.service().to_owned(),
                })?;
                text.push_str(value);
                secret |= hidden;
            }
        }
    }
    let pair = || {
        text.split_once(':')
            .ok_or_else(|| invalid(&format!("{} takes user:password", hole.whole)))
    };
    let text = match hole.how {
        How::Plain => text,
        How::Basic => Zeroizing::new(STANDARD.encode(&*text)),
        How::Sha256 => Zeroizing::new(
            Sha256::digest(text.as_bytes())
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        ),
        How::First(count) => Zeroizing::new(text.chars().take(count).collect()),
        How::Last(count) => {
            let left = text.chars().count().saturating_sub(count);
            Zeroizing::new(text.chars().skip(left).collect())
        }
        How::User => Zeroizing::new(pair()?.0.to_owned()),
        How::Password => Zeroizing::new(pair()?.1.to_owned()),
    };
    Ok((text, secret))
}

fn fill_url(template: &str, values: &Values) -> Result<Url, CallError> {
    let (start, rest) = split_start(template, values)?;
    let origin = Url::parse(&start)
        .map_err(|_| invalid("its URL does not begin with one"))?
        .origin();
    let mut url = start;
    let mut in_path = true;
    let mut named = BTreeSet::new();
    for piece in pieces(rest) {
        match piece {
            Piece::Text(text) => {
                url.push_str(text);
                in_path &= !text.contains('?');
            }
            Piece::Hole(hole) => {
                let (text, _) = value(&hole, values)?;
                if in_path && text.split(['/', '\\']).any(|part| part == "." || part == "..") {
                    return Err(changes_path(hole.whole));
                }
                named.extend(hole.names());
                url.extend(utf8_percent_encode(&text, RESERVED));
            }
        }
    }
    let path = url.split(['?', '#']).next().unwrap_or_default();
    if path.split('/').any(|part| part == "." || part == "..") {
        return Err(changes_path("a value"));
    }
    let url = Url::parse(&url).map_err(|_| invalid("its URL is none"))?;
    if url.origin() != origin || url.fragment().is_some() {
        return Err(invalid(
            "its URL has a fragment, or a value would change its host",
        ));
    }
    let slipped_in = values.secrets().any(|(name, secret)| {
        secret.len() >= SHORTEST_SOUGHT
            && !named.contains(name)
            && (url.as_str().contains(secret)
                || url
                    .as_str()
                    .contains(&utf8_percent_encode(secret, RESERVED).to_string()))
    });
    if slipped_in {
        return Err(CallError::Forbidden(
            "a value holds the secret itself, which may not stand in a URL: nothing was sent".to_owned(),
        ));
    }
    Ok(url)
}

fn changes_path(name: &str) -> CallError {
    CallError::Forbidden(format!(
        "{name} holds `.` or `..`, which would change the request's path: nothing was sent"
    ))
}

/// The part of a URL that decides its host, and the template of what follows it.
fn split_start<'a>(template: &'a str, values: &Values) -> Result<(String, &'a str), CallError> {
    for name in ["base", "region"] {
        let Some(rest) = template.strip_prefix(&format!("{{{name}}}")) else {
            continue;
        };
        if !rest.is_empty() && !rest.starts_with(['/', '?']) {
            return Err(invalid("after {base} or {region} comes `/`"));
        }
        let (base, _) = values.get(name).ok_or_else(|| CallError::MissingValue {
            name: name.to_owned(),
            service: values.service().to_owned(),
        })?;
        return Ok((base.trim_end_matches('/').to_owned(), rest));
    }
    let host = template
        .find("://")
        .map(|at| at + 3)
        .ok_or_else(|| invalid("its URL begins with neither `https://` nor {base}"))?;
    let end = template[host..]
        .find(['/', '?'])
        .map_or(template.len(), |at| host + at);
    if template[..end].contains('{') {
        return Err(invalid("a value may not stand in the host"));
    }
    Ok((template[..end].to_owned(), &template[end..]))
}

fn fill_headers(call: &CallFile, values: &Values) -> Result<HeaderMap, CallError> {
    let mut headers = HeaderMap::new();
    for (name, template) in &call.headers {
        let known = HeaderName::from_bytes(name.as_bytes())
            .ok()
            .filter(|name| !NOT_OURS.contains(&name.as_str()))
            .ok_or_else(|| invalid(&format!("it may not set the header {name:?}")))?;
        let (mut text, mut secret) = (String::new(), false);
        for piece in pieces(template) {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Hole(hole) => {
                    let (value, hidden) = value(&hole, values)?;
                    if value.chars().any(char::is_control) {
                        let name = hole.names().next().unwrap_or_default();
                        return Err(CallError::Forbidden(format!(
                            "{name} holds control characters, which a header may not: nothing was sent"
                        )));
                    }
                    text.push_str(&value);
                    secret |= hidden;
                }
            }
        }
        let mut value = HeaderValue::from_bytes(text.as_bytes())
            .map_err(|_| invalid(&format!("its header {name:?} holds control characters")))?;
        value.set_sensitive(secret);
        headers.insert(known, value);
    }
    Ok(headers)
}

/// Fills the body, and says in the headers that it is JSON where they say nothing.
fn fill_body(template: &str, headers: &mut HeaderMap, values: &Values) -> Result<Vec<u8>, CallError> {
    let kind = headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"))
        .to_str()
        .map(|kind| {
            kind.split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase()
        })
        .unwrap_or_default();
    let is_json = kind == "application/json" || kind.ends_with("+json");
    let is_form = kind == "application/x-www-form-urlencoded";
    let mut body = String::new();
    let mut quoted = Quoted::default();
    for piece in pieces(template) {
        match piece {
            Piece::Text(text) => {
                quoted.read(text);
                body.push_str(text);
            }
            Piece::Hole(hole) => {
                let (text, _) = value(&hole, values)?;
                let name = hole.names().next().unwrap_or_default();
                if is_form {
                    body.extend(utf8_percent_encode(&text, RESERVED));
                } else if is_json {
                    body.push_str(&json_escaped(name, &text, quoted.inside)?);
                } else {
                    return Err(invalid(&format!("a body of type {kind:?} takes no values")));
                }
            }
        }
    }
    if is_json && serde_json::from_str::<serde::de::IgnoredAny>(&body).is_err() {
        return Err(invalid("its body is not JSON"));
    }
    Ok(body.into_bytes())
}

/// Whether the text read so far ends within a JSON string.
#[derive(Default)]
struct Quoted {
    inside: bool,
    escaped: bool,
}

impl Quoted {
    fn read(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.inside => self.escaped = true,
                b'"' => self.inside = !self.inside,
                _ => {}
            }
        }
    }
}

/// Within quotes a value is escaped; without, only a whole number may stand.
fn json_escaped(name: &str, text: &str, quoted: bool) -> Result<String, CallError> {
    if !quoted {
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || digits.len() > 20 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(CallError::Forbidden(format!(
                "{name} is no whole number and stands without quotes in a JSON body: nothing was sent"
            )));
        }
        return Ok(text.to_owned());
    }
    let quoted = serde_json::Value::from(text).to_string();
    Ok(quoted[1..quoted.len() - 1].to_owned())
}
