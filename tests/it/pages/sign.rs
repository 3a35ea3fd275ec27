//! Signing in and out: what the browser gets, what the server keeps, and when it is over.

use sqlx::Connection as _;
use unleak::token_service::model::Scopes;
use unleak::token_service::{Holder, NewToken};

use super::site::{Browser, EVERY, Kept, OPERATOR, Site, by};

#[test]
fn a_browser_gets_a_cookie_that_scripts_and_other_sites_cannot_reach_and_that_is_no_token() {
    let site = Site::empty(Kept::Sqlite, "");
    let token = site.token("ann", &["leaks:read"]);
    let browser = Browser::new(&site);
    let answer = browser.sign_in(&token);
    assert_eq!((answer.status, answer.to.as_str()), (303, "/"));
    let cookie = answer
        .headers
        .iter()
        .find(|(name, value)| name == "set-cookie" && value.starts_with("unleak="));
    let cookie = &cookie.unwrap().1;
    for word in ["; HttpOnly", "; SameSite=Strict", "; Path=/", "; Max-Age=43200"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains(&token));
    assert_eq!(browser.get("/leaks").status, 200);
}

#[test]
fn behind_tls_the_cookie_is_bound_to_the_host_and_sent_over_tls_alone() {
    let site = Site::empty(Kept::Sqlite, "");
    let token = site.token("ann", &["leaks:read"]);
    let browser = Browser::new(&site);
    let tls = [("x-forwarded-proto", "https")];
    let key = browser.send("GET", "/sign-in", &[], &tls).hidden("key");
    let answer = browser.send("POST", "/sign-in", &[("key", &key), ("token", &token)], &tls);
    let cookies: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .collect();
    assert!(
        cookies
            .iter()
            .any(|(_, value)| value.starts_with("__Host-unleak=") && value.ends_with("; Secure"))
    );
    assert_eq!(browser.send("GET", "/leaks", &[], &tls).status, 200);
    assert_eq!(browser.get("/leaks").status, 303, "without TLS it is not read");
}

#[test]
fn every_page_goes_out_with_headers_that_keep_scripts_frames_and_caches_away() {
    let site = Site::empty(Kept::Sqlite, "");
    let browser = site.browser("operator");
    for path in [
        "/leaks",
        "/sign-in",
        "/trends",
        "/nothing/here",
        "/organisations/none",
    ] {
        let answer = browser.get(path);
        if path == "/nothing/here" {
            continue;
        }
        let policy = answer.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert!(policy.contains("frame-ancestors 'none'"));
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(
            !answer.text.contains(" style=") && !answer.text.contains("<style"),
            "{path}"
        );
        assert!(
            !answer.text.contains(" onclick") && !answer.text.contains("<script>"),
            "{path}"
        );
    }
    let page = browser.get("/leaks").text;
    let style = page
        .split('"')
        .find(|part| part.starts_with("/assets/style.css?v="))
        .unwrap();
    assert!(browser.get(style).header("cache-control").contains("immutable"));
    assert_eq!(
        browser.get("/assets/style.css").header("cache-control"),
        "no-store"
    );
    assert_eq!(browser.get("/assets/../Cargo.toml").status, 404);
}

#[test]
fn what_is_no_token_of_a_person_is_not_let_in_and_not_repeated() {
    let site = Site::empty(Kept::Sqlite, "");
    let project = NewToken {
        holder: Holder::Project {
            organisation: "acme".to_owned(),
            project: "shop".to_owned(),
        },
        description: "a project's".to_owned(),
        scopes: Scopes::new(["leaks:read"]).unwrap(),
        expires_at: None,
    };
    let project = site.wait(site.tokens.create(&project, &by())).unwrap();
    let project = project.token.expose_str().unwrap().to_owned();
    let revoked = site.token("ann", &["leaks:read"]);
    let id = site
        .wait(site.tokens.id_of(&unleak::secret::Secret::new(revoked.as_str())))
        .unwrap();
    site.wait(site.tokens.revoke(&id, "a test", &by())).unwrap();
    for wrong in [
        "",
        "nonsense-of-somebody-1234567890",
        &project,
        &revoked,
        "<b>bold-and-wrong-and-long</b>",
    ] {
        if wrong.len() > 16 {
            site.keep_secret(wrong);
        }
        let browser = Browser::new(&site);
        let answer = browser.sign_in(wrong);
        assert_eq!(answer.status, 401, "{wrong}");
        assert!(answer.text.contains("role=\"alert\""));
        assert_eq!(browser.get("/leaks").status, 303);
    }
}

#[test]
fn a_session_ends_by_signing_out_and_the_cookie_is_worth_nothing_after() {
    for kept in EVERY {
        let site = Site::empty(*kept, "");
        let browser = site.browser("ann");
        let stolen = browser.cookies.borrow().clone();
        assert_eq!(browser.post("/sign-out", &[]).to, "/sign-in?said=signed-out");
        assert!(browser.cookies.borrow().is_empty());
        *browser.cookies.borrow_mut() = stolen;
        assert_eq!(browser.get("/leaks").status, 303);
        let lines = site.wait(site.tokens.audit_log()).unwrap();
        for action in ["session.begin", "session.end"] {
            assert!(
                lines
                    .iter()
                    .any(|line| line.action == action && line.subject == "ann"),
                "{action}"
            );
        }
    }
}

#[test]
fn a_session_ends_with_its_token_its_person_and_its_time() {
    for kept in EVERY {
        let site = Site::empty(*kept, "");
        let browser = site.browser("ann");
        assert_eq!(browser.get("/leaks").status, 200);
        site.wait(site.tokens.set_user_active("ann", false, &by()))
            .unwrap();
        assert_eq!(browser.get("/leaks").status, 303, "the person was deactivated");
        site.wait(site.tokens.set_user_active("ann", true, &by()))
            .unwrap();
        assert_eq!(browser.get("/leaks").status, 200);

        let token = site.token("adam", &["leaks:read"]);
        let browser = Browser::new(&site);
        browser.sign_in(&token);
        let id = site
            .wait(site.tokens.id_of(&unleak::secret::Secret::new(token)))
            .unwrap();
        site.wait(site.tokens.revoke(&id, "a test", &by())).unwrap();
        assert_eq!(browser.get("/leaks").status, 303, "the token was revoked");
    }
    let site = Site::empty(Kept::Sqlite, "");
    for late in [
        "UPDATE sessions SET seen_at = seen_at - 3601",
        "UPDATE sessions SET ends_at = ends_at - 43201",
    ] {
        let browser = site.browser("ann");
        assert_eq!(browser.get("/leaks").status, 200);
        let url = format!("sqlite://{}/tokens.db", site.tool.home().display());
        site.wait(async {
            let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
            sqlx::query(late).execute(&mut database).await.unwrap();
        });
        assert_eq!(browser.get("/leaks").status, 303, "{late}");
    }
}

#[test]
fn whoever_is_not_signed_in_comes_back_to_the_page_they_wanted() {
    let site = Site::empty(Kept::Sqlite, "");
    let browser = Browser::new(&site);
    let answer = browser.get("/leaks?state=live&q=a%20b");
    assert_eq!(answer.to, "/sign-in?next=%2Fleaks%3Fstate%3Dlive%26q%3Da%2520b");
    let form = browser.get(&answer.to);
    let (key, next) = (form.hidden("key"), form.hidden("next"));
    assert_eq!(next, "/leaks?state=live&amp;q=a%20b".replace("&amp;", "&#38;"));
    let next = next.replace("&#38;", "&");
    let fields = [("key", key.as_str()), ("token", OPERATOR), ("next", &next)];
    assert_eq!(
        browser.send("POST", "/sign-in", &fields, &[]).to,
        "/leaks?state=live&q=a%20b"
    );
}

#[test]
fn a_link_in_a_mail_asks_once_more_by_itself_because_it_comes_without_the_cookie() {
    let site = Site::empty(Kept::Sqlite, "");
    let browser = Browser::new(&site);
    let answer = browser.send(
        "GET",
        "/leaks?state=live",
        &[],
        &[("sec-fetch-site", "cross-site")],
    );
    assert_eq!(answer.status, 200);
    assert!(answer.text.contains("http-equiv=\"refresh\"") && answer.text.contains("/leaks?state=live"));
    assert!(!answer.text.contains("Leaks by state"));
}
