//! Git: history, the index, ranges; with the real git, in every state that a hook or CI meets.

use std::path::Path;

use crate::support::tool::{Ran, Tool, other_token, token};

const SCAN: [&str; 4] = ["scan", ".", "--format", "jsonl"];

/// A deleted token: `config/prod.env`, line 3, brought in by the second of five commits.
fn with_a_deleted_token() -> (Tool, String) {
    let tool = Tool::repository();
    tool.write("readme.md", "hello\n");
    tool.commit("first", "2020-01-01");
    tool.write("config/prod.env", format!("A=1\nB=2\nTOKEN={}\n", token()));
    let culprit = tool.commit("add config", "2020-01-02");
    tool.write("config/prod.env", format!("A=9\nB=2\nTOKEN={}\n", token()));
    tool.commit("change around it", "2020-01-03");
    std::fs::remove_file(tool.path().join("config/prod.env")).unwrap();
    tool.commit("delete it", "2020-01-04");
    tool.write("readme.md", "bye\n");
    tool.commit("last", "2020-01-05");
    (tool, culprit)
}

#[test]
fn a_token_deleted_long_ago_is_found_with_the_commit_that_brought_it_in() {
    let (tool, culprit) = with_a_deleted_token();
    let ran = tool.run(SCAN);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let found = ran.findings();
    assert_eq!(found.len(), 1, "{}", ran.out);
    let at = &found[0]["location"];
    assert_eq!(at["path"], "config/prod.env");
    assert_eq!((at["line"].as_u64(), at["column"].as_u64()), (Some(3), Some(7)));
    assert_eq!(at["commit"].as_str(), Some(culprit.as_str()));
    assert_eq!(at["author"], "Ada Author <ada@example.com>");
    assert_eq!(at["date"], "2020-01-02T12:00:00Z");
    assert_eq!(at["origin"], "history");
}

#[test]
fn every_ref_counts_branches_tags_stash_notes_and_detached_heads() {
    let tool = Tool::repository();
    tool.write("a.txt", "a\n");
    let first = tool.commit("first", "2020-01-01");
    let on = |name: &str, make: &dyn Fn()| {
        tool.git(&["checkout", "--quiet", "--detach", &first]);
        tool.write(&format!("{name}.env"), token());
        make();
    };
    on("branch", &|| {
        tool.commit("b", "2020-01-02");
        tool.git(&["branch", "side"]);
    });
    on("tag", &|| {
        tool.commit("t", "2020-01-02");
        tool.git(&["tag", "-a", "v1", "-m", "x"]);
    });
    on("stash", &|| {
        tool.git(&["add", "--all"]);
        tool.git(&["stash", "--quiet"]);
    });
    tool.git(&["notes", "add", "-m", &format!("note {}", token()), &first]);
    let blob = tool.git(&["hash-object", "-w", "a.txt"]);
    tool.git(&["tag", "blob-tag", &blob]);
    on("detached", &|| {
        tool.commit("d", "2020-01-02");
    });
    let ran = tool.run(["scan", ".", "--history-only", "--format", "jsonl"]);
    assert_eq!(ran.code, 1, "{}", ran.out);
    let paths: Vec<String> = ran
        .findings()
        .iter()
        .map(|f| f["location"]["path"].as_str().unwrap().to_owned())
        .collect();
    for name in ["branch.env", "tag.env", "stash.env", "detached.env"] {
        assert!(paths.contains(&name.to_owned()), "{name} in {paths:?}");
    }
    assert!(paths.contains(&first), "the note on {first} in {paths:?}");
}

#[test]
fn what_only_a_merge_made_is_found_and_named() {
    let tool = Tool::repository();
    tool.write("a.txt", "a\n");
    tool.commit("first", "2020-01-01");
    tool.git(&["checkout", "--quiet", "-b", "side"]);
    tool.write("b.txt", "b\n");
    tool.commit("side", "2020-01-02");
    tool.git(&["checkout", "--quiet", "main"]);
    tool.write("c.txt", "c\n");
    let base = tool.commit("main", "2020-01-03");
    tool.git(&["merge", "--quiet", "--no-commit", "--no-ff", "side"]);
    tool.write("evil.env", token());
    let merge = tool.commit("merge", "2020-01-04");
    let found = tool
        .run(["scan", ".", "--history-only", "--format", "jsonl"])
        .findings();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["location"]["commit"].as_str(), Some(merge.as_str()));
    let ranged = tool.run(["scan", "--range", &format!("{base}..HEAD"), "--format", "jsonl"]);
    assert_eq!(ranged.findings().len(), 1, "{}", ranged.out);
}

#[test]
fn bare_repositories_and_clones_are_scanned_by_their_history() {
    let (tool, culprit) = with_a_deleted_token();
    let bare = tool.home().join("bare.git");
    tool.git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);
    let ran = tool.run(["scan", bare.to_str().unwrap(), "--format", "jsonl"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.findings()[0]["location"]["commit"].as_str(),
        Some(culprit.as_str())
    );
}

#[test]
fn a_shallow_clone_ends_with_3_and_says_how_to_get_the_rest() {
    let (tool, _) = with_a_deleted_token();
    let shallow = tool.home().join("shallow");
    let from = format!("file://{}", tool.path().display());
    tool.git(&[
        "clone",
        "--quiet",
        "--depth",
        "1",
        &from,
        shallow.to_str().unwrap(),
    ]);
    let ran = tool.run(["scan", shallow.to_str().unwrap()]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("--unshallow"), "{}", ran.out);
    // What is staged needs no history.
    std::fs::write(shallow.join("x.txt"), "x").unwrap();
    tool.git_in(&shallow, &["add", "."]);
    assert_eq!(tool.run(["scan", "--staged", shallow.to_str().unwrap()]).code, 0);
}

#[test]
fn a_missing_object_is_named_the_rest_is_scanned_and_the_scan_ends_with_3() {
    let (tool, _) = with_a_deleted_token();
    let lost = tool.git(&["rev-parse", "HEAD:readme.md"]);
    std::fs::remove_file(
        tool.path()
            .join(format!(".git/objects/{}/{}", &lost[..2], &lost[2..])),
    )
    .unwrap();
    let ran = tool.run(SCAN);
    assert_eq!(ran.code, 3);
    assert_eq!(ran.findings().len(), 1, "{}", ran.out);
    assert!(ran.out.contains(&lost), "{}", ran.out);
}

#[test]
fn a_partial_clone_names_what_it_left_out_and_the_rest_is_scanned() {
    let (tool, _) = with_a_deleted_token();
    tool.write("long.txt", "nothing secret\n".repeat(1000));
    tool.commit("a long file", "2020-01-06");
    let left_out = tool.git(&["rev-parse", "HEAD:long.txt"]);
    tool.git(&["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", tool.path().display());
    let partial = tool.home().join("partial.git");
    tool.git(&[
        "clone",
        "-q",
        "--bare",
        "--filter=blob:limit=4k",
        &url,
        partial.to_str().unwrap(),
    ]);
    let ran = tool.run(["scan", partial.to_str().unwrap(), "--format", "json"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["findings"].as_array().unwrap().len(), 1, "{}", ran.out);
    let skipped = report["coverage"]["skipped"].as_array().unwrap();
    assert_eq!(skipped.len(), 1, "{}", ran.out);
    assert_eq!(skipped[0]["what"], format!("blob {left_out}"));
}

#[test]
fn a_damaged_ref_is_named_and_the_scan_ends_with_3() {
    let (tool, _) = with_a_deleted_token();
    std::fs::write(
        tool.path().join(".git/refs/heads/broken"),
        format!("{}\n", "1".repeat(40)),
    )
    .unwrap();
    let ran = tool.run(SCAN);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(
        ran.out.contains("broken") || ran.out.contains(&"1".repeat(40)),
        "{}",
        ran.out
    );
    assert_eq!(ran.findings().len(), 1);
}

#[test]
fn an_empty_repository_is_no_clean_scan() {
    let tool = Tool::repository();
    let ran = tool.run(SCAN);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("no commit yet"), "{}", ran.out);
}

#[test]
fn files_that_wait_for_their_first_commit_are_a_whole_scan() {
    let tool = Tool::repository();
    tool.write("a.txt", "nothing secret\n");
    let ran = tool.run(SCAN);
    assert_eq!(ran.code, 0, "{}", ran.out);
}

#[test]
fn a_range_holds_what_its_commits_brought_in_even_if_a_later_one_deleted_it() {
    let (tool, culprit) = with_a_deleted_token();
    let ran = tool.run(["scan", "--range", "HEAD~4..HEAD", "--format", "jsonl"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let found = ran.findings();
    assert_eq!(
        found.len(),
        1,
        "the change around the token brought nothing new: {}",
        ran.out
    );
    assert_eq!(found[0]["location"]["commit"].as_str(), Some(culprit.as_str()));
    assert_eq!(tool.run(["scan", "--range", "HEAD~2..HEAD"]).code, 0);
    assert_eq!(tool.run(["scan", "--since", "HEAD~4"]).code, 1);
}

#[test]
fn an_unknown_revision_and_an_empty_range_end_with_3() {
    let (tool, _) = with_a_deleted_token();
    let ran = tool.run(["scan", "--range", "nosuchref..HEAD"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("nosuchref"), "{}", ran.err);
    let ran = tool.run(["scan", "--range", "HEAD..HEAD"]);
    assert_eq!(ran.code, 3);
    assert!(ran.out.contains("no commit"), "{}", ran.out);
    assert_eq!(
        Tool::new().run(["scan", "--staged"]).code,
        3,
        "outside a repository"
    );
}

fn staged(tool: &Tool) -> Ran {
    tool.run(["scan", "--staged", "--format", "jsonl"])
}

#[test]
fn staged_content_is_scanned_before_the_first_commit_and_without_an_identity() {
    let tool = Tool::repository();
    assert_eq!(staged(&tool).code, 0, "nothing is staged");
    tool.write("a.env", token());
    assert_eq!(staged(&tool).code, 0, "not staged yet");
    tool.command("git").args(["add", "a.env"]).status().unwrap();
    let ran = staged(&tool);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(ran.findings()[0]["location"]["origin"], "staged");
}

#[test]
fn only_what_is_new_in_the_index_counts_and_the_working_tree_does_not() {
    let tool = Tool::repository();
    tool.write("a.env", format!("OLD={}\n", token()));
    tool.commit("first", "2020-01-01");
    tool.write("a.env", format!("# moved\nOLD={}\n", token()));
    tool.git(&["add", "a.env"]);
    assert_eq!(staged(&tool).code, 0, "the old token only moved");
    tool.write("a.env", format!("OLD={}\nNEW={}\n", token(), other_token()));
    assert_eq!(staged(&tool).code, 0, "the new one is not staged");
    tool.git(&["add", "a.env"]);
    tool.write("a.env", "clean again\n");
    let ran = staged(&tool);
    assert_eq!(ran.findings().len(), 1, "{}", ran.out);
    assert_eq!(ran.findings()[0]["location"]["line"], 2);
    tool.git(&["rm", "--quiet", "--cached", "--force", "a.env"]);
    assert_eq!(staged(&tool).code, 0, "a deletion brings nothing");
}

/// Installs `unleak scan --staged` as the repository's pre-commit hook.
fn hook(tool: &Tool, folder: &Path) {
    let hooks = tool.git_in(
        folder,
        &["rev-parse", "--path-format=absolute", "--git-path", "hooks"],
    );
    std::fs::create_dir_all(&hooks).unwrap();
    let file = Path::new(&hooks).join("pre-commit");
    std::fs::write(
        &file,
        format!("#!/bin/sh\nexec {} scan --staged\n", env!("CARGO_BIN_EXE_unleak")),
    )
    .unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn try_commit(tool: &Tool, folder: &Path, args: &[&str]) -> Ran {
    let mut command = tool.command("git");
    command.current_dir(folder).args([
        "-c",
        "user.name=A",
        "-c",
        "user.email=a@example.com",
        "commit",
        "-m",
        "x",
    ]);
    Ran::of(&command.args(args).output().unwrap())
}

#[test]
fn as_a_hook_it_sees_what_commit_all_and_commit_path_would_commit() {
    let tool = Tool::repository();
    hook(&tool, &tool.path());
    tool.write("a.txt", "a\n");
    tool.write("b.txt", "b\n");
    tool.git(&["add", "--all"]);
    assert_eq!(try_commit(&tool, &tool.path(), &[]).code, 0);
    tool.write("a.txt", token());
    let refused = try_commit(&tool, &tool.path(), &["-a"]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(!refused.err.contains(&token()) && !refused.out.contains(&token()));
    tool.write("b.txt", "harmless\n");
    assert_eq!(
        try_commit(&tool, &tool.path(), &["b.txt"]).code,
        0,
        "only b.txt is committed"
    );
    assert_eq!(try_commit(&tool, &tool.path(), &["a.txt"]).code, 1);
}

#[test]
fn as_a_hook_it_works_in_a_linked_worktree() {
    let tool = Tool::repository();
    tool.write("a.txt", "a\n");
    tool.commit("first", "2020-01-01");
    let linked = tool.home().join("linked");
    tool.git(&["worktree", "add", "--quiet", linked.to_str().unwrap()]);
    hook(&tool, &linked);
    std::fs::write(linked.join("leak.env"), token()).unwrap();
    tool.git_in(&linked, &["add", "."]);
    assert_eq!(try_commit(&tool, &linked, &[]).code, 1);
    std::fs::write(linked.join("leak.env"), "fine\n").unwrap();
    assert_eq!(try_commit(&tool, &linked, &["-a"]).code, 0);
    assert_eq!(
        tool.run(["scan", linked.to_str().unwrap()]).code,
        0,
        "a linked worktree as a target"
    );
}

#[test]
fn sarif_names_the_repository_and_the_commit_without_its_credentials() {
    let (tool, _) = with_a_deleted_token();
    tool.git(&[
        "remote",
        "add",
        "origin",
        "https://bot:hunter2hunter2@example.com/acme/shop.git",
    ]);
    let ran = tool.run(["scan", ".", "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let from = &sarif["runs"][0]["versionControlProvenance"][0];
    assert_eq!(from["repositoryUri"], "https://example.com/acme/shop.git");
    assert_eq!(
        from["revisionId"].as_str(),
        Some(tool.git(&["rev-parse", "HEAD"]).as_str())
    );
    assert!(!ran.out.contains("hunter2"));
}
