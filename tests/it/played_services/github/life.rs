//! Tokens of GitHub on their way from found to dead.

use serde_json::json;

use super::{GitHub, classic, desk, fine_grained};
use crate::played_services::{allow, fingerprint, verdict};

#[test]
fn a_token_in_a_deleted_file_ends_dead_and_its_owners_know() {
    let leaked = classic();
    let mut service = GitHub::with(&[(&leaked, Some("repo, admin:org"))]);
    service.outlives = 3;
    let github = service.play();
    let desk = desk(&github, &allow("github", "revoke"));
    let commit = desk.leak("deploy.env", &format!("# deploy\nTOKEN={leaked}\n"), &leaked);

    let finding = desk.only_finding(&["--verify"]);
    assert_eq!(verdict(&finding), "live", "{finding}");
    assert_eq!(finding["identity"]["principal"], "mia");
    assert_eq!(finding["identity"]["scopes"], json!(["repo", "admin:org"]));
    assert_eq!(finding["identity"]["organisations"], json!(["acme"]));
    let at = &finding["location"];
    assert_eq!((&at["line"], &at["column"]), (&json!(2), &json!(7)), "{at}");
    assert_eq!(
        (&at["path"], &at["commit"]),
        (&json!("deploy.env"), &json!(commit))
    );

    let asked = desk.ask(&["verify"], leaked.as_bytes());
    assert_eq!(asked.code, 1, "{}", asked.err);
    assert!(
        asked.out.contains("live: 200") && asked.out.contains("owner: mia"),
        "{}",
        asked.out
    );
    let owners = desk.ask(&["owners"], leaked.as_bytes());
    assert_eq!(owners.code, 0, "{} {}", owners.out, owners.err);
    for line in [
        "mia: the token is theirs",
        "olivia <olivia@acme.example>",
        "oscar: owns an organisation",
        "opal <opal@acme.example>",
    ] {
        assert!(
            owners.out.lines().any(|said| said.starts_with(line)),
            "{line}: {}",
            owners.out
        );
    }

    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(verdict(&finding), "dead", "{finding}");
    let requests = github.asked_for("POST /credentials/revoke");
    assert_eq!(requests.len(), 1, "sent once, though it was alive for a while");
    assert!(!requests[0].headers.contains_key("authorization"));
    assert_eq!(requests[0].body, json!({ "credentials": [leaked] }).to_string());
    let notices = desk.outbox();
    for to in ["olivia@acme.example", "opal@acme.example", "ada@example.com"] {
        let told = notices
            .iter()
            .filter(|text| text.lines().next().is_some_and(|line| line.contains(to)));
        assert_eq!(told.count(), 1, "{to} hears once of the leak and of its end");
    }
    let after = desk.ask(&["verify"], leaked.as_bytes());
    assert_eq!(
        (after.code, after.out.contains("dead")),
        (0, true),
        "{}",
        after.out
    );
}

#[test]
fn a_leak_goes_the_same_way_by_its_fingerprint_with_a_person_saying_yes() {
    let leaked = classic();
    let github = GitHub::with(&[(&leaked, Some("gist"))]).play();
    let desk = desk(&github, "");
    desk.leak("deploy.env", &format!("TOKEN={leaked}\n"), &leaked);
    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(verdict(&finding), "live", "without a policy nothing is revoked");
    assert!(!desk.outbox().is_empty(), "yet people are told");
    let name = fingerprint(&finding);

    let asked = desk.run(&["verify", &name, "--format", "json"]);
    assert_eq!(asked.code, 1, "{}", asked.err);
    let owners = desk.run(&["owners", &name]);
    assert!(
        owners.out.contains("Ada Author <ada@example.com>: committed it"),
        "{}",
        owners.out
    );
    let planned = desk.run(&["revoke", &name]);
    assert_eq!(planned.code, 3, "nobody said yes: {}", planned.out);
    assert!(
        planned
            .out
            .contains(&format!("POST {}/credentials/revoke", github.base)),
        "{}",
        planned.out
    );
    assert!(github.asked_for("POST").is_empty(), "a plan is only a plan");

    let done = desk.run(&["revoke", &name, "--yes"]);
    assert_eq!(done.code, 0, "{} {}", done.out, done.err);
    assert!(
        done.out.contains("revoke: done and proved (secret)"),
        "{}",
        done.out
    );
    assert!(github.state().revoked.contains(&leaked));
    let after = desk.run(&["verify", &name]);
    assert_eq!(after.code, 2, "{}", after.out);
    assert!(after.err.contains("closed and its secret wiped"), "{}", after.err);
    assert_eq!(desk.ask(&["verify"], leaked.as_bytes()).code, 0);
    let again = desk.ask(&["revoke", "--yes"], leaked.as_bytes());
    assert!(
        again.code == 0 && again.out.contains("nothing to do: it is dead"),
        "{}",
        again.out
    );
    assert_eq!(github.asked_for("POST").len(), 1);
}

#[test]
fn a_token_that_outlives_the_time_to_settle_is_not_called_dead() {
    let leaked = classic();
    let mut service = GitHub::with(&[(&leaked, None)]);
    service.outlives = 1000;
    let github = service.play();
    let desk = desk(&github, "");
    desk.keep_secret(&leaked);
    let done = desk.ask(&["revoke", "--yes"], leaked.as_bytes());
    assert_eq!(done.code, 3, "{}", done.out);
    assert!(
        done.out
            .contains("accepted it, and after 4 s of asking the token was still alive"),
        "{}",
        done.out
    );
    assert!(
        done.out.contains("https://github.com/settings/tokens"),
        "{}",
        done.out
    );
    assert_eq!(github.asked_for("POST /credentials/revoke").len(), 1);
    // Later it is dead after all, and nobody needs to send anything again.
    github.state().dying.insert(leaked.clone(), 0);
    let later = desk.ask(&["revoke", "--yes"], leaked.as_bytes());
    assert!(
        later.code == 0 && later.out.contains("nothing to do: it is dead"),
        "{}",
        later.out
    );
    assert_eq!(github.asked_for("POST /credentials/revoke").len(), 1);
}

#[test]
fn an_installation_token_is_asked_about_where_it_is_taken_and_ends_itself() {
    let leaked = ["ghs_", "QWNv38VEdf2130aMJ6XMYEQbJb8DNdrUA80x"].concat();
    let github = GitHub::with(&[(&leaked, None)]).play();
    let desk = desk(&github, &allow("github", "revoke"));
    desk.leak("ci.log", &format!("GITHUB_TOKEN={leaked}\n"), &leaked);
    let finding = desk.only_finding(&["--verify"]);
    assert_eq!(verdict(&finding), "live", "{finding}");
    assert_eq!(finding["identity"]["organisations"], json!(["acme"]));
    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(verdict(&finding), "dead", "{finding}");
    let ended = github.asked_for("DELETE /installation/token");
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].bearer(), Some(leaked.as_str()));
    assert!(
        github.asked_for("POST").is_empty(),
        "credentials/revoke does not take these"
    );
    assert!(github.asked_for("GET /user").is_empty(), "there it would be 403");
}

#[test]
fn a_fine_grained_token_is_dropped_on_no_checksum_and_revoked() {
    let leaked = fine_grained();
    let github = GitHub::with(&[(&leaked, None)]).play();
    let desk = desk(&github, &allow("github", "revoke"));
    desk.leak("deploy.env", &format!("GH_TOKEN={leaked}\n"), &leaked);
    let finding = desk.only_finding(&["--respond"]);
    assert_eq!(finding["rule"], "github/fine-grained-personal-access-token");
    assert_eq!(verdict(&finding), "dead", "{finding}");
    assert!(github.state().revoked.contains(&leaked));
}

#[test]
fn a_token_with_a_failing_checksum_never_reaches_the_service() {
    let leaked = classic();
    let mut wrong = leaked.clone();
    wrong.replace_range(39.., if leaked.ends_with('A') { "B" } else { "A" });
    let github = GitHub::with(&[(&wrong, None)]).play();
    let desk = desk(&github, &allow("github", "revoke"));
    desk.leak("deploy.env", &format!("TOKEN={wrong}\n"), &wrong);
    assert_eq!(desk.run(&["scan", ".", "--respond", "--only", "github"]).code, 0);
    // What looks like it is told, and nobody is asked.
    assert_eq!(desk.ask(&["verify"], wrong.as_bytes()).code, 3);
    for args in [
        &["verify", "--rule", "github/personal-access-token"][..],
        &["revoke", "--yes", "--rule", "github/personal-access-token"],
    ] {
        let asked = desk.ask(args, wrong.as_bytes());
        assert_eq!(asked.code, 2, "{args:?}: {} {}", asked.out, asked.err);
        assert!(asked.err.contains("hint: "), "{}", asked.err);
    }
    assert!(github.asked().is_empty(), "{:?}", github.asked());
}

#[test]
fn an_enterprise_server_is_asked_below_its_base_and_told_who_revokes() {
    let leaked = classic();
    let mut service = GitHub::with(&[(&leaked, Some("repo"))]);
    service.enterprise = true;
    let github = service.play();
    let desk = desk(&github, "");
    let base = format!("\"{}\"", github.base);
    let config = std::fs::read_to_string(desk.config()).unwrap();
    let below = format!("\"{}/api/v3\"", github.base);
    std::fs::write(desk.config(), config.replace(&base, &below)).unwrap();
    desk.keep_secret(&leaked);
    let done = desk.ask(&["revoke", "--yes"], leaked.as_bytes());
    assert_eq!(done.code, 0, "{} {}", done.out, done.err);
    assert!(done.out.contains("done and proved (operator)"), "{}", done.out);
    let lines: Vec<bool> = github
        .asked_for("POST /api/v3/credentials/revoke")
        .iter()
        .map(|asked| asked.headers.contains_key("authorization"))
        .collect();
    assert_eq!(lines, [false, true], "first without, as github.com wants it");
    assert!(
        github
            .asked()
            .iter()
            .all(|asked| asked.path.starts_with("/api/v3/"))
    );
}
