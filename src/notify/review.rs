//! Remarks on the lines of a pull request, by GitHub's REST: one for each leak, written again rather than repeated.
//!
//! A remark is known by a name that stands in it as a comment. It holds no secret, and the token goes to the API that the
//! runner names and nowhere else: no redirect is followed.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reqwest::redirect::Policy as Redirects;
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use url::{Host, Url};

use crate::secret::Secret;

/// Pages of a hundred remarks that are read.
const MOST_PAGES: usize = 30;
/// New remarks of one run: GitHub slows down who writes many, and so do readers.
const MOST_NEW: usize = 30;
const TIMEOUT: Duration = Duration::from_secs(20);
/// Largest reply that is read, in bytes.
const LARGEST: usize = 8 << 20;

/// One leak's remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Names the leak on this pull request, in hexadecimal.
    pub name: String,
    /// The commit that brought it in.
    pub commit: String,
    /// The file.
    pub path: String,
    /// Its line in that commit, from 1.
    pub line: usize,
    /// What is said, in Markdown.
    pub text: String,
}

/// The remarks of one pull request.
pub struct Review {
    client: reqwest::Client,
    base: String,
    pull: u64,
    token: Secret,
}

#[derive(Deserialize)]
struct Written {
    id: u64,
    #[serde(default)]
    body: String,
}

/// Where a remark stands: at a line, or below the pull request where no line can take it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Line,
    Below,
}

impl Review {
    /// The pull request `pull` of `repository` (`owner/name`).
    ///
    /// # Errors
    /// An API that is not https (or this machine), or a repository that is no name.
    pub fn new(api: &str, repository: &str, pull: u64, token: &Secret) -> Result<Self> {
        let url = Url::parse(api).map_err(|error| anyhow!("GITHUB_API_URL is no URL: {error}"))?;
        let here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if !(url.scheme() == "https" || url.scheme() == "http" && here) {
            bail!("GITHUB_API_URL must begin with https://");
        }
        let name = |part: &str| {
            let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            !part.is_empty() && part.bytes().all(fine) && part != "." && part != ".."
        };
        if !repository
            .split_once('/')
            .is_some_and(|(owner, rest)| name(owner) && name(rest))
        {
            bail!("GITHUB_REPOSITORY is no owner/name: {repository:?}");
        }
        // Fails where another part of the program was first, and then there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .redirect(Redirects::none())
            .timeout(TIMEOUT)
            .user_agent(concat!("unleak/", env!("CARGO_PKG_VERSION")));
        if here {
            client = client.no_proxy();
        }
        Ok(Self {
            client: client.build().context("the HTTP client cannot be made")?,
            base: format!("{}/repos/{repository}", api.trim_end_matches('/')),
            pull,
            token: token.clone(),
        })
    }

    /// Writes these remarks, writes again those that are there, and says of others that their leak is gone.
    ///
    /// # Errors
    /// A list that cannot be read; else the first remark that could not be written, after trying all.
    pub async fn write(&self, remarks: &[Remark]) -> Result<()> {
        let mut known = BTreeMap::new();
        for kind in [Kind::Below, Kind::Line] {
            for written in self.list(kind).await? {
                if let Some(name) = name_in(&written.body) {
                    known.insert(name.to_owned(), (kind, written));
                }
            }
        }
        let mut trouble = None;
        let mut new = 0;
        for remark in remarks {
            let body = format!("{}\n\n{}", marker(&remark.name), remark.text);
            let done = match known.remove(&remark.name) {
                Some((_, written)) if written.body.starts_with(&body) => Ok(()),
                // Somebody else's text can begin like a remark of ours, to keep us from writing one: it cannot be edited.
                Some((kind, written)) => match self.edit(kind, written.id, &body).await {
                    Ok(()) => Ok(()),
                    Err(_) => self.add(remark, &body).await,
                },
                None if new == MOST_NEW => Err(anyhow!(
                    "there are more than {MOST_NEW}; the summary lists them all"
                )),
                None => {
                    new += 1;
                    self.add(remark, &body).await
                }
            };
            trouble = trouble.or(done.err());
        }
        for (name, (kind, written)) in known {
            let body = format!("{}\n\n{GONE}", marker(&name));
            if written.body != body {
                trouble = trouble.or(self.edit(kind, written.id, &body).await.err());
            }
        }
        trouble.map_or(Ok(()), Err)
    }

    async fn list(&self, kind: Kind) -> Result<Vec<Written>> {
        let mut all = Vec::new();
        for page in 1..=MOST_PAGES {
            let path = format!("{}?per_page=100&page={page}", self.place(kind));
            let reply = self.ask(Method::GET, &path, None).await?;
            let some: Vec<Written> =
                serde_json::from_slice(&reply).context("GitHub's list of remarks cannot be read")?;
            let last = some.len() < 100;
            all.extend(some);
            if last {
                break;
            }
        }
        Ok(all)
    }

    fn place(&self, kind: Kind) -> String {
        match kind {
            Kind::Line => format!("pulls/{}/comments", self.pull),
            Kind::Below => format!("issues/{}/comments", self.pull),
        }
    }

    async fn add(&self, remark: &Remark, body: &str) -> Result<()> {
        let at = json!({
            "body": body,
            "commit_id": remark.commit,
            "path": remark.path,
            "line": remark.line,
            "side": "RIGHT",
        });
        let written = self.ask(Method::POST, &self.place(Kind::Line), Some(&at)).await;
        let Err(error) = written else { return Ok(()) };
        if !error.to_string().contains("422") {
            return Err(error);
        }
        // GitHub takes remarks at lines of the difference alone; a leak that a later commit took out has none.
        let body = format!(
            "{body}\n\nIn commit {}, line {} of `{}`.",
            remark.commit,
            remark.line,
            remark.path.replace('`', "'")
        );
        self.ask(
            Method::POST,
            &self.place(Kind::Below),
            Some(&json!({ "body": body })),
        )
        .await
        .map(drop)
    }

    async fn edit(&self, kind: Kind, id: u64, body: &str) -> Result<()> {
        let path = match kind {
            Kind::Line => format!("pulls/comments/{id}"),
            Kind::Below => format!("issues/comments/{id}"),
        };
        self.ask(Method::PATCH, &path, Some(&json!({ "body": body })))
            .await
            .map(drop)
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Vec<u8>> {
        let shown = format!("{method} {}", path.split('?').next().unwrap_or_default());
        let token = self.token.expose_str().context("the token is no text")?;
        let mut request = self
            .client
            .request(method, format!("{}/{path}", self.base))
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
            .bearer_auth(token);
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let reply = request
            .send()
            .await
            .map_err(|error| anyhow!("{shown}: {}", error.without_url()))?;
        let status = reply.status();
        if !status.is_success() {
            let why = match status {
                StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED => {
                    "; the job needs `permissions: pull-requests: write`"
                }
                _ => "",
            };
            bail!("{shown}: GitHub answered {}{why}", status.as_u16());
        }
        bounded(reply).await
    }
}

const GONE: &str = "The commits of this pull request no longer hold the leak that was here. Whoever read them has it: \
                    it must be revoked all the same.";

async fn bounded(mut reply: Response) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = reply.chunk().await.map_err(reqwest::Error::without_url)? {
        if bytes.len() + chunk.len() > LARGEST {
            bail!("GitHub's answer has more than {LARGEST} bytes");
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn marker(name: &str) -> String {
    format!("<!-- unleak {name} -->")
}

fn name_in(body: &str) -> Option<&str> {
    let (name, _) = body.strip_prefix("<!-- unleak ")?.split_once(" -->")?;
    (name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(name)
}
