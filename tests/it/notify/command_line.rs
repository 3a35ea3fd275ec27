//! `unleak notify` and `unleak policy`, as an operator uses them.

use serde_json::{Value, json};

use super::slack::HOOK;
use crate::support::desk::Desk;
use crate::support::local::{Asked, Local, Said};
use crate::support::tool::Tool;

#[test]
fn a_preview_shows_every_notice_and_sends_nothing() {
    let desk = Desk::new("");
    let ran = desk.run(&["notify", "preview"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for kind in [
        "leak.found",
        "leak.approval",
        "leak.escalation",
        "leak.contained",
        "leak.revoked",
        "leak.digest",
    ] {
        assert!(
            ran.out.contains(&format!("== {kind}\nSubject: [unleak] ")),
            "{kind}\n{}",
            ran.out
        );
    }
    assert_eq!(desk.outbox(), Vec::<String>::new());
    let folder = desk.tool.home().join("html");
    let ran = desk.run(&["notify", "preview", "--html", folder.to_str().unwrap()]);
    assert_eq!(ran.out.lines().count(), 6, "{}{}", ran.out, ran.err);
    let html = std::fs::read_to_string(folder.join("leak.digest.html")).unwrap();
    assert!(html.starts_with("<!doctype html>"), "{html}");
}

#[test]
fn texts_of_ones_own_start_from_the_built_in_ones_and_a_wrong_one_is_an_error_at_the_start() {
    let tool = Tool::new();
    let folder = tool.home().join("texts");
    let ran = tool.run(["notify", "preview", "--texts", folder.to_str().unwrap()]);
    assert_eq!(
        (ran.code, ran.out.lines().count()),
        (0, 5),
        "{}{}",
        ran.out,
        ran.err
    );
    let again = tool.run(["notify", "preview", "--texts", folder.to_str().unwrap()]);
    assert!(
        again.out.contains("is there already and stays as it is"),
        "{}",
        again.out
    );
    let config = tool.home().join("config.toml");
    std::fs::write(&config, format!("[notify]\ntemplates = {folder:?}\n")).unwrap();
    let preview = ["--config", config.to_str().unwrap(), "notify", "preview"];
    assert_eq!(tool.run(preview).code, 0);
    std::fs::write(folder.join("notice.txt"), "{{ headline }} {{ owner_phone }}").unwrap();
    let ran = tool.run(preview);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(
        ran.err
            .contains("notice.txt asks for owner_phone; there is: badge"),
        "{}",
        ran.err
    );
}

#[test]
fn a_test_goes_once_through_each_channel_and_says_which_one_failed() {
    let slack = Local::play((), |(), asked: &Asked| {
        assert_eq!(asked.line(), format!("POST {HOOK}"));
        Said::text(200, "text/html", "ok")
    });
    let pager = Local::play((), |(), _: &Asked| {
        Said::json(202, &json!({ "status": "success" }))
    });
    let desk = Desk::new("");
    let url = desk.key_file("slack", &format!("{}{HOOK}", slack.base));
    let key = desk.key_file("pager", &["routing", "key0123456789abcdef012345"].concat());
    desk.configure(&format!(
        "[notify.slack]\nurl_file = {url:?}\n[notify.pagerduty]\nurl = {:?}\nrouting_key_file = {key:?}\n",
        pager.base
    ));
    let ran = desk.run(&["notify", "test"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for line in [
        "outbox: taken",
        "slack: taken",
        "pagerduty: taken (leak.found)",
        "pagerduty: taken (leak.revoked)",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    assert_eq!(slack.asked().len(), 1);
    let said = slack.asked()[0].json();
    assert!(
        said["text"]
            .as_str()
            .unwrap()
            .starts_with("[unleak] TEST, nothing to do:"),
        "{said}"
    );
    let actions: Vec<Value> = pager
        .asked()
        .iter()
        .map(|asked| asked.json()["event_action"].clone())
        .collect();
    assert_eq!(
        actions,
        ["trigger", "resolve"],
        "nobody is left with an open incident"
    );
    let ran = desk.run(&["notify", "test", "--by", "email"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(
        ran.err.contains("no channel \"email\" is configured"),
        "{}",
        ran.err
    );

    drop(pager);
    let ran = desk.run(&["notify", "test", "--by", "pagerduty"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(
        ran.out.contains("pagerduty: PagerDuty was not reached"),
        "{}",
        ran.out
    );
}

#[test]
fn serve_explains_the_policy_and_ends() {
    let desk =
        Desk::new("[policy]\ndeny = [\"gocd\"]\n[[policy.allow]]\nname = \"ours\"\naction = \"revoke\"\n");
    let ran = desk.run(&["serve", "--explain-policy"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for line in [
        "- \"gocd\" is neither revoked nor contained, not even when a person confirms it",
        "1. \"ours\": any live token is revoked, at once, without asking.",
        "Not stopped.",
    ] {
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
    assert_eq!(desk.run(&["policy", "explain"]).out, ran.out);
    assert!(
        desk.run(&["policy", "try"])
            .out
            .contains("the store knows no leak; nothing was changed")
    );
    let list = desk.run(&["notify", "list"]);
    assert_eq!((list.code, list.out.as_str()), (0, "0 given up; none waits\n"));
}

#[test]
fn a_policy_that_names_somebody_who_cannot_be_told_is_refused() {
    for (line, expected) in [
        (
            "approvers = [\"nobody\"]",
            "is neither a mail address nor a channel",
        ),
        ("approvers = [\"slack\"]", "there is no [notify.slack]"),
        ("approvers = [\"email\"]", "reaches nobody by itself"),
    ] {
        let desk = Desk::new(&format!("[policy]\n{line}\n"));
        let ran = desk.run(&["policy", "explain"]);
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(ran.err.contains(expected), "{}", ran.err);
    }
}
