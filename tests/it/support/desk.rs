//! The real binary with a configuration of its own, whose every word and file is searched for secrets in the end.

use std::cell::RefCell;
use std::path::PathBuf;

use serde_json::Value;

use super::sought;
use super::tool::{Ran, Tool};

/// A repository to leak into, a home, and what was said so far.
pub(crate) struct Desk {
    pub(crate) tool: Tool,
    secrets: RefCell<Vec<String>>,
    said: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Desk {
    /// A desk whose configuration has an outbox and this besides.
    pub(crate) fn new(config: &str) -> Self {
        let desk = Self {
            tool: Tool::repository(),
            secrets: RefCell::default(),
            said: RefCell::default(),
        };
        desk.configure(config);
        desk
    }

    /// Replaces the configuration; `[notify]` may not be in it.
    pub(crate) fn configure(&self, config: &str) {
        let outbox = self.tool.home().join("outbox");
        let text = format!("[notify]\noutbox = {outbox:?}\n{config}");
        std::fs::write(self.config(), text).expect("a written configuration");
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.tool.home().join("config.toml")
    }

    /// Nothing may hold this in the end.
    pub(crate) fn keep_secret(&self, secret: &str) {
        self.secrets.borrow_mut().push(secret.to_owned());
    }

    /// A file with a secret that the configuration names, outside of all that is searched.
    pub(crate) fn key_file(&self, name: &str, secret: &str) -> PathBuf {
        self.keep_secret(secret);
        let file = self.tool.path().with_file_name(name);
        std::fs::write(&file, format!("{secret}\n")).expect("a written key");
        file
    }

    /// Commits a file with the secret, and deletes it in a later commit.
    pub(crate) fn leak(&self, path: &str, text: &str, secret: &str) -> String {
        self.keep_secret(secret);
        let file = self.tool.write(path, text);
        self.tool.write("README.md", "An application\n");
        let commit = self.tool.commit("add settings", "2024-03-01");
        std::fs::remove_file(file).expect("it was there");
        self.tool.commit("remove settings", "2024-03-02");
        commit
    }

    /// Runs `unleak` with the configuration.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.ask(args, b"")
    }

    /// The same with something on standard input.
    pub(crate) fn ask(&self, args: &[&str], input: &[u8]) -> Ran {
        let config = self.config();
        let mut all = vec!["--config", config.to_str().expect("a path")];
        all.extend(args);
        let ran = self.tool.run_with_input(&all, input);
        let what = args.join(" ");
        assert!(!ran.err.contains("panicked"), "{what}: {}", ran.err);
        let mut said = self.said.borrow_mut();
        said.push((format!("standard output of {what}"), ran.out.clone().into_bytes()));
        said.push((format!("standard error of {what}"), ran.err.clone().into_bytes()));
        ran
    }

    /// Something else that must hold no secret.
    pub(crate) fn also_search(&self, what: &str, bytes: impl Into<Vec<u8>>) {
        self.said.borrow_mut().push((what.to_owned(), bytes.into()));
    }

    /// The only finding of `unleak scan` with these arguments, as JSON; SARIF of the same is written to be searched.
    pub(crate) fn only_finding(&self, args: &[&str]) -> Value {
        let sarif = self.tool.home().join("report.sarif");
        let sarif = sarif.to_str().expect("a path");
        let scan = |further: &[&str]| self.run(&[&["scan", ".", "-q"], args, further].concat());
        let ran = scan(&["--format", "jsonl"]);
        let mut findings = ran.findings();
        assert_eq!(findings.len(), 1, "{} {}", ran.out, ran.err);
        if !args.contains(&"--respond") {
            scan(&["--format", "sarif", "--output", sarif]);
            assert!(std::fs::metadata(sarif).is_ok());
        }
        findings.remove(0)
    }

    /// The notices in the outbox, whole.
    pub(crate) fn outbox(&self) -> Vec<String> {
        let files = sought::files(&self.tool.home().join("outbox")).into_iter();
        files
            .map(|(_, text)| String::from_utf8(text).expect("text"))
            .collect()
    }

    /// Everything that was said and written.
    pub(crate) fn places(&self) -> Vec<(String, Vec<u8>)> {
        let mut places = self.said.borrow().clone();
        places.extend(sought::files(&self.tool.home()));
        places
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let secrets = self.secrets.borrow();
        let found = sought::found(&secrets, &self.places());
        assert!(found.is_empty(), "in clear:\n{}", found.join("\n"));
    }
}
