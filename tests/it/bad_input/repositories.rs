//! Repositories that are broken or not ours: what was not read is a gap that is told, never a clean scan.

use std::path::Path;

use super::ends;
use crate::support::tool::{Tool, token};

/// A repository with a leak in a deleted file, packed.
fn packed() -> Tool {
    let tool = Tool::repository();
    tool.write("app.env", format!("TOKEN={}\n", token()));
    tool.write(
        "lines",
        (0..3000).map(|line| format!("{line}\n")).collect::<String>(),
    );
    tool.commit("one", "2024-01-01");
    std::fs::remove_file(tool.path().join("app.env")).unwrap();
    tool.commit("two", "2024-01-02");
    tool.git(&["gc", "--quiet"]);
    ends(&tool.run(["scan", "."]), 1, &["app.env"]);
    tool
}

fn only(folder: &Path, ending: &str) -> std::path::PathBuf {
    let mut entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .find(|path| path.to_string_lossy().ends_with(ending))
        .unwrap()
}

/// Changes the bytes of a file that git made read-only.
fn spoil(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(file).unwrap();
    change(&mut bytes);
    std::fs::remove_file(file).unwrap();
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_corrupt_pack_makes_the_scan_incomplete() {
    let tool = packed();
    let pack = only(&tool.path().join(".git/objects/pack"), ".pack");
    spoil(&pack, |bytes| {
        let end = bytes.len() - 20;
        bytes[12..end]
            .iter_mut()
            .step_by(7)
            .for_each(|byte| *byte ^= 0x5a);
    });
    ends(&tool.run(["scan", "."]), 3, &["The scan is incomplete"]);
    let tool = packed();
    let index = only(&tool.path().join(".git/objects/pack"), ".idx");
    spoil(&index, |bytes| bytes.truncate(100));
    ends(&tool.run(["scan", "."]), 3, &["The scan is incomplete"]);
}

#[test]
fn a_truncated_index_stops_what_reads_it_and_nothing_else() {
    let tool = packed();
    let index = tool.path().join(".git/index");
    spoil(&index, |bytes| bytes.truncate(20));
    let ran = tool.run(["scan", "--staged"]);
    ends(&ran, 3, &["nothing was scanned", "index", "hint: ", "git status"]);
    ends(&tool.run(["scan", "."]), 1, &["app.env"]);
}

#[test]
fn a_git_file_that_points_nowhere_is_a_gap_and_no_clean_folder() {
    let tool = Tool::new();
    tool.write("app/.git", "gitdir: /nowhere/at/all\n");
    tool.write("app/readme", "hello\n");
    let ran = tool.run(["scan", "app"]);
    ends(&ran, 3, &["app/.git leads to no repository", "git -C app status"]);
    ends(
        &tool.run(["scan", "--staged", "app"]),
        3,
        &["is not in a git repository", "hint: "],
    );
    tool.write("plain/readme", "hello\n");
    ends(&tool.run(["scan", "plain"]), 0, &["No leaks found"]);
}

#[test]
fn a_loop_of_refs_is_a_gap_that_is_named() {
    let tool = packed();
    tool.write(".git/refs/heads/a", "ref: refs/heads/b\n");
    tool.write(".git/refs/heads/b", "ref: refs/heads/a\n");
    let ran = tool.run(["scan", "."]);
    ends(
        &ran,
        3,
        &["app.env", "ref refs/heads/a", "ref refs/heads/b", "incomplete"],
    );
}

#[test]
fn a_repository_of_somebody_else_is_a_gap_with_the_way_to_trust_it() {
    use std::os::unix::fs::chown;
    let tool = packed();
    for folder in [tool.path(), tool.path().join(".git")] {
        if chown(&folder, Some(65_534), Some(65_534)).is_err() {
            return; // only root can give a folder away
        }
    }
    let whole = tool.path().canonicalize().unwrap();
    let trust = format!("git config --global --add safe.directory {}", whole.display());
    for args in [
        &["scan", "."][..],
        &["scan", "--staged"],
        &["scan", "--range", "HEAD~1..HEAD"],
    ] {
        ends(&tool.run(args), 3, &["belongs to another user", &trust]);
    }
}
