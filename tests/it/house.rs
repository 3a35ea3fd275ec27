//! The rules of this repository that no compiler knows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No file of ours is longer.
const MOST_LINES: usize = 400;

/// Names that say nothing; what would go there has a better home.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "helper", "helpers", "common", "core", "misc", "manager", "managers",
];

#[test]
fn no_source_file_is_longer_than_four_hundred_lines() {
    let long: Vec<String> = rust_files()
        .into_iter()
        .filter_map(|file| {
            let lines = fs::read_to_string(&file).unwrap().lines().count();
            (lines > MOST_LINES).then(|| format!("{} has {lines} lines", file.display()))
        })
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn no_module_has_an_empty_name() {
    let files = rust_files();
    let named = files.iter().filter(|file| {
        let below = file.strip_prefix(root()).unwrap();
        below
            .iter()
            .filter_map(|part| part.to_str())
            .any(|part| EMPTY_NAMES.contains(&part.trim_end_matches(".rs")))
    });
    let named: Vec<_> = named.map(|file| file.display().to_string()).collect();
    assert!(named.is_empty(), "say what these hold:\n{}", named.join("\n"));
}

#[test]
fn every_module_says_what_it_is() {
    let silent: Vec<String> = rust_files()
        .into_iter()
        .filter(|file| !fs::read_to_string(file).unwrap().starts_with("//! "))
        .map(|file| file.display().to_string())
        .collect();
    assert!(
        silent.is_empty(),
        "these do not open with `//!`:\n{}",
        silent.join("\n")
    );
}

#[test]
fn every_test_module_is_declared_with_a_comment() {
    let main = fs::read_to_string(root().join("tests/it/main.rs")).unwrap();
    let mut declared = BTreeSet::new();
    for line in main.lines().filter(|line| line.starts_with("mod ")) {
        let (name, comment) = line["mod ".len()..]
            .split_once("; // ")
            .unwrap_or_else(|| panic!("no comment behind it: {line}"));
        assert!(!comment.is_empty() && declared.insert(name.to_owned()), "{line}");
    }
    let present: BTreeSet<String> = fs::read_dir(root().join("tests/it"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("main.rs"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        declared, present,
        "tests/it/main.rs forgets a file, or names one that is gone"
    );
}

/// Where packages come from is each machine's business, not this repository's.
#[test]
fn no_tracked_file_names_the_host_of_a_package_registry() {
    let hosts = [
        ["index.", "crates.io"],
        ["static.", "crates.io"],
        ["//", "crates.io"],
        ["registry.", "npmjs.org"],
        ["registry.", "yarnpkg.com"],
        ["//", "pypi.org"],
        ["files.", "pythonhosted.org"],
        ["deb.", "debian.org"],
        ["security.", "debian.org"],
        ["proxy.", "golang.org"],
    ]
    .map(|parts| parts.concat());
    let mut named = Vec::new();
    for file in tracked_files() {
        let Ok(bytes) = fs::read(&file) else {
            continue; // deleted, and not yet committed
        };
        let text = String::from_utf8_lossy(&bytes);
        let found = hosts.iter().filter(|host| text.contains(host.as_str()));
        named.extend(found.map(|host| format!("{}: {host}", file.display())));
    }
    assert!(named.is_empty(), "{}", named.join("\n"));
}

#[test]
fn the_ways_to_run_the_tests_are_one_way() {
    let read = |file: &str| fs::read_to_string(root().join(file)).unwrap();
    for file in [".ci/run", ".github/workflows/ci.yml"] {
        assert!(read(file).contains("tests/run"), "{file} must call tests/run");
    }
    let workflow = read(".github/workflows/ci.yml");
    for line in workflow.lines().filter(|line| line.contains("uses:")) {
        let pin = line.split('@').nth(1).unwrap_or_default();
        let sha: String = pin.chars().take_while(char::is_ascii_hexdigit).collect();
        assert_eq!(sha.len(), 40, "not pinned by a full commit id: {line}");
    }
    assert!(workflow.contains("\npermissions: {}\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files that git tracks or would, if they were added.
fn tracked_files() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .env_remove("GIT_DIR")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_WORK_TREE")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let files: Vec<PathBuf> = String::from_utf8(output.stdout)
        .unwrap()
        .split_terminator('\0')
        .map(|path| root().join(path))
        .collect();
    assert!(files.len() > 20, "git lists only {files:?}");
    files
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = tracked_files();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs") && file.exists());
    files
}
