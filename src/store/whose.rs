//! Whose leaks a question is about: the one condition that stands in every list, count and trend.

use crate::database::Value;
use crate::finding::RuleId;
use crate::leak::Identity;

/// Whose leaks are meant. There is no default: whoever asks says who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    All,
    /// Those of tokens that open one of these organisations; none of them, no leak.
    Of(Vec<OrganisationName>),
}

/// An organisation as services call it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrganisationName {
    /// The service (the name of its rule file) that calls it so; `None`: every service.
    pub service: Option<String>,
    /// The name, compared without regard to case.
    pub name: String,
}

impl OrganisationName {
    /// Reads `github/acme`, or `acme` for every service.
    pub fn parse(text: &str) -> Self {
        let (service, name) = match text.split_once('/') {
            Some((service, name)) => (Some(service.to_owned()), name),
            None => (None, text),
        };
        Self {
            service,
            name: name.trim().to_lowercase(),
        }
    }

    /// Whether a leak of this service that opens these organisations is of this one.
    pub fn is_of(&self, service: &str, organisations: &[String]) -> bool {
        self.service.as_ref().is_none_or(|own| own == service)
            && organisations
                .iter()
                .any(|name| name.trim().to_lowercase() == self.name)
    }
}

impl Whose {
    /// Whether this leak is among them.
    pub fn has(&self, rule: &RuleId, identity: &Identity) -> bool {
        match self {
            Self::All => true,
            Self::Of(names) => names
                .iter()
                .any(|name| name.is_of(rule.service(), &identity.organisations)),
        }
    }

    /// More than one name can list a leak twice.
    pub(super) fn distinct(&self) -> &'static str {
        match self {
            Self::Of(names) if names.len() > 1 => "DISTINCT",
            _ => "",
        }
    }

    /// The condition on `listed`, called `s`.
    pub(super) fn condition(&self, pieces: &mut Pieces) -> String {
        let Self::Of(names) = self else {
            return "s.organisation = ''".to_owned();
        };
        if names.is_empty() {
            return "1 = 0".to_owned();
        }
        let each = names.iter().map(|name| {
            let organisation = pieces.bind(&name.name);
            match &name.service {
                None => format!("s.organisation = {organisation}"),
                Some(service) => {
                    let service = pieces.bind(service);
                    format!("(s.organisation = {organisation} AND s.service = {service})")
                }
            }
        });
        format!("({})", each.collect::<Vec<_>>().join(" OR "))
    }
}

/// The values of a statement that is put together.
#[derive(Default)]
pub(super) struct Pieces(pub(super) Vec<Value>);

impl Pieces {
    /// Takes a value, and gives its place.
    pub(super) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }
}
