//! The values that a request's `{name}`s stand for. Secret ones are marked, wiped when dropped, and never shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use zeroize::Zeroizing;

use super::Caller;
use crate::leak::Held;
use crate::rule::Service;

/// Names that only [`Values::of`] itself gives a meaning, whatever a token or a service calls its facts.
const RESERVED: [&str; 4] = ["secret", "operator", "base", "region"];

/// Names to values for one call.
#[derive(Clone, Default)]
pub struct Values {
    service: String,
    values: BTreeMap<String, One>,
}

#[derive(Clone)]
struct One {
    text: Zeroizing<String>,
    secret: bool,
}

impl Values {
    /// None yet; `service` is its name in the configuration, for messages.
    pub fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            values: BTreeMap::new(),
        }
    }

    /// All that is known for a call about this secret on this base: what the token and its service say, over that the
    /// configuration, over that the secret itself (`secret`, its parts, `operator`) and where it goes (`base`,
    /// `region`).
    ///
    /// `organisation` is set where exactly one is known; whoever asks for several sets it for each.
    pub fn of(held: &Held, caller: &Caller, service: &Service, base: &str) -> Self {
        let mut values = Self::new(&service.name);
        let identity = &held.leak.identity;
        for (name, text) in held.facts.iter().chain(&identity.more) {
            values.set(name, text);
        }
        let settings = caller.settings_at(&service.name, base);
        let organisations: BTreeSet<&String> = identity
            .organisations
            .iter()
            .chain(&settings.organisations)
            .collect();
        if let (1, Some(only)) = (organisations.len(), organisations.first()) {
            values.set("organisation", only);
        }
        for (name, text) in [("principal", &identity.principal), ("email", &identity.email)] {
            if let Some(text) = text {
                values.set(name, text);
            }
        }
        for (name, text) in &settings.values {
            values.set(name, text);
        }
        for name in RESERVED {
            values.values.remove(name);
        }
        let credential = settings.credential.as_ref().map(|secret| ("operator", secret));
        let parts = held.parts.iter().map(|(name, part)| (name.as_str(), part));
        for (name, secret) in &settings.credentials {
            if let Some(text) = secret.expose_str() {
                values.set_secret(&format!("operator-{name}"), text);
            }
        }
        for (name, secret) in parts.chain(credential).chain([("secret", &held.secret)]) {
            match secret.expose_str() {
                Some(text) => values.set_secret(name, text),
                None => drop(values.values.remove(name)),
            }
        }
        let region = match held.facts.get("region") {
            Some(region) => caller.0.guard.named_by_token(service, region).ok(),
            None => Some(base.to_owned()),
        };
        values.set("base", base);
        values.set("region", &region.unwrap_or_default());
        values
    }

    /// Gives a name a value that may be shown. An empty one counts as not known.
    pub fn set(&mut self, name: &str, text: &str) {
        self.put(name, text, false);
    }

    /// Gives a name a value that may not be shown.
    pub fn set_secret(&mut self, name: &str, text: &str) {
        self.put(name, text, true);
    }

    fn put(&mut self, name: &str, text: &str, secret: bool) {
        let one = One {
            text: Zeroizing::new(text.to_owned()),
            secret,
        };
        self.values.insert(name.to_owned(), one);
    }

    /// Whether a value is known; an empty one is not.
    pub fn knows(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether a text, which a service gave, holds one of the secret values: such a text may not be shown or kept.
    pub fn gives_away(&self, text: &str) -> bool {
        self.secrets()
            .any(|(_, secret)| !secret.is_empty() && text.contains(secret))
    }

    pub(super) fn service(&self) -> &str {
        &self.service
    }

    /// The value, and whether it is secret.
    pub(super) fn get(&self, name: &str) -> Option<(&str, bool)> {
        let one = self.values.get(name)?;
        (!one.text.is_empty()).then_some((one.text.as_str(), one.secret))
    }

    /// The secret values with their names.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .filter(|(_, one)| one.secret)
            .map(|(name, one)| (name.as_str(), one.text.as_str()))
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}
