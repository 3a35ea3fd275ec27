//! Packages: one version, and every file that names it. `tests/tools/packages` builds and installs them.

use std::path::Path;

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
