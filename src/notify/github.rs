//! Private vulnerability reports to repositories on GitHub, with the operator's credential.
//!
//! Only where the repository takes such reports, which is asked first; never a public issue, which would tell the
//! world where a live token stands. Only to the repository that the configuration names, or to one of the accounts
//! that it names where a leak's place is the address of a file in it.

use anyhow::{Context as _, Result, bail};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use url::Url;

use super::message::Message;
use super::post::{Post, Reply, Tried};
use super::settings::GitHubSettings;
use super::text::clean;
use crate::finding::Severity;
use crate::secret::Secret;

pub(super) struct GitHub {
    post: Post,
    token: Secret,
    repository: Option<String>,
    accounts: Vec<String>,
    web: Url,
}

impl GitHub {
    pub(super) fn new(settings: &GitHubSettings) -> Result<Self> {
        let token = settings
            .token
            .clone()
            .context("notify.github.token is missing: set notify.github.token_file or token_env")?;
        if settings.repository.is_none() && settings.accounts.is_empty() {
            bail!("notify.github names nobody to report to: set repository, accounts or both");
        }
        if let Some(wrong) = settings.repository.as_ref().filter(|name| !is_repository(name)) {
            bail!("notify.github.repository {wrong:?} is no repository; write owner/name");
        }
        Ok(Self {
            post: Post::new(&settings.api, "notify.github.api", "GitHub")?,
            token,
            repository: settings.repository.clone(),
            accounts: settings.accounts.clone(),
            web: Url::parse(&settings.web).context("notify.github.web is no URL")?,
        })
    }

    /// The repository that a leak with these places is reported to.
    pub(super) fn repository(&self, places: &[String]) -> Option<String> {
        let of_place = |place: &String| {
            let url = Url::parse(place.trim()).ok()?;
            if url.origin() != self.web.origin() {
                return None;
            }
            let mut parts = url.path_segments()?;
            let (owner, name) = (parts.next()?, parts.next()?);
            let named = self
                .accounts
                .iter()
                .any(|account| account.eq_ignore_ascii_case(owner));
            let repository = format!("{owner}/{name}");
            (named && is_repository(&repository)).then_some(repository)
        };
        places
            .iter()
            .find_map(of_place)
            .or_else(|| self.repository.clone())
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let Some(repository) = self.repository(&message.places) else {
            return Err("no repository is named for this leak; see notify.github".to_owned());
        };
        let asked = format!("/repos/{repository}/private-vulnerability-reporting");
        let asked = self.signed(self.post.client().get(self.post.below(&asked)))?;
        let reply = self.post.once(asked).await?;
        let enabled = serde_json::from_str::<Value>(&reply.body).unwrap_or_default()["enabled"] == true;
        match reply.status {
            200 if enabled => {}
            200 | 404 => {
                return Err(format!(
                    "{repository} takes no private reports: nothing was sent; its owners can enable private \
                     vulnerability reporting"
                ));
            }
            status => {
                return Err(format!(
                    "GitHub answered {status} about {repository}; check notify.github"
                ));
            }
        }
        let path = format!("/repos/{repository}/security-advisories/reports");
        let body = report(message).to_string();
        let token = self.bearer()?;
        let request = |client: &reqwest::Client| {
            headed(client.post(self.post.below(&path)), &token)
                .header("content-type", "application/json")
                .body(body.clone())
        };
        self.post
            .send(request, |reply| self.judge(reply, &repository))
            .await
    }

    fn judge(&self, reply: &Reply, repository: &str) -> Tried {
        match reply.status {
            201 => Tried::Taken,
            // A limit that is not 429: GitHub says when to come back.
            403 if reply.after.is_some() => Tried::Again {
                why: "GitHub answered 403".to_owned(),
                after: reply.after,
            },
            403 | 404 | 422 => {
                let said: Value = serde_json::from_str(&reply.body).unwrap_or_default();
                let words = clean(said["message"].as_str().unwrap_or_default(), 150);
                Tried::Failed(format!(
                    "GitHub refused the report to {repository}: {} {words}; the credential of notify.github needs \
                     write access to security advisories there",
                    reply.status
                ))
            }
            _ => self.post.judge(reply, "notify.github"),
        }
    }

    fn bearer(&self) -> Result<String, String> {
        let token = self.token.expose_str();
        token
            .map(|token| format!("Bearer {token}"))
            .ok_or_else(|| "the token of notify.github is not UTF-8".to_owned())
    }

    fn signed(&self, request: RequestBuilder) -> Result<RequestBuilder, String> {
        Ok(headed(request, &self.bearer()?))
    }
}

fn headed(request: RequestBuilder, bearer: &str) -> RequestBuilder {
    request
        .header("authorization", bearer)
        .header("accept", "application/vnd.github+json")
        .header("x-github-api-version", "2022-11-28")
}

/// `owner/name` of what GitHub allows in both.
fn is_repository(name: &str) -> bool {
    let allowed = |part: &str| {
        !part.is_empty()
            && part.len() <= 100
            && !part.chars().all(|c| c == '.')
            && part
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    name.split_once('/')
        .is_some_and(|(owner, name)| allowed(owner) && allowed(name))
}

/// The report; what comes from outside stands in a block of code, which reads no markup and mentions nobody.
fn report(message: &Message) -> Value {
    // A fence that the text cannot close.
    let longest = message.body.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let description = format!("{fence}text\n{}{fence}\n", message.body);
    json!({
        "summary": message.subject.chars().take(1024).collect::<String>(),
        "description": description.chars().take(65_000).collect::<String>(),
        "severity": match message.severity {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low | Severity::Info => "low",
        },
        "cwe_ids": ["CWE-798"],
    })
}
