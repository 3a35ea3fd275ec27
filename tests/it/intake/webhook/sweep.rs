//! What webhooks missed is found by looking.

use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{alert, alert_of, deliver, get, played};
use crate::intake::desk::acme_token;

fn listed(number: usize, updated: &str) -> Value {
    json!({ "number": number, "state": "open", "updated_at": updated, "repository": { "full_name": "acme/app" } })
}

/// How often GitHub was asked for the alert itself.
async fn asked(github: &MockServer) -> usize {
    let requests = github.received_requests().await.unwrap();
    let of_it = requests
        .iter()
        .filter(|request| request.url.path() == "/repos/acme/app/secret-scanning/alerts/42");
    of_it.count()
}

#[tokio::test]
async fn an_alert_that_no_webhook_told_of_is_taken_in_once_and_again_when_it_was_updated() {
    let (desk, github, _files) = played().await;
    let token = acme_token("one");
    desk.keep_secret(&token);
    alert_of(&github, &token).await;
    let of_repository = json!([listed(42, "2026-11-20T10:00:00Z")]);
    get(&github, "/repos/acme/app/secret-scanning/alerts", of_repository).await;
    let listing = |updated: &str| {
        Mock::given(method("GET"))
            .and(path("/orgs/acme/secret-scanning/alerts"))
            .and(query_param("state", "open"))
            .and(query_param("hide_secret", "true"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!([listed(42, updated)])))
    };
    let first = listing("2026-11-20T10:00:00Z").mount_as_scoped(&github).await;
    assert_eq!(desk.intake.sweep().await, (1, 0));
    assert_eq!(asked(&github).await, 1);
    assert_eq!(desk.intake.sweep().await, (0, 0), "it is known");
    assert_eq!(asked(&github).await, 1, "and not asked for again");
    drop(first);
    let _second = listing("2026-11-21T10:00:00Z").mount_as_scoped(&github).await;
    assert_eq!(desk.intake.sweep().await, (1, 0), "it was seen somewhere else");
    // The webhook that comes late tells nothing new.
    let late = deliver(&desk, "secret_scanning_alert", "late", &alert(&github, "created")).await;
    assert_eq!(late.status, 200);
    let leaks = desk.leaks().await;
    assert_eq!((leaks.len(), desk.count("tasks").await), (1, 1));
    assert_eq!(leaks[0].sightings.len(), 3);
}

#[tokio::test]
async fn every_page_is_looked_through_and_one_alert_that_fails_does_not_hold_up_the_others() {
    let (desk, github, _files) = played().await;
    let token = acme_token("one");
    desk.keep_secret(&token);
    alert_of(&github, &token).await;
    let page = |number: &str, alerts: Vec<Value>| {
        Mock::given(path("/orgs/acme/secret-scanning/alerts"))
            .and(query_param("page", number))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!(alerts)))
    };
    // Nobody knows these: GitHub answers 404 for each, or they are no alerts at all.
    let mut strange: Vec<Value> = (100..149).map(|number| listed(number, "x")).collect();
    strange.push(json!({ "number": 7, "repository": { "full_name": "../../evil" } }));
    page("1", strange).mount(&github).await;
    page("2", vec![listed(42, "x")]).mount(&github).await;
    let (taken, failed) = desk.intake.sweep().await;
    assert_eq!(
        (taken, failed),
        (1, 51),
        "the repository's own list is refused as well"
    );
    assert_eq!(desk.leaks().await.len(), 1);
}
