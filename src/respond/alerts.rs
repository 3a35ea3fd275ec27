//! The alerts of GitHub that told of a leak: resolved as revoked once the token is dead.
//!
//! An alert is known by its page among the sightings of a leak. It is asked for before it is changed, so that one which
//! somebody has resolved stays as they left it; and only on a base that the rule file or the operator names.

use anyhow::Result;
use serde_json::json;

use super::Case;
use crate::call::{CallError, Reply, Values};
use crate::leak::{DeadWhy, Leak, Verdict};
use crate::rule::Service;
use crate::rule::file::CallFile;

/// The service whose alerts these are.
const GITHUB: &str = "github";
/// Most alerts of one leak that are resolved at a time.
const MOST_ALERTS: usize = 50;

/// An alert: on which base of the API, and its number in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Base URL of the API.
    pub base: String,
    /// Who owns the repository.
    pub owner: String,
    /// The repository's name.
    pub repository: String,
    /// The alert's number.
    pub number: u64,
}

impl Alert {
    /// The alert whose page this is, `https://HOST/OWNER/REPOSITORY/security/secret-scanning/NUMBER`, if its host is that
    /// of one of these bases.
    pub fn of_page(page: &str, bases: &[String]) -> Option<Self> {
        let base = bases
            .iter()
            .find(|base| page.starts_with(&format!("{}/", site(base))))?;
        let path = &page[site(base).len() + 1..];
        let parts: Vec<&str> = path.split('/').collect();
        let [owner, repository, "security", "secret-scanning", number] = parts[..] else {
            return None;
        };
        (is_name(owner) && is_name(repository)).then_some(Self {
            base: base.clone(),
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            number: number.parse().ok()?,
        })
    }

    /// Its page, for people.
    pub fn page(&self) -> String {
        let Self {
            base,
            owner,
            repository,
            number,
        } = self;
        format!(
            "{}/{owner}/{repository}/security/secret-scanning/{number}",
            site(base)
        )
    }

    /// The values for a call about it; `operator` must still be set.
    pub fn values(&self) -> Values {
        let mut values = Values::new(GITHUB);
        values.set("base", &self.base);
        values.set("owner", &self.owner);
        values.set("repository", &self.repository);
        values.set("number", &self.number.to_string());
        values
    }
}

/// A name of an owner or a repository: nothing that changes a path.
pub fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= 100 && text.bytes().all(plain) && !text.bytes().all(|byte| byte == b'.')
}

/// Where people see what this base of the API gives: `https://api.github.com` is `https://github.com`, and Enterprise
/// Server's `https://HOST/api/v3` is `https://HOST`.
pub fn site(base: &str) -> String {
    match base.strip_suffix("/api/v3") {
        Some(site) => site.to_owned(),
        None => base.replacen("://api.", "://", 1),
    }
}

/// A call of GitHub's API with the operator's credential.
pub fn call(request: &str, body: Option<String>) -> CallFile {
    let headers = [
        ("Authorization", "Bearer {operator}"),
        ("Accept", "application/vnd.github+json"),
        ("X-GitHub-Api-Version", "2022-11-28"),
    ];
    CallFile {
        request: request.to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        body,
        sign: None,
    }
}

/// An alert's address.
pub const ADDRESS: &str = "{base}/repos/{owner}/{repository}/secret-scanning/alerts/{number}";

impl Case<'_> {
    /// Resolves the open alerts of a leak whose token is dead for good. GitHub has not heard of its end where it could not
    /// be asked now, so the next run tries again.
    pub(super) async fn resolve_alerts(&mut self) -> Result<()> {
        let mut services = self.rules.services.iter();
        let Some(service) = services.find(|service| service.name == GITHUB) else {
            return Ok(());
        };
        if !is_over(&self.held.leak) {
            return Ok(());
        }
        let bases = self.to.caller.bases(service);
        let pages = self.held.leak.sightings.iter().map(|seen| seen.path.as_str());
        let alerts = pages
            .filter_map(|page| Alert::of_page(page, &bases))
            .take(MOST_ALERTS);
        for alert in alerts.collect::<Vec<_>>() {
            match self.resolve(service, &alert).await {
                Ok(true) => {
                    let leak = Some((self.held.leak.fingerprint, &self.held.leak.rule));
                    let detail = json!({ "alert": alert.page() });
                    self.to.store.append("alert-resolved", leak, &detail).await?;
                    self.say(format!("resolved as revoked: {}", alert.page()));
                }
                Ok(false) => {}
                Err(why) => {
                    let said = format!("{} is not resolved: {}", alert.page(), why.text);
                    if why.may_pass {
                        self.untold = Some(said.clone());
                    }
                    self.say(said);
                }
            }
        }
        Ok(())
    }

    /// Whether it was resolved now; it may have been before.
    async fn resolve(&self, service: &Service, alert: &Alert) -> Result<bool, Why> {
        let caller = &self.to.caller;
        let credential = caller.settings(GITHUB).credential.as_ref();
        let credential = credential.and_then(|credential| credential.expose_str());
        let mut values = alert.values();
        values.set_secret("operator", credential.unwrap_or_default());
        let asked = caller
            .ask(
                service,
                &call(&format!("GET {ADDRESS}?hide_secret=true"), None),
                &values,
            )
            .await;
        let asked = answered(asked)?;
        if asked.json().is_none_or(|json| json["state"] != "open") {
            return Ok(false);
        }
        let comment = format!("unleak: the token is {}", dead(&self.held.leak));
        let body = json!({ "state": "resolved", "resolution": "revoked", "resolution_comment": comment });
        let request = call(&format!("PATCH {ADDRESS}"), Some(body.to_string()));
        answered(caller.act(service, &request, &values).await)?;
        Ok(true)
    }
}

/// Why an alert is not resolved, and whether the same may go well later.
struct Why {
    text: String,
    may_pass: bool,
}

fn answered(reply: Result<Reply, CallError>) -> Result<Reply, Why> {
    match reply {
        Ok(reply) if reply.status == 200 => Ok(reply),
        Ok(reply) => Err(Why {
            text: format!("GitHub answered {}", reply.status),
            may_pass: matches!(reply.status, 429 | 500..=599),
        }),
        Err(error) => Err(Why {
            may_pass: error.may_pass(),
            text: error.to_string(),
        }),
    }
}

/// A token whose owner is disabled lives again when they are enabled.
fn is_over(leak: &Leak) -> bool {
    matches!(&leak.verdict, Some(Verdict::Dead { why, .. }) if *why != DeadWhy::OwnerDisabled)
}

fn dead(leak: &Leak) -> String {
    match &leak.verdict {
        Some(Verdict::Dead { why, .. }) => why.to_string(),
        _ => "dead".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Alert;

    #[test]
    fn an_alert_is_known_by_its_page_on_a_base_that_is_ours() {
        let bases = [
            "https://api.github.com".to_owned(),
            "https://git.acme.example/api/v3".to_owned(),
        ];
        for page in [
            "https://github.com/acme/app/security/secret-scanning/42",
            "https://git.acme.example/acme/app.rs/security/secret-scanning/7",
        ] {
            assert_eq!(Alert::of_page(page, &bases).unwrap().page(), page);
        }
        for page in [
            "https://github.com.evil.example/acme/app/security/secret-scanning/42",
            "https://evil.example/acme/app/security/secret-scanning/42",
            "http://github.com/acme/app/security/secret-scanning/42",
            "https://github.com/acme/../security/secret-scanning/42",
            "https://github.com/acme/app/security/secret-scanning/42/x",
            "https://github.com/acme/app/security/secret-scanning/x",
            "https://github.com/acme/a%2fb/security/secret-scanning/1",
            "https://github.com/acme/app/issues/42",
            "",
        ] {
            assert_eq!(Alert::of_page(page, &bases), None, "{page}");
        }
    }
}
