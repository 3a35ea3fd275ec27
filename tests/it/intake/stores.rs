//! Token stores that are asked while a reporter waits: an RFC 7662 endpoint, and a signed callback of the issuer's.

use std::time::Duration;

use serde_json::{Value, json};
use unleak::secret::Secret;
use unleak::server::intake::standard::SigningKey;
use wiremock::matchers::{body_string_contains, header, method};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::desk::{Desk, acme_token, record, sha256};

/// A file with a secret.
fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn labels(answer: &Value) -> Vec<(&str, &str)> {
    let list = answer.as_array().unwrap().iter();
    list.map(|one| {
        (
            one["token_hash"].as_str().unwrap(),
            one["label"].as_str().unwrap(),
        )
    })
    .collect()
}

#[tokio::test]
async fn an_introspection_endpoint_says_which_tokens_live() {
    let issuer = MockServer::start().await;
    let credential = "client:client-secret-of-the-tests";
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, credential);
    let (basic, credential) = (format!("Basic {basic}"), file(credential));
    let (live, dead) = (acme_token("live"), acme_token("dead"));
    let answer = |active: bool| ResponseTemplate::new(200).set_body_json(json!({ "active": active }));
    let asked = || {
        Mock::given(method("POST"))
            .and(header("authorization", basic.as_str()))
            .and(header("content-type", "application/x-www-form-urlencoded"))
    };
    asked()
        .and(body_string_contains(&live[10..]))
        .respond_with(answer(true))
        .mount(&issuer)
        .await;
    asked()
        .and(body_string_contains(&dead[10..]))
        .respond_with(answer(false))
        .mount(&issuer)
        .await;
    let store = |more: &str| {
        format!(
            "[[reports.token_stores]]\nof = [\"acme\"]\nask = \"introspection\"\nurl = \"{}/introspect\"\ncredential = {{ file = {:?} }}\n{more}",
            issuer.uri(),
            credential.path()
        )
    };
    let broken = acme_token("broken");
    let body = json!([
        record(&live, "acme", ""),
        record(&dead, "acme", ""),
        record(&broken, "acme", ""),
        record(&crate::support::tool::token(), "acme", ""),
    ])
    .to_string();
    let desk = Desk::open(&store("")).await;
    desk.keep_secret(&live);
    let answer = desk.github(&body).await.json();
    assert_eq!(
        labels(&answer),
        [(sha256(&live).as_str(), "true_positive")],
        "an inactive one may have been revoked"
    );
    let desk = Desk::open(&store("inactive_is_foreign = true\n")).await;
    let answer = desk.github(&body).await.json();
    assert_eq!(
        labels(&answer),
        [
            (sha256(&live).as_str(), "true_positive"),
            (sha256(&dead).as_str(), "false_positive")
        ]
    );
    let tokens = issuer.received_requests().await.unwrap();
    assert_eq!(
        tokens.len(),
        6,
        "a token of another service is not shown to this one"
    );
}

/// A signing key; joined here, so that no source holds one.
fn key() -> String {
    ["whsec_", "QUFBQUFBQUFBQUFBQUFB", "QUFBQUFBQUFBQUFBQUFBQUE="].concat()
}

/// Answers as an issuer does that keeps hashes, after it has checked the signature.
fn issuer(known: &'static [&'static str]) -> impl Fn(&Request) -> ResponseTemplate + Send + Sync {
    move |request: &Request| {
        let text = |name: &str| request.headers[name].to_str().unwrap().to_owned();
        let key = SigningKey::read(&Secret::new(key())).unwrap();
        let signed = key.sign(
            &text("webhook-id"),
            text("webhook-timestamp").parse().unwrap(),
            &request.body,
        );
        if signed != text("webhook-signature") {
            return ResponseTemplate::new(401);
        }
        let asked: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(asked["type"], "tokens.lookup");
        let tokens = asked["data"]["tokens"].as_array().unwrap().iter().map(|token| {
            assert!(token.get("token").is_none(), "hashes alone");
            let is = |word: &&str| {
                sha256(acme_token(word)) == token["token_hash"].as_str().unwrap()
                    || sha256(word) == token["token_hash"].as_str().unwrap()
            };
            json!({ "token_hash": token["token_hash"], "known": known.iter().any(is) })
        });
        ResponseTemplate::new(200).set_body_json(json!({ "tokens": tokens.collect::<Vec<_>>() }))
    }
}

#[tokio::test]
async fn a_signed_callback_is_asked_for_thousands_of_hashes_at_once() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(issuer(&["known 1", "a token without any shape"]))
        .mount(&server)
        .await;
    let key = file(&key());
    let desk = Desk::open(&format!(
        "[[reports.token_stores]]\nask = \"callback\"\nurl = \"{}/lookup\"\ncredential = {{ file = {:?} }}\nrule = \"acme/api-token\"\n",
        server.uri(),
        key.path()
    ))
    .await;
    let mut records: Vec<Value> = (1..1200)
        .map(|i| {
            record(
                &acme_token(&format!("known {i}")),
                "acme",
                "https://example.com/a",
            )
        })
        .collect();
    records.push(record("a token without any shape", "something", ""));
    let body = serde_json::to_string(&records).unwrap();
    let answer = desk.github(&body).await;
    let answer = answer.json();
    let labels = labels(&answer);
    assert_eq!(labels.len(), 1200);
    let known: Vec<&str> = labels
        .iter()
        .filter(|(_, label)| *label == "true_positive")
        .map(|(hash, _)| *hash)
        .collect();
    assert_eq!(
        known,
        [sha256(acme_token("known 1")), sha256("a token without any shape")]
    );
    let leaks = desk.leaks().await;
    assert!(
        leaks.iter().all(|leak| leak.rule.as_str() == "acme/api-token"),
        "the store that knows it says what it is"
    );
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        3,
        "five hundred at a time"
    );
}

#[tokio::test]
async fn a_store_that_is_slow_broken_or_lies_leaves_the_label_out_and_nothing_is_lost() {
    let key = file(&key());
    for (i, answer) in [
        ResponseTemplate::new(200).set_delay(Duration::from_secs(30)),
        ResponseTemplate::new(500),
        ResponseTemplate::new(302).insert_header("location", "https://example.com"),
        ResponseTemplate::new(200).set_body_string("no JSON"),
        ResponseTemplate::new(200).set_body_json(json!({ "tokens": [{ "token_hash": "x", "known": true }] })),
        ResponseTemplate::new(200).set_body_string("[".repeat(2 << 20)),
    ]
    .into_iter()
    .enumerate()
    {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(answer)
            .mount(&server)
            .await;
        let desk = Desk::open(&format!(
            "[reports]\nfeedback_within_seconds = 1\n[[reports.token_stores]]\nask = \"callback\"\nurl = \"{}\"\ncredential = {{ file = {:?} }}\n",
            server.uri(),
            key.path()
        ))
        .await;
        let body = json!([record(&acme_token("one"), "acme", "")]).to_string();
        let answer = desk.github(&body).await;
        assert_eq!((answer.status, answer.json()), (200, json!([])), "{i}");
        assert_eq!(
            (desk.leaks().await.len(), desk.count("tasks").await),
            (1, 1),
            "{i}"
        );
    }
}

/// The example of docs/receiver.md, as it is.
#[tokio::test]
async fn the_documented_callback_runs() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/token_lookup.py");
    let key = file(&key());
    let token = acme_token("known 1");
    let hashes = file(&format!("{}\n", sha256(&token)));
    let Ok(mut child) = std::process::Command::new("python3")
        .arg(script)
        .arg("0")
        .arg(key.path())
        .arg(hashes.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
    else {
        eprintln!("no python3 on this machine: the example is not run");
        return;
    };
    let mut line = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.take().unwrap()),
        &mut line,
    )
    .unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let desk = Desk::open(&format!(
        "[[reports.token_stores]]\nof = [\"acme\"]\nask = \"callback\"\nurl = \"{url}\"\ncredential = {{ file = {:?} }}\n",
        key.path()
    ))
    .await;
    let other = acme_token("other");
    let body = json!([record(&token, "acme", ""), record(&other, "acme", "")]).to_string();
    let answer = desk.github(&body).await.json();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(
        labels(&answer),
        [
            (sha256(&token).as_str(), "true_positive"),
            (sha256(&other).as_str(), "false_positive")
        ]
    );
}
