//! Sentry, played: what is left where no token may revoke one, and tokens that name their own host.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::sentry::{Known, Sentry, desk, operator, sentry, user_token};
use super::{Desk, Server};

const CONTAIN: &str =
    "[policy]\n[[policy.allow]]\nname = \"members out\"\naction = \"contain\"\nservice = \"sentry\"\n";

/// Of acme alone, so that a containment can be whole.
fn of_acme(base: &str) -> Sentry {
    let mut play = sentry(base);
    play.members.remove("beta");
    play
}

fn mia_is_in(server: &Server<Sentry>, slug: &str) -> bool {
    let play = server.play();
    play.members[slug].iter().any(|member| member.user == Some(7))
}

fn page(server: &Server<Sentry>) -> String {
    format!("{}/settings/account/api/auth-tokens/", server.base)
}

#[test]
fn no_bearer_revokes_a_user_token_and_its_owner_is_told_the_page_and_the_containment() {
    let server = Server::start(of_acme);
    let desk = desk(&server, "");
    let steps = desk.respond();
    assert!(
        steps.contains("no policy entry allows more than telling people"),
        "{steps}"
    );
    for who in ["mia@acme.example", "olga@acme.example", "pia@acme.example"] {
        let notice = desk.notice(who, "leaked Sentry user auth token");
        assert!(
            notice.contains(&format!("Revoke the token by hand: {}", page(&server))),
            "{notice}"
        );
        assert!(
            notice.contains("removes the member from the organisation"),
            "{notice}"
        );
        assert!(notice.contains("in acme"), "{notice}");
        assert!(notice.contains("by Ada Author"), "{notice}");
    }
    let ran = desk.run_with(&["revoke", "--yes"], &user_token());
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(
        ran.out.contains("only a person who is signed in can do this"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("contain:\n  1. with the operator's credential, in acme"),
        "{}",
        ran.out
    );
    assert!(ran.err.contains(&page(&server)), "{}", ran.err);
    assert_eq!(server.changes(), Vec::<String>::new());
    desk.holds_no_secret();
}

/// Not even with a yes; and a dry run changes nothing.
fn nothing_leaves_while_stopped(desk: &Desk, server: &Server<Sentry>, fingerprint: &str) {
    let ran = desk.run(&["stop", "--why", "a drill"]);
    assert!(
        ran.out.contains("everything was stopped by"),
        "{}{}",
        ran.out,
        ran.err
    );
    let ran = desk.run(&["approve", fingerprint, "--yes"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("a drill"), "{}{}", ran.out, ran.err);
    let ran = desk.run(&["revoke", fingerprint, "--contain", "--yes"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("a drill"), "{}{}", ran.out, ran.err);
    let ran = desk.run(&["policy", "explain"]);
    assert!(
        ran.out.starts_with("STOPPED: everything was stopped by"),
        "{}",
        ran.out
    );
    assert_eq!(server.changes(), Vec::<String>::new());
    assert_eq!(desk.run(&["resume"]).out, "revocations and containments go on\n");
    assert_eq!(desk.run(&["resume"]).out, "nothing had stopped them\n");

    let tried = desk.run(&["policy", "try"]);
    assert!(
        tried.out.contains("approve contain: policy entry"),
        "{}{}",
        tried.out,
        tried.err
    );
    assert!(
        tried.out.contains("1 approve; nothing was changed"),
        "{}",
        tried.out
    );
    assert_eq!(server.changes(), Vec::<String>::new());
}

#[test]
fn a_containment_that_needs_approval_is_asked_for_and_done_by_hand_on_exactly_that_member() {
    let server = Server::start(of_acme);
    let mut desk = desk(&server, "");
    desk.configure(&format!("{CONTAIN}approval = true\n"));
    let steps = desk.respond();
    assert!(
        steps.contains("allows to contain once a person approves"),
        "{steps}"
    );
    let fingerprint = desk.only(&[])["fingerprint"].as_str().unwrap().to_owned();
    assert!(
        steps.contains(&format!("`unleak approve {fingerprint}`")),
        "{steps}"
    );
    assert_eq!(server.changes(), Vec::<String>::new());

    // The plan alone, without a yes.
    for plan in [
        &["approve", &fingerprint][..],
        &["revoke", &fingerprint, "--contain"],
    ] {
        let ran = desk.run(plan);
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("nothing was done"), "{}", ran.out);
        assert_eq!(server.changes(), Vec::<String>::new());
    }
    nothing_leaves_while_stopped(&desk, &server, &fingerprint);
    let ran = desk.run(&["approve", &fingerprint, "--yes"]);
    assert!(ran.out.contains("approved by "), "{}{}", ran.out, ran.err);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(server.changes(), ["DELETE /api/0/organizations/acme/members/13/"]);
    assert!(!mia_is_in(&server, "acme"));
    assert!(
        server.play().members["acme"]
            .iter()
            .any(|member| member.user == Some(77))
    );
    let notice = desk.notice("mia@acme.example", "contained, still alive");
    assert!(notice.contains(&page(&server)), "{notice}");
    let ledger = desk.ledger().join("\n");
    for line in [
        "\"decision\":\"approve\"",
        "containment-sending",
        "containment-done",
    ] {
        assert!(ledger.contains(line), "{line}\n{ledger}");
    }
    desk.holds_no_secret();
}

#[test]
fn a_policy_contains_by_itself_proves_it_and_sends_nothing_again() {
    let server = Server::start(|base| {
        let mut play = sentry(base);
        let ours = play.members["acme"][0].clone();
        play.members.get_mut("beta").unwrap().push(ours);
        play.members.insert("gamma", play.members["acme"].clone());
        play.members.remove("beta");
        play
    });
    let mut desk = desk(&server, "");
    desk.configure(CONTAIN);
    let steps = desk.respond();
    assert!(steps.contains("contain: done and proved"), "{steps}");
    let changes = server.changes();
    assert_eq!(
        changes,
        [
            "DELETE /api/0/organizations/acme/members/13/",
            "DELETE /api/0/organizations/gamma/members/13/"
        ]
    );
    let again = desk.respond();
    assert!(again.contains("that is done already"), "{again}");
    assert_eq!(server.changes(), changes);

    // The owner ends it in the browser: the next look closes the leak.
    server.play().tokens.remove(&user_token());
    let last = desk.respond();
    assert!(last.contains("dead: unknown to the service"), "{last}");
    assert!(last.contains("closed; the secret is wiped"), "{last}");
    desk.notice("mia@acme.example", "revoked");
    let ledger = desk.ledger().join("\n");
    assert!(ledger.contains("closed"), "{ledger}");
    desk.holds_no_secret();
}

#[test]
fn an_organisation_that_our_operator_is_not_in_is_left_to_its_people_and_the_other_is_contained() {
    let server = Server::start(sentry);
    let mut desk = desk(&server, "");
    desk.configure(CONTAIN);
    let steps = desk.respond();
    assert!(
        !mia_is_in(&server, "acme") && mia_is_in(&server, "beta"),
        "{steps}"
    );
    assert_eq!(server.changes(), ["DELETE /api/0/organizations/acme/members/13/"]);
    // What is in our hands is done, and what is not is named with the way to do it.
    assert!(
        steps.contains("contain: done and proved (containment in acme; not in beta: "),
        "{steps}"
    );
    assert!(steps.contains("the service answered 403; by hand: "), "{steps}");
    desk.respond();
    assert_eq!(server.changes().len(), 1, "{:?}", server.changes());
    desk.holds_no_secret();
}

/// An organisation token as Sentry makes them; `space` is what Python's `json.dumps` writes unless told otherwise.
fn org_token(base: &str, region: &str, space: &str) -> String {
    let payload = format!(
        "{{\"iat\":{space}1700000000.123456,{space}\"url\":{space}\"{base}\",{space}\"region_url\":{space}\"{region}\",\
         {space}\"org\":{space}\"acme\"}}"
    );
    [
        "sntrys",
        &STANDARD.encode(payload),
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
    ]
    .join("_")
}

#[test]
fn an_organisation_token_is_read_offline_verified_where_it_says_and_only_a_person_can_end_it() {
    for space in ["", " "] {
        let (control, region) = (Server::start(of_acme), Server::start(of_acme));
        let token = org_token(&control.base, &region.base, space);
        let mut desk = Desk::new();
        desk.service("sentry", &[&control.base, &region.base], &operator(), "");
        desk.configure(&format!(
            "{CONTAIN}\n[[policy.allow]]\nname = \"all\"\naction = \"revoke\"\n"
        ));
        desk.leak("ci.yml", &format!("SENTRY_AUTH_TOKEN: {token}\n"), &token);
        control.play().tokens.insert(token.clone(), Known::Organisation);
        let found = desk.only(&["--verify"]);
        assert_eq!(found["rule"], "sentry/organization-auth-token", "{found}");
        assert_eq!(found["verdict"]["state"], "live", "{found}");
        assert_eq!(found["identity"]["organisations"][0], "acme", "{found}");
        assert!(!region.was_shown("/", &token), "{:?}", region.seen());

        let steps = desk.respond();
        assert!(
            steps.contains("revoke: refused: only a person who is signed in can do this"),
            "{steps}"
        );
        assert!(
            steps.contains("the rule file knows no containment for this token"),
            "{steps}"
        );
        // Owners are asked for in the region, where organisations live.
        assert!(region.was_shown("/api/0/organizations/acme/members", &operator()));
        let notice = desk.notice("olga@acme.example", "Sentry organization auth token");
        let page = format!("Revoke the token by hand: {}/", control.base);
        assert!(
            notice.contains(&page) && notice.contains("/settings/auth-tokens/"),
            "{notice}"
        );
        assert_eq!((control.changes(), region.changes()), (vec![], vec![]));

        control.play().tokens.remove(&token);
        let ran = desk.run_with(&["verify"], &token);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        desk.holds_no_secret();
    }
}

#[test]
fn a_token_that_names_a_host_nobody_listed_is_sent_nowhere() {
    let (ours, thief) = (Server::start(of_acme), Server::start(of_acme));
    for (base, region) in [
        (&thief.base, &ours.base),
        (&ours.base, &thief.base),
        (&thief.base, &thief.base),
    ] {
        let token = org_token(base, region, "");
        let mut desk = Desk::new();
        desk.service("sentry", &[&ours.base], &operator(), "");
        desk.configure(CONTAIN);
        desk.leak("ci.yml", &format!("SENTRY_AUTH_TOKEN: {token}\n"), &token);
        for server in [&ours, &thief] {
            server.play().tokens.insert(token.clone(), Known::Organisation);
        }
        let found = desk.only(&["--verify"]);
        assert_eq!(found["verdict"]["state"], "unknown", "{found}");
        let reason = found["verdict"]["reason"].as_str().unwrap();
        assert!(
            reason.contains("services.sentry.bases"),
            "the next step is missing: {reason}"
        );
        let steps = desk.respond();
        assert!(
            steps.contains("organisation owners were not asked for"),
            "{steps}"
        );
        desk.notice("ada@example.com", "Sentry organization auth token");
        for args in [
            &["owners"][..],
            &["revoke", "--yes"],
            &["revoke", "--contain", "--yes"],
        ] {
            let ran = desk.run_with(args, &token);
            assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
        }
        desk.holds_no_secret();
        assert_eq!((ours.seen(), thief.seen()), (vec![], vec![]));
    }
}

#[test]
fn a_dsn_is_information_and_never_asked_about() {
    let server = Server::start(of_acme);
    let mut desk = Desk::new();
    desk.service("sentry", &[&server.base], &operator(), "");
    let dsn = [
        "https://57d21fa5",
        "d328263dfe574de739988b88@o1.ingest.us.sentry.io/4501",
    ]
    .concat();
    desk.tool
        .write("web/app.js", format!("Sentry.init({{ dsn: \"{dsn}\" }});\n"));
    desk.tool.commit("front end", "2026-03-01");
    let ran = desk.run(&["scan", ".", "--respond", "--format", "jsonl"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let findings = ran.findings();
    assert!(!findings.is_empty());
    for found in findings {
        assert_eq!(
            (found["rule"].as_str(), found["severity"].as_str()),
            (Some("sentry/dsn"), Some("info"))
        );
        assert!(found["verdict"].is_null(), "{found}");
    }
    let ran = desk.run_with(&["verify"], &format!("SENTRY_DSN={dsn}"));
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("public by design"), "{}", ran.out);
    desk.holds_no_secret();
    assert_eq!((server.seen(), desk.notices()), (vec![], vec![]));
}
