//! A fork's pull request: whoever wrote the commits gets no right, and hides nothing.

use super::{Checkout, Desk};
use crate::support::tool::{other_token, token};

#[test]
fn a_fork_cannot_hide_a_leak_by_the_repositorys_own_files() {
    let desk = Desk::new();
    desk.commit(".unleak.toml", "exclude = [\"docs/\"]\n");
    desk.push("main");
    desk.tool.write(".unleak.toml", "exclude = [\"*\"]\n");
    desk.tool.write("docs/a.env", other_token());
    desk.commit("a.env", &token());
    let baseline = desk
        .tool
        .run(["scan", "--no-history", "--write-baseline", ".unleak-baseline"]);
    assert_eq!(baseline.code, 1);
    desk.tool.commit("x", "2024-01-01");
    let fork = desk.pull_request("eve/shop");
    let ran = desk
        .job("pull_request", &fork, Checkout::Shallow, "refs/pull/7/merge")
        .run(&[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    // The base's file counts, and hides what it names.
    assert!(
        ran.out.contains("1 leak") && !ran.out.contains("docs/a.env:1"),
        "{}",
        ran.out
    );
    // Somebody who may write to the repository may say what does not count.
    let own = desk.pull_request("acme/shop");
    let ran = desk
        .job("pull_request", &own, Checkout::Shallow, "refs/pull/7/merge")
        .run(&[]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

#[test]
fn in_a_fork_nobody_is_asked_and_no_token_is_used() {
    let desk = Desk::new();
    desk.commit("a.env", &token());
    let fork = desk.pull_request("eve/shop");
    let mut job = desk.job("pull_request", &fork, Checkout::Whole, "refs/pull/7/merge");
    // Whatever is asked would be an error that is told, not the warning.
    job.set("GITHUB_TOKEN", "t")
        .set("GITHUB_API_URL", "http://127.0.0.1:1");
    let ran = job.run(&["--verify", "--comment"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(
        ran.err.contains("comes from a fork: no service is asked"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("no GITHUB_TOKEN"), "{}", ran.err);
    assert_eq!(job.outputs()["live"], "0");
}

#[test]
fn pull_request_target_reads_the_commits_and_refuses_a_checkout_of_them() {
    let desk = Desk::new();
    desk.commit("a.env", &token());
    desk.delete("a.env");
    let event = desk.pull_request("eve/shop");
    let ran = desk
        .job(
            "pull_request_target",
            &event,
            Checkout::Shallow,
            "refs/heads/main",
        )
        .run(&[]);
    assert!(
        ran.code == 1 && ran.out.contains("2 commits"),
        "{}{}",
        ran.out,
        ran.err
    );
    for of in ["refs/pull/7/merge", "refs/pull/7/head"] {
        let ran = desk
            .job("pull_request_target", &event, Checkout::Whole, of)
            .run(&[]);
        assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("pull_request_target"), "{}", ran.err);
    }
}
