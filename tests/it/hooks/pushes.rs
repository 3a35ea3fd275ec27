//! Every way to push: all refs, new ones, deleted ones, tags, forced.

use super::{git, guarded, passes, stopped, with_remote};
use crate::support::tool::{Tool, other_token, token};

/// Commits past the hook.
fn slip(tool: &Tool, path: &str, text: &str) {
    tool.write(path, text);
    tool.git(&["add", "."]);
    passes(tool, &["commit", "-qm", "x", "--no-verify"]);
}

#[test]
fn a_leak_in_any_commit_that_is_pushed_stops_it_also_if_a_later_one_deletes_it() {
    let tool = guarded();
    with_remote(&tool);
    passes(&tool, &["push", "-q", "origin", "main"]);
    slip(&tool, "a.env", &token());
    let culprit = tool.git(&["rev-parse", "HEAD"]);
    std::fs::remove_file(tool.path().join("a.env")).unwrap();
    passes(&tool, &["commit", "-qam", "deleted"]);
    let ran = stopped(&tool, &["push", "origin", "main"]);
    assert!(
        ran.err.contains(&culprit[..12]) && ran.err.contains("git rebase"),
        "{}",
        ran.err
    );
    passes(&tool, &["push", "-q", "--no-verify", "origin", "main"]);
    slip(&tool, "b.txt", "b\n");
    passes(&tool, &["push", "-q", "origin", "main"]);
}

#[test]
fn every_ref_of_a_push_is_looked_at() {
    let tool = guarded();
    with_remote(&tool);
    passes(&tool, &["push", "-q", "origin", "main"]);
    tool.git(&["branch", "clean"]);
    tool.git(&["checkout", "-q", "-b", "dirty"]);
    slip(&tool, "a.env", &token());
    tool.git(&["checkout", "-q", "main"]);
    stopped(&tool, &["push", "origin", "clean:x", "dirty:y"]);
    stopped(&tool, &["push", "origin", "--all"]);
    passes(&tool, &["push", "-q", "origin", "clean:x"]);
    // A tag that no branch has, with and without an object of its own, and a tag of a blob.
    tool.git(&["tag", "-a", "-m", "x", "v1", "dirty"]);
    tool.git(&["tag", "v2", "dirty"]);
    tool.git(&["tag", "v3", "dirty:a.env"]);
    tool.git(&["tag", "v4", "dirty^{tree}"]);
    for tag in ["v1", "v2", "v3", "v4"] {
        stopped(&tool, &["push", "origin", tag]);
    }
    stopped(&tool, &["push", "origin", "--tags"]);
}

#[test]
fn a_new_branch_of_a_new_remote_is_looked_at_whole_and_a_deletion_brings_nothing() {
    let tool = guarded();
    slip(&tool, "a.env", &token());
    slip(&tool, "b.txt", "b\n");
    with_remote(&tool);
    stopped(&tool, &["push", "origin", "HEAD:refs/heads/new"]);
    passes(
        &tool,
        &["push", "-q", "--no-verify", "origin", "main", "main:old"],
    );
    passes(&tool, &["push", "-q", "origin", "--delete", "old"]);
    passes(&tool, &["push", "-q", "origin", "main:again"]);
    // Known to one remote is not known to another.
    let other = tool.home().join("other.git");
    tool.git(&["init", "-q", "--bare", other.to_str().unwrap()]);
    stopped(&tool, &["push", other.to_str().unwrap(), "main"]);
    tool.git(&["remote", "add", "public", other.to_str().unwrap()]);
    stopped(&tool, &["push", "public", "main"]);
}

#[test]
fn a_forced_push_and_one_that_has_nothing_to_do_work() {
    let tool = guarded();
    with_remote(&tool);
    slip(&tool, "b.txt", "b\n");
    passes(&tool, &["push", "-q", "origin", "main"]);
    passes(&tool, &["push", "origin", "main"]);
    passes(&tool, &["commit", "-q", "--amend", "-m", "other"]);
    passes(&tool, &["push", "-q", "--force", "origin", "main"]);
    tool.write("b.txt", other_token());
    passes(&tool, &["commit", "-q", "--amend", "--no-verify", "-am", "leak"]);
    stopped(&tool, &["push", "--force", "origin", "main"]);
}

#[test]
fn a_shallow_clone_can_push_what_it_has_made() {
    let tool = guarded();
    let bare = with_remote(&tool);
    slip(&tool, "b.txt", "b\n");
    passes(&tool, &["push", "-q", "origin", "main"]);
    let shallow = tool.home().join("shallow");
    let from = format!("file://{}", bare.display());
    tool.git(&["clone", "-q", "--depth=1", &from, shallow.to_str().unwrap()]);
    assert_eq!(
        tool.run(["init", "--no-baseline", shallow.to_str().unwrap()])
            .code,
        0
    );
    let commit = |text: &str| {
        std::fs::write(shallow.join("c.txt"), text).unwrap();
        tool.git_in(&shallow, &["add", "."]);
        tool.git_in(&shallow, &["commit", "-qm", "x", "--no-verify"]);
    };
    commit("c\n");
    assert_eq!(git(&tool, &shallow, &["push", "-q", "origin", "main"]).code, 0);
    commit(&token());
    assert!(git(&tool, &shallow, &["push", "-q", "origin", "main"]).code != 0);
}

#[test]
fn scan_push_reads_the_lines_of_git_and_refuses_others() {
    let tool = guarded();
    slip(&tool, "a.env", &token());
    let (head, first) = (
        tool.git(&["rev-parse", "HEAD"]),
        tool.git(&["rev-parse", "HEAD~1"]),
    );
    let zero = "0".repeat(40);
    let scan = |lines: &str| tool.run_with_input(&["scan", "--push", "--format", "jsonl"], lines.as_bytes());
    assert_eq!(
        scan(&format!("refs/heads/main {head} refs/heads/main {first}\n")).code,
        1
    );
    assert_eq!(
        scan(&format!("refs/heads/main {head} refs/heads/main {zero}\n")).code,
        1
    );
    assert_eq!(scan(&format!("(delete) {zero} refs/heads/main {head}\n")).code, 0);
    assert_eq!(scan("").code, 0);
    let unknown = scan(&format!(
        "refs/heads/main {} refs/heads/main {zero}\n",
        "1".repeat(40)
    ));
    assert_eq!(unknown.code, 3, "{}", unknown.err);
    assert_eq!(scan("nonsense\n").code, 3);
}
