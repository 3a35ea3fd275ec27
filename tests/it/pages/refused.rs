//! A provider of identities that lies, is replaced, changes its keys or goes away; and browsers that come back twice, late, or
//! instead of another one. Nobody comes in by any of it.

use serde_json::json;

use super::provider::{Provider, Wrong};
use super::site::{Browser, EVERY, Kept, Site};

fn is_in(browser: &Browser<'_>) -> bool {
    browser.get("/leaks").status == 200
}

fn sessions(site: &Site) -> usize {
    let lines = site.wait(site.tokens.audit_log()).unwrap();
    lines.iter().filter(|line| line.action == "session.begin").count()
}

#[test]
fn an_answer_that_is_not_the_providers_for_us_now_and_for_this_sign_in_lets_nobody_in() {
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "");
    for (wrong, why) in [
        (Wrong::Nonce, "of another sign-in"),
        (Wrong::Audience, "for somebody else"),
        (Wrong::SeveralWithoutParty, "for several"),
        (Wrong::Party, "made for somebody else"),
        (Wrong::Issuer, "of another issuer"),
        (Wrong::Ended, "has ended"),
        (Wrong::Future, "of the future"),
        (Wrong::NoTimes, "does not say when"),
        (Wrong::AlgNone, "not accepted"),
        (Wrong::HmacOfTheKey, "not accepted"),
        (Wrong::OtherAlgorithm, "does not publish"),
        (Wrong::Signature, "signature of the id token is wrong"),
        (Wrong::ForeignKey, "does not publish"),
        (Wrong::NoIdToken, "no id token"),
        (Wrong::NotEvenAToken, "cannot be asked"),
        (Wrong::Huge, "cannot be asked"),
    ] {
        provider.state().wrong = wrong;
        let browser = Browser::new(&site);
        let answer = provider.let_in(&browser);
        assert_eq!(answer.status, 401, "{wrong:?}");
        assert!(answer.text.contains(why), "{wrong:?}: {}", answer.text);
        assert!(
            answer.text.contains("role=\"alert\"") && !is_in(&browser),
            "{wrong:?}"
        );
    }
    provider.state().wrong = Wrong::OtherUserInfo;
    provider.state().claims = json!({});
    provider.state().more = json!({ "email": "ann@mail.example", "email_verified": true });
    let browser = Browser::new(&site);
    let answer = provider.let_in(&browser);
    assert!(
        answer.text.contains("of somebody else") && !is_in(&browser),
        "{}",
        answer.text
    );
    assert_eq!(sessions(&site), 0);
    provider.state().wrong = Wrong::Nothing;
    provider.let_in(&browser);
    assert!(is_in(&browser), "the same provider, honest");
}

#[test]
fn a_way_back_is_good_once_and_in_the_browser_that_was_sent() {
    for kept in EVERY {
        let provider = Provider::new();
        let site = provider.site(*kept, "");
        let (ann, eve) = (Browser::new(&site), Browser::new(&site));
        let back = provider.back_of(&ann, "/leaks");
        let refused = |browser: &Browser<'_>, path: &str| {
            let answer = browser.get(path);
            assert_eq!(answer.status, 401, "{path}");
            assert!(
                answer.text.contains("was not begun in this browser"),
                "{path}: {}",
                answer.text
            );
            assert!(!is_in(browser), "{path}");
        };
        // a code that was caught, in a browser that was never sent, or was sent by itself
        refused(&eve, &back);
        let own = provider.back_of(&eve, "/leaks");
        refused(&eve, &back);
        // a forged state uses the sign-in of nobody up
        let state = back.rsplit_once("state=").unwrap().0;
        for forged in ["", "x", &"A".repeat(43)] {
            refused(&ann, &format!("{state}state={forged}"));
        }
        let kept_cookie = ann.cookies.borrow().clone();
        assert_eq!(ann.get(&back).status, 200);
        assert!(is_in(&ann));
        let again = Browser::new(&site);
        *again.cookies.borrow_mut() = kept_cookie;
        again.cookies.borrow_mut().remove("unleak");
        refused(&again, &back);
        // the code of another browser with one's own state: the provider knows whose verifier it is
        let foreign = provider.back_of(&Browser::new(&site), "/leaks");
        let code = foreign.split_once('&').unwrap().0;
        let mixed = format!("{code}&{}", own.split_once('&').unwrap().1);
        let answer = eve.get(&mixed);
        assert!(
            answer.text.contains("does not take the code") && !is_in(&eve),
            "{}",
            answer.text
        );
        assert_eq!(sessions(&site), 1);
    }
}

#[test]
fn a_sign_in_that_was_broken_off_or_answered_by_another_provider_says_so() {
    let provider = Provider::new();
    provider.state().document = json!({ "authorization_response_iss_parameter_supported": true });
    let site = provider.site(Kept::Sqlite, "");
    let browser = Browser::new(&site);
    let state = |back: &str| back.rsplit_once("state=").unwrap().1.to_owned();
    let back = provider.back_of(&browser, "/leaks");
    let broken = format!(
        "/sign-in/oidc/back?error=access_denied&error_description=%3Cb%3E&state={}",
        state(&back)
    );
    let answer = browser.get(&broken);
    assert!(
        answer.text.contains("was broken off") && !answer.text.contains("<b>"),
        "{}",
        answer.text
    );
    for issuer in ["", "&iss=https://another.example"] {
        let back = provider.back_of(&browser, "/leaks");
        let answer = browser.get(&format!("{back}{issuer}"));
        assert!(
            answer.text.contains("from another provider") && !is_in(&browser),
            "{issuer}"
        );
    }
    let back = provider.back_of(&browser, "/leaks");
    browser.get(&format!("{back}&iss={}", provider.base));
    assert!(is_in(&browser));
}

#[test]
fn new_keys_are_seen_at_once_and_made_up_ones_make_us_ask_once_a_minute() {
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "");
    let asked = || provider.asked_for("GET /keys").len();
    let comes_in = || {
        let browser = Browser::new(&site);
        provider.let_in(&browser);
        is_in(&browser)
    };
    assert!(comes_in() && comes_in());
    assert_eq!(asked(), 1, "they are kept");
    provider.state().change_key();
    assert!(comes_in() && comes_in());
    assert_eq!(asked(), 2, "a key that is not known is asked for");
    provider.state().wrong = Wrong::ForeignKey;
    for _ in 0..5 {
        assert!(!comes_in());
    }
    assert_eq!(asked(), 2, "no more than once a minute");
    provider.state().wrong = Wrong::Nothing;
    assert!(comes_in());
    assert_eq!(
        provider.asked_for("GET /.well-known/openid-configuration").len(),
        1
    );
}

#[test]
fn a_provider_that_is_away_is_said_to_be_and_is_asked_again_when_it_is_back() {
    let provider = Provider::new();
    let site = provider.site(Kept::Sqlite, "");
    let browser = Browser::new(&site);
    provider.state().wrong = Wrong::Away;
    let answer = browser.get("/sign-in/oidc?next=/leaks");
    assert_eq!(answer.status, 401);
    assert!(answer.text.contains("cannot be asked now") && answer.text.contains("A token still works"));
    provider.state().wrong = Wrong::Nothing;
    provider.let_in(&browser);
    assert!(is_in(&browser));
    // it goes away between the way there and the way back: the code is not lost on us for ever, the person tries again
    let other = Browser::new(&site);
    let back = provider.back_of(&other, "/leaks");
    provider.state().wrong = Wrong::Away;
    assert!(other.get(&back).text.contains("cannot be asked now") && !is_in(&other));
    assert!(is_in(&browser), "whoever is in stays in");
}

#[test]
fn a_document_that_leads_to_another_host_or_issuer_is_not_followed() {
    for document in [
        json!({ "token_endpoint": "http://127.0.0.1:9/token" }),
        json!({ "jwks_uri": "https://keys.another.example/keys" }),
        json!({ "authorization_endpoint": "https://another.example/auth" }),
        json!({ "issuer": "https://another.example" }),
        json!({ "code_challenge_methods_supported": ["plain"] }),
        json!({ "userinfo_endpoint": "file:///etc/passwd" }),
    ] {
        let provider = Provider::new();
        provider.state().document = document.clone();
        let site = provider.site(Kept::Sqlite, "");
        let answer = Browser::new(&site).get("/sign-in/oidc");
        assert_eq!(answer.status, 401, "{document}");
        assert!(answer.text.contains("cannot be asked now"), "{document}");
    }
}

#[test]
fn a_provider_that_is_not_configured_well_is_told_before_anybody_signs_in() {
    let tool = crate::support::tool::Tool::new();
    let good = "[serve.dashboard]\nurl = \"https://unleak.example\"\n[serve.dashboard.oidc]\nclient_id = \"unleak\"\n";
    for (text, why) in [
        (format!("{good}issuer = \"http://login.example\"\n"), "over https"),
        (
            format!("{good}issuer = \"https://a:b@login.example\"\n"),
            "no user name",
        ),
        (format!("{good}issuer = \"login\"\n"), "no address"),
        (
            format!("{good}issuer = \"https://login.example\"\nhosts = [\"https://x\"]\n"),
            "no name of a host",
        ),
        (
            format!("{good}issuer = \"https://login.example\"\nclient_secret = {{ file = \"gone\" }}\n"),
            "client_secret",
        ),
        (
            "[serve.dashboard.oidc]\nclient_id = \"unleak\"\nissuer = \"https://login.example\"\n".to_owned(),
            "needs serve.dashboard.url",
        ),
        (
            good.replace("unleak.example", "unleak.example/path") + "issuer = \"https://login.example\"\n",
            "leave out the path",
        ),
    ] {
        tool.write("c.toml", &text);
        let ran = tool.run(["--config", "c.toml", "serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(ran.code, 2, "{text}: {} {}", ran.out, ran.err);
        assert!(ran.err.contains(why), "{why}: {}", ran.err);
    }
}
