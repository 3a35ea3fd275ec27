//! One JSON request of a channel: sent to where the operator said, tried again where that may help, its reply read as
//! far as it is needed.
//!
//! A redirect is never followed. The address may name a private host, because the operator wrote it, and it may hold a
//! token, so it is never shown; neither is what a reply says of our own secrets.

use std::error::Error as _;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy as Redirects;
use reqwest::{Client, RequestBuilder};
use url::{Host, Url};

use super::text::clean;
use crate::secret::Secret;

/// The first try and two quick ones; whatever needs longer is for a later run.
const TRIES: u32 = 3;
/// Longest wait between them.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(15);
/// As much of a reply's body as is read, in bytes.
const MOST: usize = 16 << 10;

/// Where a channel posts to.
pub(super) struct Post {
    client: Client,
    pub(super) url: Url,
    /// How errors call the receiver.
    who: &'static str,
}

/// What came back.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) after: Option<Duration>,
    pub(super) body: String,
}

/// How one try ended.
pub(super) enum Tried {
    Taken,
    Failed(String),
    Again { why: String, after: Option<Duration> },
}

impl Post {
    /// `key` is where the configuration has the address.
    pub(super) fn new(url: &str, key: &str, who: &'static str) -> Result<Self> {
        let url = Url::parse(url).map_err(|error| anyhow!("{key} is no URL: {error}"))?;
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => bail!("{key} names no host"),
        };
        if !(url.scheme() == "https" || url.scheme() == "http" && here) {
            bail!("{key} must begin with https://; http:// is only for this machine");
        }
        let mut client = Client::builder()
            .redirect(Redirects::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("unleak/", env!("CARGO_PKG_VERSION")));
        if here {
            // A proxy would look for the receiver on its own machine.
            client = client.no_proxy();
        }
        let client = client
            .build()
            .with_context(|| format!("the HTTP client for {key} cannot be made"))?;
        Ok(Self { client, url, who })
    }

    /// The same for an address that is a secret itself.
    pub(super) fn secret(url: Option<&Secret>, key: &str, who: &'static str) -> Result<Self> {
        let url = url.with_context(|| format!("{key} is missing: set {key}_file or {key}_env"))?;
        let url = url.expose_str().with_context(|| format!("{key} is not UTF-8"))?;
        Self::new(url.trim(), key, who)
    }

    /// An address below the base.
    pub(super) fn below(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{path}", self.url.path().trim_end_matches('/')));
        url
    }

    /// Sends until it is taken, refused, or not worth another try now. `request` is made anew for each try.
    pub(super) async fn send(
        &self,
        request: impl Fn(&Client) -> RequestBuilder,
        judge: impl Fn(&Reply) -> Tried,
    ) -> Result<(), String> {
        let mut tried = 0;
        loop {
            tried += 1;
            let ended = match self.once(request(&self.client)).await {
                Ok(reply) => judge(&reply),
                Err(why) => Tried::Again { why, after: None },
            };
            let (why, after) = match ended {
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

    /// One request and as much of its reply as is needed.
    pub(super) async fn once(&self, request: RequestBuilder) -> Result<Reply, String> {
        let mut response = request.send().await.map_err(|error| {
            let error = error.without_url();
            let behind = error
                .source()
                .map(|source| format!(" ({source})"))
                .unwrap_or_default();
            format!(
                "{} was not reached: {}",
                self.who,
                clean(&format!("{error}{behind}"), 300)
            )
        })?;
        let status = response.status().as_u16();
        let after = retry_after(response.headers(), Timestamp::now());
        let mut body = Vec::new();
        // What is cut off by an error says as much as we need.
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() >= MOST {
                body.truncate(MOST);
                break;
            }
        }
        Ok(Reply {
            status,
            after,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// What most receivers mean by a status: taken, try again, or wrong; `key` is the section to look at.
    pub(super) fn judge(&self, reply: &Reply, key: &str) -> Tried {
        let said = format!("{} answered {}", self.who, reply.status);
        match reply.status {
            200..=299 => Tried::Taken,
            300..=399 => Tried::Failed(format!(
                "{said}; redirects are not followed: set {key}.url to where it leads"
            )),
            429 | 500..=599 => Tried::Again {
                why: said,
                after: reply.after,
            },
            _ => Tried::Failed(format!("{said}; check {key}")),
        }
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::retry_after;

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
