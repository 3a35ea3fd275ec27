//! A server's pre-receive hook: what is pushed is in quarantine, and leaves no trace when it is refused.

use super::{git, passes, stopped};
use crate::support::tool::{Tool, other_token, token};

/// A repository whose remote has our hook, and a commit there.
fn served() -> (Tool, std::path::PathBuf) {
    let tool = Tool::repository();
    tool.git(&["config", "user.name", "Ada Author"]);
    tool.git(&["config", "user.email", "ada@example.com"]);
    let bare = super::with_remote(&tool);
    let ran = tool.run(["init", bare.to_str().unwrap()]);
    assert!(
        ran.code == 0 && ran.out.contains("pre-receive"),
        "{}{}",
        ran.out,
        ran.err
    );
    tool.write("a.txt", "a\n");
    tool.commit("first", "2020-01-01");
    passes(&tool, &["push", "-q", "origin", "main"]);
    (tool, bare)
}

#[test]
fn a_push_with_a_leak_is_refused_whole_and_its_objects_are_not_kept() {
    let (tool, bare) = served();
    tool.git(&["branch", "clean"]);
    tool.write("a.env", token());
    tool.commit("leak", "2020-01-02");
    std::fs::remove_file(tool.path().join("a.env")).unwrap();
    tool.commit("deleted", "2020-01-03");
    let ran = stopped(&tool, &["push", "origin", "clean:clean", "main:new"]);
    assert!(
        ran.err.contains("remote:") && ran.err.contains("refused"),
        "{}",
        ran.err
    );
    let refs = tool.git_in(&bare, &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main");
    let lost = tool.git(&["rev-parse", "main"]);
    assert!(
        git(&tool, &bare, &["cat-file", "-e", &lost]).code != 0,
        "it is not kept"
    );
}

#[test]
fn new_branches_tags_forced_pushes_and_deletions_are_told_apart() {
    let (tool, _) = served();
    passes(&tool, &["push", "-q", "origin", "main:other", "main:third"]);
    passes(&tool, &["push", "-q", "origin", "--delete", "other"]);
    tool.write("a.env", token());
    tool.commit("leak", "2020-01-02");
    tool.git(&["tag", "-a", "-m", "x", "v1"]);
    stopped(&tool, &["push", "origin", "v1"]);
    // One ref is deleted, another brings a leak: the push is refused as a whole.
    stopped(&tool, &["push", "origin", ":third", "main:fourth"]);
    tool.git(&["reset", "-q", "--hard", "HEAD~1"]);
    tool.write("a.txt", "b\n");
    tool.git(&["commit", "-q", "--amend", "-am", "rewritten"]);
    passes(&tool, &["push", "-q", "--force", "origin", "main"]);
    passes(&tool, &["push", "-q", "origin", ":third", "main:fourth"]);
}

#[test]
fn what_is_pushed_cannot_switch_the_hook_off_but_a_mark_counts_unless_the_server_says_no() {
    let (tool, bare) = served();
    tool.write(".unleak.toml", "exclude = [\"*\"]\n");
    tool.write("a.env", other_token());
    tool.commit("leak", "2020-01-02");
    stopped(&tool, &["push", "origin", "main"]);
    tool.write(
        "a.env",
        format!("{} # unleak:ignore github a test\n", other_token()),
    );
    tool.git(&["add", "."]);
    tool.git(&["commit", "-q", "--amend", "--no-edit"]);
    let hook = bare.join("hooks/pre-receive");
    let text = std::fs::read_to_string(&hook).unwrap();
    std::fs::write(
        &hook,
        text.replace("hook pre-receive", "hook pre-receive --no-ignore-marks"),
    )
    .unwrap();
    stopped(&tool, &["push", "origin", "main"]);
    std::fs::write(&hook, text).unwrap();
    passes(&tool, &["push", "-q", "origin", "main"]);
}
