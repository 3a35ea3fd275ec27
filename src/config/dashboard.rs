//! `[serve.dashboard]`: the pages of `unleak serve`, and with whom people sign in.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use url::{Host, Url};

use super::reports::SecretFrom;
use crate::secret::Secret;
use crate::token_service::model::Scopes;

/// Where a provider of identities sends people back to, behind the address of the pages.
pub const BACK: &str = "/sign-in/oidc/back";
/// Where it sends them once they signed out there.
const AFTER: &str = "/sign-in?said=signed-out";

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
    /// With whom people may sign in, beside tokens.
    pub oidc: Option<OidcSection>,
}

impl Default for DashboardSection {
    fn default() -> Self {
        Self {
            url: None,
            session_hours: 12,
            idle_minutes: 60,
            organisations: BTreeMap::new(),
            oidc: None,
        }
    }
}

/// `[serve.dashboard.oidc]`: a provider of OpenID Connect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSection {
    /// Its issuer, as its discovery document writes it.
    pub issuer: String,
    /// What it calls us.
    pub client_id: String,
    /// The secret that it gave us; without one we are a public client, which PKCE protects alone.
    pub client_secret: Option<SecretFrom>,
    /// How the secret is shown; what the provider prefers if it is left out.
    pub authentication: Option<Authentication>,
    /// What people call it, on the button; the host of its issuer if it is left out.
    pub name: Option<String>,
    /// What is asked for, beside `openid`.
    #[serde(default = "usual_scopes")]
    pub scopes: Vec<String>,
    /// Hosts beside the issuer's own that its endpoints may be at.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// The claim that says who somebody is: `email`, which must be verified, or one whose value is a login here.
    #[serde(default = "email")]
    pub person: String,
    /// Claims, or JSON pointers to them, and the values of which one makes an operator.
    #[serde(default)]
    pub operators: BTreeMap<String, Vec<String>>,
    /// Scopes of such a session: what it may do, as far as the person's roles let it.
    #[serde(default = "everything")]
    pub may: Vec<String>,
}

/// How a client shows its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Authentication {
    /// `client_secret_basic`: in the header `Authorization`.
    Basic,
    /// `client_secret_post`: in the body.
    Post,
}

fn usual_scopes() -> Vec<String> {
    ["email", "profile"].map(str::to_owned).to_vec()
}

fn email() -> String {
    "email".to_owned()
}

fn everything() -> Vec<String> {
    vec!["admin".to_owned()]
}

/// A provider of identities, its settings checked and its secret read.
#[derive(Clone, Debug)]
pub struct Oidc {
    /// The issuer as it is written, which its tokens must repeat.
    pub issuer: String,
    /// The same, read.
    pub address: Url,
    /// What it calls us.
    pub client_id: String,
    /// The secret that it gave us.
    pub client_secret: Option<Secret>,
    /// How the secret is shown.
    pub authentication: Option<Authentication>,
    /// What people call it.
    pub name: String,
    /// What is asked for, with spaces between.
    pub scopes: String,
    /// Hosts beside the issuer's own.
    pub hosts: Vec<String>,
    /// The claim that says who somebody is.
    pub person: String,
    /// What makes an operator.
    pub operators: BTreeMap<String, Vec<String>>,
    /// What such a session may do.
    pub may: Scopes,
    /// The one address that people come back to.
    pub back: String,
    /// Where they are after signing out there.
    pub after: String,
}

impl DashboardSection {
    /// The address of the pages.
    ///
    /// # Errors
    /// One that is none.
    pub fn address(&self) -> Result<Option<Url>> {
        let Some(text) = &self.url else {
            return Ok(None);
        };
        let url =
            Url::parse(text).with_context(|| format!("serve.dashboard.url = {text:?} is no address"))?;
        if !matches!(url.scheme(), "http" | "https") {
            bail!(
                "serve.dashboard.url = {text:?} is no address of a page; write it as https://unleak.example.com"
            );
        }
        Ok(Some(url))
    }

    /// With whom people sign in, if the configuration says so.
    ///
    /// # Errors
    /// A key that makes no sense, and a secret that is named but not there.
    pub fn oidc(&self) -> Result<Option<Oidc>> {
        let Some(section) = &self.oidc else {
            return Ok(None);
        };
        let key = "serve.dashboard.oidc";
        let Some(here) = self.address()? else {
            bail!("{key} needs serve.dashboard.url: the provider sends people back to that very address");
        };
        if here.path() != "/" || here.query().is_some() || here.fragment().is_some() {
            bail!(
                "serve.dashboard.url = \"{here}\": the pages are at the top of their host, so leave out the path"
            );
        }
        let address = issuer(&section.issuer)?;
        if section.client_id.trim().is_empty() || section.person.trim().is_empty() {
            bail!("{key}.client_id and {key}.person must not be empty");
        }
        let hosts = section.hosts.iter().map(|host| match Host::parse(host) {
            Ok(Host::Domain(name)) => Ok(name),
            _ => bail!("{key}.hosts: {host:?} is no name of a host, as oauth2.example.com"),
        });
        let wrong = |name: &String| name.is_empty() || name.contains(char::is_whitespace);
        if section.scopes.iter().any(wrong) {
            bail!("{key}.scopes: one word each, as email");
        }
        let further = section.scopes.iter().filter(|scope| *scope != "openid");
        let scopes: Vec<&str> = std::iter::once("openid")
            .chain(further.map(String::as_str))
            .collect();
        if section.may.is_empty() {
            bail!(
                "{key}.may is empty: whoever signs in could do nothing; leave it out for what their roles let them do"
            );
        }
        let secret = section.client_secret.as_ref();
        let origin = here.origin().ascii_serialization();
        Ok(Some(Oidc {
            issuer: section.issuer.clone(),
            client_id: section.client_id.trim().to_owned(),
            client_secret: secret
                .map(|from| from.read(&format!("{key}.client_secret")))
                .transpose()?,
            authentication: section.authentication,
            name: match &section.name {
                Some(name) => name.clone(),
                None => address.host_str().unwrap_or_default().to_owned(),
            },
            scopes: scopes.join(" "),
            hosts: hosts.collect::<Result<_>>()?,
            person: section.person.trim().to_owned(),
            operators: section.operators.clone(),
            may: Scopes::new(&section.may).with_context(|| format!("{key}.may"))?,
            back: format!("{origin}{BACK}"),
            after: format!("{origin}{AFTER}"),
            address,
        }))
    }
}

/// The issuer's address: over TLS, but on this machine.
fn issuer(text: &str) -> Result<Url> {
    let key = "serve.dashboard.oidc.issuer";
    let url = Url::parse(text).with_context(|| format!("{key} = {text:?} is no address"))?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() != "https" && !(url.scheme() == "http" && here) {
        bail!("{key} = {text:?}: an issuer is asked over https");
    }
    if !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some()
    {
        bail!("{key} = {text:?}: an issuer has no user name, password, `?` or `#`");
    }
    Ok(url)
}
