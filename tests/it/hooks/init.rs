//! `unleak init` and `--remove`: nothing of the user's is lost, and nothing of ours stays.

use std::collections::BTreeMap;
use std::path::Path;

use super::{git, passes, stopped};
use crate::support::tool::{Tool, other_token, token};

/// Every file below a folder but git's objects, logs and index.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder_here) = folders.pop() {
        for entry in std::fs::read_dir(&folder_here).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if !name.starts_with(".git/objects")
                && !name.starts_with(".git/logs")
                && name != ".git/index"
            {
                all.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    all
}

fn repository() -> Tool {
    let tool = Tool::repository();
    tool.git(&["config", "user.name", "Ada Author"]);
    tool.git(&["config", "user.email", "ada@example.com"]);
    tool.write("a.txt", "a\n");
    tool.commit("first", "2020-01-01");
    tool
}

fn script(tool: &Tool, path: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = tool.write(path, text);
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_init_does_remove_undoes_to_the_byte_for_every_kind_of_hook() {
    let layouts: [(&str, &[(&str, &str)]); 4] = [
        ("git", &[(".gitattributes", "*.png binary")]),
        (
            "pre-commit",
            &[(
                ".pre-commit-config.yaml",
                "# ours\nrepos:\n- repo: local\n  hooks: []",
            )],
        ),
        (
            "lefthook",
            &[("lefthook.yml", "pre-commit:\n  jobs:\n    - run: true\n")],
        ),
        (
            "husky",
            &[
                (".husky/pre-commit", "npm test\n"),
                (".husky/pre-push", "git lfs pre-push \"$@\""),
            ],
        ),
    ];
    for (kind, theirs) in layouts {
        let tool = repository();
        script(&tool, ".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
        for (path, text) in theirs {
            tool.write(path, text);
        }
        let before = files(&tool.path());
        let ran = tool.run(["init"]);
        assert_eq!(ran.code, 0, "{kind}: {}{}", ran.out, ran.err);
        let after = files(&tool.path());
        assert!(after.len() > before.len() && after != before, "{kind}");
        let again = tool.run(["init"]);
        assert!(
            again.code == 0 && !again.out.contains("wrote"),
            "{kind}: {}",
            again.out
        );
        assert!(
            files(&tool.path()) == after,
            "{kind}: a second run changes nothing"
        );
        let ran = tool.run(["init", "--remove"]);
        assert_eq!(ran.code, 0, "{kind}: {}{}", ran.out, ran.err);
        let left = files(&tool.path());
        for (name, bytes) in &left {
            assert_eq!(Some(bytes), before.get(name), "{kind}: {name} is left");
        }
        assert_eq!(left.len(), before.len(), "{kind}");
        assert!(tool.run(["init", "--remove"]).out.contains("nothing"));
    }
}

#[test]
fn a_hook_that_is_there_runs_first_with_all_that_git_gives_it() {
    let tool = repository();
    script(
        &tool,
        ".git/hooks/pre-commit",
        "#!/bin/sh\necho theirs >> committed\n",
    );
    script(
        &tool,
        ".git/hooks/pre-push",
        "#!/bin/sh\necho \"$1\" >> pushed; cat >> pushed\n",
    );
    super::with_remote(&tool);
    assert_eq!(tool.run(["init", "--no-baseline"]).code, 0);
    tool.write("a.txt", "b\n");
    passes(&tool, &["commit", "-qam", "x"]);
    assert_eq!(
        std::fs::read_to_string(tool.path().join("committed")).unwrap(),
        "theirs\n"
    );
    passes(&tool, &["push", "-q", "origin", "main"]);
    let pushed = std::fs::read_to_string(tool.path().join("pushed")).unwrap();
    assert!(pushed.starts_with("origin\nrefs/heads/main "), "{pushed}");
    tool.write("a.txt", token());
    stopped(&tool, &["commit", "-am", "x"]);
    // Theirs says no: ours is not asked.
    script(
        &tool,
        ".git/hooks/pre-commit.before-unleak",
        "#!/bin/sh\nexit 7\n",
    );
    let ran = git(&tool, &tool.path(), &["commit", "-am", "x"]);
    assert!(ran.code != 0 && !ran.err.contains("github"), "{}", ran.err);
}

#[test]
fn core_hooks_path_of_the_repository_is_followed_and_one_for_all_is_left_alone() {
    let tool = repository();
    tool.git(&["config", "core.hooksPath", ".githooks"]);
    assert_eq!(tool.run(["init", "--no-baseline"]).code, 0);
    assert!(tool.path().join(".githooks/pre-commit").is_file());
    tool.write("a.txt", token());
    stopped(&tool, &["commit", "-am", "x"]);
    let tool = repository();
    let shared = tool.home().join("hooks");
    std::fs::create_dir(&shared).unwrap();
    tool.git(&["config", "--global", "core.hooksPath", shared.to_str().unwrap()]);
    let ran = tool.run(["init", "--no-baseline"]);
    assert!(ran.code == 2 && ran.err.contains("core.hooksPath"), "{}", ran.err);
    assert_eq!(std::fs::read_dir(&shared).unwrap().count(), 0);
}

#[test]
fn init_in_a_linked_worktree_writes_the_hooks_that_all_share() {
    let tool = repository();
    let linked = tool.home().join("linked");
    tool.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
    assert_eq!(
        tool.run(["init", "--no-baseline", linked.to_str().unwrap()]).code,
        0
    );
    tool.write("a.txt", token());
    stopped(&tool, &["commit", "-am", "x"]);
}

#[test]
fn the_baseline_holds_what_was_there_and_two_branches_join_theirs() {
    let tool = repository();
    tool.write("old.env", token());
    tool.commit("known", "2020-01-02");
    let ran = tool.run(["init"]);
    assert!(ran.out.contains("1 leak that is here already"), "{}", ran.out);
    let baseline = |tool: &Tool| std::fs::read_to_string(tool.path().join(".unleak-baseline")).unwrap();
    assert!(!baseline(&tool).contains(&token()));
    // Where it was copied to is known as well.
    tool.write("copy.env", token());
    tool.git(&["add", "."]);
    passes(&tool, &["commit", "-qm", "copied"]);
    let third = ["glpat", "-YWFhYWFhYWFhYWFhYWFhYW86MQp1OjEH", ".01.0w082kcij"].concat();
    for (branch, secret) in [("one", other_token()), ("two", third)] {
        tool.git(&["checkout", "-q", "-b", branch, "main"]);
        tool.write(&format!("{branch}.env"), secret);
        tool.git(&["add", "."]);
        let ran = tool.run(["scan", "--staged", "--write-baseline", ".unleak-baseline"]);
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        tool.git(&["add", "."]);
        passes(&tool, &["commit", "-qm", branch]);
    }
    passes(&tool, &["merge", "-q", "--no-edit", "one"]);
    let joined = baseline(&tool);
    let known = joined.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(known, 3, "{joined}");
    assert_eq!(tool.run(["scan", "--baseline", ".unleak-baseline", "."]).code, 0);
}

#[test]
fn outside_of_a_repository_init_says_what_to_do() {
    let ran = Tool::new().run(["init"]);
    assert!(ran.code == 3 && ran.err.contains("git init"), "{}", ran.err);
}
