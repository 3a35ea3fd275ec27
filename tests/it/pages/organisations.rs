//! The token service on pages: members, tokens that are made once and stopped, a policy tried out, review, audit.

use super::site::{EVERY, Kept, Site};

#[test]
fn an_owner_makes_a_token_that_is_shown_once_and_stops_it() {
    for kept in EVERY {
        let site = Site::empty(*kept, "");
        let ann = site.browser("ann");
        let key = ann.key();
        let fields = [
            ("key", key.as_str()),
            ("description", "builds"),
            ("project", "shop"),
            ("preset", "ci"),
            ("days", "30"),
        ];
        let made = ann.send("POST", "/organisations/acme/tokens", &fields, &[]);
        assert_eq!(made.status, 200, "{}", made.text);
        let token = made.text.split("unlp_").nth(1).unwrap();
        let token = format!("unlp_{}", &token[..36]);
        assert!(made.header("cache-control") == "no-store");
        let list = ann.get("/organisations/acme/tokens").text;
        assert!(list.contains("builds") && !list.contains(&token));
        let secret = unleak::secret::Secret::new(token.as_str());
        let id = site.wait(site.tokens.id_of(&secret)).unwrap();
        let stop = format!("/organisations/acme/tokens/{id}");
        assert_eq!(
            ann.post(&stop, &[("how", "revoke"), ("cause", "")]).status,
            400,
            "a cause is wanted"
        );
        assert_eq!(ann.post(&stop, &[("how", "explode"), ("cause", "x")]).status, 400);
        let answer = ann.post(&stop, &[("how", "revoke"), ("cause", "leaked")]);
        assert_eq!(answer.to, "/organisations/acme/tokens?said=revoked");
        assert_eq!(
            ann.post(&stop, &[("how", "revoke"), ("cause", "leaked")]).to,
            "/organisations/acme/tokens?said=already"
        );
        assert!(site.wait(site.tokens.accept(&secret)).is_err());
        assert!(ann.get("/organisations/acme/audit").text.contains("token.revoke"));
        // it was shown to ann, and its page is the one place that may hold it
        site.forget_page("POST /organisations/acme/tokens");
        site.keep_secret(&token);
    }
}

#[test]
fn nobody_makes_a_token_that_could_do_more_than_their_own() {
    let site = Site::empty(Kept::Sqlite, "");
    let token = site.token("ann", &["tokens:write", "leaks:read"]);
    let browser = super::site::Browser::new(&site);
    browser.sign_in(&token);
    let fields = [
        ("description", "too much"),
        ("project", "shop"),
        ("scopes", "events:write"),
    ];
    let answer = browser.post("/organisations/acme/tokens", &fields);
    assert_eq!(answer.status, 403, "{}", answer.text);
    assert!(!answer.text.contains("unlp_"));
}

#[test]
fn a_policy_is_tried_out_before_it_is_switched_on() {
    for kept in EVERY {
        let site = Site::empty(*kept, "");
        let ann = site.browser("ann");
        let policy = "/organisations/acme/policy";
        let fields = [
            ("refuse_user_tokens", "yes"),
            ("allowed_scopes", "events:write"),
            ("max_lifetime_days", "90"),
        ];
        let tried = ann.post(&format!("{policy}/preview"), &fields);
        assert_eq!(tried.status, 200, "{}", tried.text);
        assert!(
            tried.text.contains("refuses user tokens") && tried.text.contains("a browser"),
            "{}",
            tried.text
        );
        assert!(tried.text.contains("value=\"events:write\"") && tried.text.contains("value=\"90\""));
        assert_eq!(ann.get("/leaks").status, 200, "nothing was changed");
        assert!(!ann.get(policy).text.contains("checked"));
        for wrong in [
            ("max_lifetime_days", "0"),
            ("max_lifetime_days", "many"),
            ("allowed_scopes", "NO!"),
        ] {
            assert_eq!(ann.post(policy, &[wrong]).status, 400, "{wrong:?}");
        }
        let operator = site.browser("operator");
        assert_eq!(operator.post(policy, &fields).to, format!("{policy}?said=saved"));
        // from now on ann's token opens acme no more
        assert_eq!(ann.get(policy).status, 403);
        assert!(operator.get(policy).text.contains("checked"));
    }
}

#[test]
fn members_come_and_go_and_what_they_see_with_them() {
    let site = Site::open(Kept::Sqlite, "");
    let (ann, eve) = (site.browser("ann"), site.browser("eve"));
    assert_eq!(eve.get("/organisations/acme").status, 404);
    let members = "/organisations/acme/members";
    assert_eq!(
        ann.post(members, &[("login", "eve"), ("role", "king")]).status,
        400
    );
    assert_eq!(
        ann.post(members, &[("login", "nobody"), ("role", "member")])
            .status,
        404
    );
    assert_eq!(
        ann.post(members, &[("login", "eve"), ("role", "member")]).status,
        303
    );
    let page = super::site::page_of(1);
    assert_eq!(eve.get(&page).status, 200);
    assert_eq!(
        ann.post(members, &[("login", "eve"), ("role", "none")]).status,
        303
    );
    assert_eq!(eve.get(&page).status, 404, "from the next request on");
}

#[test]
fn the_operator_makes_organisations_and_people_and_reads_the_whole_log() {
    let site = Site::empty(Kept::Sqlite, "");
    let operator = site.browser("operator");
    assert_eq!(
        operator
            .post("/organisations", &[("slug", "gamma"), ("name", "Gamma")])
            .to,
        "/organisations/gamma?said=added"
    );
    assert_eq!(
        operator
            .post("/organisations", &[("slug", "gamma"), ("name", "Gamma")])
            .status,
        409
    );
    let zoe = [("login", "zoe"), ("name", "Zoe"), ("email", "zoe@mail.example")];
    assert_eq!(operator.post("/users", &zoe).to, "/users?said=added");
    assert_eq!(
        operator.post("/users/zoe", &[("active", "no")]).to,
        "/users?said=saved"
    );
    assert!(operator.get("/users?q=zoe").text.contains("deactivated"));
    let log = operator.get("/audit").text;
    for action in [
        "organisation.create",
        "user.create",
        "user.deactivate",
        "session.begin",
    ] {
        assert!(log.contains(action), "{action}");
    }
    assert!(operator.get("/organisations/acme/review").status == 200);
    assert_eq!(operator.get("/audit?before=zz").status, 400);
}
