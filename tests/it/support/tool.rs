//! Runs the real binary in a scrubbed environment, with a home of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder with a home in it, and the binary to run there.
pub(crate) struct Tool {
    folder: tempfile::TempDir,
}

/// What a run gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().expect("the program ended by itself"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The findings of a jsonl report.
    pub(crate) fn findings(&self) -> Vec<serde_json::Value> {
        let lines = self
            .out
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line is JSON"));
        lines
            .filter(|line: &serde_json::Value| line["type"] == "finding")
            .collect()
    }
}

impl Tool {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("home")).expect("a home");
        std::fs::create_dir(folder.path().join("work")).expect("a folder to work in");
        Self { folder }
    }

    /// The folder that commands run in.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// The home that commands have, and all state.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.path().join(path);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("folders");
        std::fs::write(&file, text).expect("a written file");
        file
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "programs are found by the tests' own PATH"
    )]
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home())
            .current_dir(self.path())
            .stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// `unleak` with these arguments.
    pub(crate) fn run<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        let output = self
            .command(env!("CARGO_BIN_EXE_unleak"))
            .args(args)
            .output()
            .expect("unleak runs");
        Ran::of(&output)
    }

    /// `unleak` with these arguments and this on standard input.
    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        use std::io::Write as _;
        let mut child = self
            .command(env!("CARGO_BIN_EXE_unleak"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unleak runs");
        child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input)
            .expect("input is taken");
        Ran::of(&child.wait_with_output().expect("unleak ends"))
    }

    /// git in the folder, as somebody with a name; the test fails if git does.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        self.git_in(&self.path(), args)
    }

    /// git in another folder.
    pub(crate) fn git_in(&self, folder: &Path, args: &[&str]) -> String {
        let mut command = self.command("git");
        for (name, value) in [
            ("GIT_AUTHOR_NAME", "Ada Author"),
            ("GIT_AUTHOR_EMAIL", "ada@example.com"),
            ("GIT_COMMITTER_NAME", "Carl Committer"),
            ("GIT_COMMITTER_EMAIL", "carl@example.com"),
        ] {
            command.env(name, value);
        }
        let output = command.current_dir(folder).args(args).output().expect("git runs");
        assert!(
            output.status.success(),
            "git {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commits everything with this message and date; gives the id.
    pub(crate) fn commit(&self, message: &str, date: &str) -> String {
        self.git(&["add", "--all"]);
        let date = format!("{date}T12:00:00+00:00");
        let mut command = self.command("git");
        command.args(["commit", "--quiet", "--allow-empty", "-m", message]);
        for name in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{name}_NAME"), "Ada Author")
                .env(format!("GIT_{name}_EMAIL"), "ada@example.com");
            command.env(format!("GIT_{name}_DATE"), &date);
        }
        assert!(
            command.status().expect("git runs").success(),
            "git commit {message}"
        );
        self.git(&["rev-parse", "HEAD"])
    }

    /// A fresh repository on branch `main`.
    pub(crate) fn repository() -> Self {
        let tool = Self::new();
        tool.git(&["init", "--quiet", "--initial-branch=main"]);
        tool
    }
}

/// A GitHub token of the right shape and checksum that GitHub never issued; joined here, so that no source holds one.
pub(crate) fn token() -> String {
    ["ghp_", "M7H4jxUDDWHP4kZ6A4dxlQYsQIWJuq11T4V4"].concat()
}

/// Another one.
pub(crate) fn other_token() -> String {
    ["ghp_", "HEEjXavM6wKtyhAUwDblMznMEhWyTt4XwY6f"].concat()
}
