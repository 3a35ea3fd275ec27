//! Packages: one version, and every file that names it. `tests/tools/packages` builds and installs them.

use std::path::Path;
use std::process::Command;

use crate::support::tool::{Tool, token};

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

#[test]
fn every_package_has_the_version_of_cargo_toml() {
    let version = env!("CARGO_PKG_VERSION");
    let hook = read("pyproject.toml");
    assert!(
        hook.contains(&format!("version = \"{version}\"")) && hook.contains(&format!("unleak=={version}"))
    );
    assert!(read("packaging/wheel/pyproject.toml").contains("dynamic = [\"version\"]"));
    let npm: serde_json::Value = serde_json::from_str(&read("packaging/npm/unleak/package.json")).unwrap();
    assert_eq!(npm["version"], version);
    for (name, wanted) in npm["optionalDependencies"].as_object().unwrap() {
        assert_eq!(wanted, version, "{name}");
    }
    assert!(
        read("packaging/gitlab/unleak.gitlab-ci.yml").contains(&format!("UNLEAK_VERSION: \"{version}\""))
    );
}

/// Every file below `folder` whose text names `word`.
fn naming(folder: &Path, word: &str) -> Vec<String> {
    let tracked = Command::new("git")
        .args(["grep", "--no-index", "-l", "-F", "-e", word, "--"])
        .args(["README.md", "docs", "packaging", "Cargo.toml", "action.yml"])
        .current_dir(folder)
        .output()
        .unwrap();
    let said = String::from_utf8(tracked.stdout).unwrap();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn where_the_project_lives_is_said_once_and_reaches_every_package_and_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let copy = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .args(["-r", "README.md", "docs", "packaging", "Cargo.toml", "action.yml"])
        .arg(copy.path())
        .current_dir(root)
        .status();
    assert!(copied.unwrap().success());
    let run = |script: &str, args: &[&str]| {
        let output = Command::new(copy.path().join(script))
            .args(args)
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap().trim().to_owned(),
        )
    };
    assert_eq!(
        run("packaging/about", &["repository"]).1,
        env!("CARGO_PKG_REPOSITORY")
    );
    assert!(!run("packaging/address", &["not an address"]).0);
    for address in [
        "https://git.example.com/acme/unleak",
        "https://example.org/x/leaks",
    ] {
        assert!(run("packaging/address", &[address]).0);
        assert_eq!(run("packaging/about", &["repository"]).1, address);
        let toml: toml::Table = std::fs::read_to_string(copy.path().join("Cargo.toml"))
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(toml["package"]["repository"].as_str(), Some(address));
        let page = std::fs::read_to_string(copy.path().join("docs/github-action.md")).unwrap();
        let path = address.splitn(4, '/').nth(3).unwrap();
        assert!(page.contains(&format!("uses: {path}@")), "{page}");
        let page = std::fs::read_to_string(copy.path().join("docs/hooks.md")).unwrap();
        assert!(page.contains(&format!("repo: {address}")), "{page}");
    }
    assert_eq!(naming(copy.path(), "git.example.com"), [""; 0]);
    // What is left is the way to say it.
    assert_eq!(
        naming(copy.path(), "OWNER/unleak"),
        ["packaging/address"],
        "packaging/address passes these over"
    );
}

#[test]
fn every_action_that_a_workflow_uses_is_pinned_to_a_commit_and_says_which_release_it_is() {
    let mut files = vec!["action.yml".to_owned(), "docs/github-action.md".to_owned()];
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows")).unwrap() {
        files.push(format!(
            ".github/workflows/{}",
            entry.unwrap().file_name().display()
        ));
    }
    let mut pins = std::collections::BTreeMap::new();
    for file in files {
        for line in read(&file).lines() {
            let Some((_, used)) = line.split_once("uses: ") else {
                continue;
            };
            if used.starts_with("OWNER/") || used.trim() == "composite" {
                continue;
            }
            let (action, pin) = used.split_once('@').unwrap_or_else(|| panic!("{file}: {used}"));
            let (commit, release) = pin.split_once(" # v").unwrap_or_else(|| panic!("{file}: {used}"));
            assert!(
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{file}: {used}"
            );
            let known = pins.entry(action.to_owned()).or_insert_with(|| pin.to_owned());
            assert_eq!(known, pin, "{file}: {action} {release} beside another");
        }
    }
    assert!(pins.len() > 4, "{pins:?}");
}

#[test]
fn every_script_that_a_workflow_runs_is_there_and_can_be_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = std::collections::BTreeSet::new();
    for workflow in ["ci", "release"] {
        let text = read(&format!(".github/workflows/{workflow}.yml"));
        let words = text.split(|c: char| c.is_whitespace() || "\"'()".contains(c));
        for word in words.filter_map(|word| {
            let word = word.strip_prefix("$GITHUB_WORKSPACE/").unwrap_or(word);
            ["packaging/", "tests/"]
                .iter()
                .any(|folder| word.starts_with(folder))
                .then_some(word)
        }) {
            let script = root.join(word);
            if word.ends_with(".md") {
                continue;
            }
            let mode = std::fs::metadata(&script).unwrap_or_else(|error| panic!("{word}: {error}"));
            assert!(mode.permissions().mode() & 0o111 != 0, "{word}");
            seen.insert(word.to_owned());
        }
    }
    for script in [
        "packaging/binary",
        "packaging/assemble",
        "packaging/try",
        "tests/run",
    ] {
        assert!(seen.contains(script), "{script} in {seen:?}");
    }
}

#[test]
fn what_a_crate_is_built_from_is_in_the_package_and_nothing_else() {
    let listed = Command::new(env!("CARGO"))
        .args(["package", "--list", "--offline", "--allow-dirty"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr)
    );
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files: Vec<&str> = listed.lines().collect();
    for wanted in [
        "Cargo.lock",
        "LICENSE",
        "README.md",
        "src/build.rs",
        "rules/github.toml",
    ] {
        assert!(files.contains(&wanted), "{wanted}");
    }
    let rules = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap();
    let rules = rules.filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        path.extension().is_some_and(|extension| extension == "toml")
    });
    let packed = files.iter().filter(|file| file.starts_with("rules/"));
    assert_eq!(packed.count(), rules.count());
    for file in files {
        let at_home = ["src/", "rules/"].iter().any(|folder| file.starts_with(folder));
        assert!(at_home || !file.contains('/'), "{file} is of no use there");
    }
}

#[test]
fn self_check_says_what_works_and_ends_with_3_where_something_stands_in_the_way() {
    let tool = Tool::repository();
    let ran = tool.run(["self-check"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for part in ["git version", "rules of", "not used", "none of unleak's"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    tool.write("a.env", token());
    tool.commit("leak", "2024-01-01");
    assert_eq!(tool.run(["init"]).code, 0);
    let ran = tool.run(["self-check"]);
    assert!(
        ran.out.contains("pre-push") && ran.out.contains("knows 1 leaks"),
        "{}",
        ran.out
    );
    tool.write(".unleak.toml", "no = [toml");
    tool.write(".unleak-baseline", "nonsense");
    let ran = tool.run(["self-check"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert_eq!(ran.out.matches("WRONG").count(), 2, "{}", ran.out);
    // Hooks that git does not look for here.
    tool.write(".unleak.toml", "");
    tool.git(&["config", "--global", "core.hooksPath", "/nonexistent"]);
    let ran = tool.run(["self-check"]);
    assert!(ran.out.contains("WRONG  hooks"), "{}", ran.out);
}

#[test]
fn a_baselines_unused_entries_are_listed_and_taken_out_only_after_a_scan_without_a_gap() {
    let tool = Tool::new();
    tool.write("a.env", token());
    tool.write("b.env", crate::support::tool::other_token());
    let baseline = || std::fs::read_to_string(tool.path().join("known")).unwrap();
    assert_eq!(
        tool.run(["scan", "--no-history", "--write-baseline", "known"])
            .code,
        1
    );
    std::fs::remove_file(tool.path().join("b.env")).unwrap();
    let args = ["scan", "--baseline", "known"];
    let list = tool.run([args.as_slice(), &["--list-unused"]].concat());
    assert!(
        list.code == 0 && list.err.contains("1 of 2 entries"),
        "{}{}",
        list.out,
        list.err
    );
    let before = baseline();
    let gap = tool.run([args.as_slice(), &["--prune-baseline", ".", "nosuch"]].concat());
    assert!(gap.code == 3 && baseline() == before, "{}", gap.err);
    assert_eq!(
        tool.run([args.as_slice(), &["--prune-baseline", "--only", "github"]].concat())
            .code,
        2
    );
    let pruned = tool.run([args.as_slice(), &["--prune-baseline"]].concat());
    assert_eq!(pruned.code, 0, "{}", pruned.err);
    assert_eq!(baseline().lines().count(), before.lines().count() - 1);
}
