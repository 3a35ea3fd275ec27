//! Private reports on GitHub, played on loopback.

use serde_json::{Value, json};
use unleak::notify::{Channel, Notifier, Settings, room};
use unleak::secret::Secret;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{alive, failure, hostile, message_for};

fn notifier(server: &MockServer, lines: &str) -> Notifier {
    let text = format!("[github]\napi = \"{}\"\ntoken_env = \"T\"\n{lines}", server.uri());
    let mut settings: Settings = toml::from_str(&text).unwrap();
    for wanted in settings.wanted() {
        *wanted.place = Some(Secret::new("operators-token"));
    }
    Notifier::new(&settings).unwrap()
}

async fn repository(name: &str, enabled: bool, answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path(format!("/repos/{name}/private-vulnerability-reporting")))
        .and(header("authorization", "Bearer operators-token"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({ "enabled": enabled })))
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path(format!("/repos/{name}/security-advisories/reports")))
        .and(header("authorization", "Bearer operators-token"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn a_repository_that_takes_private_reports_gets_one_whose_text_reads_no_markup() {
    let server = repository(
        "acme/app",
        true,
        ResponseTemplate::new(201).set_body_json(json!({})),
    )
    .await;
    let notifier = notifier(&server, "repository = \"acme/app\"");
    let (mut held, _) = hostile();
    held.leak.sightings[0].path = "````\n# @everybody".to_owned();
    let sent = notifier
        .send(&message_for(&held, &room(Channel::GitHub)), &[Channel::GitHub])
        .await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
    let requests = server.received_requests().await.unwrap();
    let report: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert_eq!(report["severity"], "high");
    assert_eq!(report["cwe_ids"], json!(["CWE-798"]));
    let description = report["description"].as_str().unwrap();
    assert!(
        description.starts_with("`````text\n") && description.ends_with("`````\n"),
        "{description}"
    );
    assert!(!report.to_string().contains(held.secret.expose_str().unwrap()));
    assert_eq!(requests[1].headers["x-github-api-version"], "2022-11-28");
}

#[tokio::test]
async fn where_private_reports_are_off_nothing_is_sent_and_no_issue_is_opened() {
    let server = repository("acme/app", false, ResponseTemplate::new(201)).await;
    let notifier = notifier(&server, "repository = \"acme/app\"");
    let sent = notifier
        .send(&message_for(&alive(), &room(Channel::GitHub)), &[Channel::GitHub])
        .await;
    assert!(
        failure(&sent).contains("acme/app takes no private reports: nothing was sent"),
        "{sent:?}"
    );
    let requests = server.received_requests().await.unwrap();
    assert!(
        requests.iter().all(|request| request.method == "GET"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn the_place_of_a_leak_names_the_repository_only_where_the_operator_names_its_account() {
    let server = repository("Acme/site", true, ResponseTemplate::new(201)).await;
    let notifier = notifier(&server, "accounts = [\"acme\"]");
    let mut held = alive();
    let place = |held: &mut unleak::leak::Held, path: &str| path.clone_into(&mut held.leak.sightings[0].path);
    for elsewhere in [
        "https://github.com/umbrella/app/blob/main/a.env",
        "https://evil.example/acme/app/blob/main/a.env",
        "https://github.com/acme/../../repos",
        "https://github.com/acme/..",
        "https://github.com/acme",
        "acme/app/a.env",
    ] {
        place(&mut held, elsewhere);
        assert_eq!(notifier.rooms(&held.leak), [], "{elsewhere}");
    }
    place(&mut held, " https://github.com/Acme/site/blob/main/a.env#L3");
    assert_eq!(notifier.rooms(&held.leak), [room(Channel::GitHub)]);
    let sent = notifier
        .send(&message_for(&held, &room(Channel::GitHub)), &[Channel::GitHub])
        .await;
    assert!(sent[0].result.is_ok(), "{sent:?}");
}

#[tokio::test]
async fn a_refusal_is_told_with_githubs_words() {
    for status in [403, 404, 422] {
        let said = json!({ "message": "Resource not accessible by personal access token" });
        let server = repository(
            "acme/app",
            true,
            ResponseTemplate::new(status).set_body_json(said),
        )
        .await;
        let notifier = notifier(&server, "repository = \"acme/app\"");
        let sent = notifier
            .send(&message_for(&alive(), &room(Channel::GitHub)), &[Channel::GitHub])
            .await;
        assert!(
            failure(&sent).contains(&format!("{status} Resource not accessible")),
            "{sent:?}"
        );
        assert!(!failure(&sent).contains("operators-token"));
    }
}

#[test]
fn a_section_that_names_nobody_is_refused() {
    for (lines, expected) in [
        ("", "notify.github.token is missing"),
        ("token_env = \"T\"", "names nobody to report to"),
        ("token_env = \"T\"\nrepository = \"acme\"", "is no repository"),
        ("token_env = \"T\"\nrepository = \"../x\"", "is no repository"),
    ] {
        let mut settings: Settings = toml::from_str(&format!("[github]\n{lines}")).unwrap();
        for wanted in settings.wanted() {
            *wanted.place = wanted.env.map(|_| Secret::new("operators-token"));
        }
        let error = format!("{:#}", Notifier::new(&settings).err().unwrap());
        assert!(error.contains(expected), "{error}");
    }
}
