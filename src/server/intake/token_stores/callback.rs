//! A callback of the issuer's: many tokens in one request, signed by Standard Webhooks 1.0.0.
//!
//! It is told the SHA-256 of each token, and the tokens themselves only where the operator says so. docs/receiver.md
//! describes it with an example that runs.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use serde_json::json;
use url::Url;

use super::Asked;
use crate::config::reports::TokenStore;
use crate::server::intake::fetch::{client, read_bounded};
use crate::server::intake::standard::{SigningKey, message_id};

/// Tokens of one request.
const MOST_TOKENS: usize = 500;
const LARGEST_REPLY: usize = 1 << 20;

pub(super) struct Callback {
    client: reqwest::Client,
    url: Url,
    key: SigningKey,
    send_tokens: bool,
}

#[derive(serde::Deserialize)]
struct Reply {
    tokens: Vec<Said>,
}

#[derive(serde::Deserialize)]
struct Said {
    token_hash: String,
    /// Left out where the issuer cannot tell.
    known: Option<bool>,
}

impl Callback {
    pub(super) fn new(store: &TokenStore, within: Duration) -> Result<Self> {
        let key = store
            .credential
            .as_ref()
            .context("reports.token_stores.credential is not set")?;
        Ok(Self {
            client: client(&store.url, within)?,
            url: store.url.clone(),
            key: SigningKey::read(key).context("reports.token_stores.credential")?,
            send_tokens: store.send_tokens,
        })
    }

    /// Asks about those at these places and hands on what is said of each.
    pub(super) async fn ask(
        &self,
        asked: &[Asked<'_>],
        concerned: &[usize],
        learn: &(dyn Fn(usize, Option<bool>) + Sync),
    ) {
        for some in concerned.chunks(MOST_TOKENS) {
            match self.ask_some(asked, some).await {
                Ok(said) => {
                    for &at in some {
                        learn(at, said.get(asked[at].hash).copied().flatten());
                    }
                }
                Err(error) => {
                    tracing::warn!("the callback of reports.token_stores: {error:#}");
                    return;
                }
            }
        }
    }

    async fn ask_some(&self, asked: &[Asked<'_>], some: &[usize]) -> Result<HashMap<String, Option<bool>>> {
        let token = |at: &usize| {
            let one = &asked[*at];
            let mut told = json!({ "token_hash": one.hash, "type": one.kind });
            if self.send_tokens {
                told["token"] = json!(one.secret.expose_str());
            }
            told
        };
        let tokens: Vec<_> = some.iter().map(token).collect();
        let now = Timestamp::now();
        let body = json!({ "type": "tokens.lookup", "timestamp": now, "data": { "tokens": tokens } });
        let body = body.to_string();
        let id = message_id()?;
        let reply = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now.as_second())
            .header(
                "webhook-signature",
                self.key.sign(&id, now.as_second(), body.as_bytes()),
            )
            .body(body)
            .send()
            .await
            .map_err(reqwest::Error::without_url)?;
        let status = reply.status().as_u16();
        if status != 200 {
            bail!("it answered {status}");
        }
        let body = read_bounded(reply, LARGEST_REPLY).await?;
        let reply: Reply = serde_json::from_slice(&body).context("its answer cannot be read")?;
        Ok(reply
            .tokens
            .into_iter()
            .map(|said| (said.token_hash.to_lowercase(), said.known))
            .collect())
    }
}
