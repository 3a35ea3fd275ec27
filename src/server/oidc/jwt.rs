//! A signed JWT in its compact form (RFC 7515): three parts, and an algorithm of a short list. `none` and every HMAC are
//! not on it, so that no published key can be made a password.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest token, in bytes.
const LONGEST: usize = 64 << 10;

/// How a token may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA, PKCS #1 v1.5, SHA-256.
    Rs256,
    /// ECDSA on P-256, SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// The algorithm of this name (RFC 7518, RFC 8037, RFC 9864).
    pub(super) fn named(name: &str) -> Option<Self> {
        match name {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A token whose signature nobody has checked yet.
pub(super) struct Signed<'a> {
    pub(super) algorithm: Algorithm,
    /// Which key it names.
    pub(super) kid: Option<String>,
    /// What is signed.
    pub(super) message: &'a [u8],
    pub(super) signature: Vec<u8>,
    payload: Vec<u8>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl<'a> Signed<'a> {
    /// Takes it apart.
    pub(super) fn parse(text: &'a str) -> Result<Self, &'static str> {
        const NONE: &str = "the id token is none";
        if text.len() > LONGEST {
            return Err("the id token is too long");
        }
        let (message, signature) = text.rsplit_once('.').ok_or(NONE)?;
        let (header, payload) = message.split_once('.').ok_or(NONE)?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| NONE);
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| NONE)?;
        if header.crit.is_some() {
            return Err("the id token asks for what is not known here");
        }
        if header.typ.is_some_and(|kind| !kind.eq_ignore_ascii_case("jwt")) {
            return Err("the provider gave a token of another kind");
        }
        let algorithm = Algorithm::named(&header.alg);
        Ok(Self {
            algorithm: algorithm.ok_or("the id token is signed in a way that is not accepted")?,
            kid: header.kid,
            message: message.as_bytes(),
            signature: decoded(signature)?,
            payload: decoded(payload)?,
        })
    }

    /// What it says; worth nothing before its signature was checked.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, &'static str> {
        serde_json::from_slice(&self.payload).map_err(|_| "the id token holds no claims")
    }
}
