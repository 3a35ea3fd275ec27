//! Placeholder.
use crate::secret::Secret;
use std::collections::BTreeMap;
use std::time::Duration;
#[allow(missing_docs)]
#[derive(Clone, Debug, Default)]
pub struct ServiceSettings {
    pub bases: Vec<String>,
    pub credential: Option<Secret>,
    pub organisations: Vec<String>,
    pub values: BTreeMap<String, String>,
    pub settle: Option<Duration>,
}
#[allow(missing_docs)]
#[derive(Clone, Debug, Default)]
pub struct CallSettings {
    pub services: BTreeMap<String, ServiceSettings>,
    pub timeout: Duration,
}
