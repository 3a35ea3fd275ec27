//! Each event of GitHub: the right commits, all of them, from whatever was checked out.

use serde_json::json;

use super::{Checkout, Desk};
use crate::support::tool::token;

#[test]
fn a_pull_request_is_scanned_commit_by_commit_also_from_a_checkout_of_depth_one() {
    let desk = Desk::new();
    desk.commit("b.txt", "b\n");
    let culprit = desk.commit("config/prod.env", &format!("A=1\nTOKEN={}\n", token()));
    desk.delete("config/prod.env");
    for number in 0..60 {
        desk.commit("b.txt", &format!("{number}\n"));
    }
    let event = desk.pull_request("acme/shop");
    for checkout in [Checkout::Shallow, Checkout::Whole] {
        let job = desk.job("pull_request", &event, checkout, "refs/pull/7/merge");
        let ran = job.run(&["--report", "sarif=out.sarif"]);
        assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
        assert!(
            ran.out.contains("pull request 7") && ran.out.contains("63 commits"),
            "{}",
            ran.out
        );
        let annotation = ran
            .out
            .lines()
            .find(|line| line.starts_with("::error file="))
            .unwrap();
        for part in [
            "file=config/prod.env,line=2,endLine=2,col=7",
            &culprit[..12],
            "Revoke it",
        ] {
            assert!(annotation.contains(part), "{part} in {annotation}");
        }
        let outputs = job.outputs();
        assert_eq!(
            (outputs["count"].as_str(), outputs["complete"].as_str()),
            ("1", "true")
        );
        assert_eq!(outputs["sarif"], "out.sarif");
        let sarif = std::fs::read_to_string(job.folder().join("out.sarif")).unwrap();
        let sarif: serde_json::Value = serde_json::from_str(&sarif).unwrap();
        assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 1);
        let summary = job.read("summary");
        assert!(
            summary.contains("## unleak: 1 leak found") && summary.contains("config/prod.env&#58;2"),
            "{summary}"
        );
    }
}

#[test]
fn a_secret_is_masked_before_anything_else_is_said_and_its_lines_each() {
    let desk = Desk::new();
    desk.commit("a.env", &token());
    let event = desk.pull_request("acme/shop");
    let job = desk.job("pull_request", &event, Checkout::Whole, "refs/pull/7/merge");
    let ran = job.run(&[]);
    assert_eq!(
        ran.out.lines().next(),
        Some(format!("::add-mask::{}", token()).as_str())
    );
    assert!(!job.run(&["--no-mask"]).out.contains("::add-mask::"));
}

#[test]
fn a_checkout_that_cannot_be_completed_is_refused_and_never_called_clean() {
    let desk = Desk::new();
    desk.commit("a.env", &token());
    desk.commit("b.txt", "b\n");
    let event = desk.pull_request("acme/shop");
    let job = desk.job("pull_request", &event, Checkout::Shallow, "refs/pull/7/merge");
    let ran = job.run(&["--no-fetch"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("fetch-depth: 0"), "{}", ran.err);
    let git = |args: &[&str]| desk.tool.git_in(&job.folder(), args);
    git(&["remote", "set-url", "origin", "file:///nonexistent"]);
    let ran = job.run(&[]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("fetch-depth: 0"), "{}", ran.err);
    // With the head alone, its parents unknown.
    git(&[
        "remote",
        "set-url",
        "origin",
        &format!("file://{}", desk.server.display()),
    ]);
    let head = event["pull_request"]["head"]["sha"].as_str().unwrap();
    git(&["fetch", "-q", "--depth=1", "origin", head, "refs/heads/main"]);
    let ran = job.run(&["--no-fetch"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
}

fn pushed(before: &str, after: &str, to: &str) -> serde_json::Value {
    json!({
        "ref": format!("refs/heads/{to}"),
        "before": before,
        "after": after,
        "deleted": after.bytes().all(|byte| byte == b'0'),
        "repository": { "full_name": "acme/shop", "default_branch": "main" },
    })
}

#[test]
fn a_push_is_scanned_from_what_was_there_before() {
    let desk = Desk::new();
    let before = desk.head();
    desk.commit("a.env", &token());
    let after = desk.delete("a.env");
    desk.push("main");
    for checkout in [Checkout::Shallow, Checkout::Whole] {
        let job = desk.job(
            "push",
            &pushed(&before, &after, "main"),
            checkout,
            "refs/heads/main",
        );
        let ran = job.run(&[]);
        assert!(
            ran.code == 1 && ran.out.contains("2 commits"),
            "{}{}",
            ran.out,
            ran.err
        );
    }
    let next = desk.commit("b.txt", "b\n");
    desk.push("main");
    let job = desk.job(
        "push",
        &pushed(&after, &next, "main"),
        Checkout::Shallow,
        "refs/heads/main",
    );
    let ran = job.run(&[]);
    assert!(
        ran.code == 0 && ran.out.contains("1 commit"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[test]
fn a_new_branch_is_scanned_also_if_another_one_has_its_commits_already() {
    let desk = Desk::new();
    let zero = "0".repeat(40);
    desk.commit("a.env", &token());
    let after = desk.delete("a.env");
    desk.push("one");
    desk.push("two");
    for checkout in [Checkout::Shallow, Checkout::Whole] {
        let job = desk.job("push", &pushed(&zero, &after, "two"), checkout, "refs/heads/two");
        let ran = job.run(&[]);
        assert!(
            ran.code == 1 && ran.out.contains("2 commits"),
            "{}{}",
            ran.out,
            ran.err
        );
    }
    // The first push of the default branch: everything.
    desk.push("main");
    let job = desk.job(
        "push",
        &pushed(&zero, &after, "main"),
        Checkout::Shallow,
        "refs/heads/main",
    );
    let ran = job.run(&[]);
    assert!(
        ran.code == 1 && ran.out.contains("5 commits"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[test]
fn a_forced_push_whose_former_commit_is_gone_is_scanned_further_back_and_not_less() {
    let desk = Desk::new();
    let gone = "1".repeat(40);
    desk.tool.git(&["checkout", "-q", "-b", "side"]);
    desk.commit("a.env", &token());
    let after = desk.delete("a.env");
    desk.push("side");
    let job = desk.job(
        "push",
        &pushed(&gone, &after, "side"),
        Checkout::Whole,
        "refs/heads/side",
    );
    let ran = job.run(&[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    let job = desk.job(
        "push",
        &pushed(&gone, &after, "side"),
        Checkout::Shallow,
        "refs/heads/side",
    );
    let ran = job.run(&[]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
}

#[test]
fn a_deleted_branch_brings_nothing_and_says_so() {
    let desk = Desk::new();
    let event = pushed(&desk.head(), &"0".repeat(40), "old");
    let job = desk.job("push", &event, Checkout::Shallow, "refs/heads/main");
    let ran = job.run(&[]);
    assert!(
        ran.code == 0 && ran.out.contains("push to old"),
        "{}{}",
        ran.out,
        ran.err
    );
}

#[test]
fn a_merge_group_is_scanned_from_its_base() {
    let desk = Desk::new();
    let base = desk.head();
    desk.commit("a.env", &token());
    let head = desk.delete("a.env");
    desk.push("gh-readonly-queue/main/pr-7");
    let event = json!({ "merge_group": { "base_sha": base, "head_sha": head }, "repository": { "full_name": "acme/shop" } });
    let of = "refs/heads/gh-readonly-queue/main/pr-7";
    for checkout in [Checkout::Shallow, Checkout::Whole] {
        let ran = desk.job("merge_group", &event, checkout, of).run(&[]);
        assert!(
            ran.code == 1 && ran.out.contains("2 commits"),
            "{}{}",
            ran.out,
            ran.err
        );
    }
}

#[test]
fn a_schedule_and_a_run_by_hand_scan_the_whole_history() {
    let desk = Desk::new();
    desk.commit("a.env", &token());
    desk.delete("a.env");
    desk.push("main");
    let event = json!({ "repository": { "full_name": "acme/shop" } });
    for name in ["schedule", "workflow_dispatch"] {
        for checkout in [Checkout::Shallow, Checkout::Whole] {
            let ran = desk.job(name, &event, checkout, "refs/heads/main").run(&[]);
            assert!(
                ran.code == 1 && ran.out.contains("a.env:1:1"),
                "{}{}",
                ran.out,
                ran.err
            );
        }
    }
}

#[test]
fn an_event_that_cannot_be_read_ends_with_3() {
    let desk = Desk::new();
    let job = desk.job(
        "pull_request",
        &json!({ "pull_request": {} }),
        Checkout::Whole,
        "refs/heads/main",
    );
    let ran = job.run(&[]);
    assert!(
        ran.code == 3 && ran.err.contains("/pull_request/number"),
        "{}",
        ran.err
    );
    std::fs::write(job.file("event.json"), "{").unwrap();
    assert_eq!(job.run(&[]).code, 3);
    std::fs::remove_file(job.file("event.json")).unwrap();
    assert_eq!(job.run(&[]).code, 3);
}

#[test]
fn the_name_of_a_file_that_repeats_a_secret_is_shown_without_it() {
    let desk = Desk::new();
    desk.commit(&format!("{}.env", token()), &token());
    let event = desk.pull_request("acme/shop");
    let job = desk.job("pull_request", &event, Checkout::Whole, "refs/pull/7/merge");
    let ran = job.run(&[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("::error file=[REDACTED].env,line=1"),
        "{}",
        ran.out
    );
    let lines = ran.out.lines().filter(|line| !line.starts_with("::add-mask::"));
    for line in lines.chain(ran.err.lines()).chain(job.read("summary").lines()) {
        assert!(!line.contains(&token()), "{line}");
    }
}

#[test]
fn the_name_of_a_file_cannot_be_a_command() {
    let desk = Desk::new();
    desk.commit(
        "x,line=9::y\n::error::pwned\n::set-output name=count::0|a`b",
        &token(),
    );
    desk.commit("::stop-commands::x", &token());
    let event = desk.pull_request("acme/shop");
    let job = desk.job("pull_request", &event, Checkout::Whole, "refs/pull/7/merge");
    let ran = job.run(&[]);
    assert_eq!(ran.code, 1);
    let mut quoted: Option<String> = None;
    for line in ran
        .out
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with("::"))
    {
        match &quoted {
            Some(word) if line == word => quoted = None,
            Some(_) => {}
            None => {
                if let Some(word) = line.strip_prefix("::stop-commands::") {
                    assert_eq!(word.len(), 32, "{line}");
                    quoted = Some(format!("::{word}::"));
                    continue;
                }
                let known = ["::add-mask::", "::error file=", "::warning title=unleak::"];
                assert!(known.iter().any(|known| line.starts_with(known)), "{line}");
                let properties = line[2..].split("::").next().unwrap_or_default();
                assert!(!properties.contains(",line=9"), "{line}");
            }
        }
    }
    assert_eq!(quoted, None);
    assert_eq!(job.outputs()["count"], "1");
    let table = job.read("summary");
    assert!(!table.contains("\n::") && !table.contains('`'), "{table}");
}
