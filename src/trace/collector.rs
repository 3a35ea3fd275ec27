//! Brings spans to a collector over HTTP.
//!
//! It has a runtime of its own on the exporter's thread, so that a collector that is slow or away is felt by nobody else.
//! What a collector answers is not read, and of an error neither the address nor a header is told.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use flate2::Compression;
use flate2::write::GzEncoder;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use tokio::runtime::{Builder, Runtime};
use url::Url;

use super::export::Settings;

/// Where spans go.
#[derive(Debug)]
pub(super) struct Collector {
    client: Client,
    runtime: Runtime,
    endpoint: Url,
    headers: HeaderMap,
    gzip: bool,
    /// Whether the last batch was lost, so that it is said once and not with every batch.
    losing: AtomicBool,
}

impl Collector {
    /// # Errors
    /// A header that is none, certificates that are none, a system without threads or TLS.
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        // Refused where the process has one already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let told = || format!("the header {name} for traces cannot be sent");
            let mut value = HeaderValue::from_bytes(value.expose()).with_context(told)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes()).with_context(told)?, value);
        }
        let mut client = Client::builder()
            .timeout(settings.timeout)
            .connect_timeout(settings.timeout)
            .redirect(Policy::none())
            .no_proxy();
        if let Some(pem) = &settings.certificates {
            let trusted =
                Certificate::from_pem_bundle(pem).context("the certificates for traces are no PEM")?;
            client = client.tls_certs_merge(trusted);
        }
        Ok(Self {
            client: client.build().context("cannot set up the client for traces")?,
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .context("cannot start the runtime for traces")?,
            endpoint: settings.endpoint.clone(),
            headers,
            gzip: settings.gzip,
            losing: AtomicBool::new(false),
        })
    }

    fn post(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut headers = self.headers.clone();
        if let Some(kind) = request.headers().get(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, kind.clone());
        }
        let mut body = request.into_body().to_vec();
        if self.gzip {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&body)?;
            body = packed.finish()?;
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let sent = self
            .client
            .post(self.endpoint.clone())
            .headers(headers)
            .body(body);
        // made within the runtime, whose clock it reads
        let answer = self.runtime.block_on(async { sent.send().await });
        let answer = answer.map_err(reqwest::Error::without_url)?;
        let mut response = Response::builder().status(answer.status());
        if let Some(wait) = answer.headers().get(RETRY_AFTER) {
            response = response.header(RETRY_AFTER, wait);
        }
        Ok(response.body(Bytes::new())?)
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.post(request);
        let lost = match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answers {}", response.status())),
            Err(error) if error.downcast_ref().is_some_and(reqwest::Error::is_timeout) => {
                Some("it does not answer in time".to_owned())
            }
            Err(_) => Some("it cannot be reached".to_owned()),
        };
        match (self.losing.swap(lost.is_some(), Ordering::Relaxed), lost) {
            (false, Some(why)) => {
                tracing::warn!(
                    why,
                    "the collector takes no traces; they are dropped until it does"
                );
            }
            (true, None) => tracing::warn!("the collector takes traces again"),
            _ => {}
        }
        sent
    }
}
