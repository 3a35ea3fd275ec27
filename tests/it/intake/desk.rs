//! A receiver with its doors open, a reporter who signs, and the address where the reporter's keys are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use unleak::call::{CallSettings, Caller};
use unleak::config::Config;
use unleak::leak::Leak;
use unleak::rule::RuleSet;
use unleak::secret::FingerprintKey;
use unleak::server;
use unleak::server::health::Health;
use unleak::server::intake::kind::add_unknown_kind;
use unleak::server::intake::{Clock, Intake, Parts};
use unleak::server::metrics::Metrics;
use unleak::server::worker::Sign;
use unleak::store::{Store, StoreKey};
use unleak::token_service::audit::Actor;
use unleak::token_service::model::Scopes;
use unleak::token_service::{Holder, Limits, NewToken, ServerKey, TokenService};

use super::reporter::{Published, Shared, published};
pub(super) use super::reporter::{Signer, pem, sha256};
use crate::support::sought;

/// The receiver.
pub(super) struct Desk {
    pub(super) folder: tempfile::TempDir,
    pub(super) base: String,
    pub(super) store: Store,
    url: String,
    pub(super) intake: Arc<Intake>,
    pub(super) tokens: TokenService,
    pub(super) signer: Signer,
    pub(super) published: Shared<Published>,
    pub(super) client: reqwest::Client,
    now: Shared<Timestamp>,
    secrets: Mutex<Vec<String>>,
    said: Mutex<Vec<(String, Vec<u8>)>>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|_| panic!("{} no JSON: {:?}", self.status, self.text))
    }
}

/// A token of `acme`, which the rule below knows; each word makes another one. No source holds one.
pub(super) fn acme_token(word: &str) -> String {
    format!("acme_live_{}", &sha256(word)[..16])
}

const ACME: &str = r#"
[service]
name = "Acme"
docs = "https://acme.example/docs"
hosts = ["api.acme.example"]

[[rule]]
id = "api-token"
title = "Acme API token"
pattern = '\b(?<secret>acme_live_[A-Za-z0-9]{16,40})\b'
confidence = "high"
severity = "critical"

# No prefix: only what stands near says what it is.
[[rule]]
id = "old-token"
title = "Acme token of old"
pattern = '\b(?<secret>[0-9A-F]{24})\b'
context = { words = ["acme"], within = 40 }
confidence = "medium"
severity = "high"

[verify]
request = "GET {base}/me"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200 }]
dead = [{ status = 401 }]

[revoke]
with = "secret"
request = "DELETE {base}/token"
headers = { Authorization = "Bearer {secret}" }
done = [{ status = 204 }]
"#;

pub(super) fn rules() -> RuleSet {
    let mut rules = RuleSet::empty();
    let shipped = |name: &str| {
        let file = format!("{}/rules/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(file).unwrap()
    };
    for name in ["github", "gitlab", "unleak"] {
        rules.add(name, name, &shipped(name)).unwrap();
    }
    rules.add("acme", "acme", ACME).unwrap();
    add_unknown_kind(&mut rules).unwrap();
    rules
}

pub(super) fn client() -> reqwest::Client {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Publishes the key of a reporter: what its address serves, and the address.
async fn publish(signer: &Signer) -> (Shared<Published>, String) {
    let keys: Shared<Published> = Arc::default();
    keys.lock()
        .unwrap()
        .keys
        .push((signer.id.clone(), signer.pem.clone(), true));
    let routes = Router::new().route("/keys", axum::routing::get(published));
    let address = format!("{}/keys", serve(routes.with_state(Arc::clone(&keys))).await);
    (keys, address)
}

fn config(further: &str, keys: &str) -> Config {
    let text = format!(
        "[reports.origins.github]\nkeys = \"KEYS\"\n[reports.origins.gitlab]\nkeys = \"KEYS\"\n\
         [reports.origins.depsdev]\nkeys = \"KEYS\"\n{further}"
    );
    Config::parse(&text.replace("KEYS", keys), "test").unwrap()
}

fn caller(config: &Config) -> Caller {
    Caller::new(CallSettings {
        timeout: std::time::Duration::from_secs(2),
        back_off: std::time::Duration::from_millis(5),
        pace: std::time::Duration::ZERO,
        ..config.call_settings().unwrap()
    })
    .unwrap()
}

impl Desk {
    /// GitHub's, GitLab's and deps.dev's doors are open, and what `further` says; `KEYS` in it is where keys are.
    pub(super) async fn open(further: &str) -> Self {
        Self::open_at(further, None).await
    }

    /// The same with its store at this URL.
    pub(super) async fn open_at(further: &str, url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new();
        let (published, address) = publish(&signer).await;
        let config = config(further, &address);
        let file = folder.path().join("store").join("leaks.sqlite");
        let url = url.unwrap_or_else(|| format!("sqlite:{}", file.display()));
        let store = Store::open(&url, &StoreKey::from_slice(&[9; 32]).unwrap())
            .await
            .unwrap();
        let tokens = format!("sqlite://{}/tokens.sqlite", folder.path().display());
        let tokens = TokenService::open(&tokens, ServerKey::new(&[7; 32]).unwrap())
            .await
            .unwrap();
        let now: Shared<Timestamp> = Arc::new(Mutex::new(Timestamp::now()));
        let clock = Arc::clone(&now);
        let metrics = Metrics::new();
        let intake = Intake::open(Parts {
            reports: config.reports().unwrap(),
            store: store.clone(),
            rules: Arc::new(rules()),
            key: FingerprintKey::new("test"),
            caller: caller(&config),
            tokens: Some(tokens.clone()),
            bell: Sign::default(),
            metrics: metrics.clone(),
            clock: Clock::new(move || *clock.lock().unwrap()),
        })
        .unwrap();
        let health = Health::of_tokens(tokens.clone()).with_work(store.clone(), Sign::default(), metrics);
        let doors = Arc::clone(&intake).router();
        let router = server::router_and(tokens.clone(), &Limits::default(), health, doors);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(server::serve(listener, router, std::future::pending()));
        Self {
            folder,
            base,
            store,
            url,
            intake,
            tokens,
            signer,
            published,
            client: client(),
            now,
            secrets: Mutex::default(),
            said: Mutex::default(),
        }
    }

    /// The clock goes on by so many seconds.
    pub(super) fn later(&self, seconds: i64) {
        *self.now.lock().unwrap() += SignedDuration::from_secs(seconds);
    }

    pub(super) fn seconds(&self) -> i64 {
        self.now.lock().unwrap().as_second()
    }

    /// Nothing that is kept or said may hold this in the end.
    pub(super) fn keep_secret(&self, secret: &str) {
        self.secrets.lock().unwrap().push(secret.to_owned());
    }

    /// Sends these headers and this body.
    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut request = self.client.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.heard(path, request.body(body.into()).send().await.unwrap())
            .await
    }

    pub(super) async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.client.get(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.heard(path, request.send().await.unwrap()).await
    }

    async fn heard(&self, path: &str, reply: reqwest::Response) -> Answer {
        let status = reply.status().as_u16();
        let headers = reply.headers().iter();
        let headers = headers
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    value.to_str().unwrap_or_default().to_owned(),
                )
            })
            .collect();
        let text = reply.text().await.unwrap();
        self.said
            .lock()
            .unwrap()
            .push((format!("answer of {path}"), text.clone().into_bytes()));
        Answer {
            status,
            headers,
            text,
        }
    }

    /// Reports as GitHub does.
    pub(super) async fn github(&self, body: impl AsRef<[u8]>) -> Answer {
        self.signed("/reports/github", "Github-Public-Key", body).await
    }

    pub(super) async fn signed(&self, path: &str, start: &str, body: impl AsRef<[u8]>) -> Answer {
        let (key, signature) = (format!("{start}-Identifier"), format!("{start}-Signature"));
        let made = self.signer.sign(body.as_ref());
        let headers = [
            (key.as_str(), self.signer.id.as_str()),
            (&signature, &made),
            ("content-type", "application/json"),
        ];
        self.post(path, &headers, body.as_ref()).await
    }

    /// Every leak, and how many tasks and deliveries there are.
    pub(super) async fn leaks(&self) -> Vec<Leak> {
        self.store.all().await.unwrap()
    }

    /// Rows of a table of the store.
    pub(super) async fn count(&self, table: &str) -> i64 {
        let query = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        #[cfg(feature = "postgres-tests")]
        if self.url.starts_with("postgres") {
            let pool = sqlx::PgPool::connect(&self.url).await.unwrap();
            return sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        }
        let pool = sqlx::SqlitePool::connect(&self.url).await.unwrap();
        let count = sqlx::query_scalar(query).fetch_one(&pool).await.unwrap();
        pool.close().await;
        count
    }

    /// A token of the embedded service, alive.
    pub(super) async fn issue(&self, login: &str) -> String {
        let by = Actor::local("test");
        let email = format!("{login}@example.com");
        // it may be there already
        let _made = self.tokens.add_user(login, &email, login, &by).await;
        let asked = NewToken {
            holder: Holder::User(login.to_owned()),
            description: "for a test".to_owned(),
            scopes: Scopes::new(["events:write"]).unwrap(),
            expires_at: None,
        };
        let created = self.tokens.create(&asked, &by).await.unwrap();
        let token = created.token.expose_str().unwrap().to_owned();
        self.keep_secret(&token);
        token
    }
}

/// What was kept and said is searched for every secret.
impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut places = self.said.lock().unwrap().clone();
        places.extend(sought::files(self.folder.path()));
        let found = sought::found(&self.secrets.lock().unwrap(), &places);
        assert!(found.is_empty(), "in clear:\n{}", found.join("\n"));
    }
}

/// Serves a router on loopback until the test ends.
pub(super) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

/// A record as GitHub sends it.
pub(super) fn record(token: &str, kind: &str, url: &str) -> Value {
    json!({ "token": token, "type": kind, "url": url, "source": "commit" })
}
