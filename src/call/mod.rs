//! One request of a rule file: filled in, sent safely, and read.
//!
//! It knows how to ask, never whom: hosts come from rule files and from the configuration. It never follows a
//! redirect, never sends anything to a host that neither names, never repeats a request that changes something, and
//! never lets a secret into a log, an error or (unless the rule file puts it there) a URL.

mod address;
mod error;
pub mod expect;
mod guard;
mod instead;
mod limit;
pub mod list;
mod reply;
mod send;
mod sign;
pub mod steps;
pub mod template;
mod values;
pub mod way;
mod xml;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use url::Url;

pub use error::CallError;
pub use reply::Reply;
pub use values::Values;

use crate::leak::Held;
use crate::rule::Service;
use crate::rule::file::CallFile;
use crate::secret::Secret;

/// What the configuration says of one service.
#[derive(Clone, Debug, Default)]
pub struct ServiceSettings {
    /// Base URLs to ask instead of the rule file's. Their hosts count as configured: private and loopback addresses,
    /// other ports and `http://` are allowed for them.
    pub bases: Vec<String>,
    /// Further bases with settings of their own: self-hosted instances. What is set for one goes to no other.
    pub instances: BTreeMap<String, ServiceSettings>,
    /// The operator's credential; where a rule file says `{basic:operator}` it is `user:password`.
    pub credential: Option<Secret>,
    /// Further credentials of the operator, by name: `{operator-NAME}`.
    pub credentials: BTreeMap<String, Secret>,
    /// Listed host to the URL where it is reached instead: a private endpoint, a gateway.
    pub instead: BTreeMap<String, String>,
    /// Values of the facts that `service.canaries` names with which a token is bait, beside those of the rule file.
    pub canaries: Vec<String>,
    /// Whether what can be undone is made final once a token is proved dead.
    pub finish: bool,
    /// Organisations to ask for where the service does not tell.
    pub organisations: Vec<String>,
    /// Further values for `{name}` in requests.
    pub values: BTreeMap<String, String>,
    /// How long to wait for the service to settle, in place of the rule file's times.
    pub settle: Option<Duration>,
}

/// How calls are made.
#[derive(Clone, Debug)]
pub struct CallSettings {
    /// By service name (the rule file's, without ending).
    pub services: BTreeMap<String, ServiceSettings>,
    /// Longest time for one request and its whole reply.
    pub timeout: Duration,
    /// Longest time for resolving a name, and for a connection with TLS.
    pub connect_timeout: Duration,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// A `Retry-After` up to this long is waited for; a longer one ends the call.
    pub longest_wait: Duration,
    /// First pause before a read-only call is repeated; doubled for the next, and jittered.
    pub back_off: Duration,
    /// Least time between two requests to one host.
    pub pace: Duration,
    /// Most requests to one host at a time.
    pub at_once: usize,
}

impl Default for CallSettings {
    fn default() -> Self {
        Self {
            services: BTreeMap::new(),
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            user_agent: concat!("unleak/", env!("CARGO_PKG_VERSION"), " (+leaked-token check)").to_owned(),
            longest_wait: Duration::from_secs(10),
            back_off: Duration::from_millis(500),
            pace: Duration::from_millis(25),
            at_once: 4,
        }
    }
}

/// Sends the calls of rule files. Cheap to clone: clones share limits and resolved names.
#[derive(Clone)]
pub struct Caller(Arc<Inner>);

struct Inner {
    settings: CallSettings,
    unset: ServiceSettings,
    guard: guard::Guard,
    limits: limit::Limits,
    clients: send::Clients,
}

impl Caller {
    /// Builds the HTTP clients; errors name the setting that cannot be used.
    pub fn new(settings: CallSettings) -> Result<Self> {
        let guard = guard::Guard::new(&settings.services)?;
        let clients = send::Clients::new(&settings).context("cannot set up the HTTP client")?;
        let limits = limit::Limits::new(&settings);
        Ok(Self(Arc::new(Inner {
            settings,
            unset: ServiceSettings::default(),
            guard,
            limits,
            clients,
        })))
    }

    /// What the configuration says of this service; nothing, if it does not name it.
    pub fn settings(&self, service: &str) -> &ServiceSettings {
        self.0.settings.services.get(service).unwrap_or(&self.0.unset)
    }

    /// What the configuration says of this service at a base: an instance's own, else the service's.
    pub fn settings_at(&self, service: &str, base: &str) -> &ServiceSettings {
        let all = self.settings(service);
        all.instances.get(base).unwrap_or(all)
    }

    /// The base URLs to ask in turn: the configured ones, else the rule file's. Empty means that the configuration
    /// must name one ([`CallError::NoBase`]).
    pub fn bases(&self, service: &Service) -> Vec<String> {
        let configured = self.0.guard.configured(&service.name);
        if configured.is_empty() {
            return service
                .bases()
                .iter()
                .map(|base| base.trim_end_matches('/').to_owned())
                .collect();
        }
        configured
    }

    /// The base URLs to ask about this secret: the one that the token itself names, else the one that knew it before,
    /// else all of [`Caller::bases`].
    ///
    /// A token is foreign text: where it names a host that is neither in the rule file nor configured, this is
    /// [`CallError::Forbidden`], and nothing may be sent at all.
    pub fn bases_of(&self, service: &Service, held: &Held) -> Result<Vec<String>, CallError> {
        self.no_bait(service, held)?;
        if let Some(region) = held.facts.get("region") {
            self.0.guard.named_by_token(service, region)?;
        }
        if let Some(base) = held.facts.get("base") {
            return Ok(vec![self.0.guard.named_by_token(service, base)?]);
        }
        if let Some(base) = held
            .leak
            .identity
            .base
            .as_ref()
            .filter(|base| self.allowed(service, base))
        {
            return Ok(vec![base.clone()]);
        }
        let bases = self.bases(service);
        if bases.is_empty() {
            return Err(CallError::NoBase {
                service: service.name.clone(),
            });
        }
        Ok(bases)
    }

    /// Refuses what somebody laid as bait: the very question would tell them.
    fn no_bait(&self, service: &Service, held: &Held) -> Result<(), CallError> {
        let more = &self.settings(&service.name).canaries;
        for (fact, values) in &service.head().canaries {
            if let Some(value) = held.facts.get(fact)
                && (values.contains(value) || more.contains(value))
            {
                return Err(CallError::Forbidden(format!(
                    "{fact} {value} is a canary's: nothing was sent, because asking alone tells whoever laid it"
                )));
            }
        }
        Ok(())
    }

    /// Whether a request may go to this URL: its host is listed in the rule file, or its origin is configured.
    pub fn allowed(&self, service: &Service, url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| self.0.guard.admit(service, &url).is_ok())
    }

    /// Sends a call that reads only; repeated when the service is in trouble or asks to wait a little.
    pub async fn ask(&self, service: &Service, call: &CallFile, values: &Values) -> Result<Reply, CallError> {
        let values = &*sign::signed_values(call, values)?;
        let filled = template::fill(call, values)?;
        self.send(service, call, filled, values, true).await
    }

    /// Asks for a further page of a list: `call` with the URL that its last reply gave for the next one.
    ///
    /// The URL is taken as it stands, and only on the origin that the first page came from.
    pub async fn ask_page(
        &self,
        service: &Service,
        call: &CallFile,
        values: &Values,
        next: &str,
    ) -> Result<Reply, CallError> {
        let values = &*sign::signed_values(call, values)?;
        let mut filled = template::fill(call, values)?;
        let instead = self.0.guard.instead(service, &filled.url);
        let same = |next: &Url| {
            let origin = next.origin();
            origin == filled.url.origin() || instead.as_ref().is_some_and(|url| url.origin() == origin)
        };
        let next = filled.url.join(next).ok().filter(same).ok_or_else(|| {
            CallError::Forbidden("the next page of the list is on another host: not asked for".to_owned())
        })?;
        filled.url = next;
        self.send(service, call, filled, values, true).await
    }

    /// Sends a call that changes something: exactly once, whatever happens. [`CallError::may_have_arrived`] says of
    /// an error whether the service may have acted on it.
    pub async fn act(&self, service: &Service, call: &CallFile, values: &Values) -> Result<Reply, CallError> {
        let values = &*sign::signed_values(call, values)?;
        let filled = template::fill(call, values)?;
        self.send(service, call, filled, values, false).await
    }
}

/// The URL of a call, filled in.
fn first_url(call: &CallFile, values: &Values) -> Result<Url, CallError> {
    let values = &*sign::signed_values(call, values)?;
    Ok(template::fill(call, values)?.url)
}
