//! Deliveries, and alerts.

use serde_json::json;
use wiremock::matchers::method;
use wiremock::{Mock, ResponseTemplate};

use super::{COMMIT, SECRET, alert, alert_of, deliver, get, hmac, played};
use crate::intake::desk::acme_token;

#[tokio::test]
async fn the_published_hmac_is_taken_and_every_other_one_is_not() {
    let (desk, _github, _files) = played().await;
    let published = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(hmac(SECRET, "Hello, World!"), published);
    let ping = |signature: &str| {
        vec![
            ("x-github-event", "ping"),
            ("x-github-delivery", "1"),
            ("x-hub-signature-256", signature),
        ]
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect::<Vec<_>>()
    };
    let post = async |headers: Vec<(&str, String)>, body: &str| {
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        desk.post("/webhooks/github", &headers, body).await
    };
    let answer = post(ping(published), "Hello, World!").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "pong" })));
    assert_eq!(
        post(ping(&hmac("an older secret", "x")), "x").await.status,
        200,
        "while the secret is changed"
    );
    let upper = published.to_uppercase().replace("SHA256", "sha256");
    for wrong in [
        "",
        "sha256=",
        &published[..70],
        &published[7..],
        &upper,
        "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59",
    ] {
        let answer = post(ping(wrong), "Hello, World!").await;
        assert_eq!(answer.status, 401, "{wrong}");
    }
    assert_eq!(post(ping(published), "Hello, World!\n").await.status, 401);
    let mut legacy = ping("");
    legacy[2].0 = "x-hub-signature";
    assert_eq!(post(legacy, "Hello, World!").await.status, 401);
    let mut twice = ping(published);
    twice.push(("x-hub-signature-256", published.to_owned()));
    assert_eq!(post(twice, "Hello, World!").await.status, 400);
}

#[tokio::test]
async fn an_alert_brings_its_secret_its_places_and_its_committer_once() {
    let (desk, github, _files) = played().await;
    let token = acme_token("one");
    desk.keep_secret(&token);
    alert_of(&github, &token).await;
    let created = alert(&github, "created");
    for id in ["guid-1", "guid-1", "guid-2"] {
        let answer = deliver(&desk, "secret_scanning_alert", id, &created).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "status": "taken" })),
            "{}",
            answer.text
        );
    }
    let located = alert(&github, "created").replace("\"number\":42", "\"number\": 42");
    assert_eq!(
        deliver(&desk, "secret_scanning_alert_location", "guid-3", &located)
            .await
            .status,
        200
    );
    let leaks = desk.leaks().await;
    assert_eq!(
        (
            leaks.len(),
            desk.count("tasks").await,
            desk.count("deliveries").await
        ),
        (1, 1, 2)
    );
    let places: Vec<(String, usize)> = leaks[0]
        .sightings
        .iter()
        .map(|seen| (seen.path.clone(), seen.line))
        .collect();
    let site = github.uri();
    assert_eq!(
        places,
        [
            (format!("{site}/acme/app/security/secret-scanning/42"), 0),
            (format!("{site}/acme/app/blob/{COMMIT}/src/a b.py"), 7),
            ("https://api.github.example/issues/1".to_owned(), 0),
        ]
    );
    assert_eq!(
        leaks[0].sightings[1].commit.as_ref().unwrap().email,
        "ada@example.com"
    );
}

#[tokio::test]
async fn what_is_no_news_of_a_leak_is_passed_over_and_a_form_is_taken_too() {
    let (desk, github, _files) = played().await;
    alert_of(&github, &acme_token("one")).await;
    for action in ["resolved", "assigned", "unassigned"] {
        let answer = deliver(&desk, "secret_scanning_alert", action, &alert(&github, action)).await;
        assert_eq!(answer.json(), json!({ "status": "passed over" }));
    }
    assert_eq!(
        deliver(&desk, "star", "x", "{}").await.json(),
        json!({ "status": "passed over" })
    );
    let form = format!(
        "payload={}",
        percent_encoding::utf8_percent_encode(
            &alert(&github, "publicly_leaked"),
            percent_encoding::NON_ALPHANUMERIC
        )
    );
    let signature = hmac(SECRET, &form);
    let headers = [
        ("x-github-event", "secret_scanning_alert"),
        ("x-github-delivery", "guid-9"),
        ("x-hub-signature-256", &signature),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    assert_eq!(
        desk.post("/webhooks/github", &headers, form).await.json(),
        json!({ "status": "taken" })
    );
}

#[tokio::test]
async fn while_githubs_api_is_down_a_delivery_fails_and_the_next_one_brings_it() {
    let (desk, github, _files) = played().await;
    let token = acme_token("one");
    desk.keep_secret(&token);
    let created = alert(&github, "created");
    for status in [500, 403, 404] {
        github.reset().await;
        Mock::given(method("GET"))
            .respond_with(ResponseTemplate::new(status))
            .mount(&github)
            .await;
        let answer = deliver(&desk, "secret_scanning_alert", "guid-1", &created).await;
        assert_eq!(answer.status, 503, "{status}: {}", answer.text);
    }
    github.reset().await;
    get(
        &github,
        "/repos/acme/app/secret-scanning/alerts/42",
        json!({ "state": "open" }),
    )
    .await;
    assert_eq!(
        deliver(&desk, "secret_scanning_alert", "guid-1", &created)
            .await
            .status,
        503,
        "it holds no secret"
    );
    assert_eq!(desk.count("deliveries").await, 0);
    github.reset().await;
    alert_of(&github, &token).await;
    assert_eq!(
        deliver(&desk, "secret_scanning_alert", "guid-1", &created)
            .await
            .status,
        200
    );
    assert_eq!(desk.leaks().await.len(), 1);
}

#[tokio::test]
async fn an_event_of_another_host_is_refused_and_nobody_is_asked() {
    let (desk, github, _files) = played().await;
    let uri = github.uri();
    for (from, to) in [
        (uri.as_str(), "https://api.github.com"),
        (uri.as_str(), "https://evil.example"),
        ("\"acme/app\"", "\"acme/..\""),
        ("\"acme/app\"", "\"acme/app/x\""),
        ("\"acme/app\"", "\"acme\""),
        ("\"number\":42", "\"number\":\"42/../1\""),
    ] {
        let body = alert(&github, "created").replace(from, to);
        let answer = deliver(&desk, "secret_scanning_alert", "guid-1", &body).await;
        assert_eq!(answer.status, 400, "{to}: {}", answer.text);
    }
    assert!(github.received_requests().await.unwrap().is_empty());
}
