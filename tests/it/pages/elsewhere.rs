//! Signing in with a provider of identities: who comes in, as whom, and for how long.

use serde_json::json;
use sqlx::Connection as _;

use super::provider::{Provider, Wrong};
use super::site::{Browser, EVERY, Kept, OPERATOR, Site, by, page_of};

/// Whether the answer let its browser in.
fn is_in(browser: &Browser<'_>) -> bool {
    browser.get("/leaks").status == 200
}

/// Signing out here, whoever it is hears that they may still be signed in there.
fn is_told_how_to_sign_out_there(provider: &Provider, browser: &Browser<'_>) {
    assert_eq!(browser.post("/sign-out", &[]).to, "/sign-in?said=signed-out");
    assert!(!is_in(browser));
    let page = browser.get("/sign-in?said=signed-out").text;
    let way_out = format!(
        "{}/out?client_id=unleak&#38;post_logout_redirect_uri=",
        provider.base
    );
    assert!(
        page.contains(&way_out) && page.contains("Sign out there, too"),
        "{page}"
    );
}

#[test]
fn somebody_whose_address_is_verified_is_the_user_who_has_it_and_sees_their_organisation() {
    for kept in EVERY {
        let provider = Provider::new();
        let site = provider.site(*kept, "");
        site.fill();
        let browser = Browser::new(&site);
        let page = browser.get("/sign-in?next=/trends");
        assert!(
            page.text.contains("Sign in with Acme &#60;SSO&#62;"),
            "{}",
            page.text
        );
        assert!(page.text.contains("href=\"/sign-in/oidc?next=%2Ftrends\""));

        let answer = browser.get(&provider.back_of(&browser, "/leaks?state=live"));
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert!(
            answer.text.contains("content=\"0; url=/leaks?state=live\""),
            "{}",
            answer.text
        );
        let cookies: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
            .map(|(_, value)| value.as_str())
            .collect();
        let session = cookies
            .iter()
            .find(|cookie| cookie.starts_with("unleak="))
            .unwrap();
        for word in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=43200"] {
            assert!(session.contains(word), "{session}");
        }
        assert!(
            cookies
                .iter()
                .any(|cookie| cookie.starts_with("unleak-elsewhere=; "))
        );

        let leaks = browser.get("/leaks").text;
        assert!(leaks.contains(&page_of(1)) && !leaks.contains(&page_of(2)));
        assert_eq!(browser.get(&page_of(2)).status, 404);
        assert!(leaks.contains("</span>ann</span>"), "{leaks}");
        let page = page_of(1);
        let answer = browser.post(&format!("{page}/dismiss"), &[("why", "a sample")]);
        assert_eq!(answer.to, format!("{page}?said=dismissed"));
        let line = site.wait(site.tokens.audit_log()).unwrap();
        let line = line.iter().find(|line| line.action == "session.begin").unwrap();
        assert_eq!((line.subject.as_str(), line.detail.as_str()), ("ann", "7"));
        assert!(
            line.by.contains("user ann (signed in with http://127.0.0.1"),
            "{}",
            line.by
        );

        is_told_how_to_sign_out_there(&provider, &browser);
    }
}

#[test]
fn a_browser_is_sent_to_the_provider_with_pkce_a_state_and_a_nonce_of_its_own() {
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "scopes = [\"email\", \"groups\"]\n");
    let (browser, other) = (Browser::new(&site), Browser::new(&site));
    let forged = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    let answer = browser.send("GET", "/sign-in/oidc?next=//evil.example", &[], &forged);
    let cookie = answer.header("set-cookie").to_owned();
    for word in [
        "unleak-elsewhere=",
        "; HttpOnly",
        "; SameSite=Lax",
        "; Path=/",
        "; Max-Age=600",
    ] {
        assert!(cookie.contains(word), "{cookie}");
    }
    let door = url::Url::parse(&answer.to).unwrap();
    assert!(
        answer.to.starts_with(&format!("{}/auth?", provider.base)),
        "{}",
        answer.to
    );
    let asked = |door: &url::Url, name: &str| {
        let pairs: Vec<String> = door
            .query_pairs()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
            .collect();
        assert_eq!(pairs.len(), 1, "{name}: {door}");
        pairs[0].clone()
    };
    assert_eq!(asked(&door, "response_type"), "code");
    assert_eq!(asked(&door, "scope"), "openid email groups");
    assert_eq!(asked(&door, "code_challenge_method"), "S256");
    assert_eq!(
        asked(&door, "redirect_uri"),
        format!("{}/sign-in/oidc/back", site.base)
    );
    let second = url::Url::parse(&other.get("/sign-in/oidc").to).unwrap();
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(asked(&door, name).len(), 43, "{name}");
        assert_ne!(asked(&door, name), asked(&second, name), "{name}");
        assert!(!cookie.contains(&asked(&door, name)), "{name}");
    }
    assert_ne!(asked(&door, "state"), asked(&door, "nonce"));
    // wherever the browser was told to go, it ends on a page of ours
    let back = provider.state().signs_in(&answer.to);
    let answer = browser.get(&format!("/sign-in/oidc/back?{back}"));
    assert!(answer.text.contains("content=\"0; url=/\""), "{}", answer.text);
}

#[test]
fn whoever_is_known_there_and_not_here_is_nobody() {
    for kept in EVERY {
        let provider = Provider::new();
        let site = provider.site(*kept, "");
        let refused = |claims: serde_json::Value, why: &str| {
            provider.state().claims = claims;
            let browser = Browser::new(&site);
            let answer = provider.let_in(&browser);
            assert_eq!(answer.status, 401, "{why}");
            assert!(answer.text.contains(why), "{why}: {}", answer.text);
            assert!(!is_in(&browser), "{why}");
        };
        let nobody = "nobody here is called that";
        refused(
            json!({ "email": "ann@mail.example", "email_verified": false }),
            nobody,
        );
        refused(json!({ "email": "ann@mail.example" }), nobody);
        refused(
            json!({ "email": "ann@mail.example.evil", "email_verified": true }),
            nobody,
        );
        refused(json!({ "email": "", "email_verified": true }), nobody);
        refused(
            json!({ "email": ["ann@mail.example"], "email_verified": true }),
            nobody,
        );
        refused(json!({ "preferred_username": "ann" }), nobody);
        site.wait(site.tokens.set_user_active("eve", false, &by()))
            .unwrap();
        let eve = json!({ "email": "eve@mail.example", "email_verified": true });
        refused(eve, "eve was deactivated");
        site.wait(site.tokens.add_user("max2", "max@mail.example", "Max", &by()))
            .unwrap();
        let max = json!({ "email": "max@mail.example", "email_verified": true });
        refused(max, "several users have this address");
        let lines = site.wait(site.tokens.audit_log()).unwrap();
        assert!(
            lines
                .iter()
                .any(|line| line.action == "refused" && line.detail.contains(nobody))
        );
        assert!(lines.iter().all(|line| line.action != "session.begin"));
    }
}

#[test]
fn a_user_who_is_a_member_of_nothing_comes_in_and_sees_nothing() {
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "");
    site.fill();
    site.wait(site.tokens.add_user("ada", "ada@mail.example", "Ada", &by()))
        .unwrap();
    provider.state().claims = json!({ "email": "ada@mail.example", "email_verified": true });
    let browser = Browser::new(&site);
    provider.let_in(&browser);
    assert!(is_in(&browser));
    let leaks = browser.get("/leaks").text;
    assert!(
        [1, 2, 3].iter().all(|number| !leaks.contains(&page_of(*number))),
        "{leaks}"
    );
    for path in ["/organisations/acme", "/tasks", "/audit", &page_of(1)] {
        assert!(browser.get(path).status >= 403, "{path}");
    }
}

#[test]
fn a_claim_makes_an_operator_and_another_one_may_be_the_login() {
    for kept in EVERY {
        let provider = Provider::new();
        let more = "person = \"preferred_username\"\noperators = { groups = [\"ops\"], \"/realm/roles\" = [\"boss\"] }\n";
        let site = provider.site(*kept, more);
        site.fill();
        provider.state().claims = json!({ "preferred_username": "max", "groups": ["ops2", "staff"] });
        let max = Browser::new(&site);
        provider.let_in(&max);
        assert!(is_in(&max) && max.get("/tasks").status == 403);

        provider.state().claims = json!({ "preferred_username": "ann", "groups": ["staff", "ops"] });
        let ann = Browser::new(&site);
        provider.let_in(&ann);
        assert_eq!(ann.get("/tasks").status, 200);
        assert!(
            ann.get("/leaks").text.contains(&page_of(2)),
            "an operator sees all"
        );
        assert_eq!(
            ann.post("/policy", &[("switch", "stop"), ("why", "a drill")])
                .status,
            303
        );
        let stopped = site.wait(site.store.stopped()).unwrap().unwrap();
        assert!(
            format!("{stopped:?}").contains("ann"),
            "by their own name: {stopped:?}"
        );

        provider.state().claims = json!({ "preferred_username": "olga", "realm": { "roles": ["boss"] } });
        let olga = Browser::new(&site);
        provider.let_in(&olga);
        assert_eq!(olga.get("/audit").status, 200);
        assert!(olga.get("/leaks").text.contains("</span>olga</span>"));
        let lines = site.wait(site.tokens.audit_log()).unwrap();
        assert!(
            lines
                .iter()
                .any(|line| line.by.starts_with("operator olga (signed in with"))
        );
    }
}

#[test]
fn what_the_id_token_lacks_is_asked_for_and_a_session_may_be_kept_narrow() {
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "may = [\"leaks:read\"]\n");
    site.fill();
    provider.state().claims = json!({});
    provider.state().more = json!({ "email": "ann@mail.example", "email_verified": true });
    let browser = Browser::new(&site);
    provider.let_in(&browser);
    assert!(browser.get("/leaks").text.contains(&page_of(1)));
    let answer = browser.post(&format!("{}/dismiss", page_of(1)), &[("why", "a sample")]);
    assert_eq!(answer.status, 403, "{}", answer.text);
    // what was signed is not written over
    provider.state().claims = json!({ "email": "max@mail.example", "email_verified": false });
    let browser = Browser::new(&site);
    assert_eq!(provider.let_in(&browser).status, 401);
}

#[test]
fn a_secret_is_shown_in_the_body_where_the_provider_or_the_operator_wants_it_so() {
    for (document, more) in [
        (
            json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }),
            "",
        ),
        (json!({}), "authentication = \"post\"\n"),
        (
            json!({ "token_endpoint_auth_methods_supported": ["client_secret_post"] }),
            "authentication = \"basic\"\n",
        ),
    ] {
        let provider = Provider::new();
        provider.state().document = document;
        let site = provider.site(Kept::Sqlite, more);
        let browser = Browser::new(&site);
        provider.let_in(&browser);
        assert!(is_in(&browser), "{more}");
        let asked = provider.asked_for("POST /token").remove(0);
        let basic = asked.header("authorization").starts_with("Basic ");
        assert_eq!(basic, more.contains("basic"), "{more}");
        assert_eq!(asked.body.contains("client_secret="), !basic);
    }
}

#[test]
fn a_session_ends_with_its_person_its_membership_and_its_provider() {
    for kept in EVERY {
        let provider = Provider::new();
        let site = provider.site(*kept, "");
        site.fill();
        let browser = Browser::new(&site);
        provider.let_in(&browser);
        assert!(browser.get("/leaks").text.contains(&page_of(1)));
        site.wait(site.tokens.end_membership("acme", "ann", &by()))
            .unwrap();
        assert!(
            !browser.get("/leaks").text.contains(&page_of(1)),
            "no member any more"
        );
        assert_eq!(browser.get(&page_of(1)).status, 404);
        site.wait(site.tokens.set_user_active("ann", false, &by()))
            .unwrap();
        assert_eq!(browser.get("/leaks").status, 303, "deactivated");
    }
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "");
    for late in [
        "UPDATE sessions SET seen_at = seen_at - 3601",
        "UPDATE sessions SET ends_at = ends_at - 43201",
        "UPDATE sessions SET issuer = 'https://former.example'",
    ] {
        let browser = Browser::new(&site);
        provider.let_in(&browser);
        assert!(is_in(&browser));
        change(&site, late);
        assert!(!is_in(&browser), "{late}");
    }
}

#[test]
fn a_new_sign_in_ends_the_session_before_it() {
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "");
    let browser = site.browser("max");
    let before = browser.cookies.borrow().clone();
    provider.let_in(&browser);
    assert_ne!(before["unleak"], browser.cookies.borrow()["unleak"]);
    assert!(browser.get("/leaks").text.contains("</span>ann</span>"));
    let stolen = Browser::new(&site);
    *stolen.cookies.borrow_mut() = before;
    assert!(!is_in(&stolen));
}

#[test]
fn owners_who_refuse_tokens_of_people_still_come_in_by_their_provider() {
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "");
    site.fill();
    change(&site, "UPDATE organisations SET refuse_user_tokens = 1");
    let by_token = site.browser("amy");
    assert!(!by_token.get("/leaks").text.contains(&page_of(1)));
    let browser = Browser::new(&site);
    provider.let_in(&browser);
    assert!(browser.get("/leaks").text.contains(&page_of(1)));
    assert_eq!(browser.get("/organisations/acme/policy").status, 200);
}

#[test]
fn without_a_provider_there_is_no_such_page_and_the_operator_key_still_works_beside_one() {
    let site = Site::empty(Kept::Sqlite, "");
    let browser = Browser::new(&site);
    assert_eq!(browser.get("/sign-in/oidc").status, 404);
    assert_eq!(browser.get("/sign-in/oidc/back?code=x&state=y").status, 404);
    assert!(!browser.get("/sign-in").text.contains("oidc"));
    let provider = Provider::new();
    provider.state().wrong = Wrong::Away;
    let site = provider.site(Kept::Sqlite, "");
    let browser = Browser::new(&site);
    assert_eq!(browser.sign_in(OPERATOR).status, 303);
    assert!(is_in(&browser));
}

/// Changes the tables of the token service behind its back.
fn change(site: &Site, statement: &'static str) {
    let url = format!("sqlite://{}/tokens.db", site.tool.home().display());
    site.wait(async {
        let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(statement).execute(&mut database).await.unwrap();
    });
}
