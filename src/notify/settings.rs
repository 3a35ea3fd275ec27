//! `[notify]` of the configuration: which channels there are. Never a secret in clear: those are named by file or
//! variable and read by the configuration, and what holds one prints as `[redacted]`.

use std::fmt;
use std::path::PathBuf;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer};

use super::Tls;
use crate::finding::Severity;
use crate::secret::Secret;

/// `[notify]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folder that takes one text file per notice.
    pub outbox: Option<PathBuf>,
    /// `[notify.email]`.
    pub email: Option<EmailSettings>,
    /// `[notify.webhook]`.
    pub webhook: Option<WebhookSettings>,
    /// `[notify.slack]`: an incoming webhook of Slack.
    pub slack: Option<ChatSettings>,
    /// `[notify.teams]`: a workflow or incoming webhook of Microsoft Teams.
    pub teams: Option<ChatSettings>,
    /// `[notify.pagerduty]`.
    pub pagerduty: Option<PagerDutySettings>,
    /// `[notify.github]`: private reports to repositories.
    pub github: Option<GitHubSettings>,
    /// Folder whose files take the place of the built-in texts of the same name.
    pub templates: Option<PathBuf>,
    /// Address of the page about a leak, `{fingerprint}` in it; left out, the page where the token is revoked.
    pub link: Option<String>,
    /// How long the server collects leaks below critical for one notice; 5 minutes if left out.
    pub collect: Collecting,
}

/// A length of time such as `5m`; nothing negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collecting(pub SignedDuration);

impl Default for Collecting {
    fn default() -> Self {
        Self(SignedDuration::from_mins(5))
    }
}

impl<'de> Deserialize<'de> for Collecting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let length = text
            .parse::<Span>()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
        match length {
            Ok(length) if !length.is_negative() && length <= SignedDuration::from_hours(24) => {
                Ok(Self(length))
            }
            _ => Err(serde::de::Error::custom(format!(
                "{text:?} is no length of time up to a day; write \"5m\" or \"0s\""
            ))),
        }
    }
}

/// `[notify.email]`: the mail server that takes our messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailSettings {
    /// Its name, or its address.
    pub host: String,
    /// Its port; 587 if left out. On 465 TLS starts at once, elsewhere by STARTTLS.
    pub port: Option<u16>,
    /// Who the messages are from: `unleak <unleak@example.com>`.
    pub from: String,
    /// Whether TLS is a must; `required` if left out.
    #[serde(default)]
    pub tls: Tls,
    /// User name, where the server asks for one.
    pub username: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Name of the environment variable that holds the password.
    pub password_env: Option<String>,
    /// The password itself, which the configuration reads from one of these two; it cannot be written down here.
    #[serde(skip)]
    pub password: Option<Secret>,
}

/// `[notify.webhook]`: who takes our events, by Standard Webhooks 1.0.0.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where they are posted. Its host may be private: the operator named it. Never shown: it may hold a token.
    pub url: String,
    /// The signing secret, `whsec_` and 24 to 64 bytes in base64.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Option<Secret>,
    /// File that holds the signing secret; the configuration reads it into `secret`.
    pub secret_file: Option<PathBuf>,
    /// Name of the environment variable that holds it; the configuration reads it into `secret`.
    pub secret_env: Option<String>,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSettings([redacted])")
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Some(Secret::new(String::deserialize(deserializer)?)))
}

/// `[notify.slack]` and `[notify.teams]`: a room that hears of every leak that is bad enough. Whoever has the address
/// can post there, so it is a secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChatSettings {
    /// File that holds the webhook's address.
    pub url_file: Option<PathBuf>,
    /// Name of the environment variable that holds it.
    pub url_env: Option<String>,
    /// The address, which the configuration reads from one of these two.
    #[serde(skip)]
    pub url: Option<Secret>,
    /// Only leaks at least as bad; everything if left out.
    #[serde(default = "any")]
    pub severity: Severity,
}

fn any() -> Severity {
    Severity::Low
}

/// `[notify.pagerduty]`: Events API v2. An incident for each leak, resolved once its token is proved dead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PagerDutySettings {
    /// File that holds the integration's routing key.
    pub routing_key_file: Option<PathBuf>,
    /// Name of the environment variable that holds it.
    pub routing_key_env: Option<String>,
    /// The key, which the configuration reads from one of these two.
    #[serde(skip)]
    pub routing_key: Option<Secret>,
    /// Where events are posted, for the service region in Europe `https://events.eu.pagerduty.com`.
    #[serde(default = "pagerduty")]
    pub url: String,
    /// Only leaks at least as bad; `high` if left out.
    #[serde(default = "urgent")]
    pub severity: Severity,
}

fn pagerduty() -> String {
    "https://events.pagerduty.com".to_owned()
}

fn urgent() -> Severity {
    Severity::High
}

/// `[notify.github]`: private vulnerability reports to repositories that take them. Never a public issue.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHubSettings {
    /// File that holds the operator's token.
    pub token_file: Option<PathBuf>,
    /// Name of the environment variable that holds it.
    pub token_env: Option<String>,
    /// The token, which the configuration reads from one of these two.
    #[serde(skip)]
    pub token: Option<Secret>,
    /// `owner/name` of the repository for leaks whose places name none.
    pub repository: Option<String>,
    /// Accounts whose repositories are reported to where a leak's place is the address of a file in one.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The API, for GitHub Enterprise Server `https://HOST/api/v3`.
    #[serde(default = "github_api")]
    pub api: String,
    /// The web site, whose addresses of files name repositories.
    #[serde(default = "github_web")]
    pub web: String,
    /// Only leaks at least as bad; `high` if left out.
    #[serde(default = "urgent")]
    pub severity: Severity,
}

fn github_api() -> String {
    "https://api.github.com".to_owned()
}

fn github_web() -> String {
    "https://github.com".to_owned()
}

/// A secret that a section names, and where it goes once it is read.
pub struct Wanted<'s> {
    /// How errors call it; `_env` and `_file` are added.
    pub key: &'static str,
    /// Name of an environment variable.
    pub env: Option<&'s String>,
    /// A file.
    pub file: Option<&'s PathBuf>,
    /// Its place.
    pub place: &'s mut Option<Secret>,
}

impl Settings {
    /// Every secret of these sections that is not there yet, for the configuration to read.
    pub fn wanted(&mut self) -> Vec<Wanted<'_>> {
        let mut wanted = Vec::new();
        let mut want = |key, env, file, place| {
            wanted.push(Wanted {
                key,
                env,
                file,
                place,
            })
        };
        if let Some(it) = &mut self.email {
            let (env, file) = (it.password_env.as_ref(), it.password_file.as_ref());
            want("notify.email.password", env, file, &mut it.password);
        }
        if let Some(it) = &mut self.webhook {
            let (env, file) = (it.secret_env.as_ref(), it.secret_file.as_ref());
            want("notify.webhook.secret", env, file, &mut it.secret);
        }
        if let Some(it) = &mut self.slack {
            let (env, file) = (it.url_env.as_ref(), it.url_file.as_ref());
            want("notify.slack.url", env, file, &mut it.url);
        }
        if let Some(it) = &mut self.teams {
            let (env, file) = (it.url_env.as_ref(), it.url_file.as_ref());
            want("notify.teams.url", env, file, &mut it.url);
        }
        if let Some(it) = &mut self.pagerduty {
            let (env, file) = (it.routing_key_env.as_ref(), it.routing_key_file.as_ref());
            want("notify.pagerduty.routing_key", env, file, &mut it.routing_key);
        }
        if let Some(it) = &mut self.github {
            let (env, file) = (it.token_env.as_ref(), it.token_file.as_ref());
            want("notify.github.token", env, file, &mut it.token);
        }
        wanted.retain(|wanted| wanted.place.is_none());
        wanted
    }
}
