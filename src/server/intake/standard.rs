//! `POST /reports`: reports of whoever the configuration names, signed by Standard Webhooks 1.0.0. Our own scans report
//! here, too.
//!
//! A message is believed by its signature over id, time and raw body; a time more than five minutes away is refused, so
//! that an old one cannot be played back once its delivery is forgotten.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::arrival::{may_be_json, one};
use super::record;
use super::refusal::Refusal;
use super::{Door, Intake};
use crate::notify::{sign, signing_key};
use crate::secret::Secret;
use crate::store::Delivery;

/// How far a message's time may be from ours, in seconds.
const TOLERANCE: i64 = 300;
/// Signatures of one message that are looked at.
const MOST_SIGNATURES: usize = 10;

/// A key that messages are signed with.
pub struct SigningKey(Zeroizing<Vec<u8>>);

impl SigningKey {
    /// Reads `whsec_` and base64.
    ///
    /// # Errors
    /// Anything else; the message does not show it.
    pub fn read(secret: &Secret) -> Result<Self> {
        signing_key(secret).map(Self)
    }

    /// The value of `webhook-signature`; `timestamp` is in seconds since 1970.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        sign(&self.0, id, timestamp, body)
    }
}

/// A fresh id of a message.
///
/// # Errors
/// No random bytes.
pub fn message_id() -> Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).context("the operating system gives no random bytes")?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("msg_{digits}"))
}

/// A key that a reporter's messages are checked with.
enum Key {
    Shared(SigningKey),
    Public(Vec<u8>),
}

/// Who may report, with their keys.
pub(super) struct Reporters(Vec<(String, Vec<Key>)>);

impl Reporters {
    /// # Errors
    /// A key that is none; the message names the reporter.
    pub(super) fn new(reporters: &[(String, Vec<Secret>)]) -> Result<Self> {
        let open = |(name, keys): &(String, Vec<Secret>)| {
            let keys: Result<Vec<Key>> = keys.iter().map(Key::read).collect();
            let keys = keys.with_context(|| format!("reports.reporters.{name}.keys"))?;
            Ok((name.clone(), keys))
        };
        Ok(Self(reporters.iter().map(open).collect::<Result<_>>()?))
    }

    /// The reporter with whose key one of these signatures was made.
    fn who(&self, id: &str, timestamp: i64, body: &[u8], signatures: &str) -> Option<&str> {
        let signatures: Vec<(&str, Vec<u8>)> = signatures
            .split_ascii_whitespace()
            .take(MOST_SIGNATURES)
            .filter_map(|one| one.split_once(','))
            .filter_map(|(version, text)| Some((version, STANDARD.decode(text).ok()?)))
            .collect();
        let made = |key: &Key| {
            signatures
                .iter()
                .any(|(version, signature)| key.made(version, signature, id, timestamp, body))
        };
        self.0
            .iter()
            .find(|(_, keys)| keys.iter().any(made))
            .map(|(name, _)| name.as_str())
    }
}

impl Key {
    fn read(secret: &Secret) -> Result<Self> {
        let public = secret.expose_str().and_then(|text| text.strip_prefix("whpk_"));
        match public {
            None => SigningKey::read(secret).map(Self::Shared),
            Some(text) => {
                let key = STANDARD.decode(text).ok().filter(|key| key.len() == 32);
                key.map(Self::Public)
                    .context("a public key must be whpk_ and 32 bytes in base64")
            }
        }
    }

    fn made(&self, version: &str, signature: &[u8], id: &str, timestamp: i64, body: &[u8]) -> bool {
        match (self, version) {
            (Self::Shared(key), "v1") => {
                let ours = key.sign(id, timestamp, body);
                let ours = STANDARD
                    .decode(ours.trim_start_matches("v1,"))
                    .unwrap_or_default();
                ours.ct_eq(signature).into()
            }
            (Self::Public(key), "v1a") => {
                let signed = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
                UnparsedPublicKey::new(&ED25519, key)
                    .verify(&signed, signature)
                    .is_ok()
            }
            _ => false,
        }
    }
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    records: &'a RawValue,
}

/// Takes a signed report.
pub(super) async fn post(State(intake): State<Arc<Intake>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    may_be_json(&parts.headers)?;
    let header = |name: &str| {
        let value = one(&parts.headers, name)?.filter(|value| !value.is_empty());
        value.ok_or(Refusal::Unproved(
            "webhook-id, webhook-timestamp and webhook-signature are wanted (Standard Webhooks 1.0.0)",
        ))
    };
    let (id, timestamp, signatures) = (
        header("webhook-id")?,
        header("webhook-timestamp")?,
        header("webhook-signature")?,
    );
    // As it was signed: digits, and nothing that another number would print as well.
    let seconds = timestamp
        .parse::<i64>()
        .ok()
        .filter(|seconds| seconds.to_string() == timestamp);
    let seconds = seconds.ok_or(Refusal::Unreadable("webhook-timestamp is no number of seconds"))?;
    if intake.clock().now().as_second().abs_diff(seconds) > TOLERANCE.unsigned_abs() {
        return Err(Refusal::Unproved(
            "webhook-timestamp is more than five minutes away; are both clocks right?",
        ));
    }
    let body = intake.room().body(&parts.headers, body).await?;
    let reporter = intake.reporters().who(id, seconds, &body, signatures);
    let reporter = reporter.ok_or(Refusal::Unproved("no known key made this signature"))?;
    let records = records(&body)?;
    let batch = record::read(records.as_bytes(), intake.most_records())?;
    let door = format!("reporter/{reporter}");
    let delivery = Delivery::new(&door, &body).with_id(id);
    let (refused, taken) = (batch.bad.clone(), batch.records.len());
    let heard = intake.take(Door::named(reporter), delivery, batch).await?;
    let refused: Vec<_> = refused
        .iter()
        .map(|(at, why)| json!({ "record": at, "why": why }))
        .collect();
    let told = json!({
        "taken": taken,
        "refused": refused,
        "feedback": heard.feedback(),
    });
    Ok(Json(told).into_response())
}

/// The array of records: the whole body, or `data.records` of an event.
fn records(body: &[u8]) -> Result<String, Refusal> {
    let text = String::from_utf8_lossy(body);
    if !text.trim_start().starts_with('{') {
        return Ok(text.into_owned());
    }
    let event: Event =
        serde_json::from_str(&text).map_err(|_| Refusal::Unreadable("the event has no data.records"))?;
    if event.kind != "leak.reported" {
        return Err(Refusal::Unreadable("the only event taken here is leak.reported"));
    }
    Ok(event.data.records.get().to_owned())
}
