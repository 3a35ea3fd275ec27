//! A room of Slack, played on loopback with Slack's own answers.

use serde_json::Value;
use unleak::notify::{Channel, Kind, Notifier, Settings, room};
use unleak::secret::Secret;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{about, alive, card, failure, hostile, message_for, message_of, texts};
use crate::store::held;

pub(super) const HOOK: &str = "/services/T0/B0/s3cr3t-in-url";

/// A room by an incoming webhook at the server; `section` is `slack` or `teams`.
pub(super) fn room_at(server: &MockServer, section: &str) -> Notifier {
    let mut settings: Settings = toml::from_str(&format!("[{section}]\nurl_env = \"HOOK\"")).unwrap();
    let url = Some(Secret::new(format!("{}{HOOK}", server.uri())));
    for wanted in settings.wanted() {
        assert_eq!(wanted.env.unwrap(), "HOOK");
        *wanted.place = url.clone();
    }
    assert!(!format!("{settings:?}").contains("s3cr3t-in-url"));
    Notifier::new(&settings).unwrap()
}

async fn slack(answers: Vec<ResponseTemplate>) -> (MockServer, Notifier) {
    let server = MockServer::start().await;
    let last = answers.len() - 1;
    for (at, answer) in answers.into_iter().enumerate() {
        let mock = Mock::given(method("POST")).and(path(HOOK)).respond_with(answer);
        let mock = if at < last { mock.up_to_n_times(1) } else { mock };
        mock.mount(&server).await;
    }
    let notifier = room_at(&server, "slack");
    (server, notifier)
}

fn texts_of(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(text) = object.get("text").and_then(Value::as_str) {
                found.push(text.to_owned());
            }
            object.values().for_each(|value| texts_of(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| texts_of(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn a_room_reads_what_leaked_whose_and_what_to_do_and_foreign_text_mentions_nobody() {
    let (server, notifier) = slack(vec![
        ResponseTemplate::new(429).insert_header("retry-after", "0"),
        ResponseTemplate::new(200).set_body_string("ok"),
    ])
    .await;
    let (mut held, _) = hostile();
    held.leak.sightings[0].path = "<!channel> & <@U1> <https://evil.example|x>".to_owned();
    let message = message_for(&held, &room(Channel::Slack));
    assert_eq!(notifier.channels(&message.owner), [Channel::Slack]);
    let sent = notifier.send(&message, &[Channel::Slack]).await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 2, "tried again after 429");
    let body: Value = serde_json::from_slice(&requests[1].body).unwrap();
    let mut said = Vec::new();
    texts_of(&body, &mut said);
    let all = said.join("\n");
    assert!(
        !all.contains("<!channel>") && !all.contains("<@U1>") && !all.contains("<https://evil"),
        "{all}"
    );
    assert!(all.contains("&lt;!channel&gt; &amp; &lt;@U1&gt;"), "{all}");
    assert!(
        all.contains("*What to do now*\n1. Revoke the token by hand: <https://example.com/settings/tokens|"),
        "{all}"
    );
    assert!(
        all.contains("You get this because the configuration sends leaks of this severity here."),
        "{all}"
    );
    assert!(!all.contains(held.secret.expose_str().unwrap()));
    for text in said {
        assert!(text.chars().count() <= 3000, "{}", text.len());
    }
}

#[tokio::test]
async fn slacks_own_words_are_told_with_what_to_do_and_never_the_address() {
    for (status, word, expected) in [
        (404, "channel_not_found", "the room of the webhook is gone"),
        (410, "channel_is_archived", "the room of the webhook is gone"),
        (
            403,
            "action_prohibited",
            "an administrator of the workspace has forbidden it",
        ),
        (404, "no_service", "make a new one"),
        (403, "invalid_token", "make a new one"),
        (400, "invalid_payload", "please report this"),
        (200, "<html>a captive portal", "not Slack's `ok`"),
        (302, "", "redirects are not followed"),
    ] {
        let (server, notifier) = slack(vec![ResponseTemplate::new(status).set_body_string(word)]).await;
        let message = message_for(&alive(), &room(Channel::Slack));
        let sent = notifier.send(&message, &[Channel::Slack]).await;
        assert!(failure(&sent).contains(expected), "{status} {word}: {sent:?}");
        assert!(!failure(&sent).contains("s3cr3t-in-url"), "{sent:?}");
        assert_eq!(
            server.received_requests().await.unwrap().len(),
            1,
            "{word} is not worth another try"
        );
    }
    let (server, notifier) = slack(vec![ResponseTemplate::new(500).set_body_string("rollup_error")]).await;
    let sent = notifier
        .send(&message_for(&alive(), &room(Channel::Slack)), &[Channel::Slack])
        .await;
    assert!(failure(&sent).contains("answered 500, 3 times"), "{sent:?}");
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_digest_of_many_leaks_stays_within_slacks_limits_and_says_how_many_are_left_out() {
    let (server, notifier) = slack(vec![ResponseTemplate::new(200).set_body_string("ok")]).await;
    let (room, card) = (room(Channel::Slack), card());
    let leaks: Vec<_> = (0..120).map(|at| held(&format!("leak{at}"))).collect();
    let several: Vec<_> = leaks
        .iter()
        .map(|held| about(Kind::Found, held, &room, &card))
        .collect();
    let message = texts().digest(&several).unwrap();
    let sent = notifier.send(&message, &[Channel::Slack]).await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    let requests = server.received_requests().await.unwrap();
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    let blocks = body["blocks"].as_array().unwrap();
    assert!(blocks.len() <= 50, "{}", blocks.len());
    assert!(
        body.to_string()
            .contains("more: `unleak policy try` lists every leak"),
        "{body}"
    );
}

#[tokio::test]
async fn what_follows_a_notice_says_so() {
    let (server, notifier) = slack(vec![ResponseTemplate::new(200).set_body_string("ok")]).await;
    for kind in [Kind::Revoked, Kind::Approval, Kind::Escalation(2)] {
        let message = message_of(kind, &alive(), &room(Channel::Slack));
        assert!(notifier.send(&message, &[Channel::Slack]).await[0].result.is_ok());
    }
    let requests = server.received_requests().await.unwrap();
    let said = |at: usize| String::from_utf8_lossy(&requests[at].body).into_owned();
    assert!(said(0).contains("[unleak] revoked:"), "{}", said(0));
    assert!(said(1).contains("unleak approve be02aa45"), "{}", said(1));
    assert!(said(2).contains("[unleak] escalation 2,"), "{}", said(2));
}

#[test]
fn a_room_without_an_address_or_over_plain_http_is_refused() {
    for section in ["slack", "teams"] {
        let settings: Settings = toml::from_str(&format!("[{section}]")).unwrap();
        let error = format!("{:#}", Notifier::new(&settings).err().unwrap());
        assert!(
            error.contains(&format!("set notify.{section}.url_file or")),
            "{error}"
        );
        let mut settings: Settings = toml::from_str(&format!("[{section}]\nurl_env = \"X\"")).unwrap();
        for wanted in settings.wanted() {
            *wanted.place = Some(Secret::new("http://hooks.example.com/s3cr3t-in-url"));
        }
        let error = format!("{:#}", Notifier::new(&settings).err().unwrap());
        assert!(
            error.contains("must begin with https://") && !error.contains("s3cr3t"),
            "{error}"
        );
    }
}
