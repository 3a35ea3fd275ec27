//! Services of others that run here for real: a certified OAuth server, JupyterHub, and moto in place of AWS.
//!
//! `tests/run` installs them into `target/tools`; without them these tests pass and say so, but never in CI.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up must fail, and says where"
)]

mod aws;
mod jupyterhub;
mod oauth;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A path of this repository.
pub(crate) fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What `tests/run` installed there, or nothing, said aloud; in CI it must be there.
#[expect(
    clippy::print_stderr,
    reason = "the one way for a Rust test to say that it did nothing"
)]
#[expect(clippy::disallowed_methods, reason = "CI is told by the environment alone")]
pub(crate) fn installed(path: &str) -> Option<PathBuf> {
    let found = here("target/tools").join(path);
    if found.exists() {
        return Some(found);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "{path} is not in target/tools: tests/run installs it"
    );
    eprintln!("SKIPPED: {path} is not in target/tools; tests/run installs it");
    None
}

/// A server that is ended with the test, with all that it started.
pub(crate) struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).spawn().unwrap())
    }

    /// Starts it and reads the one line of JSON that it says when it is ready.
    pub(crate) fn telling(command: &mut Command) -> (Self, Value) {
        let mut running = Self::start(command.stdout(Stdio::piped()));
        let mut lines = BufReader::new(running.0.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let line = lines
            .find(|line| line.starts_with('{'))
            .expect("it did not start");
        // Read on, or a server that says more dies of it.
        std::thread::spawn(move || lines.for_each(drop));
        (running, serde_json::from_str(&line).unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A plain end lets a server end what it started; the Child's own way does not.
        let asked = Command::new("kill").arg(self.0.id().to_string()).status();
        if !asked.is_ok_and(|asked| asked.success()) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}

/// A command with nothing of this process's environment but the PATH.
#[expect(
    clippy::disallowed_methods,
    reason = "programs are found by the tests' own PATH"
)]
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {pointer} in {value}"))
}

/// What a server answers: status and body.
fn asked(method: &str, url: &str, authorization: &str, body: String) -> Option<(u16, Value)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    drop(rustls::crypto::ring::default_provider().install_default());
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .tls_certs_only([])
            .no_proxy()
            .build()
            .unwrap();
        let request = client
            .request(method.parse().unwrap(), url)
            .header("Authorization", authorization);
        let answer = request.body(body).send().await.ok()?;
        let status = answer.status().as_u16();
        let text = answer.text().await.ok()?;
        Some((status, serde_json::from_str(&text).unwrap_or_default()))
    })
}
