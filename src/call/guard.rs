//! Where a call may go: hosts of the rule file over HTTPS at public addresses, and what the configuration names.
//!
//! A secret must never reach a host that only scanned text, a service's reply or a name server chose. A name is
//! resolved once, every address of it is checked, and the connection is made to those addresses and no others.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Origin, Url};

use super::instead::Instead;
use super::{CallError, ServiceSettings};
use crate::rule::Service;

/// How long a name keeps the addresses that it was resolved to.
const PINNED: Duration = Duration::from_secs(300);

/// Why a host is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// The rule file lists it: public addresses, HTTPS and port 443 only.
    Listed,
    /// The configuration names its origin.
    Configured,
}

/// The configured bases, by service.
pub(super) struct Guard {
    configured: BTreeMap<String, Vec<(String, Origin)>>,
    instead: BTreeMap<String, Instead>,
}

impl Guard {
    pub(super) fn new(services: &BTreeMap<String, ServiceSettings>) -> Result<Self> {
        let (mut configured, mut instead) = (BTreeMap::new(), BTreeMap::new());
        for (name, settings) in services {
            let mut bases = Vec::new();
            for base in &settings.bases {
                let Some(url) = Url::parse(base).ok().filter(is_http) else {
                    bail!("services.{name}.bases: each one is a URL such as https://{name}.example.com");
                };
                if has_more_than_a_path(&url) {
                    bail!(
                        "services.{name}.bases: a base URL has no user name, password, `?` or `#` \
                         (a password belongs into services.{name}.credential)"
                    );
                }
                bases.push((url.as_str().trim_end_matches('/').to_owned(), url.origin()));
            }
            configured.insert(name.clone(), bases);
            instead.insert(name.clone(), Instead::new(name, &settings.instead)?);
        }
        Ok(Self { configured, instead })
    }

    /// The configured bases of a service, without a slash at the end.
    pub(super) fn configured(&self, service: &str) -> Vec<String> {
        self.origins(service)
            .iter()
            .map(|(base, _)| base.clone())
            .collect()
    }

    /// Where a URL of a listed host is asked instead, if the configuration says so.
    pub(super) fn instead(&self, service: &Service, url: &Url) -> Option<Url> {
        self.instead.get(&service.name)?.of(url)
    }

    fn origins(&self, service: &str) -> &[(String, Origin)] {
        self.configured.get(service).map_or(&[], Vec::as_slice)
    }

    /// Whether a request of this service may go to this URL, and why.
    pub(super) fn admit(&self, service: &Service, url: &Url) -> Result<Trust, CallError> {
        let refused = |what: String| Err(CallError::Forbidden(what));
        if !url.username().is_empty() || url.password().is_some() {
            return refused("the URL holds a user name or password: nothing was sent".to_owned());
        }
        let origin = url.origin();
        if self
            .origins(&service.name)
            .iter()
            .any(|(_, known)| *known == origin)
            || self
                .instead
                .get(&service.name)
                .is_some_and(|to| to.leads_to(&origin))
        {
            return Ok(Trust::Configured);
        }
        let Some(host) = url.host() else {
            return refused("the URL has no host: nothing was sent".to_owned());
        };
        let host = host.to_owned();
        if !lists(service, &host) {
            return refused(format!(
                "host {host} is neither in the rule file nor configured; set services.{}.bases to trust it",
                service.name
            ));
        }
        if url.scheme() != "https" || url.port_or_known_default() != Some(443) {
            return refused(format!(
                "host {host} may be asked by https on port 443 only; set services.{}.bases to trust more",
                service.name
            ));
        }
        Ok(Trust::Listed)
    }

    /// The base URL that a token names itself, if it may be asked; written anew, so that nothing of the token's own
    /// text gets into a request.
    pub(super) fn named_by_token(&self, service: &Service, text: &str) -> Result<String, CallError> {
        let Some(url) = Url::parse(text).ok().filter(is_http) else {
            return Err(CallError::Forbidden(
                "the token names a base that is no http or https URL: nothing was sent".to_owned(),
            ));
        };
        let plain = url.as_str().trim_end_matches('/');
        if self.origins(&service.name).iter().any(|(base, _)| base == plain) {
            return Ok(plain.to_owned());
        }
        if let Err(refused) = self.admit(service, &url) {
            let host = url.host().map(|host| host.to_owned());
            if host.is_some_and(|host| lists(service, &host)) {
                return Err(refused);
            }
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            return Err(CallError::Forbidden(format!(
                "the token names host {}{port}, which is neither in the rule file nor configured; \
                 set services.{}.bases to trust it",
                url.host_str().unwrap_or_default(),
                service.name
            )));
        }
        if has_more_than_a_path(&url) || url.path() != "/" {
            return Err(CallError::Forbidden(
                "the token names a URL with a path where a base was meant: nothing was sent".to_owned(),
            ));
        }
        Ok(plain.to_owned())
    }
}

fn lists(service: &Service, host: &Host) -> bool {
    let mut hosts = service.head().hosts.iter();
    hosts.any(|known| Host::parse(known).is_ok_and(|known| known == *host))
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.host().is_some()
}

fn has_more_than_a_path(url: &Url) -> bool {
    !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
}

/// Names with the addresses that were found and checked for them. It is the client's only resolver and resolves
/// nothing then: a connection goes to what [`Names::pin`] put here, or nowhere.
pub(super) struct Names {
    trust: Trust,
    pinned: Mutex<HashMap<String, (Vec<SocketAddr>, Instant)>>,
}

impl Names {
    pub(super) fn new(trust: Trust) -> Self {
        Self {
            trust,
            pinned: Mutex::new(HashMap::new()),
        }
    }

    /// Resolves the URL's host and checks every address, or takes what is pinned.
    pub(super) async fn pin(&self, service: &Service, url: &Url, limit: Duration) -> Result<(), CallError> {
        let name = match url.host() {
            Some(Host::Domain(name)) => name.to_owned(),
            Some(Host::Ipv4(address)) => return self.check(service, &address.to_string(), address.into()),
            Some(Host::Ipv6(address)) => return self.check(service, &address.to_string(), address.into()),
            None => return Err(CallError::Invalid("its URL has no host".to_owned())),
        };
        if self.fresh(&name).is_some() {
            return Ok(());
        }
        let found = tokio::time::timeout(limit, tokio::net::lookup_host((name.as_str(), 0)))
            .await
            .map_err(|_| CallError::Unreachable(format!("resolving {name} took longer than {limit:?}")))?
            .map_err(|_| {
                CallError::Unreachable(format!(
                    "the name {name} cannot be resolved; check the network and its DNS"
                ))
            })?;
        let addresses: Vec<SocketAddr> = found.collect();
        for address in &addresses {
            self.check(service, &name, address.ip())?;
        }
        self.pinned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, (addresses, Instant::now()));
        Ok(())
    }

    fn check(&self, service: &Service, name: &str, address: IpAddr) -> Result<(), CallError> {
        if self.trust == Trust::Configured || is_public(address) {
            return Ok(());
        }
        Err(CallError::Forbidden(format!(
            "host {name} is at {address}, which is not on the public internet: nothing was sent; \
             set services.{}.bases to trust it",
            service.name
        )))
    }

    fn fresh(&self, name: &str) -> Option<()> {
        let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, since) = pinned.get(name)?;
        (since.elapsed() < PINNED).then_some(())
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        let found = pinned.get(name.as_str()).map(|(addresses, _)| addresses.clone());
        Box::pin(async move {
            match found {
                Some(addresses) => Ok(Box::new(addresses.into_iter()) as Addrs),
                None => Err("the name was not checked".into()),
            }
        })
    }
}

/// Whether an address is an ordinary one of the public internet. What is not known to be is not.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// IANA's special-purpose registry for IPv4; metadata services live in 169.254/16 and 100.64/10.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || address == Ipv4Addr::new(168, 63, 129, 16))
}

/// Global unicast is 2000::/3; out of it go the ranges that are for protocols, documentation, or wrap an IPv4
/// address (Teredo, 6to4). IPv4-mapped, NAT64, unique local, link-local and multicast lie outside of it.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    (0x2000..0x4000).contains(&a)
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn only_ordinary_addresses_of_the_public_internet_pass() {
        let refused = "127.0.0.1 0.0.0.0 0.1.2.3 10.1.2.3 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 \
            100.64.0.1 100.100.100.200 100.127.255.255 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 \
            224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 192.88.99.1 \
            :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::8.8.8.8 64:ff9b::a00:1 64:ff9b:1::1 fc00::1 fd00:ec2::254 \
            fe80::1 fec0::1 ff02::1 2001::1 2001:db8::1 2001:10::1 2002:7f00:1::1 3fff::1 100::1 5f00::1";
        for address in refused.split_whitespace() {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        let passed = "8.8.8.8 1.1.1.1 140.82.112.3 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 198.20.0.1 \
            2606:4700::1111 2a00:1450::1 2001:4860:4860::8888";
        for address in passed.split_whitespace() {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
