//! GitHub's secret scanning partner program: its published vectors, its feedback, and what is written down.

use serde_json::json;
use unleak::finding::RuleId;

use super::desk::{Desk, acme_token, record, sha256};

/// The documented sample: the second number of its signature has 31 bytes.
const SAMPLE: &str = r#"[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]"#;
const SAMPLE_KEY: &str = "bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c";
const SAMPLE_SIGNATURE: &str =
    "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==";
const SAMPLE_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\n\
    AjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==\n-----END PUBLIC KEY-----\n";

/// An older one that was really sent, with a space in its URL; its key is no longer current.
const OLDER_KEY: &str = "90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a";
const OLDER_SIGNATURE: &str =
    "MEQCIAfgjgz6Ou/3DXMYZBervz1TKCHFsvwMcbuJhNZse622AiAG86/cku2XdcmFWNHl2WSJi2fkE8t+auvB24eURaOd2A==";
const OLDER_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq\n\
    kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==\n-----END PUBLIC KEY-----\n";

fn older() -> String {
    [
        r#"[{"type":"github_oauth_token","token":"#,
        r#""cb4985f"#,
        "91f740272c",
        "0234202299",
        r#"f43808034d7f5","url":" https://github.com/github/faketestrepo/blob/"#,
        r#"b0dd59c0b500650cacd4551ca5989a6194001b10/production.env"}]"#,
    ]
    .concat()
}

async fn with_published_keys() -> Desk {
    let desk = Desk::open("").await;
    assert_eq!(sha256(SAMPLE_PEM), SAMPLE_KEY);
    assert_eq!(sha256(OLDER_PEM), OLDER_KEY);
    desk.published.lock().unwrap().keys.extend([
        (SAMPLE_KEY.to_owned(), SAMPLE_PEM.to_owned(), true),
        (OLDER_KEY.to_owned(), OLDER_PEM.to_owned(), true),
    ]);
    desk
}

fn headers<'a>(key: &'a str, signature: &'a str) -> [(&'a str, &'a str); 2] {
    [
        ("Github-Public-Key-Identifier", key),
        ("Github-Public-Key-Signature", signature),
    ]
}

#[tokio::test]
async fn the_published_samples_of_github_are_taken_and_written_down() {
    let desk = with_published_keys().await;
    let answer = desk
        .post("/reports/github", &headers(SAMPLE_KEY, SAMPLE_SIGNATURE), SAMPLE)
        .await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!([])),
        "{}",
        answer.text
    );
    desk.later(1);
    let answer = desk
        .post("/reports/github", &headers(OLDER_KEY, OLDER_SIGNATURE), older())
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let leaks = desk.leaks().await;
    let seen: Vec<&str> = leaks.iter().map(|leak| leak.sightings[0].path.as_str()).collect();
    assert_eq!(
        seen,
        [
            "https://example.com/base-repo-url/",
            "https://github.com/github/faketestrepo/blob/b0dd59c0b500650cacd4551ca5989a6194001b10/production.env"
        ]
    );
    assert_eq!(
        leaks[0].rule,
        RuleId::new("reported", "unknown-kind"),
        "nothing is lost"
    );
    assert_eq!(leaks[0].sightings[0].origin, "report");
    assert_eq!(
        leaks[1].rule,
        RuleId::new("github", "legacy-token"),
        "by the words of its type"
    );
    assert_eq!(desk.count("tasks").await, 2, "each leak has its task");
}

#[tokio::test]
async fn a_byte_more_or_less_makes_the_published_signature_worthless() {
    let desk = with_published_keys().await;
    for body in [
        format!("{SAMPLE}\n"),
        SAMPLE.replace("some_token", "some_tokem"),
        SAMPLE[..SAMPLE.len() - 1].to_owned(),
        String::new(),
    ] {
        let answer = desk
            .post("/reports/github", &headers(SAMPLE_KEY, SAMPLE_SIGNATURE), body)
            .await;
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    let others = desk
        .post("/reports/github", &headers(OLDER_KEY, SAMPLE_SIGNATURE), SAMPLE)
        .await;
    assert_eq!(others.status, 401, "another key of the same reporter");
    assert_eq!(desk.count("deliveries").await, 0);
}

#[tokio::test]
async fn the_embedded_service_says_which_tokens_are_its_own_and_says_the_same_again() {
    let desk = Desk::open("").await;
    let (alive, ended) = (desk.issue("ann").await, desk.issue("bob").await);
    let never = ["unlu_", "Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7y", "3gm1IL"].concat();
    let others = acme_token("one");
    let ended_id = desk
        .tokens
        .id_of(&unleak::secret::Secret::new(ended.as_bytes()))
        .await
        .unwrap();
    let stopped = desk
        .tokens
        .revoke_presented(&unleak::secret::Secret::new(ended.as_bytes()))
        .await;
    stopped.unwrap();
    let body = json!([
        record(&alive, "unleak_user_token", "https://github.com/a/b/blob/c/d"),
        record(&never, "unleak_user_token", ""),
        record(&format!(" {ended}\n"), "unleak_user_token", ""),
        record(&others, "acme_token", ""),
    ])
    .to_string();
    let answer = desk.github(&body).await;
    let label = |token: &str, label: &str| json!({ "token_hash": sha256(token), "token_type": "unleak_user_token", "label": label });
    let expected = json!([
        label(&alive, "true_positive"),
        label(&never, "false_positive"),
        label(&format!(" {ended}\n"), "true_positive"),
    ]);
    assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    let uses = desk.tokens.token(&ended_id).await.unwrap();
    assert!(uses.last_used_at.is_none(), "looking a token up is no use of it");
    // The token ends, and a rule file changes nothing about what was said before.
    desk.tokens
        .revoke_presented(&unleak::secret::Secret::new(alive.as_bytes()))
        .await
        .unwrap();
    assert_eq!(desk.github(&body).await.json(), expected);
    assert_eq!(desk.count("deliveries").await, 1);
    assert_eq!(desk.leaks().await.len(), 4);
    assert_eq!(desk.leaks().await[0].sightings.len(), 1);
}

#[tokio::test]
async fn one_bad_record_spoils_no_other() {
    let desk = Desk::open("").await;
    let good = acme_token("one");
    desk.keep_secret(&good);
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for bad in [
        "7",
        "null",
        "\"text\"",
        "[]",
        "{}",
        r#"{"type":"acme"}"#,
        r#"{"token":""}"#,
        r#"{"token":"  "}"#,
        r#"{"token":7}"#,
        r#"{"token":null}"#,
        r#"{"token":{"token":"x"}}"#,
        &format!(r#"{{"token":{deep}}}"#),
        &format!(r#"{{"token":"{}"}}"#, "a".repeat(70_000)),
    ] {
        let good = record(
            &good,
            "acme_token",
            &format!("https://example.com/{}", sha256(bad)),
        );
        let answer = desk.github(format!("[{bad},{good},{bad}]")).await;
        assert_eq!(answer.status, 200, "{bad:.40}: {}", answer.text);
    }
    let leaks = desk.leaks().await;
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].sightings.len(), 13);
    let all_bad = desk.github(r#"[{"type":"acme"},7]"#).await;
    assert_eq!(all_bad.status, 400, "nothing of it could be read");
    let broken = [good.as_bytes(), b"\",\"url\":\"\xff\xfe\"}]"].concat();
    let answer = desk
        .github([b"[{\"token\":\"\xff\"},{\"token\":\"".to_vec(), broken].concat())
        .await;
    assert_eq!(
        answer.status, 200,
        "a byte that is not UTF-8 is its record's own matter"
    );
}

#[tokio::test]
async fn the_same_token_at_many_places_is_one_leak_with_one_task() {
    let desk = Desk::open("").await;
    let token = acme_token("one");
    desk.keep_secret(&token);
    for report in 0..3 {
        let records: Vec<_> = (0..5)
            .map(|place| {
                record(
                    &token,
                    "acme_token",
                    &format!("https://example.com/{report}/{place}"),
                )
            })
            .collect();
        let body = serde_json::to_string(&records).unwrap();
        let two = tokio::join!(desk.github(&body), desk.github(&body));
        assert_eq!((two.0.status, two.1.status), (200, 200), "at once, and again");
    }
    let leaks = desk.leaks().await;
    assert_eq!((leaks.len(), leaks[0].sightings.len()), (1, 15));
    assert_eq!(
        (desk.count("tasks").await, desk.count("deliveries").await),
        (1, 3)
    );
}
