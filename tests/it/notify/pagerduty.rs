//! PagerDuty's Events API v2, played on loopback.

use serde_json::{Value, json};
use unleak::leak::{DeadWhy, Verdict};
use unleak::notify::{Channel, Kind, Notifier, Settings, room};
use unleak::secret::Secret;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{alive, failure, message_for, message_of};

fn routing_key() -> String {
    ["R0utingKey", "0123456789abcdef", "ABCDEF"].concat()
}

pub(crate) fn settings(server: &MockServer, least: &str) -> Settings {
    let text = format!(
        "[pagerduty]\nurl = \"{}\"\nrouting_key_env = \"KEY\"\nseverity = {least:?}",
        server.uri()
    );
    let mut settings: Settings = toml::from_str(&text).unwrap();
    for wanted in settings.wanted() {
        assert_eq!(wanted.key, "notify.pagerduty.routing_key");
        *wanted.place = Some(Secret::new(routing_key()));
    }
    assert!(!format!("{settings:?}").contains(&routing_key()));
    settings
}

async fn pagerduty(answer: ResponseTemplate) -> (MockServer, Notifier) {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v2/enqueue"))
        .respond_with(answer)
        .mount(&server)
        .await;
    let notifier = Notifier::new(&settings(&server, "high")).unwrap();
    (server, notifier)
}

fn taken() -> ResponseTemplate {
    let said = json!({ "status": "success", "message": "Event processed", "dedup_key": "x" });
    ResponseTemplate::new(202).set_body_json(said)
}

#[tokio::test]
async fn an_incident_is_opened_and_the_same_one_is_resolved_when_the_token_is_dead() {
    let (server, notifier) = pagerduty(taken()).await;
    let mut held = alive();
    for _ in 0..2 {
        let message = message_for(&held, &room(Channel::PagerDuty));
        let sent = notifier.send(&message, &[Channel::PagerDuty]).await;
        assert!(sent[0].result.is_ok(), "{sent:?}");
        held.leak.verdict = Some(Verdict::Dead {
            why: DeadWhy::Revoked,
            reason: "401".to_owned(),
        });
    }
    let requests = server.received_requests().await.unwrap();
    let events: Vec<Value> = requests
        .iter()
        .map(|it| serde_json::from_slice(&it.body).unwrap())
        .collect();
    assert_eq!(events[0]["event_action"], "trigger");
    assert_eq!(events[0]["routing_key"], routing_key());
    let payload = &events[0]["payload"];
    assert_eq!(payload["severity"], "error");
    assert_eq!(payload["source"], "acme");
    assert_eq!(payload["class"], "example/token");
    assert!(
        payload["summary"]
            .as_str()
            .unwrap()
            .starts_with("[unleak] high: leaked Example token")
    );
    assert_eq!(
        events[0]["links"][0]["href"],
        "https://example.com/settings/tokens"
    );
    assert!(!events[0].to_string().contains(held.secret.expose_str().unwrap()));
    assert_eq!(
        events[1],
        json!({ "routing_key": routing_key(), "event_action": "resolve", "dedup_key": events[0]["dedup_key"] })
    );
}

#[tokio::test]
async fn a_contained_leak_stays_open_with_less_urgency() {
    let (server, notifier) = pagerduty(taken()).await;
    let message = message_of(Kind::Contained, &alive(), &room(Channel::PagerDuty));
    notifier.send(&message, &[Channel::PagerDuty]).await;
    let requests = server.received_requests().await.unwrap();
    let event: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(event["event_action"], "trigger");
    assert_eq!(event["payload"]["severity"], "warning");
}

#[tokio::test]
async fn a_refused_event_is_not_sent_again_and_its_reason_shows_no_key() {
    let said = json!({ "status": "invalid event", "message": "Event object is invalid",
                       "errors": [format!("'routing_key' {} is unknown", routing_key())] });
    let (server, notifier) = pagerduty(ResponseTemplate::new(400).set_body_json(said)).await;
    let message = message_for(&alive(), &room(Channel::PagerDuty));
    let sent = notifier.send(&message, &[Channel::PagerDuty]).await;
    assert!(
        failure(&sent).contains("'routing_key' [redacted] is unknown"),
        "{sent:?}"
    );
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    let (server, notifier) = pagerduty(ResponseTemplate::new(503)).await;
    let sent = notifier.send(&message, &[Channel::PagerDuty]).await;
    assert!(failure(&sent).contains("answered 503, 3 times"), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn only_leaks_that_are_bad_enough_call_somebody_out() {
    let (_server, notifier) = pagerduty(taken()).await;
    let mut leak = alive().leak;
    assert_eq!(notifier.rooms(&leak), [room(Channel::PagerDuty)]);
    leak.severity = unleak::finding::Severity::Medium;
    assert_eq!(notifier.rooms(&leak), []);
}
