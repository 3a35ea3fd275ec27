//! Webhooks of GitHub: a delivery is believed by its HMAC, the secret comes from the API, and the alert is resolved when
//! the token is dead. GitHub's API is played on loopback.

mod alerts;
mod push;
mod resolved;
mod sweep;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::desk::{Answer, Desk};

pub(super) const SECRET: &str = "It's a Secret to Everybody";
pub(super) const CREDENTIAL: &str = "operator-credential-of-the-tests";

/// A receiver whose GitHub is this server.
pub(super) async fn played() -> (Desk, MockServer, tempfile::TempDir) {
    let github = MockServer::start().await;
    let files = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("secret", SECRET),
        ("old", "an older secret"),
        ("credential", CREDENTIAL),
    ] {
        std::fs::write(files.path().join(name), text).unwrap();
    }
    let folder = files.path().display();
    let desk = Desk::open(&format!(
        "[reports.github_webhook]\nsecrets = [{{ file = \"{folder}/secret\" }}, {{ file = \"{folder}/old\" }}]\n\
         sweep = [\"acme\", \"acme/app\"]\n\
         [services.github]\nbases = [\"{}\"]\ncredential_file = \"{folder}/credential\"\n",
        github.uri()
    ))
    .await;
    desk.keep_secret(CREDENTIAL);
    desk.keep_secret(SECRET);
    (desk, github, files)
}

pub(super) fn hmac(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let digits: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256={digits}")
}

pub(super) async fn deliver(desk: &Desk, event: &str, id: &str, body: &str) -> Answer {
    let signature = hmac(SECRET, body);
    let headers = [
        ("x-github-event", event),
        ("x-github-delivery", id),
        ("x-hub-signature-256", &signature),
        ("content-type", "application/json"),
    ];
    desk.post("/webhooks/github", &headers, body).await
}

pub(super) fn repository(github: &MockServer) -> Value {
    json!({
        "full_name": "acme/app",
        "url": "https://github.example/acme/app",
        "commits_url": format!("{}/repos/acme/app/commits{{/sha}}", github.uri()),
    })
}

pub(super) fn alert(github: &MockServer, action: &str) -> String {
    let url = format!("{}/repos/acme/app/secret-scanning/alerts/42", github.uri());
    json!({ "action": action, "alert": { "number": 42, "url": url }, "repository": repository(github) })
        .to_string()
}

/// The API's answer, if it is asked with the operator's credential.
pub(super) async fn get(github: &MockServer, at: &str, answer: Value) {
    Mock::given(method("GET"))
        .and(path(at))
        .and(header("authorization", format!("Bearer {CREDENTIAL}")))
        .respond_with(ResponseTemplate::new(200).set_body_json(answer))
        .mount(github)
        .await;
}

pub(super) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub(super) async fn alert_of(github: &MockServer, secret: &str) {
    let at = "/repos/acme/app/secret-scanning/alerts/42";
    get(
        github,
        at,
        json!({ "number": 42, "state": "open", "secret_type": "acme", "secret": secret }),
    )
    .await;
    let details = json!({ "path": "src/a b.py", "start_line": 7, "end_line": 7, "start_column": 3, "commit_sha": COMMIT });
    let issue = json!({ "type": "issue_body", "details": { "issue_body_url": "https://api.github.example/issues/1" } });
    get(
        github,
        &format!("{at}/locations"),
        json!([{ "type": "commit", "details": details }, issue]),
    )
    .await;
    let author = json!({ "name": "Ada", "email": "ada@example.com", "date": "2025-06-01T12:00:00Z" });
    get(
        github,
        &format!("/repos/acme/app/git/commits/{COMMIT}"),
        json!({ "sha": COMMIT, "author": author }),
    )
    .await;
}
