//! `[reports]` as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::config::files::secret;
use crate::secret::Secret;

/// Where a secret is read from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFrom {
    /// Name of an environment variable.
    pub env: Option<String>,
    /// A file.
    pub file: Option<PathBuf>,
}

impl SecretFrom {
    pub(in crate::config) fn read(&self, key: &str) -> Result<Secret> {
        secret(self.env.as_ref(), self.file.as_ref(), key)?
            .with_context(|| format!("{key}: name an environment variable (env) or a file"))
    }
}

/// All of them; at least one.
pub(super) fn read_all(from: &[SecretFrom], key: &str) -> Result<Vec<Secret>> {
    if from.is_empty() {
        bail!("{key} is empty: name at least one, as {key} = [{{ file = \"/run/secrets/…\" }}]");
    }
    from.iter().map(|from| from.read(key)).collect()
}

/// `[reports]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReportsSection {
    /// Largest body of a report, in MiB.
    pub largest_mib: usize,
    /// Most records of one report.
    pub most_records: usize,
    /// How long the answer may wait for token stores to say which tokens are theirs.
    pub feedback_within_seconds: u64,
    /// By the last part of their address, `/reports/NAME`: reporters that sign with P-256 keys which they publish.
    pub origins: BTreeMap<String, OriginSection>,
    /// What reporters call a kind of token, and the rule that it is.
    pub types: BTreeMap<String, String>,
    /// GitLab's token revocation API.
    pub gitlab_revocation: Option<RevocationSection>,
    /// Webhooks of GitHub organisations and repositories.
    pub github_webhook: Option<GithubWebhookSection>,
    /// Whoever may post to `/reports`, by name.
    pub reporters: BTreeMap<String, ReporterSection>,
    /// The public page `/found`.
    pub found: Option<FoundSection>,
    /// Who knows which tokens were issued.
    pub token_stores: Vec<TokenStoreSection>,
    /// The key that `unleak scan --report-to` signs with.
    pub sign_with: Option<SecretFrom>,
}

impl Default for ReportsSection {
    fn default() -> Self {
        Self {
            largest_mib: 10,
            most_records: 10_000,
            feedback_within_seconds: 15,
            origins: BTreeMap::new(),
            types: BTreeMap::new(),
            gitlab_revocation: None,
            github_webhook: None,
            reporters: BTreeMap::new(),
            found: None,
            token_stores: Vec::new(),
            sign_with: None,
        }
    }
}

/// `[reports.origins.NAME]`; what is left out is known for `github`, `gitlab` and `depsdev`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OriginSection {
    /// Where its public keys are.
    pub keys: Option<String>,
    /// Credential for that address, sent as a bearer token; GitHub allows more requests with one, without any scope.
    pub keys_credential: Option<SecretFrom>,
    /// The pairs of headers in which a key's id and the signature may come.
    pub headers: Vec<SignatureHeaders>,
    /// How long a key that its owner no longer calls current is still taken.
    pub retired_minutes: Option<u32>,
}

/// Two headers that come together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureHeaders {
    /// The one with the key's id.
    pub key: String,
    /// The one with the signature.
    pub signature: String,
}

/// `[reports.gitlab_revocation]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationSection {
    /// What GitLab sends in `Authorization`; several while it is changed.
    pub tokens: Vec<SecretFrom>,
    /// The kinds of token that GitLab is told to send; left out: all that the rules know how to revoke.
    #[serde(default)]
    pub types: Vec<String>,
}

/// `[reports.github_webhook]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GithubWebhookSection {
    /// The webhook's secret; several while it is changed.
    pub secrets: Vec<SecretFrom>,
    /// Organisations, and repositories as `owner/name`, whose open alerts are looked through for those that no webhook
    /// told of.
    #[serde(default)]
    pub sweep: Vec<String>,
    /// How often.
    #[serde(default = "hourly")]
    pub sweep_minutes: u64,
}

fn hourly() -> u64 {
    60
}

/// `[reports.reporters.NAME]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReporterSection {
    /// Its keys, `whsec_…` or `whpk_…`; several while they are changed.
    pub keys: Vec<SecretFrom>,
}

/// `[reports.found]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FoundSection {
    /// Tokens that one address may turn in within an hour.
    pub per_hour: u32,
    /// Header in which the proxy before this server says who asks; its last address counts.
    pub address_header: Option<String>,
}

impl Default for FoundSection {
    fn default() -> Self {
        Self {
            per_hour: 30,
            address_header: None,
        }
    }
}

/// `[[reports.token_stores]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenStoreSection {
    /// Rules and services that it is asked about; empty: every token, also of unknown kind.
    #[serde(default)]
    pub of: Vec<String>,
    /// The rule of a token that it knows and whose shape says nothing.
    pub rule: Option<String>,
    /// How it is asked.
    pub ask: AskBy,
    /// Where.
    pub url: String,
    /// For `introspection`: `user:password`, or a bearer token. For `callback`: the signing key, `whsec_…`.
    pub credential: Option<SecretFrom>,
    /// For `introspection`: that a token is not active means that it was never issued here.
    #[serde(default)]
    pub inactive_is_foreign: bool,
    /// For `callback`: send the tokens themselves, not their hashes alone.
    #[serde(default)]
    pub send_tokens: bool,
}

/// How a token store is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AskBy {
    /// RFC 7662, one token at a time.
    Introspection,
    /// A signed request with many hashes.
    Callback,
}
