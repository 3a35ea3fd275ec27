//! Odd reports that real receivers got: each is taken for what it means.

use serde_json::{Value, json};
use unleak::finding::RuleId;

use super::desk::{Desk, acme_token, sha256};

async fn only(desk: &Desk, record: Value) -> (RuleId, String) {
    let known = desk.leaks().await;
    let answer = desk.github(json!([record]).to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut leaks = desk.leaks().await;
    leaks.retain(|leak| !known.iter().any(|known| known.fingerprint == leak.fingerprint));
    assert_eq!(leaks.len(), 1, "{record}");
    (leaks[0].rule.clone(), leaks[0].sightings[0].path.clone())
}

#[tokio::test]
async fn what_a_token_is_is_told_by_its_shape_and_not_by_what_it_is_called() {
    let desk = Desk::open("").await;
    let github = crate::support::tool::token();
    for (token, kind, rule) in [
        (github.clone(), "acme_api_token", "github/personal-access-token"),
        (
            acme_token("one"),
            "github_personal_access_token",
            "acme/api-token",
        ),
        (desk.issue("ann").await, "", "unleak/user-token"),
    ] {
        let (id, _) = only(
            &desk,
            json!({ "token": token, "type": kind, "url": "https://example.com/a" }),
        )
        .await;
        assert_eq!(id.as_str(), rule);
    }
}

#[tokio::test]
async fn a_shape_that_says_nothing_is_told_by_the_kind_or_by_the_configuration() {
    let desk = Desk::open("[reports.types]\nacme_classic = \"acme/old-token\"\n").await;
    let old = |digits: &str| ["0A1B2C3D4E5F", "60718293", digits].concat();
    for (token, kind, rule) in [
        (old("A4B5"), "Acme-Token", "acme/old-token"),
        (old("C6D7"), "acme_CLASSIC", "acme/old-token"),
        (
            "hunter2-with-no-shape".to_owned(),
            "acme_classic",
            "acme/old-token",
        ),
        (old("E8F9"), "something else", "reported/unknown-kind"),
        ("no shape at all".to_owned(), "", "reported/unknown-kind"),
        // A mapped kind is no reason to take another service's token for ours.
        (
            crate::support::tool::token(),
            "acme_classic",
            "github/personal-access-token",
        ),
    ] {
        let (id, _) = only(&desk, json!({ "token": token, "type": kind })).await;
        assert_eq!(id.as_str(), rule, "{kind}");
    }
    let wrong = std::panic::AssertUnwindSafe(Desk::open("[reports.types]\nacme = \"acme/nothing\"\n"));
    let failed = tokio::spawn(async move { drop(wrong.0.await) }).await;
    assert!(failed.is_err(), "a rule that does not exist is told at the start");
}

#[tokio::test]
async fn places_and_sources_are_taken_as_they_come() {
    let desk = Desk::open("").await;
    let long = format!("https://example.com/{}", "a".repeat(5000));
    let token = acme_token("inside");
    let inside = format!("https://example.com/?key={token}");
    for (i, (rest, place)) in [
        (
            json!({ "url": " https://example.com/a " }),
            "https://example.com/a",
        ),
        (
            json!({ "url": "", "source": "Pull_request_comment" }),
            "reported by github, seen in: pull_request_comment",
        ),
        (
            json!({ "url": null, "source": "brand_new_source" }),
            "reported by github, seen in: brand_new_source",
        ),
        (json!({}), "reported by github, place not told"),
        (
            json!({ "source": 7, "url": 7, "type": 7 }),
            "reported by github, place not told",
        ),
        (
            json!({ "URL": "https://example.com/b", "Source": "NPM" }),
            "https://example.com/b",
        ),
        (
            json!({ "location": "https://example.com/c", "more": [1], "and": {} }),
            "https://example.com/c",
        ),
        (
            json!({ "url": "https://example.com/\r\nBcc: x\u{1b}[31m" }),
            "https://example.com/\\x0d\\x0aBcc: x\\x1b[31m",
        ),
        (json!({ "url": long }), &long[..2000]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut record = rest;
        record["token"] = json!(acme_token(&format!("place {i}")));
        assert_eq!(only(&desk, record).await.1, place);
    }
    desk.keep_secret(&token);
    let (_, place) = only(&desk, json!({ "token": token, "url": inside })).await;
    assert_eq!(
        place, "https://example.com/?key=acme_live_…[16 characters]",
        "an address may hold the token"
    );
}

#[tokio::test]
async fn a_token_with_text_around_it_is_found_in_it_and_answered_for() {
    let desk = Desk::open("").await;
    let token = desk.issue("ann").await;
    let sent = format!("export TOKEN={token}\n");
    let body = json!([{ "token": sent, "type": "t", "TOKEN": "x" }]).to_string();
    let answer = desk.github(body).await;
    assert_eq!(
        answer.json(),
        json!([{ "token_hash": sha256(&sent), "token_type": "t", "label": "true_positive" }])
    );
    assert_eq!(desk.leaks().await[0].rule.as_str(), "unleak/user-token");
}

#[tokio::test]
async fn marks_and_placeholders_in_a_token_do_not_make_it_harmless() {
    let desk = Desk::open("").await;
    let token = acme_token("one");
    let (id, _) = only(&desk, json!({ "token": format!("{token} unleak:ignore") })).await;
    assert_eq!(id.as_str(), "acme/api-token");
}
