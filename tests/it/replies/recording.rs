//! One recorded exchange, as `rules/README.md` describes it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use unleak::call::Reply;

/// Stands in a recording for the certificate of the key that the test makes.
const CERTIFICATE: &str = "@CERTIFICATE@";

/// What was asked, what was known, and what the service answered.
pub(super) struct Exchange {
    /// The rule's name below its service.
    pub(super) rule: String,
    /// Empty, `fallback`, `owners`, `contain`, `revoke` or `finish`.
    pub(super) ask: String,
    /// Which of the ways to revoke, from 1.
    pub(super) way: usize,
    /// Which step of it, from 1.
    pub(super) step: usize,
    /// Values that earlier answers gave.
    pub(super) given: BTreeMap<String, String>,
    /// What is read out of it, sorted.
    pub(super) found: Vec<String>,
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Exchange {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let (notes, reply) = text
            .split_once("HTTP/1.1 ")
            .unwrap_or_else(|| panic!("{}: no status line", path.display()));
        let all = |name: &str| -> Vec<String> {
            let values = notes
                .lines()
                .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            values.map(|value| value.trim().to_owned()).collect()
        };
        let one = |name: &str| all(name).into_iter().next().unwrap_or_default();
        let (head, body) = reply.split_once("\n\n").unwrap_or((reply, ""));
        let given = all("X-Given").into_iter();
        let given = given.map(|line| {
            line.split_once(" = ")
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .unwrap()
        });
        let mut found = all("X-Found");
        found.sort();
        Self {
            rule: Some(one("X-Rule"))
                .filter(|rule| !rule.is_empty())
                .unwrap_or_else(|| panic!("{}: no X-Rule", path.display())),
            ask: one("X-Ask"),
            way: one("X-Way").parse().unwrap_or(1),
            step: one("X-Step").parse().unwrap_or(1),
            given: given.collect(),
            found,
            status: head[..3].parse().unwrap(),
            headers: head
                .lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.trim_end().replace(CERTIFICATE, &super::key::certificate()),
        }
    }

    /// Whether the service may want to be left alone after it.
    pub(super) fn may_ask_for_silence(&self) -> bool {
        self.status >= 500 || matches!(self.status, 403 | 429)
    }

    /// The answer alone.
    pub(super) fn reply(&self) -> Reply {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        Reply::new(self.status, headers, self.body.as_bytes().to_vec())
    }

    /// The answer as it goes over the wire.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} Recorded\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            let ours = ["content-length", "transfer-encoding", "connection"];
            if !ours.contains(&name.to_ascii_lowercase().as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        if self.status != 204 {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        format!("{head}\r\n{}", self.body).into_bytes()
    }
}

/// The recordings of a folder, sorted.
pub(super) fn all(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(folder);
    let entries = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    };
    let mut files: Vec<PathBuf> = entries(&root)
        .iter()
        .flat_map(|service| entries(service))
        .collect();
    files.sort();
    files
}
