//! GitLab where nobody may end the token, and what is left then.

use super::{GitLab, desk, plain};
use crate::played_services::{allow, fingerprint, verdict};

#[test]
fn a_group_that_cannot_act_gives_way_to_the_administrator() {
    let leaked = plain();
    let mut service = GitLab::with(&leaked);
    service.token().ends_itself = 400;
    service.group_can = false;
    service.admin = true;
    let gitlab = service.play();
    let desk = desk(
        &gitlab,
        "values = { group = \"acme/web\" }",
        &allow("gitlab", "revoke"),
    );
    desk.leak("deploy.yml", &format!("token: {leaked}\n"), &leaked);
    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(verdict(&finding), "dead", "{finding}");
    let ways: Vec<String> = gitlab
        .asked()
        .iter()
        .filter(|asked| asked.method != "GET")
        .map(crate::support::local::Asked::line)
        .collect();
    assert_eq!(
        ways,
        [
            "DELETE /api/v4/personal_access_tokens/self",
            "POST /api/v4/groups/acme%2Fweb/tokens/revoke",
            "DELETE /api/v4/admin/token",
        ]
    );
}

#[test]
fn where_nobody_may_end_it_the_reasons_are_told_and_the_group_removes_the_user() {
    let leaked = plain();
    let mut service = GitLab::with(&leaked);
    service.token().ends_itself = 400;
    service.group_can = false;
    let gitlab = service.play();
    let desk = desk(
        &gitlab,
        "values = { group = \"acme/web\" }",
        &(allow("gitlab", "revoke") + &allow("gitlab", "contain")),
    );
    desk.leak("deploy.yml", &format!("token: {leaked}\n"), &leaked);
    let ran = desk.run(&["scan", ".", "--respond"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    for said in [
        "revoke: refused: ",
        "the service answered 400",
        "the service answered 404",
        "the service answered 403",
        "containment is open: removes the user",
        "contain: done and proved (",
    ] {
        assert!(ran.err.contains(said), "{said}: {}", ran.err);
    }
    assert_eq!(gitlab.state().removed, ["42"]);
    let name = fingerprint(&desk.only_finding(&["--verify"]));
    let asked = desk.run(&["verify", &name]);
    assert!(
        asked.out.contains("organisations: other\n"),
        "it lives on, elsewhere: {}",
        asked.out
    );
    let before = gitlab
        .asked()
        .iter()
        .filter(|asked| asked.method != "GET")
        .count();
    desk.run(&["scan", ".", "--respond"]);
    let after = gitlab
        .asked()
        .iter()
        .filter(|asked| asked.method != "GET")
        .count();
    assert_eq!(before, after, "what was done or refused is not done again");
}

#[test]
fn an_unauthorized_answer_proves_nothing_about_another_instances_token() {
    let leaked = [
        "acme-glpat-",
        "NPddQbvMYi2W412OyVvDt-odRThPHpi6G19W",
        ".01.100m2wg6q",
    ]
    .concat();
    let gitlab = GitLab::with(&plain()).play();
    let desk = desk(&gitlab, "", &allow("gitlab", "revoke"));
    desk.leak("deploy.yml", &format!("token: {leaked}\n"), &leaked);
    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(finding["rule"], "gitlab/instance-prefixed-access-token");
    assert_eq!(verdict(&finding), "unknown", "{finding}");
    assert!(gitlab.asked().iter().all(|asked| asked.method == "GET"));
}
