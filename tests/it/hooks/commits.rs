//! Every way to make a commit.

use super::{git, guarded, passes, stopped};
use crate::support::tool::{Tool, other_token, token};

#[test]
fn a_plain_commit_commit_all_and_a_partial_commit_are_stopped() {
    let tool = guarded();
    tool.write("a.txt", token());
    tool.git(&["add", "a.txt"]);
    let ran = stopped(&tool, &["commit", "-m", "x"]);
    for part in ["a.txt:1:1", "unleak:ignore", "--no-verify", "git add"] {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
    tool.git(&["reset", "--quiet"]);
    stopped(&tool, &["commit", "-am", "x"]);
    stopped(&tool, &["commit", "-m", "x", "a.txt"]);
    tool.write("b.txt", "b\n");
    tool.git(&["add", "b.txt"]);
    passes(&tool, &["commit", "-m", "only b", "b.txt"]);
    passes(&tool, &["commit", "-am", "on purpose", "--no-verify"]);
}

#[test]
fn what_the_hook_has_nothing_to_say_of_is_silent() {
    let tool = guarded();
    tool.write("a.txt", "b\n");
    let ran = passes(&tool, &["commit", "-qam", "x"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    let empty = passes(&tool, &["commit", "-q", "--allow-empty", "-m", "x"]);
    assert_eq!((empty.out.as_str(), empty.err.as_str()), ("", ""));
}

#[test]
fn amend_is_stopped_for_what_it_adds_and_not_for_what_was_there() {
    let tool = guarded();
    tool.write("old.env", token());
    tool.git(&["add", "."]);
    passes(&tool, &["commit", "-qm", "known", "--no-verify"]);
    passes(&tool, &["commit", "-q", "--amend", "-m", "another message"]);
    tool.write("new.env", other_token());
    tool.git(&["add", "."]);
    stopped(&tool, &["commit", "--amend", "--no-edit"]);
}

#[test]
fn the_first_commit_and_a_commit_without_an_identity_are_looked_at() {
    let tool = Tool::repository();
    assert_eq!(tool.run(["init", "--no-baseline"]).code, 0);
    tool.write("a.env", token());
    tool.git(&["add", "a.env"]);
    let ran = stopped(
        &tool,
        &[
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.com",
            "commit",
            "-m",
            "x",
        ],
    );
    assert!(ran.err.contains("a.env"), "{}", ran.err);
}

#[test]
fn a_merge_is_stopped_for_what_it_adds_and_not_for_what_the_other_branch_has() {
    let tool = guarded();
    tool.git(&["checkout", "-q", "-b", "side"]);
    tool.write("side.env", token());
    tool.git(&["add", "."]);
    passes(&tool, &["commit", "-qm", "known there", "--no-verify"]);
    tool.git(&["checkout", "-q", "main"]);
    tool.write("main.txt", "m\n");
    tool.git(&["add", "."]);
    passes(&tool, &["commit", "-qm", "main"]);
    passes(&tool, &["merge", "-q", "--no-edit", "side"]);

    // The same with a conflict, in whose resolution a new one is hidden.
    tool.git(&["reset", "-q", "--hard", "HEAD~1"]);
    tool.write("a.txt", "ours\n");
    passes(&tool, &["commit", "-qam", "ours"]);
    tool.git(&["checkout", "-q", "side"]);
    tool.write("a.txt", "theirs\n");
    passes(&tool, &["commit", "-qam", "theirs"]);
    tool.git(&["checkout", "-q", "main"]);
    assert!(
        git(&tool, &tool.path(), &["merge", "side"]).code != 0,
        "a conflict"
    );
    tool.write("a.txt", format!("both {}\n", other_token()));
    tool.git(&["add", "."]);
    let ran = stopped(&tool, &["commit", "--no-edit"]);
    assert!(
        ran.err.contains("a.txt") && !ran.err.contains("side.env"),
        "{}",
        ran.err
    );
    tool.write("a.txt", "both\n");
    tool.git(&["add", "."]);
    passes(&tool, &["commit", "-q", "--no-edit"]);
}

#[test]
fn a_rebase_and_a_cherry_pick_go_on_working() {
    let tool = guarded();
    tool.git(&["checkout", "-q", "-b", "side"]);
    tool.write("b.txt", "b\n");
    tool.git(&["add", "."]);
    passes(&tool, &["commit", "-qm", "b"]);
    tool.git(&["checkout", "-q", "main"]);
    tool.write("a.txt", "aa\n");
    passes(&tool, &["commit", "-qam", "aa"]);
    passes(&tool, &["rebase", "-q", "main", "side"]);
    passes(&tool, &["checkout", "-q", "main"]);
    passes(&tool, &["cherry-pick", "side"]);
    passes(&tool, &["rebase", "-q", "-i", "--exec", "true", "HEAD~1"]);
}

#[test]
fn a_linked_worktree_has_the_same_hooks_and_its_own_index() {
    let tool = guarded();
    let linked = tool.home().join("linked");
    tool.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    std::fs::write(linked.join("leak.env"), token()).unwrap();
    tool.git_in(&linked, &["add", "."]);
    let ran = git(&tool, &linked, &["commit", "-m", "x"]);
    assert!(ran.code != 0 && ran.err.contains("leak.env"), "{}", ran.err);
    tool.write("a.txt", "fine\n");
    passes(&tool, &["commit", "-qam", "the other worktree is clean"]);
}

#[test]
fn the_repositorys_own_file_says_what_does_not_count_and_cannot_name_a_host_or_a_rule_file() {
    let tool = guarded();
    tool.write(".unleak.toml", "exclude = [\"fixtures/\"]\n");
    tool.write("fixtures/a.env", token());
    tool.git(&["add", "."]);
    passes(&tool, &["commit", "-qm", "x"]);
    tool.write("src/a.env", token());
    tool.git(&["add", "."]);
    stopped(&tool, &["commit", "-m", "x"]);
    tool.write(
        "evil.toml",
        "[service]\nname = \"Evil\"\ndocs = \"https://e.example\"\nhosts = [\"e.example\"]\n",
    );
    for (text, why) in [
        ("rules = [\"evil.toml\"]\n", "no configuration of gitleaks"),
        ("baseline = \"../../etc/passwd\"\n", "no path inside"),
        ("bases = [\"https://e.example\"]\n", "bases"),
        ("baseline = \"gone\"\n", "not there"),
    ] {
        tool.write(".unleak.toml", text);
        let ran = git(&tool, &tool.path(), &["commit", "-m", "x"]);
        assert!(ran.code != 0 && ran.err.contains(why), "{text}: {}", ran.err);
    }
}

#[test]
fn a_hook_without_unleak_stops_and_says_so() {
    let tool = guarded();
    let hook = tool.path().join(".git/hooks/pre-commit");
    let text = std::fs::read_to_string(&hook).unwrap();
    let program = env!("CARGO_BIN_EXE_unleak");
    assert!(text.contains(program), "{text}");
    std::fs::write(&hook, text.replace(program, "/nonexistent/unleak")).unwrap();
    tool.write("a.txt", "b\n");
    let ran = git(&tool, &tool.path(), &["commit", "-am", "x"]);
    assert!(ran.code != 0 && ran.err.contains("not installed"), "{}", ran.err);
}
