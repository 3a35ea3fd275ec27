//! Signing in with OpenID Connect, as a relying party: the authorization code with PKCE, and nothing else.
//!
//! Only the host that the operator named is asked, and those that they named beside it; a discovery document cannot send us
//! elsewhere. No code, token or secret is logged. What a provider says is believed only once its signature, issuer,
//! audience, time and nonce were checked; who may do what is not decided here.

mod claims;
mod discovery;
mod jwt;
mod keys;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::config::dashboard::{Authentication, Oidc};
use crate::secret::Secret;
use crate::server::intake::fetch::{client, read_bounded};
use crate::token_service::{Ties, Vouched};
use discovery::Metadata;
use keys::Keys;

/// Longest time for one question; a person waits meanwhile.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest reply, in bytes.
const LARGEST: usize = 256 << 10;
/// Longest code, in bytes.
const LONGEST_CODE: usize = 4096;

/// Why nobody is signed in.
#[derive(Debug)]
pub(super) enum Failure {
    /// The provider cannot be asked, or says what no provider should: the log says what.
    Away(anyhow::Error),
    /// What came back is no proof of who somebody is.
    Refused(&'static str),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Away(error)
    }
}

/// What a browser brings back.
pub(super) struct Back<'a> {
    /// The code; empty if there is none.
    pub(super) code: &'a str,
    /// Who says it (RFC 9207); empty if nobody does.
    pub(super) issuer: &'a str,
}

/// A provider of identities.
pub(super) struct Provider {
    settings: Oidc,
    client: Client,
    known: Mutex<Known>,
}

/// What it published.
#[derive(Default)]
struct Known {
    metadata: Option<(Metadata, Timestamp)>,
    keys: Keys,
}

/// The reply to an exchanged code.
#[derive(Deserialize)]
struct Exchanged {
    id_token: Option<String>,
    access_token: Option<String>,
}

impl Provider {
    /// Knows nothing yet, and asks nobody before somebody signs in.
    ///
    /// # Errors
    /// A machine on which no HTTP client can be made.
    pub(super) fn new(settings: Oidc) -> Result<Self> {
        Ok(Self {
            client: client(&settings.address, TIMEOUT)?,
            settings,
            known: Mutex::default(),
        })
    }

    /// Whose it is.
    pub(super) fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// What people call it.
    pub(super) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Where a browser goes to sign in.
    ///
    /// # Errors
    /// A provider that cannot be asked where that is.
    pub(super) async fn door(&self, ties: &Ties) -> Result<Url, Failure> {
        let mut url = self.metadata().await?.authorization_endpoint;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(ties.verifier.expose()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", &self.settings.back)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", &ties.state)
            .append_pair("nonce", &ties.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url)
    }

    /// Where a browser goes to sign out there as well, where that is offered and known already.
    pub(super) fn way_out(&self) -> Option<Url> {
        let known = self.known();
        let (metadata, _) = known.metadata.as_ref()?;
        let mut url = metadata.end_session_endpoint.clone()?;
        url.query_pairs_mut()
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("post_logout_redirect_uri", &self.settings.after);
        Some(url)
    }

    /// Who came back.
    ///
    /// # Errors
    /// An answer that proves nothing, and a provider that cannot be asked.
    pub(super) async fn vouched(&self, back: &Back<'_>, ties: &Ties) -> Result<Vouched, Failure> {
        let metadata = self.metadata().await?;
        let must_say = metadata.says_issuer && back.issuer.is_empty();
        if must_say || !back.issuer.is_empty() && back.issuer != self.settings.issuer {
            return Err(Failure::Refused("the answer came from another provider"));
        }
        if back.code.is_empty() || back.code.len() > LONGEST_CODE {
            return Err(Failure::Refused("the provider sent no code"));
        }
        let exchanged = self.exchanged(&metadata, back.code, ties).await?;
        let secret = |text: Option<String>| text.map(|text| Secret::new(text.into_bytes()));
        let Some(id_token) = secret(exchanged.id_token) else {
            return Err(Failure::Refused("the provider gave no id token"));
        };
        let mut said = self.checked(&metadata, &id_token, &ties.nonce).await?;
        let access = secret(exchanged.access_token);
        if let (Some(endpoint), Some(access)) = (&metadata.userinfo_endpoint, &access)
            && claims::lacks(&self.settings, &said)
        {
            let more = self.asked_more(endpoint, access).await?;
            if more.get("sub") != said.get("sub") {
                return Err(Failure::Refused("what the provider knows is of somebody else"));
            }
            for (name, value) in more {
                said.entry(name).or_insert(value);
            }
        }
        Ok(claims::vouched(&self.settings, &said))
    }

    /// The claims of an id token that is proved to be the provider's, for us, now, and for this sign-in.
    async fn checked(
        &self,
        metadata: &Metadata,
        id_token: &Secret,
        nonce: &str,
    ) -> Result<Map<String, Value>, Failure> {
        let text = id_token.expose_str().unwrap_or_default();
        let token = jwt::Signed::parse(text).map_err(Failure::Refused)?;
        let mut fits = self.known().keys.fitting(&token);
        let now = Timestamp::now();
        let asks = self.known().keys.are_to_be_asked_for(fits.is_empty(), now);
        if asks {
            let text = self.got(self.client.get(metadata.jwks_uri.clone())).await;
            match text.and_then(|text| keys::read(&text)) {
                Ok(keys) => {
                    let mut known = self.known();
                    known.keys.replace(keys, now);
                    fits = known.keys.fitting(&token);
                }
                Err(error) if fits.is_empty() => return Err(Failure::Away(error.context("its keys"))),
                Err(error) => tracing::warn!("the keys at hand are used on: {error:#}"),
            }
        }
        if fits.is_empty() {
            return Err(Failure::Refused(
                "the id token is signed with a key that the provider does not publish",
            ));
        }
        if !fits.iter().any(|key| key.proves(&token)) {
            return Err(Failure::Refused("the signature of the id token is wrong"));
        }
        let claims = token.claims().map_err(Failure::Refused)?;
        let who = claims::Expected {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce,
            now: Timestamp::now().as_second(),
        };
        who.check(&claims).map_err(Failure::Refused)?;
        Ok(claims)
    }

    /// What exchanges a code, with our secret.
    fn exchange(&self, metadata: &Metadata, code: &str, ties: &Ties) -> RequestBuilder {
        let verifier = ties.verifier.expose_str().unwrap_or_default();
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        body.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.settings.back)
            .append_pair("code_verifier", verifier);
        let mut request = self.client.post(metadata.token_endpoint.clone());
        let way = self.settings.authentication.unwrap_or(metadata.authentication);
        match (
            self.settings.client_secret.as_ref().and_then(Secret::expose_str),
            way,
        ) {
            (Some(secret), Authentication::Basic) => {
                // RFC 6749, 2.3.1: both are encoded as in a form before they are joined
                let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
                let pair = format!("{}:{}", encoded(&self.settings.client_id), encoded(secret));
                request = request.header(AUTHORIZATION, format!("Basic {}", STANDARD.encode(pair)));
            }
            (Some(secret), Authentication::Post) => {
                body.append_pair("client_id", &self.settings.client_id)
                    .append_pair("client_secret", secret);
            }
            (None, _) => {
                body.append_pair("client_id", &self.settings.client_id);
            }
        }
        request
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body.finish())
    }

    async fn exchanged(&self, metadata: &Metadata, code: &str, ties: &Ties) -> Result<Exchanged, Failure> {
        let request = self.exchange(metadata, code, ties);
        match self.reply(request).await? {
            (200, text) => Ok(serde_json::from_slice(&text).context("its token endpoint gave no JSON")?),
            (400, text) if error_of(&text) == "invalid_grant" => Err(Failure::Refused(
                "the provider does not take the code: it was used before, or is too old",
            )),
            (status, text) => {
                let error = error_of(&text);
                Err(anyhow::anyhow!("its token endpoint answered {status} {error}").into())
            }
        }
    }

    async fn asked_more(&self, endpoint: &Url, access: &Secret) -> Result<BTreeMap<String, Value>, Failure> {
        let access = access.expose_str().unwrap_or_default();
        let request = self.client.get(endpoint.clone()).bearer_auth(access);
        let text = self.got(request).await.context("its userinfo endpoint")?;
        Ok(serde_json::from_slice(&text).context("its userinfo endpoint gave no JSON")?)
    }

    /// The discovery document, at most an hour old if the provider can be asked.
    async fn metadata(&self) -> Result<Metadata, Failure> {
        let now = Timestamp::now();
        let old = self.known().metadata.clone();
        if let Some((metadata, at)) = &old
            && now.duration_since(*at).abs() < discovery::FRESH
        {
            return Ok(metadata.clone());
        }
        let text = self
            .got(self.client.get(discovery::address(&self.settings)))
            .await;
        match text.and_then(|text| Metadata::read(&text, &self.settings)) {
            Ok(metadata) => {
                self.known().metadata = Some((metadata.clone(), now));
                Ok(metadata)
            }
            Err(error) => match old {
                Some((metadata, _)) => {
                    tracing::warn!("the discovery document is used on: {error:#}");
                    Ok(metadata)
                }
                None => Err(Failure::Away(error.context("its discovery document"))),
            },
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn got(&self, request: RequestBuilder) -> Result<Vec<u8>> {
        match self.reply(request).await? {
            (200, text) => Ok(text),
            (status, _) => bail!("it answered {status}"),
        }
    }

    async fn reply(&self, request: RequestBuilder) -> Result<(u16, Vec<u8>)> {
        let reply = request.header(ACCEPT, "application/json").send().await;
        let reply = reply.map_err(reqwest::Error::without_url)?;
        let status = reply.status().as_u16();
        Ok((status, read_bounded(reply, LARGEST).await?))
    }
}

/// The error that a token endpoint names, as far as it is one of a known form.
fn error_of(text: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Said {
        error: String,
    }
    let said = serde_json::from_slice::<Said>(text).map(|said| said.error);
    let is_word =
        |text: &String| text.len() < 64 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    said.ok().filter(is_word).unwrap_or_default()
}
