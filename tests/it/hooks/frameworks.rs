//! The hooks in the hands of pre-commit, lefthook and husky themselves. `tests/run` installs them; `cargo test` alone
//! passes without, and says so.

use std::path::{Path, PathBuf};

use super::{git, with_remote};
use crate::support::tool::{Ran, Tool, other_token, token};
use crate::support::tools::program;

/// A repository whose PATH has unleak and the framework.
struct Desk {
    tool: Tool,
    path: String,
}

impl Desk {
    fn new(framework: &Path) -> Self {
        let tool = Tool::repository();
        tool.git(&["config", "user.name", "Ada Author"]);
        tool.git(&["config", "user.email", "ada@example.com"]);
        let unleak = Path::new(env!("CARGO_BIN_EXE_unleak")).parent().unwrap();
        let framework = framework.parent().unwrap();
        #[expect(
            clippy::disallowed_methods,
            reason = "programs are found by the tests' own PATH"
        )]
        let rest = std::env::var("PATH").unwrap();
        let path = format!("{}:{}:{rest}", unleak.display(), framework.display());
        tool.write("a.txt", "a\n");
        Self { tool, path }
    }

    fn run(&self, program: &Path, args: &[&str]) -> Ran {
        let mut command = self.tool.command(program.to_str().unwrap());
        command.env("PATH", &self.path).env("CI", "1").args(args);
        let ran = Ran::of(&command.output().unwrap());
        for secret in [token(), other_token()] {
            assert!(
                !ran.out.contains(&secret) && !ran.err.contains(&secret),
                "in clear: {args:?}"
            );
        }
        ran
    }

    fn git(&self, args: &[&str]) -> Ran {
        self.run(Path::new("git"), args)
    }

    fn passes(&self, args: &[&str]) {
        let ran = self.git(args);
        assert_eq!(ran.code, 0, "git {args:?}: {}{}", ran.out, ran.err);
    }

    fn stopped(&self, args: &[&str]) {
        let ran = self.git(args);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(
            ran.code != 0 && said.contains("github/personal-access-token"),
            "git {args:?}: {said}"
        );
    }

    fn init(&self) {
        let unleak = PathBuf::from(env!("CARGO_BIN_EXE_unleak"));
        let ran = self.run(&unleak, &["init", "--no-baseline"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }

    /// Commits, a merge, and pushes, as every framework must guard them.
    fn lives(&self) {
        self.passes(&["add", "."]);
        self.passes(&["commit", "-qm", "first"]);
        self.tool.write("a.txt", token());
        self.stopped(&["commit", "-am", "all"]);
        self.passes(&["add", "."]);
        self.stopped(&["commit", "-m", "staged"]);
        self.tool.write("b.txt", "b\n");
        self.passes(&["add", "b.txt"]);
        self.passes(&["checkout", "-q", "a.txt"]);
        self.tool.git(&["checkout", "-q", "HEAD", "--", "a.txt"]);
        self.passes(&["commit", "-qm", "second"]);
        with_remote(&self.tool);
        self.passes(&["push", "-q", "origin", "main"]);
        self.tool.write("b.txt", token());
        self.passes(&["commit", "-q", "--no-verify", "-am", "slipped"]);
        self.stopped(&["push", "origin", "main"]);
        self.stopped(&["push", "origin", "main:new"]);
        self.passes(&["reset", "-q", "--hard", "HEAD~1"]);
        self.passes(&["push", "-q", "origin", "main:clean"]);
        self.passes(&["push", "-q", "origin", "--delete", "clean"]);
    }
}

#[test]
fn pre_commit_runs_the_hook_that_init_wrote() {
    let Some(pre_commit) = program("hooks/bin/pre-commit") else {
        return;
    };
    let desk = Desk::new(&pre_commit);
    desk.tool.write(".pre-commit-config.yaml", "repos: # none yet\n");
    desk.init();
    let stages = ["pre-commit", "pre-merge-commit", "pre-push"].map(|stage| format!("--hook-type={stage}"));
    let ran = desk.run(&pre_commit, &["install", &stages[0], &stages[1], &stages[2]]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    desk.lives();
    // Without a commit the hook looks at the files, so that a job that runs it does not pass whatever there is.
    assert_eq!(desk.run(&pre_commit, &["run", "--all-files"]).code, 0);
    desk.tool.write("old.env", other_token());
    desk.passes(&["add", "."]);
    desk.passes(&["commit", "-q", "--no-verify", "-m", "slipped"]);
    let ran = desk.run(&pre_commit, &["run", "--all-files"]);
    assert!(
        ran.code != 0 && ran.out.contains("old.env"),
        "{}{}",
        ran.out,
        ran.err
    );
    let ran = desk.run(&pre_commit, &["run", "--from-ref", "HEAD~1", "--to-ref", "HEAD"]);
    assert!(
        ran.code != 0 && ran.out.contains("old.env"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[test]
fn pre_commit_looks_at_the_first_push_of_a_branch_that_is_not_checked_out() {
    let Some(pre_commit) = program("hooks/bin/pre-commit") else {
        return;
    };
    let desk = Desk::new(&pre_commit);
    desk.tool.write(".pre-commit-config.yaml", "repos: # none yet\n");
    desk.init();
    desk.tool.write("leak.env", token());
    desk.passes(&["add", "."]);
    desk.passes(&["commit", "-qm", "root"]);
    desk.passes(&["checkout", "-q", "--orphan", "clean"]);
    desk.passes(&["rm", "-q", "-f", "leak.env"]);
    desk.passes(&["commit", "-qm", "another root"]);
    with_remote(&desk.tool);
    let ran = desk.run(&pre_commit, &["install", "--hook-type=pre-push"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    // For a root commit pre-commit names no refs, but the branch.
    desk.stopped(&["push", "origin", "main"]);
    desk.passes(&["push", "-q", "origin", "clean"]);
}

#[test]
fn pre_commit_accepts_the_hooks_that_this_repository_offers() {
    let Some(pre_commit) = program("hooks/bin/pre-commit") else {
        return;
    };
    let desk = Desk::new(&pre_commit);
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml");
    let ran = desk.run(&pre_commit, &["validate-manifest", manifest.to_str().unwrap()]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let text = std::fs::read_to_string(manifest).unwrap();
    for kind in ["language: rust", "language: python", "language: system"] {
        assert!(text.contains(kind), "{kind}");
    }
}

#[test]
fn lefthook_runs_the_hook_that_init_wrote() {
    let Some(lefthook) = program("js/node_modules/.bin/lefthook") else {
        return;
    };
    let desk = Desk::new(&lefthook);
    desk.tool.write(
        "lefthook.yml",
        "pre-commit:\n  jobs:\n    - name: nothing\n      run: echo fine\n",
    );
    desk.init();
    let ran = desk.run(&lefthook, &["install"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    desk.lives();
}

#[test]
fn husky_runs_the_hook_that_init_wrote() {
    let Some(husky) = program("js/node_modules/.bin/husky") else {
        return;
    };
    let desk = Desk::new(&husky);
    desk.tool.write("package.json", "{\"name\": \"x\"}\n");
    // What the project's own hook reads is what git gave.
    desk.tool.write(".husky/pre-push", "cat > pushed\n");
    desk.tool.write(".gitignore", "pushed\n.husky/_\n");
    let ran = desk.run(&husky, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    desk.init();
    desk.lives();
    let pushed = std::fs::read_to_string(desk.tool.path().join("pushed")).unwrap();
    assert!(pushed.contains("refs/heads/clean"), "{pushed}");
    let ran = git(&desk.tool, &desk.tool.path(), &["status", "--porcelain"]);
    assert!(!ran.out.contains("pushed"), "{}", ran.out);
}
