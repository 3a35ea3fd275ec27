//! `[serve.dashboard]`: the pages of `unleak serve`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `[serve.dashboard]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DashboardSection {
    /// The address under which browsers reach it; with `https:` its cookies are sent over TLS alone.
    pub url: Option<String>,
    /// Hours after which everybody signs in again.
    pub session_hours: u32,
    /// Minutes without a request after which they do.
    pub idle_minutes: u32,
    /// What services call the organisations of the token service, by slug: `acme = ["github/acme-inc", "acme"]`. One that
    /// is not here is called by its slug.
    pub organisations: BTreeMap<String, Vec<String>>,
}

impl Default for DashboardSection {
    fn default() -> Self {
        Self {
            url: None,
            session_hours: 12,
            idle_minutes: 60,
            organisations: BTreeMap::new(),
        }
    }
}
