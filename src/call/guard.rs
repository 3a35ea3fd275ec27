//! Where a call may go: hosts of the rule file over HTTPS at public addresses, and what the configuration names.
//!
//! A secret must never reach a host that only scanned text, a service's reply or a name server chose. A name is
//! resolved once, every address of it is checked, and the connection is made to those addresses and no others.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures_util::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Origin, Url};

use super::address::is_public;
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
            for base in settings.bases.iter().chain(settings.instances.keys()) {
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
    lookup: Lookup,
}

/// Asks the name servers.
type Lookup = fn(String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>>;

fn by_the_system(name: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name.as_str(), 0)).await?.collect()) })
}

impl Names {
    pub(super) fn new(trust: Trust) -> Self {
        Self {
            trust,
            pinned: Mutex::new(HashMap::new()),
            lookup: by_the_system,
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
        let addresses = tokio::time::timeout(limit, (self.lookup)(name.clone()))
            .await
            .map_err(|_| CallError::Unreachable(format!("resolving {name} took longer than {limit:?}")))?
            .map_err(|_| {
                CallError::Unreachable(format!(
                    "the name {name} cannot be resolved; check the network and its DNS"
                ))
            })?;
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use futures_util::future::BoxFuture;
    use reqwest::dns::Resolve as _;
    use url::Url;

    use super::{Names, Trust};
    use crate::rule::{RuleSet, Service};

    static ASKED: AtomicUsize = AtomicUsize::new(0);

    /// A name server that answers an address of the internet first and this machine from then on.
    fn rebinding(_: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        let first = ASKED.fetch_add(1, Ordering::SeqCst) == 0;
        let address = if first { "8.8.8.8:0" } else { "127.0.0.1:0" };
        Box::pin(async move { Ok(vec![address.parse().unwrap()]) })
    }

    /// One good address does not cover for a bad one.
    fn mixed(_: String) -> BoxFuture<'static, std::io::Result<Vec<SocketAddr>>> {
        Box::pin(async {
            Ok(vec![
                "8.8.8.8:0".parse().unwrap(),
                "[fd00:ec2::254]:0".parse().unwrap(),
            ])
        })
    }

    fn service() -> std::sync::Arc<Service> {
        let mut set = RuleSet::empty();
        let text = "[service]\nname = 'E'\ndocs = 'https://e.example'\nhosts = ['api.e.example']\n";
        set.add("e", "e.toml", text).unwrap();
        set.services.remove(0)
    }

    async fn connected_to(names: &Names) -> Vec<SocketAddr> {
        let name = "api.e.example".parse().unwrap();
        names
            .resolve(name)
            .await
            .map(Iterator::collect)
            .unwrap_or_default()
    }

    #[tokio::test]
    async fn a_name_whose_answer_changes_is_connected_to_where_it_was_checked() {
        let (service, url) = (service(), Url::parse("https://api.e.example/me").unwrap());
        let mut names = Names::new(Trust::Listed);
        names.lookup = rebinding;
        assert!(
            connected_to(&names).await.is_empty(),
            "what was not checked is not connected to"
        );
        let wait = Duration::from_secs(1);
        names.pin(&service, &url, wait).await.unwrap();
        names.pin(&service, &url, wait).await.unwrap();
        let checked: Vec<SocketAddr> = vec!["8.8.8.8:0".parse().unwrap()];
        assert_eq!(connected_to(&names).await, checked);
        assert_eq!(
            ASKED.load(Ordering::SeqCst),
            1,
            "the connection asks no name server again"
        );
        let later = Names {
            pinned: std::sync::Mutex::default(),
            ..names
        };
        assert!(
            later.pin(&service, &url, wait).await.is_err(),
            "its later answer is refused"
        );
        assert!(connected_to(&later).await.is_empty());
    }

    #[tokio::test]
    async fn a_name_with_one_private_address_is_not_asked_at_any() {
        let mut names = Names::new(Trust::Listed);
        names.lookup = mixed;
        let url = Url::parse("https://api.e.example/me").unwrap();
        let refused = names
            .pin(&service(), &url, Duration::from_secs(1))
            .await
            .unwrap_err();
        assert!(refused.to_string().contains("fd00:ec2::254"), "{refused}");
        assert!(connected_to(&names).await.is_empty());
    }
}
