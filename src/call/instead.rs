//! Where a listed host is reached instead: a private endpoint in one's own network, a gateway, a server of a test.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use url::{Origin, Url};

/// One service's, by host.
#[derive(Clone, Debug, Default)]
pub(super) struct Instead(BTreeMap<String, Url>);

impl Instead {
    /// Reads the configuration; errors name the setting.
    pub(super) fn new(service: &str, given: &BTreeMap<String, String>) -> Result<Self> {
        let mut hosts = BTreeMap::new();
        for (host, text) in given {
            let url = Url::parse(text).ok().filter(|url| {
                matches!(url.scheme(), "http" | "https")
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
                    && url.fragment().is_none()
            });
            let Some(url) = url.filter(Url::has_host) else {
                bail!("services.{service}.instead.{host:?}: give a URL such as https://gateway.example.com");
            };
            hosts.insert(host.to_ascii_lowercase(), url);
        }
        Ok(Self(hosts))
    }

    /// Whether it leads to this origin.
    pub(super) fn leads_to(&self, origin: &Origin) -> bool {
        self.0.values().any(|url| url.origin() == *origin)
    }

    /// The URL to ask instead of this one, which is of a listed host by https.
    pub(super) fn of(&self, url: &Url) -> Option<Url> {
        let to = self.0.get(url.host_str()?)?;
        let mut whole = format!("{}{}", to.as_str().trim_end_matches('/'), url.path());
        if let Some(query) = url.query() {
            whole.push('?');
            whole.push_str(query);
        }
        Url::parse(&whole)
            .ok()
            .filter(|whole| whole.origin() == to.origin())
    }
}
