//! GitHub in a bad mood: limits, refusals, owners that nobody may list.

use std::time::{Duration, Instant};

use super::{GitHub, classic, desk, message};
use crate::played_services::{allow, verdict};
use crate::support::local::Said;

fn wait_a_second() -> Said {
    message(429, "API rate limit exceeded").with("Retry-After", "1")
}

fn wait_a_second_by_403() -> Said {
    message(403, "You have exceeded a secondary rate limit").with("Retry-After", "1")
}

fn wait_an_hour() -> Said {
    message(403, "You have exceeded a secondary rate limit").with("Retry-After", "3600")
}

fn none_left() -> Said {
    let in_an_hour = jiff::Timestamp::now().as_second() + 3600;
    message(403, "API rate limit exceeded for 203.0.113.7")
        .with("X-RateLimit-Remaining", "0")
        .with("X-RateLimit-Reset", &in_an_hour.to_string())
}

fn not_valid() -> Said {
    message(422, "Validation Failed")
}

#[test]
fn a_short_limit_is_waited_for() {
    let leaked = classic();
    for limit in [wait_a_second as fn() -> Said, wait_a_second_by_403] {
        let mut service = GitHub::with(&[(&leaked, None)]);
        service.instead.insert("GET /user", vec![limit]);
        let github = service.play();
        let desk = desk(&github, "");
        desk.keep_secret(&leaked);
        let started = Instant::now();
        let asked = desk.ask(&["verify"], leaked.as_bytes());
        assert_eq!(asked.code, 1, "{} {}", asked.out, asked.err);
        assert!(started.elapsed() >= Duration::from_secs(1));
    }
}

#[test]
fn a_long_limit_leaves_the_verdict_unknown_and_says_when_to_come_back() {
    let leaked = classic();
    for limit in [wait_an_hour as fn() -> Said, none_left] {
        let mut service = GitHub::with(&[(&leaked, None)]);
        service.instead.insert("GET /user", vec![limit; 9]);
        let github = service.play();
        let desk = desk(&github, &allow("github", "revoke"));
        desk.leak("deploy.env", &format!("TOKEN={leaked}\n"), &leaked);
        let finding = desk.only_finding(&["--respond"]);
        assert_eq!(verdict(&finding), "unknown", "{finding}");
        let reason = finding["verdict"]["reason"].as_str().unwrap();
        assert!(reason.starts_with("rate limited: ask again after 20"), "{reason}");
        assert_eq!(github.asked().len(), 1, "left alone: {:?}", github.asked());
    }
}

#[test]
fn a_revocation_that_met_a_limit_is_made_by_the_next_run() {
    let leaked = classic();
    for limit in [wait_an_hour as fn() -> Said, none_left] {
        let mut service = GitHub::with(&[(&leaked, None)]);
        service.instead.insert("POST /credentials/revoke", vec![limit]);
        let github = service.play();
        let desk = desk(&github, &allow("github", "revoke"));
        desk.leak("deploy.env", &format!("TOKEN={leaked}\n"), &leaked);
        let first = desk.run(&["scan", ".", "--respond"]);
        assert_eq!(first.code, 1, "{}", first.err);
        assert!(first.err.contains("revoke: put off: "), "{}", first.err);
        assert!(
            first.err.contains("rate limited: ask again after 20"),
            "{}",
            first.err
        );
        let sent = github.asked_for("POST /credentials/revoke");
        assert_eq!(
            sent.len(),
            1,
            "the limit is not answered with a second try: {sent:?}"
        );
        let second = desk.run(&["scan", ".", "--respond"]);
        assert!(
            second.err.contains("revoke: done and proved (secret)"),
            "{}",
            second.err
        );
        assert!(github.state().revoked.contains(&leaked));
    }
}

#[test]
fn a_request_that_github_calls_invalid_is_refused_and_leaves_the_way_by_hand() {
    let leaked = classic();
    let mut service = GitHub::with(&[(&leaked, None)]);
    service
        .instead
        .insert("POST /credentials/revoke", vec![not_valid; 9]);
    let github = service.play();
    let desk = desk(&github, &allow("github", "revoke"));
    desk.leak("deploy.env", &format!("TOKEN={leaked}\n"), &leaked);
    let first = desk.run(&["scan", ".", "--respond"]);
    assert_eq!(first.code, 1, "{}", first.err);
    assert!(first.err.contains("revoke: refused: "), "{}", first.err);
    assert!(first.err.contains("the service answered 422"), "{}", first.err);
    assert!(
        first.err.contains("by hand: https://github.com/settings/tokens"),
        "{}",
        first.err
    );
    let sent = github.asked_for("POST").len();
    desk.run(&["scan", ".", "--respond"]);
    assert_eq!(
        github.asked_for("POST").len(),
        sent,
        "a refusal is not argued with"
    );
}

#[test]
fn owners_that_the_operator_may_not_list_are_a_gap_that_is_said() {
    let leaked = classic();
    let github = GitHub::with(&[(&leaked, None)]).play();
    let desk = desk(&github, "");
    desk.keep_secret(&leaked);
    let credential = desk.tool.path().with_file_name("github.token");
    std::fs::write(&credential, "another").unwrap();
    let owners = desk.ask(&["owners"], leaked.as_bytes());
    assert_eq!(owners.code, 3, "{}", owners.out);
    assert!(
        owners
            .out
            .contains("the owners of acme could not be listed: the service answered 403"),
        "{}",
        owners.out
    );
    assert!(
        owners.out.contains("services.github.credential"),
        "{}",
        owners.out
    );
    std::fs::remove_file(&credential).unwrap();
    let none = desk.ask(&["owners"], leaked.as_bytes());
    assert_eq!(none.code, 2, "{}", none.out);
    assert!(
        none.err.contains("credential_file cannot be used") && none.err.contains("github.token"),
        "{}",
        none.err
    );
}
