//! How services are called: `[call]`, `[services.NAME]` and `[[instance]]`. Credentials come from the environment or from
//! files that the configuration names, never from the configuration itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Deserialize;

use super::Config;
use super::files::secret;
use crate::call::{CallSettings, ServiceSettings};
use crate::secret::Secret;

/// `[call]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallSection {
    /// Longest time for one request and its reply.
    pub timeout_seconds: u64,
    /// For how long `scan --verify` believes what an earlier run was told of a dead token; 0: never.
    pub keep_dead_minutes: u64,
    /// The same of a live one.
    pub keep_live_minutes: u64,
}

impl Default for CallSection {
    fn default() -> Self {
        Self {
            timeout_seconds: 15,
            keep_dead_minutes: 24 * 60,
            keep_live_minutes: 0,
        }
    }
}

/// `[services.NAME]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceSection {
    /// Base URLs instead of the rule file's, for self-hosted services.
    pub bases: Vec<String>,
    /// Environment variable with the operator's credential.
    pub credential_env: Option<String>,
    /// File with the operator's credential.
    pub credential_file: Option<PathBuf>,
    /// Further credentials of the operator, by the names that the rule file gives them.
    pub credentials: BTreeMap<String, CredentialSection>,
    /// Listed host to the URL where it is reached instead: a private endpoint, a gateway.
    pub instead: BTreeMap<String, String>,
    /// Values with which a token is bait (accounts of AWS), beside those that the rule file knows.
    pub canaries: Vec<String>,
    /// Make final what can be undone, once a token is proved dead: AWS deletes the key that was switched off.
    pub finish: bool,
    /// Organisations to ask for where the service does not tell.
    pub organisations: Vec<String>,
    /// Further values for `{name}` in requests.
    pub values: BTreeMap<String, String>,
    /// How long to wait for the service to settle, instead of the rule file's times.
    pub settle_seconds: Option<u64>,
}

/// `[services.NAME.credentials.OTHER]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialSection {
    /// Environment variable that holds it.
    pub env: Option<String>,
    /// File that holds it.
    pub file: Option<PathBuf>,
}

/// `[[instance]]`: one self-hosted instance. Its credentials go to its base and nowhere else.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstanceSection {
    /// The service, by the name of its rule file.
    pub service: String,
    /// Its base URL.
    pub base: String,
    /// Environment variable with the operator's credential.
    pub credential_env: Option<String>,
    /// File with the operator's credential.
    pub credential_file: Option<PathBuf>,
    /// Further credentials of the operator, by the names that the rule file gives them.
    #[serde(default)]
    pub credentials: BTreeMap<String, CredentialSection>,
    /// Organisations to ask for where the service does not tell.
    #[serde(default)]
    pub organisations: Vec<String>,
    /// Further values, over those of `services.NAME.values`.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

impl Config {
    /// How services are called, credentials read.
    ///
    /// # Errors
    /// A credential file or variable that is named but not there, or two instances at one base.
    pub fn call_settings(&self) -> Result<CallSettings> {
        let mut services = BTreeMap::new();
        for (name, section) in &self.services {
            let key = format!("services.{name}.credential");
            let settings = ServiceSettings {
                bases: section.bases.clone(),
                instances: BTreeMap::new(),
                credential: secret(
                    section.credential_env.as_ref(),
                    section.credential_file.as_ref(),
                    &key,
                )?,
                credentials: further(&format!("services.{name}"), &section.credentials)?,
                instead: section.instead.clone(),
                canaries: section.canaries.clone(),
                finish: section.finish,
                organisations: section.organisations.clone(),
                values: section.values.clone(),
                settle: section.settle_seconds.map(Duration::from_secs),
            };
            services.insert(name.clone(), settings);
        }
        for (at, section) in self.instance.iter().enumerate() {
            let of = services
                .entry(section.service.clone())
                .or_insert_with(ServiceSettings::default);
            let (base, instance) = instance(at, section, of)?;
            if of.bases.contains(&base) || of.instances.insert(base.clone(), instance).is_some() {
                bail!(
                    "instance no. {}: {base} is configured twice; name it once",
                    at + 1
                );
            }
        }
        let timeout = Duration::from_secs(self.call.timeout_seconds.clamp(1, 600));
        Ok(CallSettings {
            services,
            timeout,
            ..CallSettings::default()
        })
    }
}

/// The base of an instance and what is configured for it: its own, over what its service has for all.
fn instance(at: usize, section: &InstanceSection, of: &ServiceSettings) -> Result<(String, ServiceSettings)> {
    let place = format!("instance no. {}", at + 1);
    let mut values = of.values.clone();
    values.extend(section.values.clone());
    let settings = ServiceSettings {
        credential: secret(
            section.credential_env.as_ref(),
            section.credential_file.as_ref(),
            &format!("{place}: credential"),
        )?,
        credentials: further(&place, &section.credentials)?,
        organisations: match section.organisations.is_empty() {
            true => of.organisations.clone(),
            false => section.organisations.clone(),
        },
        values,
        bases: Vec::new(),
        instances: BTreeMap::new(),
        instead: BTreeMap::new(),
        canaries: of.canaries.clone(),
        finish: of.finish,
        settle: of.settle,
    };
    Ok((section.base.trim_end_matches('/').to_owned(), settings))
}

/// The further credentials that are there.
fn further(place: &str, given: &BTreeMap<String, CredentialSection>) -> Result<BTreeMap<String, Secret>> {
    let mut found = BTreeMap::new();
    for (name, given) in given {
        let key = format!("{place}.credentials.{name}");
        if let Some(secret) = secret(given.env.as_ref(), given.file.as_ref(), &key)? {
            found.insert(name.clone(), secret);
        }
    }
    Ok(found)
}
