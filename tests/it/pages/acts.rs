//! The buttons of a leak, to the end.

use super::site::{EVERY, Kept, Site, TWO_PEOPLE, page_of, secret};

const ONE_PERSON: &str = "[[policy.allow]]\nname = \"after a yes\"\naction = \"revoke\"\napproval = true\n";

#[test]
fn the_second_yes_revokes_and_the_first_person_cannot_say_it_twice() {
    for kept in EVERY {
        let site = Site::open(*kept, TWO_PEOPLE);
        let page = page_of(1);
        let (ann, amy) = (site.browser("ann"), site.browser("amy"));
        assert!(ann.get("/leaks?waiting=yes").text.contains(&page));
        let shown = ann.get(&page).text;
        assert!(
            shown.contains("Approve: revoke") && shown.contains("two people") || shown.contains("2 people"),
            "{shown}"
        );
        let yes = [("action", "revoke")];
        let answer = ann.post(&format!("{page}/approve"), &yes);
        assert_eq!(answer.to, format!("{page}?said=approved"), "{}", answer.text);
        let again = ann.post(&format!("{page}/approve"), &yes);
        assert_eq!(again.status, 409, "{}", again.text);
        assert!(again.text.contains("somebody else"));
        let alone = ann.post(&format!("{page}/act/revoke"), &[("read", "yes")]);
        assert!(site.service.state().revoked.len() <= 1);
        // with the own yes written down and one more wanted, confirming alone is refused
        assert_eq!(alone.status, 409, "{}", alone.text);
        assert!(site.service.state().revoked.is_empty());
        assert!(ann.get(&page).text.contains("You have said yes."));

        let answer = amy.post(&format!("{page}/approve"), &yes);
        assert_eq!(answer.status, 303, "{}", answer.text);
        site.until("it is dead", || {
            site.is_dead(1) && site.actions(1).contains(&"closed".to_owned())
        });
        assert_eq!(site.service.state().revoked, [secret(1)], "sent once");
        let shown = amy.get(&page).text;
        assert!(
            shown.contains("state dead") && shown.contains("approved by ann, amy"),
            "{shown}"
        );
        assert!(shown.contains("closed and its secret wiped"));
        for further in ["verify", "approve"] {
            assert_eq!(
                amy.post(&format!("{page}/{further}"), &yes).status,
                409,
                "{further}"
            );
        }
        assert_eq!(amy.get(&format!("{page}/plan/revoke")).status, 409);
        assert!(matches!(
            site.wait(site.store.verify_chain()).unwrap(),
            unleak::store::Chain::Whole { .. }
        ));
    }
}

#[test]
fn a_revocation_by_hand_shows_its_plan_is_confirmed_and_followed_until_it_is_dead() {
    let site = Site::open(Kept::Sqlite, "");
    let (page, ann) = (page_of(1), site.browser("ann"));
    let plan = ann.get(&format!("{page}/plan/revoke")).text;
    assert!(
        plan.contains("POST http://127.0.0.1") && plan.contains("With the token itself"),
        "{plan}"
    );
    let act = format!("{page}/act/revoke");
    assert_eq!(ann.post(&act, &[]).status, 400, "the plan must have been read");
    assert_eq!(ann.get(&format!("{page}/plan/explode")).status, 404);
    let shown = ann.get(&page).text;
    let stream = shown
        .split("data-live=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    assert_eq!(
        ann.post(&act, &[("read", "yes")]).to,
        format!("{page}?said=at-work")
    );
    let events = ann.events(&stream, |text| text.contains("data: dead"));
    assert!(
        events.contains("event: leak") && events.contains("data: dead"),
        "{events}"
    );
    site.until("it is dead", || site.is_dead(1));
    assert_eq!(site.service.state().revoked, [secret(1)]);
    assert!(site.actions(1).contains(&"confirmed".to_owned()));
    assert!(ann.get(&page).text.contains("confirmed by ann"));
}

#[test]
fn a_member_overrides_nothing_and_leaves_no_line_in_the_ledger() {
    let site = Site::open(Kept::Sqlite, ONE_PERSON);
    let (page, max) = (page_of(1), site.browser("max"));
    let shown = max.get(&page).text;
    assert!(!shown.contains("<form class=\"ask\"") && !shown.contains("/plan/revoke"));
    let before = site.acts(1);
    for (path, fields) in [
        ("approve", vec![("action", "revoke")]),
        ("act/revoke", vec![("read", "yes")]),
        ("dismiss", vec![("why", "mine")]),
        ("verify", vec![]),
    ] {
        let answer = max.post(&format!("{page}/{path}"), &fields);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text.contains("needs the role owner"), "{}", answer.text);
    }
    assert_eq!(site.acts(1), before);
    let refused = site.wait(site.tokens.audit_log()).unwrap();
    assert!(
        refused
            .iter()
            .any(|line| line.action == "refused" && line.by.contains("max")),
        "the attempt is in the audit log"
    );
}

#[test]
fn a_dismissed_leak_is_left_alone_until_somebody_takes_that_back() {
    for kept in EVERY {
        let site = Site::open(*kept, ONE_PERSON);
        let (page, ann) = (page_of(1), site.browser("ann"));
        assert_eq!(ann.post(&format!("{page}/dismiss"), &[("why", "  ")]).status, 400);
        assert_eq!(
            ann.post(&format!("{page}/dismiss"), &[("why", &"x".repeat(501))])
                .status,
            400
        );
        let answer = ann.post(&format!("{page}/dismiss"), &[("why", "a sample for the docs")]);
        assert_eq!(answer.to, format!("{page}?said=dismissed"));
        let shown = ann.get(&page).text;
        assert!(
            shown.contains("a sample for the docs") && shown.contains("state dismissed"),
            "{shown}"
        );
        assert!(ann.get("/leaks?state=dismissed").text.contains(&page));
        assert!(!ann.get("/leaks?waiting=yes").text.contains(&page));
        // neither a yes, nor an order, nor a worker moves it
        assert_eq!(
            ann.post(&format!("{page}/approve"), &[("action", "revoke")])
                .status,
            409
        );
        assert_eq!(
            ann.post(&format!("{page}/act/revoke"), &[("read", "yes")]).status,
            409
        );
        let told = |site: &Site| site.actions(1).iter().filter(|action| *action == "told").count();
        let before = (told(&site), site.actions(1).len());
        ann.post(&format!("{page}/verify"), &[]);
        site.until("the worker looked", || {
            let actions = site.actions(1);
            actions.len() > before.1
                && actions
                    .iter()
                    .take_while(|action| *action != "asked-for")
                    .any(|action| action == "decided")
        });
        assert_eq!(told(&site), before.0, "nobody is told again");
        assert!(!site.is_dead(1));

        assert_eq!(ann.post(&format!("{page}/reinstate"), &[]).status, 303);
        assert!(ann.get(&page).text.contains("state live"));
        assert_eq!(
            ann.post(&format!("{page}/approve"), &[("action", "revoke")])
                .status,
            303
        );
        site.until("it is dead", || site.is_dead(1));
        assert!(
            ann.get(&page).text.contains("state dead"),
            "dead is dead, dismissed or not"
        );
    }
}

#[test]
fn everything_stopped_stays_stopped_until_the_operator_lets_it_go_on() {
    let site = Site::open(Kept::Sqlite, ONE_PERSON);
    let (operator, ann, page) = (site.browser("operator"), site.browser("ann"), page_of(1));
    operator.post(
        "/policy",
        &[("switch", "stop"), ("why", "the farm is being moved")],
    );
    assert!(ann.get("/policy").text.contains("the farm is being moved"));
    assert_eq!(
        ann.post(&format!("{page}/approve"), &[("action", "revoke")])
            .status,
        409
    );
    let plan = ann.get(&format!("{page}/plan/revoke")).text;
    assert!(
        plan.contains("the farm is being moved") && !plan.contains("Revoke it</button>"),
        "{plan}"
    );
    operator.post("/policy", &[("switch", "resume")]);
    assert_eq!(
        ann.post(&format!("{page}/approve"), &[("action", "revoke")])
            .status,
        303
    );
    site.until("it is dead", || site.is_dead(1));
}

#[test]
fn what_the_workers_gave_up_is_put_again_by_the_operator() {
    let site = Site::empty(Kept::Sqlite, "");
    site.service.state().broken = true;
    site.report(&[1]);
    let operator = site.browser("operator");
    site.until("it was given up", || {
        operator.get("/tasks").text.contains("tried 2 times")
    });
    let shown = operator.get("/tasks").text;
    assert!(shown.contains(&page_of(1)) && shown.contains("500"), "{shown}");
    site.service.state().broken = false;
    for wrong in ["", "zz", "1", "%"] {
        assert_eq!(
            operator.post("/tasks", &[("fingerprint", wrong)]).status,
            400,
            "{wrong}"
        );
    }
    let fingerprint = page_of(1).split('/').nth(2).unwrap().to_owned();
    let answer = operator.post("/tasks", &[("fingerprint", &fingerprint)]);
    assert_eq!(answer.to, "/tasks?said=requeued");
    site.until("it was asked about", || {
        site.leak(1).verdict.is_some_and(|verdict| verdict.is_live())
    });
    assert!(operator.get("/tasks").text.contains("There is none."));
}
