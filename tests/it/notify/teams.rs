//! A room of Microsoft Teams, played on loopback with its own answers.

use serde_json::Value;
use unleak::notify::{Channel, Kind, room};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::slack::{HOOK, room_at};
use super::{about, alive, card, failure, hostile, message_for, texts};
use crate::store::held;

async fn teams(answers: Vec<ResponseTemplate>) -> (MockServer, unleak::notify::Notifier) {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (at, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(method("POST")).and(path(HOOK)).respond_with(answer);
        let mock = if at < last { mock.up_to_n_times(1) } else { mock };
        mock.mount(&server).await;
    }
    let notifier = room_at(&server, "teams");
    (server, notifier)
}

const HIDDEN: &str =
    "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error ";

#[tokio::test]
async fn a_card_says_what_leaked_and_reads_no_markup_of_others() {
    let (server, notifier) = teams(vec![ResponseTemplate::new(202)]).await;
    let (mut held, _) = hostile();
    held.leak.sightings[0].path = "[click](https://evil.example) **bold**".to_owned();
    let message = message_for(&held, &room(Channel::Teams));
    let sent = notifier.send(&message, &[Channel::Teams]).await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    let requests = server.received_requests().await.unwrap();
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    let card = &body["attachments"][0];
    assert_eq!(body["type"], "message");
    assert_eq!(card["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(
        card["content"]["actions"][0]["url"],
        "https://example.com/settings/tokens"
    );
    for block in card["content"]["body"].as_array().unwrap() {
        assert_eq!(
            block["type"], "RichTextBlock",
            "a TextBlock would read markup: {block}"
        );
    }
    assert!(
        body.to_string().contains("[click](https://evil.example)"),
        "told as it is"
    );
    assert!(!body.to_string().contains(held.secret.expose_str().unwrap()));
}

#[tokio::test]
async fn a_200_that_hides_an_error_is_no_success() {
    let hidden =
        |status: u16| ResponseTemplate::new(200).set_body_string(format!("{HIDDEN}{status} with ContextId"));
    let (server, notifier) = teams(vec![hidden(429), ResponseTemplate::new(200).set_body_string("1")]).await;
    let message = message_for(&alive(), &room(Channel::Teams));
    let sent = notifier.send(&message, &[Channel::Teams]).await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 2, "tried again");
    let (_server, notifier) = teams(vec![hidden(413)]).await;
    let sent = notifier.send(&message, &[Channel::Teams]).await;
    assert!(
        failure(&sent).contains("Teams answered 413; check notify.teams"),
        "{sent:?}"
    );
    let (_server, notifier) = teams(vec![ResponseTemplate::new(404)]).await;
    let sent = notifier.send(&message, &[Channel::Teams]).await;
    assert!(failure(&sent).contains("Teams answered 404"), "{sent:?}");
}

#[tokio::test]
async fn a_card_stays_below_the_limit_whatever_comes_from_outside() {
    let (server, notifier) = teams(vec![ResponseTemplate::new(202)]).await;
    let (room, card) = (room(Channel::Teams), card());
    let long = "\u{1f600}\"\\".repeat(300);
    let mut leaks: Vec<_> = (0..150).map(|at| held(&format!("leak{at}"))).collect();
    for held in &mut leaks {
        held.leak.sightings[0].path = long.clone();
        held.leak.identity.principal = Some(long.clone());
    }
    let several: Vec<_> = leaks
        .iter()
        .map(|held| about(Kind::Found, held, &room, &card))
        .collect();
    for message in [
        texts().digest(&several).unwrap(),
        texts().message(&several[0]).unwrap(),
    ] {
        assert!(notifier.send(&message, &[Channel::Teams]).await[0].result.is_ok());
    }
    let requests = server.received_requests().await.unwrap();
    assert!(
        requests.iter().all(|request| request.body.len() <= 21_000),
        "{}",
        requests[0].body.len()
    );
    let digest = String::from_utf8_lossy(&requests[0].body).into_owned();
    assert!(digest.contains("further leaks; `unleak policy try`"), "{digest}");
}
