//! Requests to addresses that the operator named: no redirect is followed, and no reply read beyond a limit.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::{Host, Url};

/// A client for this address.
pub(crate) fn client(url: &Url, timeout: Duration) -> Result<Client> {
    // Refused where the process has one already, which is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let plain = || {
        let builder = Client::builder()
            .redirect(Policy::none())
            .timeout(timeout)
            .user_agent(concat!("unleak/", env!("CARGO_PKG_VERSION")));
        // A proxy would look for the address on its own machine.
        if here { builder.no_proxy() } else { builder }
    };
    // A machine without root certificates can still ask by plain http on loopback.
    let client = plain().build().or_else(|_| plain().tls_certs_only([]).build());
    client.context("the HTTP client cannot be made")
}

/// The body of a reply, at most so many bytes.
pub(crate) async fn read_bounded(mut reply: Response, most: usize) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > most {
            bail!("the reply has more than {most} bytes");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
