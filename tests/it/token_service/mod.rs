//! The embedded token service: real router on port 0, real SQLite file, a foreign HTTP client.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

mod at_rest;
mod command_line;
mod life;
mod oauth;
mod owners;
mod policy;

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use unleak::secret::Secret;
use unleak::server;
use unleak::token_service::audit::Actor;
use unleak::token_service::model::{Role, Scopes, Time};
use unleak::token_service::{Holder, NewToken, ServerKey, TokenService};

const KEY: [u8; 32] = [7; 32];

/// A server with two organisations: ann owns acme, dan is its admin, bob a member; eve owns beta, bob is a member.
struct Desk {
    folder: tempfile::TempDir,
    base: String,
    service: TokenService,
    client: reqwest::Client,
}

/// A token in clear, as its holder has it, and its id.
struct Held {
    id: String,
    text: String,
}

/// What came back.
struct Answer {
    status: u16,
    challenge: String,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text))
    }
}

fn by() -> Actor {
    Actor::local("test")
}

fn operator() -> String {
    "operator-".repeat(5)
}

fn client() -> reqwest::Client {
    // a second test to install it finds it installed
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/tokens.db", folder.path().display());
        let service = TokenService::open(&url, ServerKey::new(&KEY).unwrap())
            .await
            .unwrap()
            .with_operator(&Secret::new(operator()))
            .unwrap();
        for (slug, name) in [("acme", "Acme Ltd"), ("beta", "Beta Inc")] {
            service.add_organisation(slug, name, &by()).await.unwrap();
        }
        for (login, name) in [
            ("ann", "Ann Archer"),
            ("bob", "Bob"),
            ("dan", "Dan"),
            ("eve", "Eve"),
        ] {
            let email = format!("{login}@example.com");
            service.add_user(login, &email, name, &by()).await.unwrap();
        }
        for (slug, login, role) in [
            ("acme", "ann", Role::Owner),
            ("acme", "dan", Role::Admin),
            ("acme", "bob", Role::Member),
            ("beta", "bob", Role::Member),
            ("beta", "eve", Role::Owner),
        ] {
            service.set_member(slug, login, role, &by()).await.unwrap();
        }
        service.add_project("acme", "shop", "Shop", &by()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(server::serve(
            listener,
            server::router(service.clone()),
            std::future::pending(),
        ));
        Self {
            folder,
            base,
            service,
            client: client(),
        }
    }

    fn database(&self) -> String {
        format!("sqlite://{}/tokens.db", self.folder.path().display())
    }

    /// Changes the database behind the service's back: how a test makes time pass.
    async fn meddle(&self, statement: &'static str, id: &str) {
        let pool = sqlx::SqlitePool::connect(&self.database()).await.unwrap();
        let done = sqlx::query(statement).bind(id).execute(&pool).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{statement}");
        pool.close().await;
    }

    async fn held(&self, holder: Holder, scopes: &[&str], expires_at: Option<Time>) -> Held {
        let asked = NewToken {
            holder,
            description: "for a test".into(),
            scopes: Scopes::new(scopes).unwrap(),
            expires_at,
        };
        let created = self.service.create(&asked, &by()).await.unwrap();
        Held {
            id: created.id,
            text: created.token.expose_str().unwrap().to_owned(),
        }
    }

    async fn user_token(&self, login: &str, scopes: &[&str]) -> Held {
        self.held(Holder::User(login.into()), scopes, None).await
    }

    async fn project_token(&self, scopes: &[&str]) -> Held {
        let holder = Holder::Project {
            organisation: "acme".into(),
            project: "shop".into(),
        };
        self.held(holder, scopes, None).await
    }

    async fn organisation_token(&self, slug: &str, scopes: &[&str]) -> Held {
        let holder = Holder::Organisation {
            organisation: slug.into(),
            reason: "reads members of every team".into(),
        };
        self.held(holder, scopes, None).await
    }

    async fn send(&self, request: reqwest::RequestBuilder, bearer: &str) -> Answer {
        let request = match bearer {
            "" => request,
            bearer => request.bearer_auth(bearer),
        };
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        Answer {
            status: response.status().as_u16(),
            challenge: challenge.map_or(String::new(), |value| value.to_str().unwrap().to_owned()),
            text: response.text().await.unwrap(),
        }
    }

    async fn get(&self, path: &str, bearer: &str) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.base)), bearer)
            .await
    }

    /// `GET /api/v1/token`.
    async fn ask(&self, bearer: &str) -> Answer {
        self.get("/api/v1/token", bearer).await
    }

    async fn body(&self, method: &str, path: &str, bearer: &str, body: &Value) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        self.send(request, bearer).await
    }

    /// `POST /api/v1/organisations/{org}/tokens/{id}/{revoke|block}`.
    async fn stop(&self, org: &str, id: &str, how: &str, bearer: &str) -> Answer {
        let path = format!("/api/v1/organisations/{org}/tokens/{id}/{how}");
        self.body("POST", &path, bearer, &json!({ "cause": "leaked" }))
            .await
    }

    async fn form(&self, path: &str, bearer: &str, form: &str) -> Answer {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        self.send(request, bearer).await
    }

    async fn introspect(&self, bearer: &str, token: &str) -> Value {
        let answer = self
            .form("/oauth/introspect", bearer, &format!("token={token}"))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Audit lines of one action about one subject.
    async fn audited(&self, action: &str, subject: &str) -> usize {
        let log = self.service.audit_log().await.unwrap();
        log.iter()
            .filter(|line| line.action == action && line.subject == subject)
            .count()
    }
}

/// Slugs of a field of `GET /api/v1/token`.
fn slugs(answer: &Answer, field: &str) -> Vec<String> {
    let json = answer.json();
    let listed = json[field].as_array().unwrap().iter();
    listed.map(|o| o["slug"].as_str().unwrap().to_owned()).collect()
}

/// A writer that others can look into.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
