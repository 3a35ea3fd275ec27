//! GitLab and shells without a CI system: the same by other variables.

use super::{Checkout, Desk};
use crate::support::tool::{Ran, token};

fn run(desk: &Desk, folder: &std::path::Path, variables: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = desk.tool.command(env!("CARGO_BIN_EXE_unleak"));
    command.current_dir(folder).envs(variables.iter().copied());
    Ran::of(&command.arg("ci").args(args).output().unwrap())
}

#[test]
fn a_merge_request_of_gitlab_is_scanned_from_its_base_with_a_depth_of_one() {
    let desk = Desk::new();
    let base = desk.head();
    desk.commit("a.env", &token());
    let head = desk.delete("a.env");
    desk.push("feature");
    let job = desk.job(
        "",
        &serde_json::json!({}),
        Checkout::Shallow,
        "refs/heads/feature",
    );
    let variables = [
        ("GITLAB_CI", "true"),
        ("CI_PIPELINE_SOURCE", "merge_request_event"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base.as_str()),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_MERGE_REQUEST_PROJECT_ID", "1"),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "1"),
        ("CI_COMMIT_SHA", head.as_str()),
        ("CI_COMMIT_BEFORE_SHA", "0000000000000000000000000000000000000000"),
    ];
    let ran = run(&desk, &job.folder(), &variables, &["--report", "json=leaks.json"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("merge request 7") && ran.out.contains("2 commits"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("::"), "no commands of GitHub: {}", ran.out);
    let report = std::fs::read_to_string(job.folder().join("leaks.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["summary"]["leaks"], 1);
    assert!(!report.to_string().contains(&token()));
}

#[test]
fn without_a_ci_system_a_base_can_be_named_and_else_everything_is_scanned() {
    let desk = Desk::new();
    let folder = desk.tool.path();
    assert_eq!(run(&desk, &folder, &[], &["--base", "HEAD~1"]).code, 0);
    desk.commit("a.env", &token());
    desk.delete("a.env");
    assert_eq!(run(&desk, &folder, &[], &["--base", "HEAD~1"]).code, 0);
    assert_eq!(run(&desk, &folder, &[], &["--base", "HEAD~2"]).code, 1);
    assert_eq!(
        run(&desk, &folder, &[], &["--base", "main", "--head", "HEAD"]).code,
        3,
        "main is HEAD here"
    );
    assert_eq!(run(&desk, &folder, &[], &["--base", "nosuch"]).code, 3);
    assert_eq!(run(&desk, &folder, &[], &[]).code, 1);
    assert_eq!(run(&desk, &folder, &[], &["--report", "nosuch=x"]).code, 2);
    assert_eq!(run(&desk, &desk.tool.home(), &[], &[]).code, 3, "no repository");
}
