//! The discovery document: where a provider's doors are. It must name the issuer that the operator named, and no door at a
//! host that they did not.

use anyhow::{Context as _, Result, bail};
use jiff::SignedDuration;
use serde::Deserialize;
use url::Url;

use crate::config::dashboard::{Authentication, Oidc};

/// How long it is used before it is asked for again.
pub(super) const FRESH: SignedDuration = SignedDuration::from_hours(1);

/// What it says, read and checked.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    pub(super) token_endpoint: Url,
    pub(super) jwks_uri: Url,
    pub(super) userinfo_endpoint: Option<Url>,
    pub(super) end_session_endpoint: Option<Url>,
    /// How a secret is shown, where the operator does not say.
    pub(super) authentication: Authentication,
    /// Whether each answer names its issuer (RFC 9207).
    pub(super) says_issuer: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

/// Where it is.
pub(super) fn address(settings: &Oidc) -> Url {
    let mut url = settings.address.clone();
    let path = format!(
        "{}/.well-known/openid-configuration",
        url.path().trim_end_matches('/')
    );
    url.set_path(&path);
    url
}

impl Metadata {
    /// Reads and checks it.
    pub(super) fn read(text: &[u8], settings: &Oidc) -> Result<Self> {
        let said: Document = serde_json::from_slice(text).context("it is none")?;
        if said.issuer != settings.issuer {
            bail!(
                "it is of another issuer; serve.dashboard.oidc.issuer must be written exactly as the provider does"
            );
        }
        if said
            .code_challenge_methods_supported
            .is_some_and(|methods| !methods.iter().any(|method| method == "S256"))
        {
            bail!("the provider does not take PKCE with S256");
        }
        let methods = said.token_endpoint_auth_methods_supported.unwrap_or_default();
        let only_post = methods.iter().any(|method| method == "client_secret_post")
            && !methods.iter().any(|method| method == "client_secret_basic");
        let further =
            |name: &str, text: Option<String>| text.map(|text| admitted(settings, name, &text)).transpose();
        Ok(Self {
            authorization_endpoint: admitted(
                settings,
                "authorization_endpoint",
                &said.authorization_endpoint,
            )?,
            token_endpoint: admitted(settings, "token_endpoint", &said.token_endpoint)?,
            jwks_uri: admitted(settings, "jwks_uri", &said.jwks_uri)?,
            userinfo_endpoint: further("userinfo_endpoint", said.userinfo_endpoint)?,
            end_session_endpoint: further("end_session_endpoint", said.end_session_endpoint)?,
            authentication: match only_post {
                true => Authentication::Post,
                false => Authentication::Basic,
            },
            says_issuer: said.authorization_response_iss_parameter_supported,
        })
    }
}

/// An address at a host that the operator named.
fn admitted(settings: &Oidc, name: &str, text: &str) -> Result<Url> {
    let url = Url::parse(text).with_context(|| format!("its {name} is no address"))?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let further = url.scheme() == "https"
        && url.port_or_known_default() == Some(443)
        && url
            .host_str()
            .is_some_and(|host| settings.hosts.iter().any(|known| known == host));
    if plain && (url.origin() == settings.address.origin() || further) {
        return Ok(url);
    }
    bail!(
        "its {name} is at {}, which is not the issuer's host; name it in serve.dashboard.oidc.hosts if it is right",
        url.host_str().unwrap_or("no host")
    )
}

#[cfg(test)]
mod tests {
    use super::{Metadata, address};
    use crate::config::dashboard::{Authentication, DashboardSection, Oidc};

    fn settings(more: &str) -> Oidc {
        let text = format!(
            "url = 'https://unleak.example'\n[oidc]\nissuer = 'https://login.example/realms/a'\nclient_id = 'unleak'\n{more}"
        );
        let section: DashboardSection = toml::from_str(&text).unwrap();
        section.oidc().unwrap().unwrap()
    }

    fn document(change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
        let mut document = serde_json::json!({
            "issuer": "https://login.example/realms/a",
            "authorization_endpoint": "https://login.example/realms/a/auth?x=y",
            "token_endpoint": "https://login.example/realms/a/token",
            "jwks_uri": "https://login.example/realms/a/keys",
        });
        change(&mut document);
        document.to_string().into_bytes()
    }

    #[test]
    fn a_document_leads_nowhere_but_to_the_hosts_that_the_operator_named() {
        let settings_alone = settings("");
        assert_eq!(
            address(&settings_alone).as_str(),
            "https://login.example/realms/a/.well-known/openid-configuration"
        );
        assert!(Metadata::read(&document(|_| {}), &settings_alone).is_ok());
        for (name, to) in [
            ("jwks_uri", "https://keys.example/keys"),
            ("token_endpoint", "http://login.example/token"),
            ("token_endpoint", "https://login.example:8443/token"),
            ("token_endpoint", "https://a:b@login.example/token"),
            ("userinfo_endpoint", "https://169.254.169.254/latest"),
            ("authorization_endpoint", "javascript:alert(1)"),
            ("end_session_endpoint", "https://evil.example/"),
            ("issuer", "https://login.example/realms/a/"),
            ("issuer", "https://login.example/realms/b"),
        ] {
            let document = document(|document| document[name] = to.into());
            assert!(Metadata::read(&document, &settings_alone).is_err(), "{name} {to}");
        }
        let further = document(|document| document["jwks_uri"] = "https://keys.example/keys".into());
        assert!(Metadata::read(&further, &settings("hosts = ['keys.example']")).is_ok());
        let plain = document(|document| document["jwks_uri"] = "http://keys.example/keys".into());
        assert!(Metadata::read(&plain, &settings("hosts = ['keys.example']")).is_err());
    }

    #[test]
    fn a_provider_says_how_it_wants_a_secret_and_must_take_pkce() {
        let settings = settings("");
        let ways = |ways: serde_json::Value| {
            document(move |document| document["token_endpoint_auth_methods_supported"] = ways.clone())
        };
        let read = |text: Vec<u8>| Metadata::read(&text, &settings).unwrap().authentication;
        assert_eq!(read(document(|_| {})), Authentication::Basic);
        let both = serde_json::json!(["client_secret_post", "client_secret_basic"]);
        assert_eq!(read(ways(both)), Authentication::Basic);
        assert_eq!(
            read(ways(serde_json::json!(["client_secret_post"]))),
            Authentication::Post
        );
        let plain = document(|document| {
            document["code_challenge_methods_supported"] = serde_json::json!(["plain"]);
        });
        assert!(Metadata::read(&plain, &settings).is_err());
        for text in ["", "[]", "{}", "{\"issuer\":1}"] {
            assert!(Metadata::read(text.as_bytes(), &settings).is_err(), "{text}");
        }
    }
}
