//! Other CI systems than GitHub, and shells without one: the same by other variables.

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

type Variables = &'static [(&'static str, &'static str)];

/// How a CI system tells of a change, and that it comes from a fork.
struct System {
    what: &'static str,
    variables: Variables,
    fork: Variables,
}

const SYSTEMS: [System; 4] = [
    System {
        what: "change 7",
        variables: &[
            ("JENKINS_URL", "https://ci.example.com/"),
            ("CHANGE_ID", "7"),
            ("CHANGE_TARGET", "main"),
        ],
        fork: &[("CHANGE_FORK", "eve")],
    },
    System {
        what: "pull request 7",
        variables: &[
            ("BUILDKITE", "true"),
            ("BUILDKITE_PULL_REQUEST", "7"),
            ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main"),
            ("BUILDKITE_REPO", "git@example.com:acme/shop.git"),
        ],
        fork: &[("BUILDKITE_PULL_REQUEST_REPO", "https://example.com/eve/shop")],
    },
    System {
        what: "pull request 7",
        variables: &[
            ("TF_BUILD", "True"),
            ("BUILD_REASON", "PullRequest"),
            ("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/main"),
            ("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "7"),
        ],
        fork: &[("SYSTEM_PULLREQUEST_ISFORK", "True")],
    },
    System {
        what: "pull request 7",
        variables: &[
            ("BITBUCKET_BUILD_NUMBER", "1"),
            ("BITBUCKET_PR_ID", "7"),
            ("BITBUCKET_PR_DESTINATION_BRANCH", "main"),
        ],
        fork: &[],
    },
];

#[test]
fn jenkins_buildkite_azure_and_bitbucket_scan_a_change_against_its_branch_and_ask_nobody_for_a_fork() {
    let desk = Desk::new();
    desk.commit("a.env", &token());
    desk.delete("a.env");
    desk.push("feature");
    for System {
        what,
        variables,
        fork,
    } in SYSTEMS
    {
        let job = desk.job(
            "",
            &serde_json::json!({}),
            Checkout::Shallow,
            "refs/heads/feature",
        );
        let ran = run(
            &desk,
            &job.folder(),
            variables,
            &["--report", "sarif=leaks.sarif"],
        );
        assert_eq!(ran.code, 1, "{variables:?}: {}{}", ran.out, ran.err);
        assert!(
            ran.out.contains(what) && ran.out.contains("2 commits"),
            "{variables:?}: {}",
            ran.out
        );
        let report = std::fs::read_to_string(job.folder().join("leaks.sarif")).unwrap();
        assert!(report.contains("\"a.env\"") && !report.contains(&token()));
        if !fork.is_empty() {
            let forked = [variables, fork].concat();
            let ran = run(&desk, &job.folder(), &forked, &["--verify"]);
            assert_eq!(ran.code, 1, "{variables:?}: {}{}", ran.out, ran.err);
            assert!(
                ran.err.contains("comes from a fork: no service is asked"),
                "{variables:?}: {}",
                ran.err
            );
        }
        // Without a change there is no base: everything is looked at.
        let ran = run(&desk, &job.folder(), &variables[..1], &[]);
        assert!(
            ran.code == 1 && ran.out.contains(": everything"),
            "{variables:?}: {}{}",
            ran.out,
            ran.err
        );
    }
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
