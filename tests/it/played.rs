//! A small server that plays a service badly where it must, and the small rule file and leak to ask it about.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use unleak::call::{CallSettings, Caller, ServiceSettings};
use unleak::finding::{Parts, RuleId, Severity};
use unleak::leak::{Held, Identity, Leak};
use unleak::rule::RuleSet;
use unleak::secret::{FingerprintKey, Secret};

/// How the server answers one request.
pub(crate) enum Answer {
    /// These bytes, then the end.
    Bytes(Vec<u8>),
    /// These bytes after a while.
    Late(Vec<u8>, Duration),
    /// These bytes, and then nothing, with the connection open.
    Hang(Vec<u8>),
    /// These bytes, and then more and more.
    Endless(Vec<u8>),
}

/// A reply with a JSON body.
pub(crate) fn json(status: u16, body: &str) -> Answer {
    reply(status, "Content-Type: application/json\r\n", body)
}

/// A reply with further header lines.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(
        format!("HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes(),
    )
}

/// A service on loopback that remembers every request.
pub(crate) struct Server {
    pub(crate) base: String,
    seen: Arc<Mutex<Vec<String>>>,
    most_at_once: Arc<AtomicUsize>,
}

impl Server {
    /// Answers each request, given its whole text.
    pub(crate) async fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (seen, most_at_once) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<AtomicUsize>::default(),
        );
        let (answer, at_once) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
        let server = Self {
            base,
            seen: Arc::clone(&seen),
            most_at_once: Arc::clone(&most_at_once),
        };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                let (at_once, most) = (Arc::clone(&at_once), Arc::clone(&most_at_once));
                tokio::spawn(async move {
                    let request = read_request(&mut stream).await;
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    let answer = answer(&request);
                    seen.lock().unwrap().push(request);
                    write_answer(&mut stream, answer, &at_once).await;
                });
            }
        });
        server
    }

    /// The most requests that were open at a time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = [0_u8; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        text.extend_from_slice(&buffer[..read]);
        let shown = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = shown.split_once("\r\n\r\n") else {
            if read == 0 {
                return shown;
            }
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        if read == 0 || body.len() >= length.unwrap_or(0) {
            return shown;
        }
    }
}

async fn write_answer(stream: &mut TcpStream, answer: Answer, at_once: &AtomicUsize) {
    let bytes = match &answer {
        Answer::Late(bytes, wait) => {
            tokio::time::sleep(*wait).await;
            bytes
        }
        Answer::Bytes(bytes) | Answer::Hang(bytes) | Answer::Endless(bytes) => bytes,
    };
    at_once.fetch_sub(1, Ordering::SeqCst);
    let _ = stream.write_all(bytes).await;
    match answer {
        Answer::Bytes(_) | Answer::Late(..) => {}
        Answer::Hang(_) => tokio::time::sleep(Duration::from_secs(60)).await,
        Answer::Endless(_) => while stream.write_all(&[b'a'; 8192]).await.is_ok() {},
    }
}

/// A rule file of a made-up service with one rule, `example/token`; `head` goes into `[service]`, `rest` after the
/// rule.
pub(crate) fn rules(head: &str, rest: &str) -> RuleSet {
    let text = format!(
        "[service]\nname = \"Example\"\ndocs = \"https://docs.example.com\"\n{head}\n\
         [[rule]]\nid = \"token\"\ntitle = \"Example token\"\n\
         pattern = '\\b(?<secret>exp_[a-z0-9]{{20}})\\b'\nconfidence = \"high\"\nseverity = \"high\"\n{rest}\n"
    );
    let mut set = RuleSet::empty();
    set.add("example", "example.toml", &text).unwrap();
    set
}

/// A caller for which these bases of `example` are configured; quick, so that tests are.
pub(crate) fn caller(bases: &[&str]) -> Caller {
    let settings = ServiceSettings {
        bases: bases.iter().map(|base| (*base).to_owned()).collect(),
        ..ServiceSettings::default()
    };
    Caller::new(quick(settings)).unwrap()
}

pub(crate) fn quick(settings: ServiceSettings) -> CallSettings {
    CallSettings {
        services: BTreeMap::from([("example".to_owned(), settings)]),
        timeout: Duration::from_millis(900),
        connect_timeout: Duration::from_millis(500),
        longest_wait: Duration::from_millis(1500),
        back_off: Duration::from_millis(10),
        pace: Duration::from_millis(1),
        ..CallSettings::default()
    }
}

pub(crate) const TOKEN: &str = concat!("exp_", "m7h4k2p9x1c5v8b3n6q0");

/// A leak at hand, with what the token says about itself.
pub(crate) fn held(secret: &str, facts: &[(&str, &str)]) -> Held {
    let secret = Secret::new(secret);
    let now = jiff::Timestamp::now();
    let leak = Leak {
        fingerprint: FingerprintKey::new("key").fingerprint(&secret),
        rule: RuleId::new("example", "token"),
        redacted: secret.redacted("exp_"),
        severity: Severity::High,
        sightings: vec![],
        first_seen: now,
        last_seen: now,
        verdict: None,
        identity: Identity::default(),
        owners: vec![],
        notices: vec![],
        revocation: None,
        containment: None,
    };
    let facts = facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Held {
        leak,
        secret,
        parts: Parts::new(),
        facts,
    }
}
