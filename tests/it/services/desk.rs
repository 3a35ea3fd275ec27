//! An operator's desk: the real binary with a configuration, a repository with a leak, and everything that the program
//! wrote, to be searched for secrets.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::runtime::Runtime;
use unleak::store::{Chain, Line, Store, StoreKey};

use crate::support::tool::{Ran, Tool};

/// A repository, a home with the configuration, and what was said.
pub(super) struct Desk {
    pub(super) tool: Tool,
    config: String,
    secrets: Vec<String>,
    said: RefCell<String>,
    /// Open from the first run that made it, so that its write-ahead log stays and is searched too.
    store: RefCell<Option<(Runtime, Store)>>,
}

impl Desk {
    /// A desk whose notices go to an outbox; services are configured one by one.
    pub(super) fn new() -> Self {
        let mut desk = Self {
            tool: Tool::repository(),
            config: String::new(),
            secrets: Vec::new(),
            said: RefCell::default(),
            store: RefCell::default(),
        };
        let outbox = desk.outbox().display().to_string();
        desk.configure(&format!(
            "[call]\ntimeout_seconds = 2\n[notify]\noutbox = {outbox:?}\n"
        ));
        desk
    }

    /// Adds this to the configuration.
    pub(super) fn configure(&mut self, text: &str) {
        self.config.push_str(text);
        std::fs::write(self.config_file(), &self.config).unwrap();
    }

    /// Configures a service; the operator's credential, if there is one, stands in a file outside of all that is
    /// searched.
    pub(super) fn service(&mut self, name: &str, bases: &[&str], credential: &str, rest: &str) {
        let mut section = format!("[services.{name}]\nbases = {bases:?}\nsettle_seconds = 2\n{rest}\n");
        if !credential.is_empty() {
            let file = self.tool.home().with_file_name(format!("{name}.credential"));
            std::fs::write(&file, format!("{credential}\n")).unwrap();
            section.push_str(&format!("credential_file = {:?}\n", file.display().to_string()));
            self.hide(credential);
        }
        self.configure(&section);
    }

    /// From now on this may stand in nothing that the program writes.
    pub(super) fn hide(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }

    /// Commits a file with this text by Ada, and deletes it in a later commit.
    pub(super) fn leak(&mut self, path: &str, text: &str, secret: &str) -> String {
        self.hide(secret);
        let file = self.tool.write(path, text);
        let commit = self.tool.commit("deploy by hand", "2026-03-01");
        std::fs::remove_file(file).unwrap();
        self.tool.commit("clean up", "2026-03-02");
        commit
    }

    /// `unleak` with the configuration and every call logged.
    pub(super) fn run(&self, args: &[&str]) -> Ran {
        self.keep(self.tool.run(self.args(args)))
    }

    /// The same with this on standard input.
    pub(super) fn run_with(&self, args: &[&str], input: &str) -> Ran {
        let args = self.args(args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.keep(self.tool.run_with_input(&args, input.as_bytes()))
    }

    /// `unleak scan .` with these arguments, as jsonl; its only finding.
    pub(super) fn only(&self, args: &[&str]) -> Value {
        let ran = self.run(&[&["scan", ".", "--format", "jsonl"], args].concat());
        let findings = ran.findings();
        let [only] = findings.as_slice() else {
            panic!("{} findings: {}\n{}", findings.len(), ran.out, ran.err);
        };
        only.clone()
    }

    /// `unleak scan . --respond`: the steps that it tells.
    pub(super) fn respond(&self) -> String {
        self.run(&["scan", ".", "--respond", "--format", "jsonl"]).err
    }

    fn args(&self, args: &[&str]) -> Vec<String> {
        let config = self.config_file().display().to_string();
        ["-vv", "--config", &config]
            .iter()
            .chain(args)
            .map(|arg| (*arg).to_owned())
            .collect()
    }

    fn keep(&self, ran: Ran) -> Ran {
        let mut said = self.said.borrow_mut();
        said.push_str(&ran.out);
        said.push_str(&ran.err);
        let mut store = self.store.borrow_mut();
        if store.is_none() && self.state().join("leaks.sqlite").exists() {
            let url = format!("sqlite://{}", self.state().join("leaks.sqlite").display());
            let key = std::fs::read(self.state().join("store.key")).unwrap();
            let runtime = Runtime::new().unwrap();
            let opened = runtime.block_on(Store::open(&url, &StoreKey::from_slice(&key).unwrap()));
            *store = Some((runtime, opened.unwrap()));
        }
        ran
    }

    fn config_file(&self) -> PathBuf {
        self.tool.home().join("config.toml")
    }

    fn outbox(&self) -> PathBuf {
        self.tool.home().join("outbox")
    }

    fn state(&self) -> PathBuf {
        self.tool.home().join(".local/state/unleak")
    }

    /// The text of every notice, by file name.
    pub(super) fn notices(&self) -> Vec<String> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.outbox())
            .map(|folder| folder.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default();
        files.sort();
        let read = |file: &PathBuf| std::fs::read_to_string(file).unwrap();
        files.iter().map(read).collect()
    }

    /// The only notice to this address with this in its subject, its lines joined.
    pub(super) fn notice(&self, to: &str, subject: &str) -> String {
        let mut notices = self.notices();
        notices.retain(|text| {
            let line = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap();
            line("To: ").contains(to) && line("Subject: ").contains(subject)
        });
        let [only] = notices.as_slice() else {
            panic!(
                "{} notices of {subject:?} to {to}: {:#?}",
                notices.len(),
                self.notices()
            );
        };
        only.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The ledger as `action detail`, whole and unbroken.
    pub(super) fn ledger(&self) -> Vec<String> {
        let store = self.store.borrow();
        let (runtime, store) = store.as_ref().expect("nothing was remembered yet");
        runtime.block_on(async {
            let whole = store.verify_chain().await.unwrap();
            assert!(matches!(whole, Chain::Whole { .. }), "{whole}");
            let lines = store.ledger(0, 10_000).await.unwrap();
            let line = |line: &Line| format!("{} {}", line.action, line.detail);
            lines.iter().map(line).collect()
        })
    }

    /// Writes a SARIF report, and searches everything that the program printed and wrote for every secret.
    pub(super) fn holds_no_secret(&self) {
        let report = self.tool.home().join("report.sarif");
        let path = report.display().to_string();
        self.run(&["scan", ".", "--verify", "--format", "sarif", "--output", &path]);
        assert!(report.exists(), "no SARIF was written");
        assert!(!self.secrets.is_empty(), "no secret was named");
        let (mut places, mut names) = (vec![], vec![]);
        files(&self.tool.home(), &mut |file| {
            names.push(file.file_name().unwrap().to_string_lossy().into_owned());
            places.push((file.display().to_string(), std::fs::read(file).unwrap()));
        });
        assert!(names.iter().any(|name| name == "report.sarif"), "{names:?}");
        if self.store.borrow().is_some() {
            for name in ["leaks.sqlite", "leaks.sqlite-wal"] {
                assert!(names.iter().any(|known| known == name), "{names:?}");
            }
        }
        let said = self.said.borrow().clone().into_bytes();
        assert!(!said.is_empty(), "nothing was said");
        places.push(("the output".to_owned(), said));
        for secret in &self.secrets {
            for form in forms(secret) {
                for (place, bytes) in &places {
                    assert!(
                        memchr::memmem::find(bytes, form.as_bytes()).is_none(),
                        "{place} holds {form}, of {secret}"
                    );
                }
            }
        }
    }
}

/// The secret, the middle of it, and both as Basic authentication would carry them.
fn forms(secret: &str) -> Vec<String> {
    let middle = &secret[secret.len() / 3..secret.len() - secret.len() / 4];
    let mut forms = vec![secret.to_owned(), STANDARD.encode(secret), middle.to_owned()];
    forms.extend(secret.split_once(':').map(|(_, password)| password.to_owned()));
    forms
}

fn files(folder: &Path, see: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, see);
        } else {
            see(&path);
        }
    }
}
