//! The configuration: defaults, then the file, then the environment, then flags. The only reader of the environment.
//!
//! Only the operator's own file is read, never one that a scanned repository brings: a repository that could name the
//! base URL of a service could have every token sent to itself. Secrets come from files and environment variables that
//! the file names, and are never written in it.

pub mod dashboard;
mod environment;
mod files;
mod hooked;
pub mod project;
pub mod reports;
pub mod runner;
mod services;
pub mod traces;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

pub use environment::Environment;
pub use hooked::Hooked;
pub use services::{CallSection, CredentialSection, InstanceSection, ServiceSection};

use files::{existing_key_file, key_file, read, secret};

use crate::notify;
use crate::owner::OwnerSettings;
use crate::policy::Policy;
use crate::secret::{FingerprintKey, Secret};
use crate::store::{StoreKey, StoreKeys};
use crate::token_service::preset::Preset;
use crate::token_service::{Limits, ReviewSettings, Settings};
use crate::verify::Kept;

/// The reference: every key with its default and what it does. `unleak config` prints it.
pub const REFERENCE: &str = include_str!("default.toml");

/// The configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where leaks are remembered.
    pub store: StoreSection,
    /// Where fingerprints get their key.
    pub fingerprint: FingerprintSection,
    /// How services are called.
    pub call: CallSection,
    /// By service name.
    pub services: BTreeMap<String, ServiceSection>,
    /// Self-hosted instances, each with its own credentials.
    pub instance: Vec<InstanceSection>,
    /// Who hears of leaks without an owner.
    pub owners: OwnerSettings,
    /// How owners are told.
    pub notify: notify::Settings,
    /// What may be done.
    pub policy: Policy,
    /// The server and its token service.
    pub serve: ServeSection,
    /// The doors for reports of leaks.
    pub reports: reports::ReportsSection,
    #[serde(skip)]
    environment: Environment,
    #[serde(skip)]
    file: Option<PathBuf>,
}

/// `[store]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSection {
    /// `sqlite:///path/to/file` or `postgres://user@host/database`.
    pub url: Option<String>,
    /// File with the key that seals secrets; made on first use.
    pub key_file: Option<PathBuf>,
    /// Files with further keys: the one before it, or the next one while other processes have it already.
    pub further_key_files: Vec<PathBuf>,
}

/// `[fingerprint]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FingerprintSection {
    /// File with the key; made on first use.
    pub key_file: Option<PathBuf>,
}

/// `[serve]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeSection {
    /// Address to listen on.
    pub listen: String,
    /// URL of the token service's store: `sqlite:///path/to/file` or `postgres://user@host/database`.
    pub store: Option<String>,
    /// File with the key under which tokens are kept; made on first use.
    pub key_file: Option<PathBuf>,
    /// Files with further keys: older ones whose tokens were not all seen yet, or the next one.
    pub further_key_files: Vec<PathBuf>,
    /// Environment variable with a key whose bearer may see and stop every token.
    pub operator_key_env: Option<String>,
    /// File with that key.
    pub operator_key_file: Option<PathBuf>,
    /// Presets by name, beside the built-in ones.
    pub presets: BTreeMap<String, Preset>,
    /// How often a caller may ask.
    pub limits: Limits,
    /// The review of tokens, and its mails.
    pub review: ReviewSettings,
    /// The workers, which do what is to be done about leaks.
    pub worker: WorkerSection,
    /// The pages.
    pub dashboard: dashboard::DashboardSection,
    /// Where traces go.
    pub traces: traces::TracesSection,
}

/// `[serve.worker]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerSection {
    /// Leaks that this process works on at once; 0: it only receives.
    pub count: usize,
    /// Failed attempts after which a task is a dead letter.
    pub attempts: u32,
    /// Pause after the first failed attempt; each further one is twice as long, an hour at most.
    pub retry_seconds: u64,
    /// After how long without a sign another worker takes a task over.
    pub lease_seconds: u64,
}

impl Default for WorkerSection {
    fn default() -> Self {
        Self {
            count: 4,
            attempts: 12,
            retry_seconds: 30,
            lease_seconds: 60,
        }
    }
}

impl Default for ServeSection {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8700".to_owned(),
            store: None,
            key_file: None,
            further_key_files: Vec::new(),
            operator_key_env: None,
            operator_key_file: None,
            presets: BTreeMap::new(),
            limits: Limits::default(),
            review: ReviewSettings::default(),
            worker: WorkerSection::default(),
            dashboard: dashboard::DashboardSection::default(),
            traces: traces::TracesSection::default(),
        }
    }
}

impl Config {
    /// The file at `path`; without one the user's own (`~/.config/unleak/config.toml`), if there is one.
    ///
    /// # Errors
    /// A file that cannot be read or understood; the message names file, line and field.
    pub fn load(path: Option<&Path>) -> Result<Self> {
        let environment = Environment::of_process();
        let own = environment
            .config
            .as_ref()
            .map(|folder| folder.join("config.toml"));
        let file = path
            .map(Path::to_owned)
            .or_else(|| own.filter(|file| file.exists()));
        let mut config = match &file {
            Some(file) => Self::parse(&read(file)?, &file.display().to_string())?,
            None => Self::default(),
        };
        config.environment = environment;
        config.file = file;
        Ok(config)
    }

    /// Reads a configuration from text; `shown` is how errors call it.
    ///
    /// # Errors
    /// Text that is not TOML, or a key that does not exist.
    pub fn parse(text: &str, shown: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| anyhow::anyhow!("{shown}: {}", error.to_string().trim_end()))
    }

    /// The file that was read, if there was one.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The file with the key for fingerprints, made if it is not there.
    ///
    /// # Errors
    /// No place where it can be.
    pub fn kept_key(&self) -> Result<PathBuf> {
        let file = match &self.fingerprint.key_file {
            Some(file) => file.clone(),
            None => self.state("fingerprint.key")?,
        };
        key_file(&file)?;
        Ok(file)
    }

    /// What was taken from the environment.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The key for fingerprints: the configured file, else one in the state folder, made on first use. Where no file
    /// can be made (no home, read-only), a key for this run alone.
    ///
    /// # Errors
    /// A configured file that cannot be used, or no random bytes.
    pub fn fingerprint_key(&self) -> Result<FingerprintKey> {
        if let Some(file) = &self.fingerprint.key_file {
            return key_file(file).map(FingerprintKey::new);
        }
        match self.state("fingerprint.key").and_then(|file| key_file(&file)) {
            Ok(key) => Ok(FingerprintKey::new(key)),
            Err(error) => {
                tracing::info!("fingerprints hold for this run only: {error:#}");
                FingerprintKey::random().context("the operating system gives no random bytes")
            }
        }
    }

    /// The store's URL and keys.
    ///
    /// # Errors
    /// No place to keep them, or a key file that cannot be used.
    pub fn store(&self) -> Result<(String, StoreKeys)> {
        let url = self.url(self.store.url.as_ref(), "leaks.sqlite")?;
        let current = StoreKey::from_slice(&self.key(self.store.key_file.as_ref(), "store.key")?)?;
        let further = self.store.further_key_files.iter().map(|file| {
            let key = existing_key_file(file).context("store.further_key_files")?;
            StoreKey::from_slice(&key)
        });
        Ok((url, StoreKeys::new(current, further.collect::<Result<_>>()?)))
    }

    /// The token service's store URL (`given` wins over the file) and key.
    ///
    /// # Errors
    /// No place to keep them, or a key file that cannot be used.
    pub fn token_store(&self, given: Option<&String>) -> Result<(String, Vec<u8>)> {
        let url = self.url(given.or(self.serve.store.as_ref()), "tokens.sqlite")?;
        Ok((url, self.key(self.serve.key_file.as_ref(), "tokens.key")?))
    }

    /// The settings of the token service, checked as far as can be without its store.
    ///
    /// # Errors
    /// A value that makes no sense; the message names its key.
    pub fn token_settings(&self) -> Result<Settings> {
        let serve = &self.serve;
        let settings = Settings {
            further_key_files: serve.further_key_files.clone(),
            presets: serve.presets.clone(),
            limits: serve.limits.clone(),
            review: serve.review.clone(),
        };
        settings
            .check()
            .context("[serve] of the configuration cannot be used")?;
        Ok(settings)
    }

    /// The key whose bearer may see and stop every token of the embedded service, if one is configured.
    ///
    /// # Errors
    /// A file or variable that is named but not there.
    pub fn operator(&self) -> Result<Option<Secret>> {
        let serve = &self.serve;
        secret(
            serve.operator_key_env.as_ref(),
            serve.operator_key_file.as_ref(),
            "serve.operator_key",
        )
    }

    /// The channels for notices, their secrets read.
    ///
    /// # Errors
    /// A file or variable that is named but not there.
    pub fn notify_settings(&self) -> Result<notify::Settings> {
        let mut settings = self.notify.clone();
        for wanted in settings.wanted() {
            *wanted.place = secret(wanted.env, wanted.file, wanted.key)?;
        }
        Ok(settings)
    }

    /// Where answers of services are kept from one run to the next, and for how long; nothing, where they are not.
    pub fn answers(&self) -> Option<(PathBuf, Kept)> {
        let minutes = |minutes: u64| std::time::Duration::from_secs(minutes.min(30 * 24 * 60) * 60);
        let kept = Kept {
            live: minutes(self.call.keep_live_minutes),
            dead: minutes(self.call.keep_dead_minutes),
        };
        Some((self.state("answers.json").ok()?, kept))
    }

    fn url(&self, given: Option<&String>, name: &str) -> Result<String> {
        given
            .cloned()
            .map_or_else(|| Ok(format!("sqlite://{}", self.state(name)?.display())), Ok)
    }

    fn key(&self, given: Option<&PathBuf>, name: &str) -> Result<Vec<u8>> {
        key_file(&given.cloned().map_or_else(|| self.state(name), Ok)?)
    }

    fn state(&self, name: &str) -> Result<PathBuf> {
        let folder = self.environment.state.as_ref();
        folder
            .map(|folder| folder.join(name))
            .context("no home folder is known; set HOME or UNLEAK_STATE")
    }
}
