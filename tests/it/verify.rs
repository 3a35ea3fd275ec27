//! Verdicts and identities, from services that answer, lie, or say nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use unleak::call::Caller;
use unleak::leak::{DeadWhy, Held, Verdict};
use unleak::rule::RuleSet;
use unleak::verify::{Answer, Verifier};

use crate::played::{Answer as Said, Server, TOKEN, caller, held, json, reply, rules};

pub(crate) const VERIFY: &str = r#"
[verify]
request = "GET {base}/user"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200 }, { status = 403, body = "insufficient_scope" }]
dead = [
  { status = 401, body = "Token expired", why = "expired" },
  { status = 401, body = "User inactive", why = "owner-disabled" },
  { status = 401, body = "revoked at", why = "revoked" },
  { status = 401, body = "Invalid" },
]
identity = { principal = "/login", email = "/email", organisations = "/orgs/*/slug", scopes = "header:X-OAuth-Scopes", user-id = "/id" }
"#;

fn is_ours(request: &str) -> bool {
    request.contains(TOKEN)
}

/// A service that says this of our token and 401 of every other.
async fn knowing(said: impl Fn() -> Said + Send + Sync + 'static) -> Server {
    Server::start(move |request| {
        if is_ours(request) {
            said()
        } else {
            json(401, r#"{"detail":"Invalid token"}"#)
        }
    })
    .await
}

async fn ask(caller: Caller, set: &RuleSet, held: &Held) -> Answer {
    Verifier::new(caller).verify(&set.rules[0], held).await
}

async fn verdict_of(status: u16, body: &'static str) -> Verdict {
    let service = knowing(move || json(status, body)).await;
    ask(caller(&[&service.base]), &rules("", VERIFY), &held(TOKEN, &[]))
        .await
        .verdict
}

fn reason(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Live { reason } | Verdict::Dead { reason, .. } | Verdict::Unknown { reason } => reason,
    }
}

#[tokio::test]
async fn each_answer_gives_the_verdict_that_the_rule_file_declares_and_no_other() {
    let live = |reason: &str| Verdict::Live {
        reason: reason.to_owned(),
    };
    let dead = |why, reason: &str| Verdict::Dead {
        why,
        reason: reason.to_owned(),
    };
    assert_eq!(verdict_of(200, "{}").await, live("200"));
    assert_eq!(verdict_of(200, "not json at all {").await, live("200"));
    let scope = r#"{"error":"insufficient_scope","detail":"and more"}"#;
    assert_eq!(verdict_of(403, scope).await, live("403 insufficient_scope"));
    let expired = r#"{"detail":"Token expired"}"#;
    assert_eq!(
        verdict_of(401, expired).await,
        dead(DeadWhy::Expired, "401 Token expired")
    );
    let disabled = r#"{"detail":"User inactive or deleted"}"#;
    assert_eq!(
        verdict_of(401, disabled).await,
        dead(DeadWhy::OwnerDisabled, "401 User inactive")
    );
    let revoked = r#"{"message":"Invalid. Access token was revoked at: today"}"#;
    assert_eq!(
        verdict_of(401, revoked).await,
        dead(DeadWhy::Revoked, "401 revoked at")
    );
    assert_eq!(
        verdict_of(401, "Invalid token").await,
        dead(DeadWhy::UnknownToService, "401 Invalid")
    );
    for (status, body, said) in [
        (401, "something else", "does not explain"),
        (403, "go away", "does not explain"),
        (404, "", "does not explain"),
        (204, "", "does not explain"),
        (500, "", "in trouble"),
        (301, "", "redirects are not followed"),
    ] {
        let verdict = verdict_of(status, body).await;
        assert_eq!(verdict.name(), "unknown");
        assert!(
            reason(&verdict).starts_with(&format!("{status}: ")),
            "{verdict:?}"
        );
        assert!(reason(&verdict).contains(said), "{verdict:?}");
    }
}

#[tokio::test]
async fn a_service_that_cannot_be_heard_leaves_the_token_unknown() {
    let hanging =
        Server::start(|_| Said::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_vec())).await;
    let endless = Server::start(|_| Said::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
    let limited = Server::start(|_| reply(429, "Retry-After: 3600\r\n", "")).await;
    let page = Server::start(|_| {
        reply(
            302,
            "Location: https://portal.test/\r\nContent-Type: text/html\r\n",
            "",
        )
    })
    .await;
    let set = rules("", VERIFY);
    let gone = "http://127.0.0.1:1".to_owned();
    for (base, said) in [
        (&hanging.base, "did not end within"),
        (&endless.base, "more than 1048576 bytes"),
        (&limited.base, "rate limited: ask again after 20"),
        (&page.base, "302: redirects are not followed"),
        (&gone, "no connection: "),
    ] {
        let answer = ask(caller(&[base]), &set, &held(TOKEN, &[])).await;
        assert_eq!(answer.verdict.name(), "unknown");
        assert!(reason(&answer.verdict).contains(said), "{answer:?}");
        assert!(answer.identity.is_empty());
    }
}

#[tokio::test]
async fn a_live_answer_tells_whose_token_it_is_but_never_the_token() {
    let body = format!(
        r#"{{"login":"ana","email":"me {TOKEN}","id":42,"orgs":[{{"slug":"acme"}},{{"slug":"b"}},{{"slug":"b"}},{{}}]}}"#
    );
    let service = knowing(move || {
        reply(
            200,
            "x-oauth-SCOPES: repo, read:org\r\nSet-Cookie: a=b\r\n",
            &body,
        )
    })
    .await;
    let answer = ask(caller(&[&service.base]), &rules("", VERIFY), &held(TOKEN, &[])).await;
    let identity = answer.identity;
    assert_eq!(identity.principal.as_deref(), Some("ana"));
    assert_eq!(identity.email, None);
    assert_eq!(identity.organisations, ["acme", "b"]);
    assert_eq!(identity.scopes, ["repo", "read:org"]);
    assert_eq!(identity.more["user-id"], "42");
    assert_eq!(identity.base.as_deref(), Some(service.base.as_str()));
}

#[tokio::test]
async fn an_old_service_is_asked_its_own_question_and_a_live_token_further_ones() {
    let rest = r#"
[verify]
request = "GET {base}/validate"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200 }]
dead = [{ status = 401 }]
[verify.fallback]
when = [{ status = 404 }]
request = "GET {base}/old"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200, json = { "/ok" = true } }]
dead = [{ status = 401 }]
identity = { principal = "/id" }
[[verify.identify]]
request = "GET {base}/users/{principal}"
identity = { email = "/email" }
[[verify.identify]]
request = "GET {base}/nobody/{group}"
identity = { email = "/never" }
"#;
    let service = Server::start(|request| match request.split(' ').nth(1).unwrap_or_default() {
        "/old" if is_ours(request) => json(200, r#"{"ok":true,"id":7}"#),
        "/old" => json(401, "{}"),
        "/users/7" => json(200, r#"{"email":"ana@acme.test"}"#),
        _ => json(404, "{}"),
    })
    .await;
    let answer = ask(caller(&[&service.base]), &rules("", rest), &held(TOKEN, &[])).await;
    let reason = "200 /ok = true".to_owned();
    assert_eq!(answer.verdict, Verdict::Live { reason });
    assert_eq!(answer.identity.principal.as_deref(), Some("7"));
    assert_eq!(answer.identity.email.as_deref(), Some("ana@acme.test"));
}

#[tokio::test]
async fn of_two_regions_one_that_knows_the_token_is_enough_and_both_must_deny_it() {
    let home = knowing(|| json(200, "{}")).await;
    let denying = knowing(|| json(401, "Invalid")).await;
    let expired = knowing(|| json(401, "Token expired")).await;
    let silent = Server::start(|_| json(503, "")).await;
    let set = rules("", VERIFY);
    let at = async |bases: &[&str]| ask(caller(bases), &set, &held(TOKEN, &[])).await;

    let answer = at(&[&denying.base, &home.base]).await;
    assert!(answer.verdict.is_live());
    assert_eq!(answer.identity.base.as_ref(), Some(&home.base));
    assert!(at(&[&silent.base, &home.base]).await.verdict.is_live());

    let both = at(&[&denying.base, &expired.base]).await.verdict;
    assert!(
        matches!(
            both,
            Verdict::Dead {
                why: DeadWhy::Expired,
                ..
            }
        ),
        "{both:?}"
    );
    for bases in [[&silent.base, &denying.base], [&denying.base, &silent.base]] {
        let one = at(&bases.map(String::as_str)).await.verdict;
        assert_eq!(one.name(), "unknown");
        assert!(
            reason(&one).starts_with(&format!("{}: 503", silent.base)),
            "{one:?}"
        );
    }
}

#[tokio::test]
async fn one_secret_is_asked_about_once_however_many_ask() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let service = knowing(move || {
        count.fetch_add(1, Ordering::SeqCst);
        json(200, "{}")
    })
    .await;
    let set = rules("", VERIFY);
    let verifier = Verifier::new(caller(&[&service.base]));
    let held = held(TOKEN, &[]);
    let all = (0..20).map(|_| verifier.verify(&set.rules[0], &held));
    for answer in futures_util::future::join_all(all).await {
        assert!(answer.verdict.is_live());
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(service.seen().len(), 2, "and one made-up token");
    assert!(verifier.ask_again(&set.rules[0], &held).await.verdict.is_live());
    assert_eq!(service.seen().len(), 3, "asking again asks, and only once");
}

#[tokio::test]
async fn a_token_that_names_a_host_nobody_trusts_is_sent_nowhere() {
    let evil = Server::start(|_| json(200, "{}")).await;
    let service = knowing(|| json(200, "{}")).await;
    let set = rules("hosts = [\"api.example.com\"]", VERIFY);
    let caller = caller(&[&service.base]);
    for fact in ["base", "region"] {
        let answer = ask(caller.clone(), &set, &held(TOKEN, &[(fact, &evil.base)])).await;
        let host = evil.base.trim_start_matches("http://");
        let said = format!(
            "the token names host {host}, which is neither in the rule file nor configured; \
             set services.example.bases to trust it"
        );
        assert_eq!(answer.verdict, Verdict::unknown(said));
    }
    for odd in [
        format!(
            "https://api.example.com@{}/",
            evil.base.trim_start_matches("http://")
        ),
        format!("{}/../{}", service.base, evil.base),
        format!("{}?x=", service.base),
        format!("{}/{{secret}}", service.base),
        "javascript:alert(1)".to_owned(),
        String::new(),
    ] {
        let verdict = ask(caller.clone(), &set, &held(TOKEN, &[("base", &odd)]))
            .await
            .verdict;
        assert_eq!(verdict.name(), "unknown", "{odd}");
    }
    assert!(evil.seen().is_empty() && service.seen().is_empty());
    let answer = ask(
        caller,
        &set,
        &held(TOKEN, &[("base", &format!("{}/", service.base))]),
    )
    .await;
    assert!(answer.verdict.is_live());
}

#[tokio::test]
async fn what_a_token_says_about_itself_is_known_without_asking() {
    let rest = r#"decode = { group = "secret", format = "base64-json", take = { org = "/org" }, identity = { organisations = "org" } }
[verify]
request = "GET {base}/user"
live = [{ status = 200 }]
dead = [{ status = 401 }]
"#;
    let set = rules("", rest);
    let answer = ask(caller(&[]), &set, &held(TOKEN, &[("org", "acme")])).await;
    let said = "no base URL is configured: set services.example.bases";
    assert_eq!(answer.verdict, Verdict::unknown(said));
    assert_eq!(answer.identity.organisations, ["acme"]);
}

#[tokio::test]
async fn without_a_call_or_for_what_is_public_nothing_is_asked() {
    let service = Server::start(|_| json(200, "{}")).await;
    let verdict = ask(caller(&[&service.base]), &rules("", ""), &held(TOKEN, &[]))
        .await
        .verdict;
    assert_eq!(verdict, Verdict::unknown("no call is known that proves it"));
    let public = rules("", &format!("public = true\n{VERIFY}"));
    let verdict = ask(caller(&[&service.base]), &public, &held(TOKEN, &[]))
        .await
        .verdict;
    assert_eq!(verdict, Verdict::unknown("public by design: never asked"));
    assert!(service.seen().is_empty());
}
