//! Plays the runner: a server with a repository, a checkout as actions/checkout makes it, the event's payload, and the
//! files that a step writes to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::tool::{Ran, Tool, other_token, token};

/// Where commits are written, and the server that they are pushed to.
pub(crate) struct Desk {
    pub(crate) tool: Tool,
    pub(crate) server: PathBuf,
}

/// What actions/checkout is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Checkout {
    /// `fetch-depth: 1`, its default.
    Shallow,
    /// `fetch-depth: 0`.
    Whole,
}

impl Desk {
    /// A server whose branch `main` has three commits.
    pub(crate) fn new() -> Self {
        let tool = Tool::repository();
        let server = tool.home().join("server.git");
        tool.git(&[
            "init",
            "-q",
            "--bare",
            "--initial-branch=main",
            server.to_str().unwrap(),
        ]);
        // As GitHub has it.
        tool.git_in(
            &server,
            &["config", "uploadpack.allowReachableSHA1InWant", "true"],
        );
        tool.git(&["remote", "add", "origin", server.to_str().unwrap()]);
        let desk = Self { tool, server };
        for day in 1..=3 {
            desk.commit("a.txt", &format!("day {day}\n"));
        }
        desk.push("main");
        desk
    }

    pub(crate) fn commit(&self, path: &str, text: &str) -> String {
        self.tool.write(path, text);
        self.tool.commit("x", "2024-01-01")
    }

    pub(crate) fn delete(&self, path: &str) -> String {
        std::fs::remove_file(self.tool.path().join(path)).unwrap();
        self.tool.commit("delete", "2024-01-02")
    }

    pub(crate) fn head(&self) -> String {
        self.tool.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn push(&self, to: &str) {
        let to = if to.starts_with("refs/") {
            to.to_owned()
        } else {
            format!("refs/heads/{to}")
        };
        self.tool
            .git(&["push", "-q", "--force", "origin", &format!("HEAD:{to}")]);
    }

    /// Pull request 7 of the commit that is checked out, against `main`: its refs on the server, and the event.
    pub(crate) fn pull_request(&self, head_repository: &str) -> Value {
        let head = self.head();
        self.push("refs/pull/7/head");
        let base = self.tool.git_in(&self.server, &["rev-parse", "refs/heads/main"]);
        self.tool.git(&["checkout", "-q", "--detach", &base]);
        self.tool.git(&["merge", "-q", "--no-ff", "-m", "merge", &head]);
        self.push("refs/pull/7/merge");
        self.tool.git(&["checkout", "-q", "--detach", &head]);
        json!({
            "repository": { "full_name": "acme/shop", "default_branch": "main" },
            "pull_request": {
                "number": 7,
                "base": { "sha": base, "ref": "main" },
                "head": { "sha": head, "repo": { "full_name": head_repository } },
            },
        })
    }

    /// What actions/checkout leaves of this ref or commit of the server.
    pub(crate) fn job(&self, name: &str, event: &Value, checkout: Checkout, of: &str) -> Job<'_> {
        let workspace = tempfile::tempdir().unwrap();
        let folder = workspace.path().join("shop");
        std::fs::create_dir_all(workspace.path().join("files")).unwrap();
        let git = |args: &[&str]| self.tool.git_in(&folder, args);
        let url = format!("file://{}", self.server.display());
        self.tool.git(&["init", "-q", folder.to_str().unwrap()]);
        git(&["remote", "add", "origin", &url]);
        match checkout {
            Checkout::Shallow => git(&["fetch", "-q", "--no-tags", "--depth=1", "origin", of]),
            Checkout::Whole => {
                git(&[
                    "fetch",
                    "-q",
                    "--tags",
                    "origin",
                    "+refs/heads/*:refs/remotes/origin/*",
                ]);
                git(&["fetch", "-q", "origin", of])
            }
        };
        git(&["checkout", "-q", "--detach", "FETCH_HEAD"]);
        let file = workspace.path().join("files/event.json");
        std::fs::write(file, event.to_string()).unwrap();
        Job {
            desk: self,
            workspace,
            environment: BTreeMap::from([("GITHUB_EVENT_NAME".to_owned(), name.to_owned())]),
        }
    }
}

/// One job: its checkout and its environment.
pub(crate) struct Job<'d> {
    desk: &'d Desk,
    workspace: tempfile::TempDir,
    environment: BTreeMap<String, String>,
}

impl Job<'_> {
    pub(crate) fn folder(&self) -> PathBuf {
        self.workspace.path().join("shop")
    }

    /// A file of the runner: `outputs`, `summary`, `event.json`.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.workspace.path().join("files").join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The outputs of the steps so far.
    pub(crate) fn outputs(&self) -> BTreeMap<String, String> {
        let text = self.read("outputs");
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    pub(crate) fn command(&self, program: &str) -> std::process::Command {
        let mut command = self.desk.tool.command(program);
        let named = |name: &str| self.file(name);
        command
            .current_dir(self.folder())
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_REPOSITORY", "acme/shop")
            .env("GITHUB_WORKSPACE", self.folder())
            .env("GITHUB_EVENT_PATH", named("event.json"))
            .env("GITHUB_OUTPUT", named("outputs"))
            .env("GITHUB_STEP_SUMMARY", named("summary"))
            .env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR"))
            .env("RUNNER_TEMP", self.workspace.path().join("files"))
            .envs(&self.environment);
        command
    }

    /// `unleak ci` with these arguments.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.command(env!("CARGO_BIN_EXE_unleak"));
        let ran = Ran::of(&command.arg("ci").args(args).output().unwrap());
        self.search(&ran);
        ran
    }

    /// Nothing that a person sees, and no file, may hold a secret. Masks are commands, which the runner swallows.
    fn search(&self, ran: &Ran) {
        let seen: String = ran
            .out
            .lines()
            .filter(|line| !line.starts_with("::add-mask::"))
            .collect();
        for secret in [token(), other_token()] {
            assert!(
                !seen.contains(&secret) && !ran.err.contains(&secret),
                "{seen}{}",
                ran.err
            );
            for entry in std::fs::read_dir(self.workspace.path().join("files")).unwrap() {
                let path = entry.unwrap().path();
                let bytes = std::fs::read(&path).unwrap_or_default();
                assert!(
                    !String::from_utf8_lossy(&bytes).contains(&secret),
                    "{}",
                    path.display()
                );
            }
        }
    }

    /// Runs the steps of action.yml as the runner would, with these inputs; the first that fails ends it.
    pub(crate) fn action(&mut self, inputs: &[(&str, &str)]) -> Ran {
        let action =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("action.yml")).unwrap();
        let mut said = Ran {
            code: 0,
            out: String::new(),
            err: String::new(),
        };
        for step in steps(&action) {
            let mut command = self.command("bash");
            command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &step.run]);
            for (name, expression) in &step.environment {
                command.env(name, self.value(expression, inputs, &action));
            }
            let ran = Ran::of(&command.output().unwrap());
            self.search(&ran);
            said.out.push_str(&ran.out);
            said.err.push_str(&ran.err);
            said.code = ran.code;
            if ran.code != 0 {
                break;
            }
        }
        said
    }

    fn value(&self, expression: &str, inputs: &[(&str, &str)], action: &str) -> String {
        if let Some(input) = expression.strip_prefix("inputs.") {
            let given = inputs.iter().find(|(name, _)| *name == input);
            let default = || match default(action, input).as_str() {
                "${{ github.token }}" => String::new(),
                default => default.to_owned(),
            };
            return given.map_or_else(default, |(_, value)| (*value).to_owned());
        }
        if let Some(output) = expression.strip_prefix("steps.install.outputs.") {
            return self.outputs().remove(output).unwrap_or_default();
        }
        assert_eq!(
            expression, "github.action_repository",
            "the harness knows no other expression"
        );
        "acme/unleak".to_owned()
    }
}

struct Step {
    run: String,
    environment: Vec<(String, String)>,
}

/// The steps with a `run` of action.yml, whose layout is our own.
fn steps(action: &str) -> Vec<Step> {
    let (_, steps) = action.split_once("\n  steps:\n").unwrap();
    let mut all = Vec::new();
    for step in steps.split("\n    - ") {
        let Some(run) = step.lines().find_map(|line| line.trim().strip_prefix("run: ")) else {
            assert!(step.contains("uses: "), "{step}");
            continue;
        };
        assert!(!run.contains("${{"), "an expression in a command: {run}");
        let environment = step.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("        ")?.split_once(": ")?;
            let value = value.strip_prefix("${{ ")?.strip_suffix(" }}")?;
            Some((name.to_owned(), value.to_owned()))
        });
        all.push(Step {
            run: run.to_owned(),
            environment: environment.collect(),
        });
    }
    assert_eq!(all.len(), 2);
    all
}

fn default(action: &str, input: &str) -> String {
    let (_, rest) = action.split_once(&format!("\n  {input}:\n")).unwrap();
    let line = rest
        .lines()
        .find_map(|line| line.trim().strip_prefix("default: "));
    line.unwrap().trim_matches('\'').to_owned()
}
