//! Signed events by Standard Webhooks 1.0.0.
//!
//! A redirect is never followed, and no reply's body is read. The URL is the operator's own and therefore may name a
//! private address; it may hold a token and therefore is never shown.

use std::error::Error as _;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy as Redirects;
use serde_json::json;
use url::{Host, Url};
use zeroize::Zeroizing;

use super::WebhookSettings;
use super::message::Message;
use super::text::clean;
use crate::secret::{Secret, mac_sha256};

/// The first try and two quick ones; whatever needs longer is for the next run.
const TRIES: u32 = 3;
/// Longest wait between them.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(15);

pub(super) struct Webhook {
    client: reqwest::Client,
    url: Url,
    key: Zeroizing<Vec<u8>>,
    /// Set by a 410: the receiver wants no more.
    ended: AtomicBool,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook([redacted])")
    }
}

/// How one try ended.
enum Tried {
    Taken,
    Failed(String),
    Again { why: String, after: Option<Duration> },
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self> {
        let url =
            Url::parse(&settings.url).map_err(|error| anyhow!("notify.webhook.url is no URL: {error}"))?;
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => bail!("notify.webhook.url names no host"),
        };
        if !(url.scheme() == "https" || url.scheme() == "http" && here) {
            bail!("notify.webhook.url must begin with https://; http:// is only for this machine");
        }
        let secret = settings.secret.as_ref().context(
            "notify.webhook has no signing secret: set secret, secret_file or secret_env (whsec_ and base64)",
        )?;
        let key = signing_key(secret).context("notify.webhook")?;
        let mut client = reqwest::Client::builder()
            .redirect(Redirects::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("unleak/", env!("CARGO_PKG_VERSION")));
        if here {
            // A proxy would look for the receiver on its own machine.
            client = client.no_proxy();
        }
        let client = client
            .build()
            .context("the webhook's HTTP client cannot be made")?;
        Ok(Self {
            client,
            url,
            key,
            ended: AtomicBool::new(false),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        if self.ended.load(Ordering::Relaxed) {
            return Err(ENDED.to_owned());
        }
        let event =
            json!({ "type": message.kind.name(), "timestamp": Timestamp::now(), "data": message.data });
        let body = event.to_string();
        let mut tried = 0;
        loop {
            tried += 1;
            let (why, after) = match self.try_once(&message.id, &body).await {
                Tried::Taken => return Ok(()),
                Tried::Failed(why) => return Err(why),
                Tried::Again { why, after } => (why, after),
            };
            let wait = after.unwrap_or(Duration::from_millis(250 << tried));
            if tried == TRIES {
                return Err(format!("{why}, {TRIES} times; the next run tries again"));
            }
            if wait > LONGEST_WAIT {
                return Err(format!(
                    "{why} and asks to wait {} s; a later run tries again",
                    wait.as_secs()
                ));
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn try_once(&self, id: &str, body: &str) -> Tried {
        let timestamp = Timestamp::now().as_second();
        let reply = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header(
                "webhook-signature",
                sign(&self.key, id, timestamp, body.as_bytes()),
            )
            .body(body.to_owned())
            .send()
            .await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                let error = error.without_url();
                let behind = error
                    .source()
                    .map(|source| format!(" ({source})"))
                    .unwrap_or_default();
                let why = format!(
                    "the webhook's receiver was not reached: {}",
                    clean(&format!("{error}{behind}"), 300)
                );
                return Tried::Again { why, after: None };
            }
        };
        let status = reply.status();
        let said = format!("the webhook's receiver answered {}", status.as_u16());
        match status.as_u16() {
            200..=299 => Tried::Taken,
            300..=399 => Tried::Failed(format!(
                "{said}; redirects are not followed: set notify.webhook.url to where it leads"
            )),
            410 => {
                self.ended.store(true, Ordering::Relaxed);
                Tried::Failed(ENDED.to_owned())
            }
            429 | 500..=599 => Tried::Again {
                why: said,
                after: retry_after(reply.headers(), Timestamp::now()),
            },
            _ => Tried::Failed(format!("{said}; check notify.webhook")),
        }
    }
}

const ENDED: &str = "the webhook's receiver answered 410, it wants no more events; take [notify.webhook] out";

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

/// The key of Standard Webhooks in a signing secret: `whsec_` and base64; the key is the decoded bytes.
///
/// # Errors
/// Anything else, and fewer than 24 or more than 64 bytes; the message does not show it.
pub fn signing_key(secret: &Secret) -> Result<Zeroizing<Vec<u8>>> {
    let wrong = || anyhow!("a signing secret must be whsec_ and 24 to 64 bytes in base64");
    let text = secret.expose_str().ok_or_else(wrong)?.trim();
    let key = STANDARD
        .decode(text.strip_prefix("whsec_").unwrap_or(text))
        .map(Zeroizing::new)
        .map_err(|_| wrong())?;
    if !(24..=64).contains(&key.len()) {
        return Err(wrong());
    }
    Ok(key)
}

/// The value of `webhook-signature` for this message, id and time (seconds since 1970).
pub fn sign(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mac = mac_sha256(key, &[format!("{id}.{timestamp}.").as_bytes(), body]);
    format!("v1,{}", STANDARD.encode(mac))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::{retry_after, sign, signing_key};
    use crate::secret::Secret;

    /// The vector of the reference libraries' own tests.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = ["whsec_", "MfKQ9r8GKYqrTwjUPD8I", "LPZIo2LaLaSw"].concat();
        let key = signing_key(&Secret::new(secret)).unwrap();
        assert_eq!(
            sign(
                &key,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_signing_secret_of_another_form_is_refused_without_showing_it() {
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%"] {
            let error = signing_key(&Secret::new(wrong)).unwrap_err().to_string();
            assert!(error.contains("24 to 64 bytes"), "{error}");
        }
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now: Timestamp = "2025-06-01T12:00:00Z".parse().unwrap();
        let read = |text| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            retry_after(&headers, now)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(
            read("Sun, 01 Jun 2025 12:00:30 GMT"),
            Some(Duration::from_secs(30))
        );
        assert_eq!(read("Sun, 01 Jun 2025 11:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
    }
}
