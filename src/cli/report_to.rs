//! `unleak scan --report-to URL`: the findings go to `POST /reports` of a receiver, signed by Standard Webhooks 1.0.0.
//!
//! The tokens themselves go out, so they go nowhere but to the address on the command line, by TLS or within this
//! machine, and only signed: a receiver takes nothing else.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use reqwest::header::RETRY_AFTER;
use serde_json::{Value, json};
use url::Url;

use super::Context;
use super::exit::Hinted;
use crate::config::reports::private_url;
use crate::finding::{Finding, Severity};
use crate::server::intake::fetch::{client, read_bounded};
use crate::server::intake::standard::{SigningKey, message_id};

/// Records of one message; a receiver takes thousands.
const MOST_RECORDS: usize = 500;
/// The receiver answers when everything is written down, which it promises within 30 s.
const TIMEOUT: Duration = Duration::from_secs(40);
/// Tries of one message, and the longest pause between two.
const TRIES: u32 = 4;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
const LARGEST_REPLY: usize = 1 << 20;

/// A receiver, and the key that it knows us by.
pub(super) struct Receiver {
    url: Url,
    key: SigningKey,
}

/// Why a message was not taken.
enum Failed {
    Now { why: String, after: Option<Duration> },
    Always(String),
}

impl Receiver {
    /// Reads the address and the key, before anything is scanned.
    pub(super) fn new(address: &str, context: &Context) -> Result<Self> {
        let url = private_url(address, "--report-to").map_err(|error| {
            Hinted::usage(
                format!("{error:#}"),
                "for example: unleak scan --report-to https://leaks.example.com/reports .",
            )
        })?;
        let key = context.config.report_key()?.ok_or_else(|| {
            Hinted::usage(
                "--report-to has no key to sign with",
                "set reports.sign_with = { file = \"…\" } (whsec_ and base64) in the configuration",
            )
        })?;
        let key = SigningKey::read(&key).context("reports.sign_with")?;
        Ok(Self { url, key })
    }

    /// Sends every finding that counts; says how many were taken.
    ///
    /// # Errors
    /// A receiver that does not take them, after several tries.
    pub(super) async fn send(&self, findings: &[Finding], repository: Option<&str>) -> Result<usize> {
        let counts = |finding: &&Finding| finding.counts() && finding.severity != Severity::Info;
        let records: Vec<Value> = findings
            .iter()
            .filter(counts)
            .filter_map(|finding| record(finding, repository))
            .collect();
        let client = client(&self.url, TIMEOUT)?;
        let mut taken = 0;
        for some in records.chunks(MOST_RECORDS) {
            taken += self.send_some(&client, some).await?;
        }
        Ok(taken)
    }

    async fn send_some(&self, client: &reqwest::Client, records: &[Value]) -> Result<usize> {
        let event =
            json!({ "type": "leak.reported", "timestamp": Timestamp::now(), "data": { "records": records } });
        let (id, body) = (message_id()?, event.to_string());
        for tried in 1.. {
            let (why, after) = match self.post(client, &id, &body).await {
                Ok(reply) => return taken(&reply, records.len()),
                Err(Failed::Always(why)) => bail!(why),
                Err(Failed::Now { why, after }) => (why, after),
            };
            let pause = after.unwrap_or(Duration::from_secs(1 << (tried - 1)));
            if tried == TRIES || pause > LONGEST_PAUSE {
                bail!("{why}, {tried} times");
            }
            tracing::warn!(why, "the receiver is tried again in {} s", pause.as_secs());
            tokio::time::sleep(pause).await;
        }
        Ok(0)
    }

    /// Sends the message once. It keeps its id, by which the receiver knows one that it has already.
    async fn post(&self, client: &reqwest::Client, id: &str, body: &str) -> Result<Vec<u8>, Failed> {
        let timestamp = Timestamp::now().as_second();
        let reply = client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.key.sign(id, timestamp, body.as_bytes()))
            .body(body.to_owned())
            .send()
            .await;
        let reply = reply.map_err(|error| Failed::Now {
            why: format!(
                "the receiver was not reached: {:#}",
                anyhow::Error::new(error.without_url())
            ),
            after: None,
        })?;
        let status = reply.status().as_u16();
        let said = format!("the receiver answered {status}");
        match status {
            200..=299 => read_bounded(reply, LARGEST_REPLY)
                .await
                .map_err(|error| Failed::Now {
                    why: format!("{error:#}"),
                    after: None,
                }),
            300..=399 => Err(Failed::Always(format!(
                "{said}; redirects are not followed: name where it leads"
            ))),
            401 => Err(Failed::Always(format!(
                "{said}; does it know the key of reports.sign_with, and are both clocks right?"
            ))),
            404 => Err(Failed::Always(format!(
                "{said}; is [reports.reporters] configured there, and does the address end in /reports?"
            ))),
            408 | 429 | 500..=599 => {
                let after = reply
                    .headers()
                    .get(RETRY_AFTER)
                    .and_then(|value| value.to_str().ok()?.trim().parse().ok());
                Err(Failed::Now {
                    why: said,
                    after: after.map(Duration::from_secs),
                })
            }
            _ => Err(Failed::Always(said)),
        }
    }
}

/// How many records the receiver took; one that it could not read is a failure that must not pass silently.
fn taken(reply: &[u8], sent: usize) -> Result<usize> {
    let reply: Value = serde_json::from_slice(reply).unwrap_or_default();
    let taken = reply["taken"]
        .as_u64()
        .and_then(|taken| usize::try_from(taken).ok());
    match taken {
        Some(taken) if taken < sent => bail!(
            "the receiver took {taken} of {sent} findings: {}",
            reply["refused"]
        ),
        Some(taken) => Ok(taken),
        None => Ok(sent),
    }
}

/// `None` for a secret that is not text, which no receiver can take.
fn record(finding: &Finding, repository: Option<&str>) -> Option<Value> {
    let at = &finding.location;
    let place = match repository {
        Some(repository) => format!("{repository}: {}", at.path),
        None => at.path.to_string(),
    };
    let mut record = json!({
        "token": finding.secret.expose_str()?,
        "type": finding.rule,
        "source": at.origin.name(),
        "url": place,
        "line": at.line,
        "column": at.column,
    });
    if let Some(commit) = at.origin.commit() {
        record["commit"] = json!(commit);
    }
    Some(record)
}

/// The address of a repository without user name and password.
pub(super) fn without_password(address: &str) -> String {
    match Url::parse(address) {
        Ok(mut url) if url.has_authority() => {
            // refused only where there can be none
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.to_string()
        }
        _ => address.to_owned(),
    }
}
