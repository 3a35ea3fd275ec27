//! Signed events, to an HTTP server on loopback.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::net::TcpListener;
use unleak::notify::{Channel, Notifier};
use unleak::secret::mac_sha256;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{alive, failure, files, message_for, refused, settings, signing};
use crate::store::owner;

async fn webhook(answers: Vec<ResponseTemplate>) -> (MockServer, Notifier) {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (at, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(method("POST"))
            .and(path("/hook"))
            .respond_with(answer);
        let mock = if at < last { mock.up_to_n_times(1) } else { mock };
        mock.mount(&server).await;
    }
    let (_, written) = signing();
    let settings = settings(&format!(
        "[webhook]\nurl = \"{}/hook?t=s3cr3t-in-url\"\nsecret = {written:?}",
        server.uri()
    ));
    assert!(
        !format!("{settings:?}").contains("s3cr3t-in-url") && !format!("{settings:?}").contains(&written)
    );
    let notifier = Notifier::new(&settings).unwrap();
    (server, notifier)
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers.get(name).unwrap().to_str().unwrap()
}

#[tokio::test]
async fn an_event_is_signed_by_standard_webhooks_and_keeps_its_id_over_tries() {
    let later = ResponseTemplate::new(503);
    let wait = ResponseTemplate::new(429).insert_header("retry-after", "0");
    let (server, notifier) = webhook(vec![later, wait, ResponseTemplate::new(204)]).await;
    let message = message_for(&alive(), &owner("ada"));
    let sent = notifier.send(&message, &[Channel::Webhook]).await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(header(request, "webhook-id"), message.id);
        assert_eq!(header(request, "content-type"), "application/json");
        let signed = format!("{}.{}.", message.id, header(request, "webhook-timestamp"));
        let mac = mac_sha256(&signing().0, &[signed.as_bytes(), &request.body]);
        assert_eq!(
            header(request, "webhook-signature"),
            format!("v1,{}", STANDARD.encode(mac))
        );
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["type"], "leak.found");
        assert_eq!(body["data"]["verdict"]["state"], "live");
        assert_eq!(body["data"]["owner"]["reason"], "token-owner");
        assert!(body["timestamp"].as_str().unwrap().ends_with('Z'));
        assert!(request.body.len() < 20_000);
        assert!(!String::from_utf8_lossy(&request.body).contains(alive().secret.expose_str().unwrap()));
    }
}

#[tokio::test]
async fn a_receiver_that_stays_away_is_asked_three_times_and_no_more() {
    let (server, notifier) = webhook(vec![ResponseTemplate::new(500)]).await;
    let message = message_for(&alive(), &owner("ada"));
    let sent = notifier.send(&message, &[Channel::Webhook]).await;
    assert!(failure(&sent).contains("answered 500, 3 times"), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 3);

    let wait = ResponseTemplate::new(429).insert_header("retry-after", "3600");
    let (server, notifier) = webhook(vec![wait]).await;
    let sent = notifier.send(&message, &[Channel::Webhook]).await;
    assert!(failure(&sent).contains("asks to wait 3600 s"), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let elsewhere = MockServer::start().await;
    let moved = ResponseTemplate::new(307).insert_header("location", elsewhere.uri());
    let (server, notifier) = webhook(vec![moved]).await;
    let sent = notifier
        .send(&message_for(&alive(), &owner("ada")), &[Channel::Webhook])
        .await;
    assert!(failure(&sent).contains("redirects are not followed"), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    assert!(elsewhere.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_not_asked_again() {
    let (server, notifier) = webhook(vec![ResponseTemplate::new(410)]).await;
    for _ in 0..2 {
        let sent = notifier
            .send(&message_for(&alive(), &owner("ada")), &[Channel::Webhook])
            .await;
        assert!(failure(&sent).contains("wants no more events"), "{sent:?}");
    }
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
}

#[tokio::test]
async fn one_failing_channel_does_not_stop_the_others_and_no_failure_shows_a_url() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (_, written) = signing();
    let notifier = Notifier::new(&settings(&format!(
        "outbox = {:?}\n[email]\nhost = \"localhost\"\nport = {closed}\nfrom = \"unleak@example.com\"\ntls = \"none\"\n\
         [webhook]\nurl = \"http://127.0.0.1:{closed}/hook/s3cr3t-in-url\"\nsecret = {written:?}",
        folder.path()
    )))
    .unwrap();
    let message = message_for(&alive(), &owner("ada"));
    let channels = notifier.channels(&message.owner);
    assert_eq!(channels, [Channel::Email, Channel::Webhook, Channel::Outbox]);
    let sent = notifier.send(&message, &channels).await;
    let ended: Vec<_> = sent
        .iter()
        .map(|one| (one.channel.name(), one.result.is_ok()))
        .collect();
    assert_eq!(ended, [("email", false), ("webhook", false), ("outbox", true)]);
    assert!(!format!("{sent:?}").contains("s3cr3t-in-url"), "{sent:?}");
    assert_eq!(files(folder.path()).len(), 1);
}

#[test]
fn webhook_settings_that_would_not_be_safe_are_refused() {
    let (_, written) = signing();
    let hook = |url: &str, rest: &str| format!("[webhook]\nurl = {url:?}\n{rest}");
    let signed = format!("secret = {written:?}");
    assert!(refused(&hook("http://hooks.example.com/x", &signed)).contains("must begin with https://"));
    assert!(refused(&hook("ftp://127.0.0.1/x", &signed)).contains("must begin with https://"));
    assert!(refused(&hook("nonsense", &signed)).contains("is no URL"));
    assert!(refused(&hook("https://hooks.example.com/x", "")).contains("no signing secret"));
    assert!(refused(&hook("https://hooks.example.com/x", "secret = \"short\"")).contains("24 to 64 bytes"));
    assert!(
        Notifier::new(&settings(&hook("https://10.0.0.7/x", &signed))).is_ok(),
        "the operator named it"
    );
}
