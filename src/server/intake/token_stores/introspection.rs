//! Token introspection by RFC 7662: one token at a time, at the address that the operator named.
//!
//! `active: false` is said of revoked tokens as well as of those that never were, so by itself it proves nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use url::Url;
use zeroize::Zeroizing;

use crate::config::reports::TokenStore;
use crate::secret::Secret;
use crate::server::intake::fetch::{client, read_bounded};

const LARGEST_REPLY: usize = 64 << 10;

pub(super) struct Introspection {
    client: reqwest::Client,
    url: Url,
    authorization: Option<HeaderValue>,
    inactive_is_foreign: bool,
}

#[derive(serde::Deserialize)]
struct Reply {
    active: bool,
}

impl Introspection {
    pub(super) fn new(store: &TokenStore, within: Duration) -> Result<Self> {
        let authorization = store.credential.as_ref().map(header).transpose()?;
        Ok(Self {
            client: client(&store.url, within)?,
            url: store.url.clone(),
            authorization,
            inactive_is_foreign: store.inactive_is_foreign,
        })
    }

    /// Whether it was issued there; `None` where the endpoint does not tell.
    pub(super) async fn ask(&self, secret: &Secret) -> Option<bool> {
        match self.active(secret).await {
            Ok(true) => Some(true),
            Ok(false) => self.inactive_is_foreign.then_some(false),
            Err(error) => {
                tracing::warn!("the introspection endpoint of reports.token_stores: {error:#}");
                None
            }
        }
    }

    async fn active(&self, secret: &Secret) -> Result<bool> {
        let token = secret
            .expose_str()
            .context("a token that is not text cannot be asked about")?;
        let token = utf8_percent_encode(token, NON_ALPHANUMERIC);
        let mut request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "application/json")
            .body(format!("token={token}"));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let reply = request.send().await.map_err(reqwest::Error::without_url)?;
        let status = reply.status().as_u16();
        if status != 200 {
            bail!("it answered {status}");
        }
        let body = read_bounded(reply, LARGEST_REPLY).await?;
        let reply: Reply = serde_json::from_slice(&body).context("its answer is none of RFC 7662")?;
        Ok(reply.active)
    }
}

/// `user:password` as Basic, anything else as a bearer token.
fn header(credential: &Secret) -> Result<HeaderValue> {
    let text = credential.expose_str().unwrap_or_default();
    let header = Zeroizing::new(if text.contains(':') {
        format!("Basic {}", STANDARD.encode(text))
    } else {
        format!("Bearer {text}")
    });
    let mut header =
        HeaderValue::from_str(&header).context("reports.token_stores.credential holds control characters")?;
    header.set_sensitive(true);
    Ok(header)
}
