//! `unleak serve` with people of every role, leaks of two organisations, and a browser of each person.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use unleak::leak::{Held, Leak, Verdict};
use unleak::store::{Delivery, Store, StoreKey};
use unleak::token_service::audit::Actor;
use unleak::token_service::model::{Role, Scopes, Time};
use unleak::token_service::{Holder, NewToken, ServerKey, TokenService};

pub(super) use super::client::{Answer, Browser};
use super::leaked::Service;
pub(super) use super::leaked::{held, owner, page_of, secret};
use crate::support::held::RULES;
use crate::support::local::{Local, runtime};
use crate::support::sought;
use crate::support::tool::Tool;

/// The patience of these tests: everything ends long before, but where a dozen builds share the machine with them.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

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
        site.fill();
        site
    }

    /// The leaks of [`Site::open`], asked about, and everybody told of them.
    pub(super) fn fill(&self) {
        self.report(&[1, 2, 3]);
        self.until("every leak was asked about", || {
            [1, 2, 3].iter().all(|number| self.is_decided(*number))
        });
        self.until("everybody was told", || self.is_quiet());
    }

    /// The same without a leak.
    pub(super) fn empty(kept: Kept, policy: &str) -> Self {
        Self::listening(kept, "127.0.0.1:0", policy, super::provider::SECRET)
    }

    /// The same at this address, with whatever else the configuration says, and our secret at a provider of identities.
    pub(super) fn listening(kept: Kept, listen: &str, more: &str, client_secret: &str) -> Self {
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
        tool.write("oidc.secret", client_secret);
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
            secrets: RefCell::new(vec![OPERATOR.to_owned(), client_secret.to_owned()]),
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
        site.configure(listen, more);
        site.serve();
        site
    }

    fn configure(&self, listen: &str, more: &str) {
        let (leaks, tokens, base) = (&self.leaks_url, &self.tokens_url, &self.service.base);
        let text = format!(
            "[store]\nurl = {leaks:?}\nkey_file = \"store.key\"\n[services.example]\nbases = [{base:?}]\n\
             settle_seconds = 1\n[owners]\nfallback = [\"Security <security@mail.example>\"]\n[notify]\n\
             outbox = \"outbox\"\n[serve]\nlisten = {listen:?}\nstore = {tokens:?}\nkey_file = \"tokens.key\"\n\
             operator_key_file = \"operator.key\"\n[serve.worker]\nretry_seconds = 1\nattempts = 2\n\
             [policy]\napprovers = [\"Two <two@mail.example>\", \"three@mail.example\"]\n{more}"
        );
        self.tool.write("c.toml", text);
    }

    fn serve(&mut self) {
        let mut command = self.tool.command(&served());
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

    /// Whether no worker and no courier has anything left to do now.
    fn is_quiet(&self) -> bool {
        let tasks = self.wait(self.store.backlog()).unwrap();
        let notices = self.wait(self.store.notice_queue()).unwrap();
        (tasks.waiting, tasks.running, notices.waiting) == (0, 0, 0)
    }

    /// The actions in the ledger about a leak, the last first.
    pub(super) fn actions(&self, number: u32) -> Vec<String> {
        let held = held(number, "x");
        let lines = self.wait(self.store.timeline(held.leak.fingerprint, &held.leak.rule, 100));
        lines.unwrap().into_iter().map(|line| line.action).collect()
    }

    /// The same without the notices, which are sent all the while.
    pub(super) fn acts(&self, number: u32) -> Vec<String> {
        let actions = self.actions(number).into_iter();
        actions.filter(|action| action != "told").collect()
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

    /// A page that somebody got.
    pub(super) fn got(&self, what: String, text: &str) {
        self.said.borrow_mut().push((what, text.as_bytes().to_vec()));
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

/// The program that serves: for figures an optimised one, which whoever wants them names.
fn served() -> String {
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever measures promises the program by this variable"
    )]
    let named = std::env::var("UNLEAK_SERVED");
    named.unwrap_or_else(|_| env!("CARGO_BIN_EXE_unleak").to_owned())
}

/// A port of loopback that nobody is given by chance.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 10_000).unwrap();
    let mut ports =
        std::iter::repeat_with(|| 20_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000);
    ports
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
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
