//! `unleak scan --report-to URL`, the real binary, against a real receiver and against ones that misbehave.

use serde_json::json;
use wiremock::matchers::{header_exists, method};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::desk::{Desk, acme_token};
use crate::support::tool::{Ran, Tool, token};

fn key(byte: u8) -> String {
    let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [byte; 32]);
    format!("whsec_{key}\n")
}

/// A repository with a token in its history, and a configuration with a key.
fn leaky() -> Tool {
    let tool = Tool::repository();
    tool.write("settings.py", format!("KEY = '{}'\n", token()));
    tool.commit("add settings", "2024-03-01");
    std::fs::write(tool.home().join("report.key"), key(5)).unwrap();
    let file = tool.home().join("report.key");
    std::fs::write(
        tool.home().join("config.toml"),
        format!("[reports]\nsign_with = {{ file = {file:?} }}\n"),
    )
    .unwrap();
    tool
}

/// The tests' runtime goes on meanwhile.
fn scan(tool: &Tool, to: &str, further: &[&str]) -> Ran {
    let config = tool.home().join("config.toml");
    let args = [
        "--config",
        config.to_str().unwrap(),
        "scan",
        ".",
        "--report-to",
        to,
    ];
    let ran = tokio::task::block_in_place(|| tool.run([&args[..], further].concat()));
    for said in [&ran.out, &ran.err] {
        assert!(
            !said.contains(&token()) && !said.contains(key(5).trim()),
            "{said}"
        );
    }
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_scan_finds_is_handed_to_a_receiver_with_its_commit() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), key(5)).unwrap();
    let desk = Desk::open(&format!(
        "[reports.reporters.ci]\nkeys = [{{ file = {:?} }}]\n",
        file.path()
    ))
    .await;
    desk.keep_secret(&token());
    let tool = leaky();
    let to = format!("{}/reports", desk.base);
    for _ in 0..2 {
        let ran = scan(&tool, &to, &["--history-only"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert!(ran.err.contains("reported 1 findings"), "{}", ran.err);
    }
    let leaks = desk.leaks().await;
    assert_eq!(
        (leaks.len(), leaks[0].sightings.len()),
        (1, 1),
        "told twice, known once"
    );
    let seen = &leaks[0].sightings[0];
    assert_eq!((seen.path.as_str(), seen.line), ("settings.py", 1));
    assert_eq!(seen.commit.as_ref().unwrap().email, "ada@example.com");
    tool.git(&[
        "remote",
        "add",
        "origin",
        &format!("https://ci:{}@git.example/acme/app.git", acme_token("one")),
    ]);
    assert_eq!(scan(&tool, &to, &["--no-history", "-q"]).code, 1);
    let places: Vec<String> = desk.leaks().await[0]
        .sightings
        .iter()
        .map(|seen| seen.path.clone())
        .collect();
    assert_eq!(
        places[1], "https://git.example/acme/app.git: settings.py",
        "an address without its password"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_tried_again_and_then_the_scan_is_incomplete() {
    let tool = leaky();
    let answers = async |first: ResponseTemplate, then: Option<ResponseTemplate>| {
        let server = MockServer::start().await;
        let mock = Mock::given(method("POST")).and(header_exists("webhook-signature"));
        mock.respond_with(first)
            .up_to_n_times(if then.is_some() { 1 } else { u64::MAX })
            .mount(&server)
            .await;
        if let Some(then) = then {
            Mock::given(method("POST"))
                .respond_with(then)
                .mount(&server)
                .await;
        }
        let ran = scan(&tool, &server.uri(), &["--no-history"]);
        (ran, server.received_requests().await.unwrap())
    };
    let busy = || ResponseTemplate::new(503).insert_header("retry-after", "0");
    let taken = ResponseTemplate::new(200).set_body_json(json!({ "taken": 1, "refused": [] }));
    let (ran, requests) = answers(busy(), Some(taken)).await;
    assert_eq!((ran.code, requests.len()), (1, 2), "{}", ran.err);
    assert_eq!(
        requests[0].headers["webhook-id"],
        requests[1].headers["webhook-id"]
    );
    let refused = json!({ "taken": 0, "refused": [{ "record": 0, "why": "its token is too long" }] });
    for (answer, tries, says) in [
        (busy(), 4, "answered 503"),
        (ResponseTemplate::new(401), 1, "reports.sign_with"),
        (ResponseTemplate::new(404), 1, "reports.reporters"),
        (
            ResponseTemplate::new(307).insert_header("location", "https://example.com"),
            1,
            "not followed",
        ),
        (
            ResponseTemplate::new(200).set_body_json(refused),
            1,
            "its token is too long",
        ),
        (
            ResponseTemplate::new(503).insert_header("retry-after", "86400"),
            1,
            "answered 503",
        ),
    ] {
        let (ran, requests) = answers(answer, None).await;
        assert_eq!((ran.code, requests.len()), (3, tries), "{}", ran.err);
        assert!(
            ran.err.contains("the findings were not reported") && ran.err.contains(says),
            "{}",
            ran.err
        );
        assert!(
            ran.out.contains("settings.py"),
            "the report is there all the same"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_go_only_where_nobody_else_reads_and_only_signed() {
    let tool = leaky();
    for (to, says) in [
        ("http://leaks.example.com/reports", "must begin with https://"),
        ("ftp://leaks.example.com/reports", "must begin with https://"),
        ("leaks.example.com", "is no URL"),
    ] {
        let ran = scan(&tool, to, &[]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(
            ran.err.contains("--report-to") && ran.err.contains(says),
            "{}",
            ran.err
        );
        assert!(ran.out.is_empty(), "told before anything is scanned");
    }
    std::fs::write(tool.home().join("config.toml"), "").unwrap();
    let ran = scan(&tool, "https://leaks.example.com/reports", &[]);
    assert!(
        ran.code == 2 && ran.err.contains("reports.sign_with"),
        "{}",
        ran.err
    );
}
