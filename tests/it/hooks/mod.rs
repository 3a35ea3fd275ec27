//! git's hooks as `unleak init` writes them, run by the real git: every way to commit and to push.

mod commits;
mod frameworks;
mod init;
mod pushes;
mod receive;

use std::path::Path;

use crate::support::tool::{Ran, Tool};

/// A repository with one commit and our hooks.
fn guarded() -> Tool {
    let tool = Tool::repository();
    tool.git(&["config", "user.name", "Ada Author"]);
    tool.git(&["config", "user.email", "ada@example.com"]);
    tool.write("a.txt", "a\n");
    tool.commit("first", "2020-01-01");
    let ran = tool.run(["init", "--hooks", "git", "--no-baseline"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    std::fs::remove_file(tool.path().join(".unleak.toml")).unwrap();
    tool
}

/// git, which may fail.
fn git(tool: &Tool, folder: &Path, args: &[&str]) -> Ran {
    let mut command = tool.command("git");
    command.env("GIT_EDITOR", "true").env("GIT_MERGE_AUTOEDIT", "no");
    let ran = Ran::of(&command.current_dir(folder).args(args).output().unwrap());
    let secrets = [crate::support::tool::token(), crate::support::tool::other_token()];
    for secret in secrets {
        assert!(
            !ran.out.contains(&secret) && !ran.err.contains(&secret),
            "in clear: git {args:?}"
        );
    }
    ran
}

/// git, which a hook of ours must stop.
fn stopped(tool: &Tool, args: &[&str]) -> Ran {
    let ran = git(tool, &tool.path(), args);
    assert!(ran.code != 0, "git {args:?} went through: {}{}", ran.out, ran.err);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(
        said.contains("github/personal-access-token"),
        "git {args:?}: {said}"
    );
    ran
}

/// git, which must work.
fn passes(tool: &Tool, args: &[&str]) -> Ran {
    let ran = git(tool, &tool.path(), args);
    assert_eq!(ran.code, 0, "git {args:?}: {}{}", ran.out, ran.err);
    ran
}

/// A bare repository beside, as the remote `origin`.
fn with_remote(tool: &Tool) -> std::path::PathBuf {
    let bare = tool.home().join("origin.git");
    tool.git(&[
        "init",
        "--quiet",
        "--bare",
        "--initial-branch=main",
        bare.to_str().unwrap(),
    ]);
    tool.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
    bare
}
