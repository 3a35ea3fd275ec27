//! Sends a filled request and reads its bounded reply.
//!
//! Two clients, so that what one service may reach by configuration is never reachable for another: names and
//! connections are not shared between them. No connection is used twice: a kept one may be closed while a request
//! that changes something is on its way, and then nobody knows whether it arrived.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Client, ClientBuilder, Response};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use super::guard::{Names, Trust};
use super::limit::{self, Next};
use super::template::Filled;
use super::{CallError, CallSettings, Caller, Reply, Values, sign};
use crate::rule::Service;
use crate::rule::file::CallFile;

/// Most bytes that are read of a reply.
const LARGEST_REPLY: usize = 1 << 20;
/// Longest text of a network error that is passed on, in characters.
const LONGEST_TEXT: usize = 160;

/// One client for each kind of trust.
pub(super) struct Clients {
    listed: (Client, Arc<Names>),
    configured: (Client, Arc<Names>),
}

impl Clients {
    pub(super) fn new(settings: &CallSettings) -> reqwest::Result<Self> {
        // Refused where the process has one already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let one = |trust| -> reqwest::Result<_> {
            let names = Arc::new(Names::new(trust));
            Ok((client(settings, trust, &names)?, names))
        };
        Ok(Self {
            listed: one(Trust::Listed)?,
            configured: one(Trust::Configured)?,
        })
    }

    fn of(&self, trust: Trust) -> &(Client, Arc<Names>) {
        match trust {
            Trust::Listed => &self.listed,
            Trust::Configured => &self.configured,
        }
    }
}

fn client(settings: &CallSettings, trust: Trust, names: &Arc<Names>) -> reqwest::Result<Client> {
    let plain = || -> ClientBuilder {
        Client::builder()
            .user_agent(&settings.user_agent)
            .timeout(settings.timeout)
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .pool_max_idle_per_host(0)
            .https_only(trust == Trust::Listed)
            .dns_resolver(Arc::clone(names))
    };
    // A machine without root certificates can still ask services by plain http on loopback.
    plain().build().or_else(|error| {
        let error = error.without_url();
        tracing::warn!(%error, "no root certificates: calls by https will fail; install ca-certificates");
        plain().tls_certs_only([]).build()
    })
}

impl Caller {
    /// Why it may go there; a listed host that is reached elsewhere is replaced.
    fn way_to(&self, service: &Service, filled: &mut Filled) -> Result<Trust, CallError> {
        let trust = self.0.guard.admit(service, &filled.url)?;
        Ok(match self.0.guard.instead(service, &filled.url) {
            Some(url) => {
                filled.url = url;
                Trust::Configured
            }
            None => trust,
        })
    }

    pub(super) async fn send(
        &self,
        service: &Service,
        call: &CallFile,
        mut filled: Filled,
        values: &Values,
        may_repeat: bool,
    ) -> Result<Reply, CallError> {
        let inner = &self.0;
        let trust = self.way_to(service, &mut filled)?;
        let (client, names) = inner.clients.of(trust);
        let host = filled.url.host_str().unwrap_or_default().to_owned();
        let port = filled.url.port_or_known_default().unwrap_or_default();
        let lane = inner.limits.lane(&format!("{host}:{port}"), service.head().rate);
        let mut tries = 0;
        loop {
            tries += 1;
            let permit = inner.limits.enter(&lane).await?;
            let started = Instant::now();
            // At each try anew: a signature holds for minutes.
            sign::sign(&mut filled, call, values)?;
            let asked = async {
                names
                    .pin(service, &filled.url, inner.settings.connect_timeout)
                    .await?;
                once(client, &filled, &inner.settings).await
            };
            let span = span(call, &filled, tries);
            let result = asked.instrument(span.clone()).await;
            drop(permit);
            told(&span, &result);
            // The template's text, which holds no value, and never the URL.
            tracing::debug!(
                service = service.name,
                request = call.request,
                host,
                status = result.as_ref().ok().map(|reply| reply.status),
                error = result.as_ref().err().map(tracing::field::display),
                milliseconds = started.elapsed().as_millis(),
                "called"
            );
            let next = if may_repeat && !took_all_the_time(started, &inner.settings) {
                inner.limits.next(tries, &result)
            } else {
                match &result {
                    Ok(reply) if limit::is_turned_away(reply) => Next::Limited(limit::wait_of(reply)),
                    Ok(_) | Err(_) => Next::Take,
                }
            };
            match next {
                Next::Take => return result,
                Next::Again(wait) => {
                    if matches!(&result, Ok(reply) if limit::is_limited(reply)) {
                        inner.limits.silence(&lane, wait);
                    }
                    tokio::time::sleep(wait).await;
                }
                Next::Limited(retry_after) => {
                    if let Some(wait) = retry_after {
                        inner.limits.silence(&lane, wait);
                    }
                    return Err(CallError::RateLimited { retry_after });
                }
            }
        }
    }
}

/// What is traced of a request: the template's text, which holds no value, and never the URL. The service does not hear
/// of the trace.
fn span(call: &CallFile, filled: &Filled, tries: u32) -> Span {
    let template = call.request.split_once(' ').map_or("", |(_, address)| address);
    info_span!(
        target: "traces",
        "call",
        otel.name = call.request,
        otel.kind = "client",
        otel.status_code = Empty,
        http.request.method = filled.method.as_str(),
        http.request.resend_count = (tries > 1).then(|| tries - 1),
        http.response.status_code = Empty,
        url.template = template,
        server.address = filled.url.host_str(),
        server.port = filled.url.port_or_known_default(),
        error.r#type = Empty,
    )
}

fn told(span: &Span, result: &Result<Reply, CallError>) {
    match result {
        Ok(reply) => {
            span.record("http.response.status_code", i64::from(reply.status));
        }
        Err(error) => {
            span.record("error.type", error.name());
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// A try that ran into the time limit is not repeated: the limit is what the caller was ready to wait.
fn took_all_the_time(started: Instant, settings: &CallSettings) -> bool {
    started.elapsed() >= settings.timeout
}

async fn once(client: &Client, filled: &Filled, settings: &CallSettings) -> Result<Reply, CallError> {
    let mut headers = filled.headers.clone();
    headers
        .entry(ACCEPT)
        .or_insert(HeaderValue::from_static("application/json"));
    let mut request = client
        .request(filled.method.clone(), filled.url.clone())
        .headers(headers);
    if let Some(body) = &filled.body {
        request = request.body(body.clone());
    }
    let response = request
        .send()
        .await
        .map_err(|error| lost(&error, settings.timeout))?;
    read(response, settings.timeout).await
}

async fn read(mut response: Response, limit: Duration) -> Result<Reply, CallError> {
    let too_large = CallError::TooLarge { limit: LARGEST_REPLY };
    if response
        .content_length()
        .is_some_and(|length| length > LARGEST_REPLY as u64)
    {
        return Err(too_large);
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > LARGEST_REPLY => return Err(too_large),
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) if error.is_timeout() => {
                return Err(CallError::Network(format!(
                    "the reply did not end within {limit:?}; try again, or raise the timeout"
                )));
            }
            Err(_) => {
                return Err(CallError::Network(
                    "the reply broke off before its end; try again".to_owned(),
                ));
            }
        }
    }
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    Ok(Reply::new(response.status().as_u16(), headers, body))
}

/// What became of a request without a reply. The text comes from the bottom of the chain of causes, which names
/// neither URL nor header; reqwest's own, at the top, does.
fn lost(error: &reqwest::Error, limit: Duration) -> CallError {
    let mut cause = error.source();
    let mut text = String::new();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    let text: String = text
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_TEXT)
        .collect();
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => {
            CallError::Unreachable("no connection in time; is the service reachable from here?".into())
        }
        (true, false) => CallError::Unreachable(format!("no connection: {text}")),
        (false, true) => CallError::Network(format!(
            "no reply within {limit:?}; try again, or raise the timeout"
        )),
        (false, false) => CallError::Network(format!("no usable reply: {text}")),
    }
}
