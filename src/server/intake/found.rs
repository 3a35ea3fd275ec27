//! `/found`: whoever holds a token may turn it in, by a page or as JSON.
//!
//! Nobody is asked who they are, so nothing is told either: the answer is the same for a token that we know, one that is
//! dead and one that never was, and comes after the same time. The page runs no script.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::arrival::media_type;
use super::record::{Batch, Record};
use super::refusal::Refusal;
use super::{Door, Intake};
use crate::store::Delivery;

const PAGE: &str = include_str!("found.html");
/// Where the page says what became of what was sent.
const SAID: &str = "<!-- said -->";
/// Largest body, in bytes: a token of 64 KiB, percent-encoded.
const LARGEST: usize = 256 << 10;
/// An answer comes no sooner than this, so that its time says nothing of what was known.
const PACE: Duration = Duration::from_millis(400);

const THANKS: &str = "Thank you. If it is a token of ours, its owners will hear of it.";

/// The page.
pub(super) async fn page() -> Response {
    page_that_says(StatusCode::OK, "")
}

/// Takes a token.
pub(super) async fn post(State(intake): State<Arc<Intake>>, request: Request) -> Response {
    let answer_at = tokio::time::Instant::now() + PACE;
    let (parts, body) = request.into_parts();
    let by_page = media_type(&parts.headers).is_ok_and(|kind| kind == "application/x-www-form-urlencoded");
    let taken = async {
        intake
            .finders
            .take_for(address(&parts, &intake))
            .map_err(Refusal::TooMany)?;
        let body = intake.room().body_up_to(LARGEST, &parts.headers, body).await?;
        let record = if by_page {
            form(&body)
        } else {
            super::arrival::may_be_json(&parts.headers)?;
            std::str::from_utf8(&body)
                .map_err(|_| "it is not UTF-8")
                .and_then(Record::read)
        };
        let record = record.map_err(|_| Refusal::Unreadable("send the token as the field token"))?;
        let door = Door {
            name: "someone who found it".to_owned(),
            anonymous: true,
        };
        let batch = Batch {
            records: vec![record],
            bad: Vec::new(),
        };
        intake.take(door, Delivery::new("found", &body), batch).await
    };
    let taken = taken.await;
    tokio::time::sleep_until(answer_at).await;
    match (taken, by_page) {
        (Ok(_), true) => page_that_says(StatusCode::OK, THANKS),
        (Ok(_), false) => (StatusCode::ACCEPTED, Json(json!({ "status": "received" }))).into_response(),
        (Err(refusal), true) => {
            let status = refusal.into_response().status();
            page_that_says(status, &format!("That was not taken: {refusal}."))
        }
        (Err(refusal), false) => refusal.into_response(),
    }
}

/// `text` is ours, never the sender's.
fn page_that_says(status: StatusCode, text: &str) -> Response {
    let said = if text.is_empty() {
        String::new()
    } else {
        format!("<p class=\"said\" role=\"status\">{text}</p>")
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (REFERRER_POLICY, "no-referrer"),
    ];
    (status, headers, PAGE.replacen(SAID, &said, 1)).into_response()
}

fn form(body: &[u8]) -> Result<Record, &'static str> {
    let field = |name: &str| {
        let mut fields = url::form_urlencoded::parse(body);
        fields
            .find(|(known, _)| known == name)
            .map(|(_, text)| text.into_owned())
    };
    let fields = json!({ "token": field("token").ok_or("it has no token")?, "url": field("url") });
    Record::read(&fields.to_string())
}

/// Who asks: the peer, or what the proxy before us says, whose own entry is the last one.
fn address(parts: &Parts, intake: &Intake) -> Option<IpAddr> {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let named = intake
        .reports
        .found
        .as_ref()
        .and_then(|found| found.address_header.as_deref());
    named
        .and_then(|name| last_address(&parts.headers, name))
        .or_else(|| peer.map(|ConnectInfo(address)| address.ip()))
}

fn last_address(headers: &HeaderMap, name: &str) -> Option<IpAddr> {
    let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    last.rsplit(',')
        .next()?
        .trim()
        .trim_matches(['[', ']'])
        .parse()
        .ok()
}
