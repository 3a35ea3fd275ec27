//! A server with people, organisations and a client: what every test of the token service begins with.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use sqlx::Connection as _;
use unleak::secret::Secret;
use unleak::server;
use unleak::token_service::audit::{Actor, Checked};
use unleak::token_service::model::{Role, Scopes, Time};
use unleak::token_service::{Holder, Limits, NewToken, ServerKey, TokenService};

#[cfg(feature = "postgres-tests")]
use crate::support::postgres;

pub(super) const KEY: [u8; 32] = [7; 32];

/// Which database a desk keeps its tokens in.
#[derive(Clone, Copy)]
pub(super) enum Kept {
    Sqlite,
    #[cfg(feature = "postgres-tests")]
    Postgres,
}

/// A server with two organisations: ann owns acme, dan is its admin, bob a member; eve owns beta, bob is a member.
pub(super) struct Desk {
    pub(super) folder: tempfile::TempDir,
    pub(super) base: String,
    pub(super) url: String,
    pub(super) service: TokenService,
    pub(super) client: reqwest::Client,
}

/// A token in clear, as its holder has it, and its id.
pub(super) struct Held {
    pub(super) id: String,
    pub(super) text: String,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) challenge: String,
    pub(super) kind: String,
    pub(super) text: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text))
    }
}

pub(super) fn by() -> Actor {
    Actor::local("test")
}

pub(super) fn operator() -> String {
    "operator-".repeat(5)
}

pub(super) fn client() -> reqwest::Client {
    // a second test to install it finds it installed
    let _installed = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// A server over a token service, until the test ends; its address.
pub(super) async fn serve(service: &TokenService, limits: &Limits) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let router = server::router_with(service.clone(), limits);
    tokio::spawn(server::serve(listener, router, std::future::pending()));
    base
}

impl Desk {
    pub(super) async fn open_on(kept: Kept) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match kept {
            Kept::Sqlite => format!("sqlite://{}/tokens.db", folder.path().display()),
            #[cfg(feature = "postgres-tests")]
            Kept::Postgres => postgres::new_database().await,
        };
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
        let limits = Limits {
            requests_per_second: 1000,
            burst: 10_000,
        };
        Self {
            folder,
            base: serve(&service, &limits).await,
            url,
            service,
            client: client(),
        }
    }

    pub(super) fn database(&self) -> String {
        self.url.clone()
    }

    /// The URL of a database of the same kind with nothing in it.
    pub(super) async fn empty_database(&self) -> String {
        #[cfg(feature = "postgres-tests")]
        if self.url.starts_with("postgres:") {
            return postgres::new_database().await;
        }
        format!("sqlite://{}/first.db", self.folder.path().display())
    }

    /// Makes a database as the first release left it: its schema, one organisation and one token.
    pub(super) async fn first_release(&self, url: &str, schema: &str, key: &str) {
        use sqlx::migrate::{Migration, MigrationType, Migrator};
        use sqlx::{AssertSqlSafe, SqlSafeStr as _};
        let postgres = url.starts_with("postgres:");
        let schema = if postgres {
            schema
                .replace(" BLOB", " BYTEA")
                .replace(" TEXT", " TEXT COLLATE \"C\"")
        } else {
            schema.to_owned()
        };
        let sql = AssertSqlSafe(schema).into_sql_str();
        let first = Migration::new(1, "first".into(), MigrationType::Simple, sql, false);
        let mut migrator = Migrator::with_migrations(vec![first]);
        migrator.dangerous_set_table_name("token_service_migrations");
        let bytes = if postgres { "'\\x00'" } else { "x'00'" };
        let rows = AssertSqlSafe(format!(
            "INSERT INTO token_keys (id, created_at) VALUES ('{key}', 1); \
             INSERT INTO organisations (id, slug, name, created_at) VALUES ('o', 'acme', 'Acme', 1); \
             INSERT INTO tokens (id, kind, key_id, hash, last_four, organisation_id, description, scopes, created_at, \
             created_by) VALUES ('aToken', 'organisation', '{key}', {bytes}, 'abcd', 'o', 'old', 'a:b', 1, 'test')"
        ));
        if postgres {
            let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
            migrator.run(&mut connection).await.unwrap();
            sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
        } else {
            let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
            let options = options.create_if_missing(true);
            let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
            migrator.run(&mut connection).await.unwrap();
            sqlx::raw_sql(rows).execute(&mut connection).await.unwrap();
        }
    }

    /// Adds tokens with their audit lines behind the service's back, half of them of a user, half of a project: many
    /// at once. None of them can be presented.
    pub(super) async fn fill(&self, count: usize) {
        let (random, number) = if self.url.starts_with("sqlite:") {
            ("randomblob(32)", "lower(hex(randomblob(8)))")
        } else {
            (
                "decode(md5(random()::text) || md5(random()::text), 'hex')",
                "substr(md5(random()::text), 1, 16)",
            )
        };
        let numbers =
            format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) ");
        let tokens = format!(
            "INSERT INTO tokens (id, kind, key_id, hash, last_four, user_id, project_id, organisation_id, description, \
             scopes, created_at, created_by) {numbers} SELECT {number}, \
             CASE WHEN i % 2 = 0 THEN 'user' ELSE 'project' END, (SELECT id FROM token_keys), {random}, 'bulk', \
             CASE WHEN i % 2 = 0 THEN (SELECT id FROM users WHERE login = 'bob') END, \
             CASE WHEN i % 2 = 1 THEN (SELECT id FROM projects) END, \
             CASE WHEN i % 2 = 1 THEN (SELECT id FROM organisations WHERE slug = 'acme') END, \
             'one of many', 'events:write', 1700000000 + i, 'test' FROM n"
        );
        let lines = format!(
            "INSERT INTO token_audit (number, at, by_whom, action, subject, detail, chain, key_id) {numbers} \
             SELECT i + (SELECT MAX(number) FROM token_audit), i, 'test', 'token.create', {number}, '', {random}, '' FROM n"
        );
        for statement in [tokens, lines] {
            let statement = sqlx::AssertSqlSafe(statement);
            if self.url.starts_with("sqlite:") {
                let mut connection = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query(statement).execute(&mut connection).await.unwrap();
            } else {
                let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
                sqlx::query(statement).execute(&mut connection).await.unwrap();
                sqlx::query("ANALYZE").execute(&mut connection).await.unwrap();
            }
        }
    }

    /// Changes the database behind the service's back: how a test makes time pass.
    pub(super) async fn meddle(&self, statement: &'static str, id: &str) {
        let changed = if self.url.starts_with("sqlite:") {
            let mut connection = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
            let done = sqlx::query(statement)
                .bind(id)
                .execute(&mut connection)
                .await
                .unwrap();
            done.rows_affected()
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
            let done = sqlx::query(statement)
                .bind(id)
                .execute(&mut connection)
                .await
                .unwrap();
            done.rows_affected()
        };
        assert_eq!(changed, 1, "{statement}");
    }

    pub(super) async fn held(&self, holder: Holder, scopes: &[&str], expires_at: Option<Time>) -> Held {
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

    pub(super) async fn user_token(&self, login: &str, scopes: &[&str]) -> Held {
        self.held(Holder::User(login.into()), scopes, None).await
    }

    pub(super) async fn project_token(&self, scopes: &[&str]) -> Held {
        let holder = Holder::Project {
            organisation: "acme".into(),
            project: "shop".into(),
        };
        self.held(holder, scopes, None).await
    }

    pub(super) async fn organisation_token(&self, slug: &str, scopes: &[&str]) -> Held {
        let holder = Holder::Organisation {
            organisation: slug.into(),
            reason: "reads members of every team".into(),
        };
        self.held(holder, scopes, None).await
    }

    pub(super) async fn send(&self, request: reqwest::RequestBuilder, bearer: &str) -> Answer {
        let request = match bearer {
            "" => request,
            bearer => request.bearer_auth(bearer),
        };
        let response = request.send().await.unwrap();
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        };
        Answer {
            status: response.status().as_u16(),
            challenge: header("www-authenticate"),
            kind: header("content-type"),
            text: response.text().await.unwrap(),
        }
    }

    pub(super) async fn get(&self, path: &str, bearer: &str) -> Answer {
        self.send(self.client.get(format!("{}{path}", self.base)), bearer)
            .await
    }

    /// `GET /api/v1/token`.
    pub(super) async fn ask(&self, bearer: &str) -> Answer {
        self.get("/api/v1/token", bearer).await
    }

    pub(super) async fn body(&self, method: &str, path: &str, bearer: &str, body: &Value) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.base));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        self.send(request, bearer).await
    }

    /// `POST /api/v1/organisations/{org}/tokens/{id}/{revoke|block}`.
    pub(super) async fn stop(&self, org: &str, id: &str, how: &str, bearer: &str) -> Answer {
        let path = format!("/api/v1/organisations/{org}/tokens/{id}/{how}");
        self.body("POST", &path, bearer, &json!({ "cause": "leaked" }))
            .await
    }

    pub(super) async fn form(&self, path: &str, bearer: &str, form: &str) -> Answer {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.to_owned());
        self.send(request, bearer).await
    }

    pub(super) async fn introspect(&self, bearer: &str, token: &str) -> Value {
        let answer = self
            .form("/oauth/introspect", bearer, &format!("token={token}"))
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Asserts that nothing is missing or edited in the audit log.
    pub(super) async fn is_whole(&self) {
        let checked = self.service.check_audit(None).await.unwrap();
        assert!(matches!(checked, Checked::Whole(_)), "{checked:?}");
    }

    /// Audit lines of one action about one subject.
    pub(super) async fn audited(&self, action: &str, subject: &str) -> usize {
        let log = self.service.audit_log().await.unwrap();
        log.iter()
            .filter(|line| line.action == action && line.subject == subject)
            .count()
    }
}

/// Slugs of a field of `GET /api/v1/token`.
pub(super) fn slugs(answer: &Answer, field: &str) -> Vec<String> {
    let json = answer.json();
    let listed = json[field].as_array().unwrap().iter();
    listed.map(|o| o["slug"].as_str().unwrap().to_owned()).collect()
}

/// A writer that others can look into.
#[derive(Clone, Default)]
pub(super) struct Shared(pub(super) Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
