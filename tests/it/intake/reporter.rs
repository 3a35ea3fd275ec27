//! A reporter: a P-256 key that it signs with, and the address where its public keys are.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// SHA-256 in hexadecimal.
pub(super) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes.as_ref())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// PEM of a public key, with lines of 64 characters.
pub(super) fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

/// A P-256 key of a reporter.
pub(super) struct Signer {
    pair: EcdsaKeyPair,
    pub(super) id: String,
    pub(super) pem: String,
}

impl Signer {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random).unwrap();
        let head = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        let pem = pem(&[&head[..], pair.public_key().as_ref()].concat());
        Self {
            pair,
            id: sha256(&pem),
            pem,
        }
    }

    /// Base64 of the DER signature.
    pub(super) fn sign(&self, body: &[u8]) -> String {
        let signature = self.pair.sign(&SystemRandom::new(), body).unwrap();
        STANDARD.encode(signature.as_ref())
    }
}

/// What the address of the keys serves.
#[derive(Default)]
pub(super) struct Published {
    /// Id, PEM, whether it is current.
    pub(super) keys: Vec<(String, String, bool)>,
    /// Answers this status instead.
    pub(super) broken: Option<u16>,
    /// How often it was asked, and how often it said that nothing changed.
    pub(super) asked: usize,
    pub(super) unchanged: usize,
}

pub(super) type Shared<T> = Arc<Mutex<T>>;

/// Serves the keys, with an `ETag`.
pub(super) async fn published(State(state): State<Shared<Published>>, headers: HeaderMap) -> Response {
    let mut state = state.lock().unwrap();
    state.asked += 1;
    if let Some(status) = state.broken {
        return StatusCode::from_u16(status).unwrap().into_response();
    }
    let key = |(id, pem, current): &(String, String, bool)| json!({ "key_identifier": id, "key": pem, "is_current": current });
    let list = json!({ "public_keys": state.keys.iter().map(key).collect::<Vec<_>>() }).to_string();
    let etag = format!("\"{}\"", sha256(&list));
    if headers
        .get("if-none-match")
        .is_some_and(|known| known.as_bytes() == etag.as_bytes())
    {
        state.unchanged += 1;
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([("etag", etag)], list).into_response()
}
