//! `unleak serve` with people of every role, leaks of two organisations, and a browser of each person.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, Read as _};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use tokio::runtime::Runtime;
use unleak::finding::{RuleId, Severity};
use unleak::leak::{Held, Identity, Leak, Owner, OwnerReason, Sighting, Verdict};
use unleak::secret::{FingerprintKey, Secret};
use unleak::store::{Delivery, Store, StoreKey};
use unleak::token_service::audit::Actor;
use unleak::token_service::model::{Role, Scopes, Time};
use unleak::token_service::{Holder, NewToken, ServerKey, TokenService};

use crate::support::local::{Asked, Local, Said, runtime};
use crate::support::sought;
use crate::support::tool::Tool;

/// The patience of these tests: everything ends long before.
const PATIENCE: Duration = Duration::from_secs(60);

/// The operator key.
pub(super) const OPERATOR: &str = "the operator key of the tests, 0123456789";

/// Which database.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kept {
    Sqlite,
    #[cfg(feature = "postgres-tests")]
    Postgres,
}

/// Every database that is tested.
pub(super) const EVERY: &[Kept] = &[
    Kept::Sqlite,
    #[cfg(feature = "postgres-tests")]
    Kept::Postgres,
];

/// A service whose tokens live until they are revoked. Odd numbers open acme, even ones beta.
#[derive(Default)]
pub(super) struct Service {
    pub(super) dead: BTreeSet<String>,
    pub(super) revoked: Vec<String>,
    pub(super) broken: bool,
}

impl Service {
    fn answer(&mut self, asked: &Asked) -> Said {
        if self.broken {
            return Said::empty(500);
        }
        match asked.line().as_str() {
            "GET /me" => {
                let token = asked.bearer().unwrap_or_default().to_owned();
                if !token.starts_with("exm_R0000000000") || self.dead.contains(&token) {
                    return Said::empty(401);
                }
                let number: u32 = token["exm_R0000000000".len()..].parse().unwrap_or_default();
                let organisation = if number % 2 == 1 { "Acme" } else { "beta" };
                let login = format!("mia{number}");
                let email = format!("{login}@mail.example");
                Said::json(
                    200,
                    &json!({"login": login, "email": email, "orgs": [organisation]}),
                )
            }
            "POST /revoke" => {
                let token = asked.json()["token"].as_str().unwrap_or_default().to_owned();
                self.dead.insert(token.clone());
                self.revoked.push(token);
                Said::empty(202)
            }
            _ => Said::empty(404),
        }
    }
}

const RULES: &str = r#"
[service]
name = "Example"
docs = "https://docs.example.com"

[[rule]]
id = "token"
title = "Example token"
pattern = '\b(?<secret>exm_[A-Za-z0-9]{24})\b'
confidence = "high"
severity = "critical"

[verify]
request = "GET {base}/me"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200 }]
dead = [{ status = 401, why = "revoked" }]
identity = { principal = "/login", email = "/email", organisations = "/orgs/*" }

[revoke]
with = "secret"
request = "POST {base}/revoke"
body = '{"token":"{secret}"}'
done = [{ status = 202 }]
"#;

/// The secret of a number.
pub(super) fn secret(number: u32) -> String {
    ["exm_R", &format!("{number:023}")].concat()
}

/// A leak of that secret that nobody asked about.
pub(super) fn held(number: u32, place: &str) -> Held {
    let secret = Secret::new(secret(number));
    let now = Timestamp::now();
    Held {
        leak: Leak {
            fingerprint: FingerprintKey::new("a key of tests").fingerprint(&secret),
            rule: RuleId::new("example", "token"),
            redacted: secret.redacted("exm_"),
            severity: Severity::Critical,
            sightings: vec![Sighting::reported(place)],
            first_seen: now,
            last_seen: now,
            verdict: None,
            identity: Identity::default(),
            owners: Vec::new(),
            notices: Vec::new(),
            revocation: None,
            containment: None,
        },
        secret,
        parts: BTreeMap::new(),
        facts: BTreeMap::new(),
    }
}

/// The address of a leak's page.
pub(super) fn page_of(number: u32) -> String {
    format!("/leaks/{}/example/token", held(number, "x").leak.fingerprint)
}

/// The machine with its server.
pub(super) struct Site {
    pub(super) tool: Tool,
    pub(super) service: Local<Service>,
    pub(super) store: Store,
    pub(super) tokens: TokenService,
    pub(super) base: String,
    leaks_url: String,
    tokens_url: String,
    runtime: Runtime,
    server: Option<Child>,
    log: Arc<Mutex<String>>,
    /// Nothing may hold one of these in the end.
    secrets: RefCell<Vec<String>>,
    said: RefCell<Vec<(String, Vec<u8>)>>,
    people: RefCell<BTreeMap<String, String>>,
}

/// The policy of most tests: the second yes revokes.
pub(super) const TWO_PEOPLE: &str =
    "[[policy.allow]]\nname = \"two of us\"\naction = \"revoke\"\napproval = 2\n";

impl Site {
    /// With this policy: ann owns acme, adam administers it, max is a member of it; eve owns beta. Leaks 1 and 3 open
    /// acme, 2 opens beta, and a worker has asked about all of them.
    pub(super) fn open(kept: Kept, policy: &str) -> Self {
        let site = Self::empty(kept, policy);
        site.report(&[1, 2, 3]);
        site.until("every leak was asked about", || {
            [1, 2, 3].iter().all(|number| site.is_decided(*number))
        });
        site
    }

    /// The same without a leak.
    pub(super) fn empty(kept: Kept, policy: &str) -> Self {
        let (tool, runtime) = (Tool::new(), runtime());
        let (leaks_url, tokens_url) = match kept {
            Kept::Sqlite => {
                let home = tool.home();
                (
                    format!("sqlite://{}/leaks.db", home.display()),
                    format!("sqlite://{}/tokens.db", home.display()),
                )
            }
            #[cfg(feature = "postgres-tests")]
            Kept::Postgres => {
                let url = runtime.block_on(crate::support::postgres::new_database());
                (url.clone(), url)
            }
        };
        tool.write("rules/example.toml", RULES);
        tool.write("store.key", [7; 32]);
        tool.write("tokens.key", [9; 32]);
        tool.write("operator.key", OPERATOR);
        let (store, tokens) = runtime.block_on(async {
            let store = Store::open(&leaks_url, StoreKey::new([7; 32])).await.unwrap();
            let tokens = TokenService::open(&tokens_url, ServerKey::new(&[9; 32]).unwrap())
                .await
                .unwrap();
            furnish(&tokens).await;
            (store, tokens)
        });
        let mut site = Self {
            service: Local::play(Service::default(), Service::answer),
            base: String::new(),
            log: Arc::default(),
            secrets: RefCell::new(vec![OPERATOR.to_owned()]),
            said: RefCell::default(),
            people: RefCell::default(),
            server: None,
            tool,
            store,
            tokens,
            leaks_url,
            tokens_url,
            runtime,
        };
        site.configure(policy);
        site.serve();
        site
    }

    fn configure(&self, policy: &str) {
        let (leaks, tokens, base) = (&self.leaks_url, &self.tokens_url, &self.service.base);
        let text = format!(
            "[store]\nurl = {leaks:?}\nkey_file = \"store.key\"\n[services.example]\nbases = [{base:?}]\n\
             settle_seconds = 1\n[owners]\nfallback = [\"Security <security@mail.example>\"]\n[notify]\n\
             outbox = \"outbox\"\n[serve]\nlisten = \"127.0.0.1:0\"\nstore = {tokens:?}\nkey_file = \"tokens.key\"\n\
             operator_key_file = \"operator.key\"\n[serve.worker]\nretry_seconds = 1\nattempts = 2\n\
             [policy]\napprovers = [\"Two <two@mail.example>\", \"three@mail.example\"]\n{policy}"
        );
        self.tool.write("c.toml", text);
    }

    fn serve(&mut self) {
        let mut command = self.tool.command(env!("CARGO_BIN_EXE_unleak"));
        command
            .args(["--config", "c.toml", "--rules", "rules", "-v", "serve"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut error = child.stderr.take().unwrap();
        let log = Arc::clone(&self.log);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = error.read(&mut piece) {
                log.lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        });
        let mut line = String::new();
        let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        let base = line.trim().strip_prefix("listening on ");
        self.base = base
            .unwrap_or_else(|| panic!("{line} {}", self.log.lock().unwrap()))
            .to_owned();
        self.server = Some(child);
    }

    /// Takes reports of these secrets in, as a door does.
    pub(super) fn report(&self, numbers: &[u32]) {
        let leaks: Vec<Held> = numbers
            .iter()
            .map(|number| held(*number, &format!("https://code.example/{number}/settings.py")))
            .collect();
        self.secrets
            .borrow_mut()
            .extend(numbers.iter().map(|number| secret(*number)));
        let delivery = Delivery::new("test", format!("{numbers:?}").as_bytes());
        self.wait(self.store.take_in(&delivery, &leaks)).unwrap();
    }

    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Waits until it is so.
    pub(super) fn until(&self, what: &str, so: impl Fn() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(
                began.elapsed() < PATIENCE,
                "not yet: {what}\n{}",
                self.log.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The leak of a number as the store has it.
    pub(super) fn leak(&self, number: u32) -> Leak {
        let held = held(number, "x");
        self.wait(self.store.leak(held.leak.fingerprint, &held.leak.rule))
            .unwrap()
            .unwrap()
    }

    fn is_decided(&self, number: u32) -> bool {
        self.actions(number).iter().any(|action| action == "decided")
    }

    /// The actions in the ledger about a leak, the last first.
    pub(super) fn actions(&self, number: u32) -> Vec<String> {
        let held = held(number, "x");
        let lines = self.wait(self.store.timeline(held.leak.fingerprint, &held.leak.rule, 100));
        lines.unwrap().into_iter().map(|line| line.action).collect()
    }

    pub(super) fn is_dead(&self, number: u32) -> bool {
        self.leak(number).verdict.as_ref().is_some_and(Verdict::is_dead)
    }

    /// A token of a person with these scopes; nothing but the browser may ever see it.
    pub(super) fn token(&self, login: &str, scopes: &[&str]) -> String {
        let asked = NewToken {
            holder: Holder::User(login.to_owned()),
            description: "a browser".to_owned(),
            scopes: Scopes::new(scopes).unwrap(),
            expires_at: None,
        };
        let made = self.wait(self.tokens.create(&asked, &by())).unwrap();
        let token = made.token.expose_str().unwrap().to_owned();
        self.secrets.borrow_mut().push(token.clone());
        token
    }

    /// The browser of somebody who is signed in: `operator`, `ann`, `adam`, `max`, `eve`, or `narrow`, who is ann with a
    /// token that may only look.
    pub(super) fn browser(&self, who: &str) -> Browser<'_> {
        let known = self.people.borrow().get(who).cloned();
        let token = known.unwrap_or_else(|| match who {
            "operator" => OPERATOR.to_owned(),
            "narrow" => self.token("ann", &["leaks:read"]),
            login => self.token(login, &["admin"]),
        });
        self.people.borrow_mut().insert(who.to_owned(), token.clone());
        let browser = Browser::new(self);
        let answer = browser.sign_in(&token);
        assert_eq!(answer.status, 303, "{who}: {}", answer.text);
        browser
    }

    /// Nothing may hold this in the end.
    pub(super) fn keep_secret(&self, secret: &str) {
        self.secrets.borrow_mut().push(secret.to_owned());
    }

    /// A page that may hold a secret, because it is the one that shows it.
    pub(super) fn forget_page(&self, what: &str) {
        self.said.borrow_mut().retain(|(page, _)| page != what);
    }

    /// The log so far.
    pub(super) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _gone = server.kill();
            let _gone = server.wait();
        }
        if std::thread::panicking() {
            return;
        }
        let mut places = self.said.borrow().clone();
        places.push(("the log".to_owned(), self.log().into_bytes()));
        places.extend(sought::files(&self.tool.home()));
        let outbox = self.tool.path().join("outbox");
        if outbox.exists() {
            places.extend(sought::files(&outbox));
        }
        let found = sought::found(&self.secrets.borrow(), &places);
        assert!(found.is_empty(), "in clear:\n{}", found.join("\n"));
        let log = self.log();
        let addresses: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("@mail.example"))
            .collect();
        assert!(addresses.is_empty(), "addresses in the log: {addresses:?}");
    }
}

pub(super) fn by() -> Actor {
    Actor::local("test")
}

async fn furnish(tokens: &TokenService) {
    for (slug, name) in [("acme", "Acme Ltd"), ("beta", "Beta GmbH")] {
        tokens.add_organisation(slug, name, &by()).await.unwrap();
    }
    for login in ["ann", "adam", "max", "eve", "amy"] {
        let email = format!("{login}@mail.example");
        tokens.add_user(login, &email, login, &by()).await.unwrap();
    }
    for (slug, login, role) in [
        ("acme", "ann", Role::Owner),
        ("acme", "amy", Role::Owner),
        ("acme", "adam", Role::Admin),
        ("acme", "max", Role::Member),
        ("beta", "eve", Role::Owner),
    ] {
        tokens.set_member(slug, login, role, &by()).await.unwrap();
    }
    tokens.add_project("acme", "shop", "Shop", &by()).await.unwrap();
    let asked = NewToken {
        holder: Holder::Project {
            organisation: "acme".to_owned(),
            project: "shop".to_owned(),
        },
        description: "shop, production".to_owned(),
        scopes: Scopes::new(["events:write"]).unwrap(),
        expires_at: Some(Time::now().plus_days(30)),
    };
    tokens.create(&asked, &by()).await.unwrap();
}

/// Somebody's browser: it keeps cookies and goes nowhere by itself.
pub(super) struct Browser<'a> {
    site: &'a Site,
    client: reqwest::Client,
    pub(super) cookies: RefCell<BTreeMap<String, String>>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) to: String,
    pub(super) text: String,
    pub(super) headers: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The value of a hidden field.
    pub(super) fn hidden(&self, name: &str) -> String {
        let start = format!("name=\"{name}\" value=\"");
        let at = self
            .text
            .find(&start)
            .unwrap_or_else(|| panic!("no field {name}: {}", self.text));
        let rest = &self.text[at + start.len()..];
        rest.split('"').next().unwrap().to_owned()
    }
}

impl<'a> Browser<'a> {
    pub(super) fn new(site: &'a Site) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            site,
            client,
            cookies: RefCell::default(),
        }
    }

    pub(super) fn sign_in(&self, token: &str) -> Answer {
        let key = self.get("/sign-in").hidden("key");
        self.send("POST", "/sign-in", &[("key", &key), ("token", token)], &[])
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &[])
    }

    /// The key of this session's forms.
    pub(super) fn key(&self) -> String {
        self.get("/organisations").hidden("key")
    }

    /// Sends a form with its key.
    pub(super) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let key = self.key();
        self.send("POST", path, &[&[("key", key.as_str())], fields].concat(), &[])
    }

    pub(super) fn send(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self
            .client
            .request(method.clone(), format!("{}{path}", self.site.base));
        let cookies = self.cookies.borrow().clone();
        let cookies: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if method == reqwest::Method::POST {
            let body: String = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish();
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body);
        }
        let answer = self.site.wait(async {
            let response = request.send().await.unwrap();
            let headers = response.headers().iter();
            let headers: Vec<(String, String)> = headers
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
                .collect();
            let find = |name: &str| headers.iter().find(|(known, _)| known == name);
            let streams = find("content-type").is_some_and(|(_, kind)| kind == "text/event-stream");
            Answer {
                status: response.status().as_u16(),
                to: find("location").map(|(_, to)| to.clone()).unwrap_or_default(),
                text: if streams {
                    String::new()
                } else {
                    response.text().await.unwrap()
                },
                headers,
            }
        });
        for (name, value) in &answer.headers {
            if name == "set-cookie" {
                self.keep(value);
            }
        }
        let page = (format!("{method} {path}"), answer.text.clone().into_bytes());
        self.site.said.borrow_mut().push(page);
        answer
    }

    fn keep(&self, cookie: &str) {
        let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
        let mut cookies = self.cookies.borrow_mut();
        if value.is_empty() {
            cookies.remove(name);
        } else {
            self.site.keep_secret(value);
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The first events of a stream.
    pub(super) fn events(&self, path: &str, enough: impl Fn(&str) -> bool) -> String {
        let cookies = self.cookies.borrow().clone();
        let cookies: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = self
            .client
            .get(format!("{}{path}", self.site.base))
            .header("cookie", cookies.join("; "));
        self.site.wait(async {
            let mut response = request.send().await.unwrap();
            assert_eq!(response.status().as_u16(), 200);
            let mut text = String::new();
            let all = async {
                while let Some(piece) = response.chunk().await.unwrap() {
                    text.push_str(&String::from_utf8_lossy(&piece));
                    if enough(&text) {
                        break;
                    }
                }
            };
            let _in_time = tokio::time::timeout(PATIENCE, all).await;
            text
        })
    }
}

/// An owner for a leak made by hand.
pub(super) fn owner(name: &str) -> Owner {
    Owner {
        name: name.to_owned(),
        email: Some(format!("{name}@mail.example")),
        reason: OwnerReason::Committer,
        organisation: None,
    }
}
