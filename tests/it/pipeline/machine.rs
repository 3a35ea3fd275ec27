//! A machine with a configuration, a database and a played service, on which `unleak serve` runs as a process.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::collections::BTreeSet;
use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use unleak::finding::{RuleId, Severity};
use unleak::leak::{Held, Identity, Leak, Sighting};
use unleak::secret::{FingerprintKey, Secret};
use unleak::store::{Chain, Delivery, Known, Store, StoreKey, TakenIn};

use super::outbox::{Heard, heard};
use crate::support::held::RULES;
use crate::support::local::{Asked, Local, Said, runtime};
use crate::support::tool::{Ran, Tool};

/// The patience of these tests: everything ends long before, but where a dozen builds share the machine with them.
const PATIENCE: Duration = Duration::from_secs(240);

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

/// A service whose tokens live until they are revoked.
#[derive(Default)]
pub(super) struct Service {
    /// Tokens that are revoked.
    pub(super) dead: BTreeSet<String>,
    /// Accepted revocations, in order.
    pub(super) revoked: Vec<String>,
    /// Answers 500 to everything while it is so.
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
                // a made-up token of the same shape is none of ours
                if token.starts_with("exm_R0000000000") && !self.dead.contains(&token) {
                    Said::json(
                        200,
                        &json!({"login": "mia", "email": "mia@acme.example", "orgs": ["acme"]}),
                    )
                } else {
                    Said::empty(401)
                }
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

/// The machine.
pub(super) struct Machine {
    pub(super) tool: Tool,
    pub(super) service: Local<Service>,
    pub(super) url: String,
    runtime: Runtime,
}

/// `unleak serve` as a process; killed if the test forgets it.
pub(super) struct Server {
    pub(super) child: Child,
    pub(super) base: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(super) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(
            self.child.wait().unwrap().code(),
            Some(0),
            "it ends by itself and well"
        );
    }

    /// Whether it killed itself.
    #[cfg(feature = "kill-points")]
    pub(super) fn was_killed(&mut self) -> bool {
        use std::os::unix::process::ExitStatusExt as _;
        self.child
            .try_wait()
            .unwrap()
            .is_some_and(|status| status.signal() == Some(9))
    }
}

impl Machine {
    pub(super) fn new(kept: Kept) -> Self {
        let runtime = runtime();
        let tool = Tool::new();
        let url = match kept {
            Kept::Sqlite => format!("sqlite://{}/leaks.db", tool.home().display()),
            #[cfg(feature = "postgres-tests")]
            Kept::Postgres => runtime.block_on(crate::support::postgres::new_database()),
        };
        Self::at(tool, runtime, url)
    }

    /// With the store at this URL.
    pub(super) fn at(tool: Tool, runtime: Runtime, url: String) -> Self {
        let machine = Self {
            service: Local::play(Service::default(), Service::answer),
            tool,
            url,
            runtime,
        };
        machine.tool.write("rules/example.toml", RULES);
        machine.tool.write("store.key", [7; 32]);
        machine.configure("[notify]\noutbox = \"outbox\"\n");
        machine
    }

    pub(super) fn configure(&self, rest: &str) {
        let (url, base) = (&self.url, &self.service.base);
        let text = format!(
            "[store]\nurl = {url:?}\nkey_file = \"store.key\"\n\
             [services.example]\nbases = [{base:?}]\nsettle_seconds = 1\n\
             [owners]\nfallback = [\"security@acme.example\"]\n\
             [serve]\nlisten = \"127.0.0.1:0\"\nstore = \"sqlite:tokens.db\"\nkey_file = \"tokens.key\"\n\
             [serve.worker]\nlease_seconds = 1\nretry_seconds = 1\n\
             [policy]\nlimit_per_hour = 100000\n[[policy.allow]]\nname = \"at once\"\naction = \"revoke\"\n{rest}"
        );
        self.tool.write("c.toml", text);
    }

    pub(super) fn unleak(&self, args: &[&str]) -> Ran {
        self.tool
            .run([&["--config", "c.toml", "--rules", "rules"], args].concat())
    }

    pub(super) fn serving(&self) -> Command {
        let mut command = self.tool.command(env!("CARGO_BIN_EXE_unleak"));
        command.args(["-v", "--config", "c.toml", "--rules", "rules", "serve"]);
        command
    }

    pub(super) fn serve(&self) -> Server {
        self.started(self.serving())
    }

    pub(super) fn started(&self, mut command: Command) -> Server {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.tool.path().join("log"))
            .unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let base = line.trim().strip_prefix("listening on ").unwrap_or_default();
        assert!(base.starts_with("http://127.0.0.1:"), "{line:?} {}", self.log());
        Server {
            base: base.to_owned(),
            child,
        }
    }

    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.tool.path().join("log")).unwrap_or_default()
    }

    /// The store, as another process has it.
    pub(super) fn store(&self) -> Store {
        self.wait(Store::open(&self.url, &StoreKey::new([7; 32])))
            .unwrap()
    }

    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Takes a report in about the tokens of these numbers.
    pub(super) fn report(&self, store: &Store, numbers: &[usize], place: &str) -> Vec<Known> {
        let leaks: Vec<Held> = numbers.iter().map(|number| held(*number, place)).collect();
        let body = format!("{numbers:?} {place}");
        let taken = self.wait(store.take_in(&Delivery::new("github", body.as_bytes()), &leaks));
        match taken.unwrap() {
            TakenIn::First(known) | TakenIn::Again(known) => known,
        }
    }

    /// Waits until it is so.
    pub(super) fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let began = Instant::now();
        while !so() {
            assert!(
                began.elapsed() < PATIENCE,
                "never: {what}\n{:#?}\n{}",
                self.wait(self.store().tasks(None, 20)),
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until no task is left, and nobody is still to hear.
    pub(super) fn until_done(&self, store: &Store) {
        self.until("all tasks are done and all notices sent", || self.is_done(store));
    }

    /// Whether no task is left and no notice waits.
    pub(super) fn is_done(&self, store: &Store) -> bool {
        let tasks = self.wait(store.tasks(None, 10));
        let notices = self.wait(store.notice_queue());
        tasks.is_ok_and(|tasks| tasks.is_empty())
            && notices.is_ok_and(|notices| notices.waiting + notices.given_up == 0)
    }

    /// What people were told: see [`heard`].
    pub(super) fn told(&self) -> Vec<Heard> {
        heard(&self.tool.path().join("outbox"))
    }

    /// What must hold in the end for so many leaks, however often anything was killed: each was told of once, revoked
    /// once, told to be dead once, closed; the ledger is whole.
    pub(super) fn assert_all_is_done_once(&self, store: &Store, leaks: usize, when: &str) {
        let mut revoked = self.service.state().revoked.clone();
        revoked.sort();
        let all = revoked.len();
        revoked.dedup();
        assert_eq!(
            (all, revoked.len()),
            (leaks, leaks),
            "{when}: revocations\n{}",
            self.log()
        );
        let told = self.told();
        assert!(
            told.iter().all(|heard| heard.to == "mia <mia@acme.example>"),
            "{when}: {told:#?}"
        );
        let kept = self.wait(store.all()).unwrap();
        assert_eq!(kept.len(), leaks);
        for leak in kept {
            let closed = self.wait(store.known(leak.fingerprint)).unwrap()[0].closed;
            assert!(closed, "{when}: {leak:#?}\n{}", self.log());
            let count = |dead: bool| {
                let name = leak.fingerprint.to_string();
                let of_it = told.iter().filter(|heard| heard.fingerprint == name);
                of_it.filter(|heard| heard.dead == dead).count()
            };
            assert_eq!(
                count(true),
                1,
                "{when}: its end, once: {leak:#?} {told:#?}\n{}",
                self.log()
            );
            assert!(count(false) <= 1, "{when}: {leak:#?} {told:#?}\n{}", self.log());
            let end = leak
                .notices
                .iter()
                .filter(|notice| notice.channel == "outbox, revoked");
            assert_eq!(end.count(), 1, "{when}: {leak:#?}");
        }
        let chain = self.wait(store.verify_chain()).unwrap();
        assert!(matches!(chain, Chain::Whole { .. }), "{when}: {chain}");
        let log = self.log();
        assert!(
            !log.contains("exm_R") && !log.contains("mia@acme"),
            "{when}: {log}"
        );
    }

    pub(super) fn get(&self, server: &Server, path: &str) -> (u16, String) {
        // a second test to install it finds it installed
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        self.wait(async {
            let answer = client.get(format!("{}{path}", server.base)).send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        })
    }

    pub(super) fn ready(&self, server: &Server) -> (u16, Value) {
        let (status, text) = self.get(server, "/readyz");
        (status, serde_json::from_str(&text).unwrap())
    }
}

/// Token number so and so of the played service, and a leak of it that was reported there.
pub(super) fn held(number: usize, place: &str) -> Held {
    let secret = Secret::new(format!("exm_R{number:023}"));
    let now = jiff::Timestamp::now();
    Held {
        leak: Leak {
            fingerprint: FingerprintKey::new("k").fingerprint(&secret),
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
        parts: Default::default(),
        facts: Default::default(),
    }
}
