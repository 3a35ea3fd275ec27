//! `[reports]`: the doors by which others report leaks to us, and how a scan reports to such a door.
//!
//! A door without its section is shut. Every address that a key or a token is fetched from or asked at stands here,
//! written by the operator; no report can name one.

mod section;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use jiff::SignedDuration;
use url::{Host, Url};

pub use section::{
    AskBy, FoundSection, GithubWebhookSection, OriginSection, ReporterSection, ReportsSection,
    RevocationSection, SecretFrom, SignatureHeaders, TokenStoreSection,
};

use section::read_all;

use crate::config::Config;
use crate::secret::Secret;

/// `[reports]`, checked, its secrets read.
#[derive(Clone, Debug)]
pub struct Reports {
    /// Largest body, in bytes.
    pub largest: usize,
    /// Most records of one report.
    pub most_records: usize,
    /// How long the answer may wait for token stores.
    pub feedback_within: Duration,
    /// Reporters that sign with published keys.
    pub origins: Vec<Origin>,
    /// Reported kinds of token and their rules, by full id.
    pub types: BTreeMap<String, String>,
    /// GitLab's token revocation API: its tokens, and the types that it is told.
    pub gitlab_revocation: Option<(Vec<Secret>, Vec<String>)>,
    /// GitHub's webhooks.
    pub github_webhook: Option<GithubWebhook>,
    /// Reporters with their keys.
    pub reporters: Vec<(String, Vec<Secret>)>,
    /// The public page.
    pub found: Option<FoundSection>,
    /// Token stores.
    pub token_stores: Vec<TokenStore>,
}

/// GitHub's webhooks, and what they missed.
#[derive(Clone, Debug)]
pub struct GithubWebhook {
    /// The secrets that a webhook may be signed with.
    pub secrets: Vec<Secret>,
    /// Organisations, and repositories as `owner/name`, whose open alerts are looked through.
    pub sweep: Vec<String>,
    /// How often.
    pub every: Duration,
}

impl Reports {
    /// Whether any door is open.
    pub fn any(&self) -> bool {
        !self.origins.is_empty()
            || self.gitlab_revocation.is_some()
            || self.github_webhook.is_some()
            || !self.reporters.is_empty()
            || self.found.is_some()
    }
}

/// A reporter that signs with published keys.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Last part of its address.
    pub name: String,
    /// Where its keys are.
    pub keys: Url,
    /// Credential for that address.
    pub keys_credential: Option<Secret>,
    /// Pairs of headers.
    pub headers: Vec<SignatureHeaders>,
    /// How long a key is taken that is no longer current.
    pub retired_for: SignedDuration,
}

/// Who knows which tokens were issued.
#[derive(Clone, Debug)]
pub struct TokenStore {
    /// Rules and services that it is asked about.
    pub of: Vec<String>,
    /// The rule of a token that it knows and whose shape says nothing.
    pub rule: Option<String>,
    /// How it is asked.
    pub ask: AskBy,
    /// Where.
    pub url: Url,
    /// Credential or signing key.
    pub credential: Option<Secret>,
    /// That a token is not active means that it was never issued here.
    pub inactive_is_foreign: bool,
    /// Send the tokens themselves.
    pub send_tokens: bool,
}

impl Config {
    /// The doors for reports, checked as far as can be without rules, their secrets read.
    ///
    /// # Errors
    /// A value that makes no sense, or a file or variable that is named but not there; the message names its key.
    pub fn reports(&self) -> Result<Reports> {
        let section = &self.reports;
        let in_range = |key: &str, value: u64, most: u64| {
            if !(1..=most).contains(&value) {
                bail!("reports.{key} = {value}: take a number from 1 to {most}");
            }
            Ok(())
        };
        in_range("largest_mib", section.largest_mib as u64, 64)?;
        in_range("most_records", section.most_records as u64, 100_000)?;
        // Who reports waits 30 s, and what is learnt must still be written down.
        in_range("feedback_within_seconds", section.feedback_within_seconds, 20)?;
        let origins = section.origins.iter().map(|(name, origin)| origin.open(name));
        let reporter = |(name, reporter): (&String, &ReporterSection)| {
            let keys = read_all(&reporter.keys, &format!("reports.reporters.{name}.keys"))?;
            Ok((name.clone(), keys))
        };
        let revocation = section.gitlab_revocation.as_ref().map(|revocation| {
            let tokens = read_all(&revocation.tokens, "reports.gitlab_revocation.tokens")?;
            anyhow::Ok((tokens, revocation.types.clone()))
        });
        let webhook = section.github_webhook.as_ref().map(GithubWebhookSection::open);
        if let Some(found) = &section.found {
            in_range("found.per_hour", found.per_hour.into(), 100_000)?;
        }
        Ok(Reports {
            largest: section.largest_mib << 20,
            most_records: section.most_records,
            feedback_within: Duration::from_secs(section.feedback_within_seconds),
            origins: origins.collect::<Result<_>>()?,
            types: section.types.clone(),
            gitlab_revocation: revocation.transpose()?,
            github_webhook: webhook.transpose()?,
            reporters: section.reporters.iter().map(reporter).collect::<Result<_>>()?,
            found: section.found.clone(),
            token_stores: section
                .token_stores
                .iter()
                .map(TokenStoreSection::open)
                .collect::<Result<_>>()?,
        })
    }

    /// The key that `unleak scan --report-to` signs with.
    ///
    /// # Errors
    /// A file or variable that is named but not there.
    pub fn report_key(&self) -> Result<Option<Secret>> {
        let key = self.reports.sign_with.as_ref();
        key.map(|key| key.read("reports.sign_with")).transpose()
    }
}

impl GithubWebhookSection {
    fn open(&self) -> Result<GithubWebhook> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        let is_name = |part: &str| !part.is_empty() && part.bytes().all(plain);
        for name in &self.sweep {
            let parts: Vec<&str> = name.split('/').collect();
            if parts.len() > 2 || !parts.iter().all(|part| is_name(part)) {
                bail!(
                    "reports.github_webhook.sweep: {name:?} is neither \"organisation\" nor \"owner/repository\""
                );
            }
        }
        if !(1..=10_080).contains(&self.sweep_minutes) {
            bail!(
                "reports.github_webhook.sweep_minutes = {}: take a number from 1 to 10080",
                self.sweep_minutes
            );
        }
        Ok(GithubWebhook {
            secrets: read_all(&self.secrets, "reports.github_webhook.secrets")?,
            sweep: self.sweep.clone(),
            every: Duration::from_secs(self.sweep_minutes * 60),
        })
    }
}

impl OriginSection {
    fn open(&self, name: &str) -> Result<Origin> {
        let key = format!("reports.origins.{name}");
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || !name.bytes().all(plain) {
            bail!("{key}: a name is lower-case letters, digits and hyphens, because it stands in an address");
        }
        let (keys, headers) = known_origin(name);
        let keys = self.keys.as_deref().or(keys);
        let keys =
            keys.with_context(|| format!("{key}.keys is not set: the URL of the reporter's public keys"))?;
        let headers = if self.headers.is_empty() {
            headers
        } else {
            self.headers.clone()
        };
        if headers.is_empty() {
            bail!("{key}.headers is not set: [{{ key = \"…-Identifier\", signature = \"…-Signature\" }}]");
        }
        let credential = self.keys_credential.as_ref();
        Ok(Origin {
            name: name.to_owned(),
            keys: private_url(keys, &format!("{key}.keys"))?,
            keys_credential: credential
                .map(|from| from.read(&format!("{key}.keys_credential")))
                .transpose()?,
            headers,
            retired_for: SignedDuration::from_mins(self.retired_minutes.unwrap_or(60).into()),
        })
    }
}

/// What GitHub, GitLab and deps.dev publish of themselves. GitLab gives the address of its keys to those who ask.
fn known_origin(name: &str) -> (Option<&'static str>, Vec<SignatureHeaders>) {
    let (keys, headers): (_, &[&str]) = match name {
        "github" => (
            Some("https://api.github.com/meta/public_keys/secret_scanning"),
            &["Github-Public-Key"],
        ),
        "gitlab" => (None, &["Gitlab-Public-Key"]),
        // Read by other receivers as the first, and by others as the second.
        "depsdev" => (
            Some("https://storage.googleapis.com/depsdev-gcp-public-keys/secret_scanning"),
            &["GOSST-PUBLIC-KEY", "DepsDev-Public-Key"],
        ),
        _ => (None, &[]),
    };
    let pair = |start: &&str| SignatureHeaders {
        key: format!("{start}-Identifier"),
        signature: format!("{start}-Signature"),
    };
    (keys, headers.iter().map(pair).collect())
}

impl TokenStoreSection {
    fn open(&self) -> Result<TokenStore> {
        let key = "reports.token_stores";
        let credential = self.credential.as_ref();
        let credential = credential
            .map(|from| from.read(&format!("{key}.credential")))
            .transpose()?;
        if credential.is_none() && self.ask == AskBy::Callback {
            bail!("{key}: a callback is signed; set credential to its key, whsec_ and base64");
        }
        Ok(TokenStore {
            of: self.of.clone(),
            rule: self.rule.clone(),
            ask: self.ask,
            url: private_url(&self.url, &format!("{key}.url"))?,
            credential,
            inactive_is_foreign: self.inactive_is_foreign,
            send_tokens: self.send_tokens,
        })
    }
}

/// A URL whose traffic nobody else reads: `https://`, or `http://` within this machine.
///
/// # Errors
/// Anything else; the message names `key`, and never the URL, which may hold a token.
pub fn private_url(text: &str, key: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|error| anyhow::anyhow!("{key} is no URL: {error}"))?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => bail!("{key} names no host"),
    };
    if !(url.scheme() == "https" || url.scheme() == "http" && here) {
        bail!("{key} must begin with https://; http:// is only for this machine");
    }
    Ok(url)
}
