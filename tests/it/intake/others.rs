//! GitLab, deps.dev, GitLab's token revocation API, Standard Webhooks and the public page.

use serde_json::json;
use unleak::secret::Secret;
use unleak::server::intake::standard::SigningKey;

use super::desk::{Desk, acme_token, record, sha256};

fn body(word: &str) -> String {
    json!([{ "type": "acme_token", "token": acme_token("one"), "url": word }]).to_string()
}

#[tokio::test]
async fn gitlab_and_both_sets_of_headers_of_deps_dev_are_taken() {
    let desk = Desk::open("").await;
    for (path, headers) in [
        ("/reports/gitlab", "Gitlab-Public-Key"),
        ("/reports/depsdev", "GOSST-PUBLIC-KEY"),
        ("/reports/depsdev", "DepsDev-Public-Key"),
    ] {
        let answer = desk.signed(path, headers, body(headers)).await;
        assert_eq!(answer.status, 200, "{path} {headers}: {}", answer.text);
        let crossed = desk.signed("/reports/github", headers, body("x")).await;
        assert_eq!(crossed.status, 401, "{headers} are none of GitHub's");
    }
    let (id, made) = (desk.signer.id.clone(), desk.signer.sign(body("both").as_bytes()));
    let both = [
        ("GOSST-PUBLIC-KEY-IDENTIFIER", id.as_str()),
        ("GOSST-PUBLIC-KEY-SIGNATURE", &made),
        ("DepsDev-Public-Key-Identifier", &id),
        ("DepsDev-Public-Key-Signature", &made),
    ];
    assert_eq!(
        desk.post("/reports/depsdev", &both, body("both")).await.status,
        400
    );
    let leaks = desk.leaks().await;
    assert_eq!((leaks.len(), leaks[0].sightings.len()), (1, 3));
}

#[tokio::test]
async fn another_reporter_is_a_section_of_the_configuration() {
    let desk = Desk::open(
        "[reports.origins.acme-mirror]\nkeys = \"KEYS\"\nheaders = [{ key = \"X-Mirror-Identifier\", signature = \"X-Mirror-Signature\" }]\n",
    )
    .await;
    assert_eq!(
        desk.signed("/reports/acme-mirror", "X-Mirror", body("a"))
            .await
            .status,
        200
    );
}

const GITLAB: &str =
    "[reports.gitlab_revocation]\ntokens = [{ file = \"FOLDER/new\" }, { file = \"FOLDER/old\" }]\n";

/// The configuration names files that must be there before it is read.
fn files(texts: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in texts {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[tokio::test]
async fn gitlab_asks_what_can_be_revoked_and_sends_it() {
    let secrets = files(&[("new", "new-gitlab-secret\n"), ("old", "old-gitlab-secret\n")]);
    let desk = Desk::open(&GITLAB.replace("FOLDER", secrets.path().to_str().unwrap())).await;
    for headers in [
        &[("authorization", "new-gitlab-secret")][..],
        &[("authorization", "old-gitlab-secret")],
        &[("x-gitlab-token", "old-gitlab-secret")],
    ] {
        let listed = desk.get("/v1/revocable_token_types", headers).await;
        assert_eq!(listed.status, 200, "{}", listed.text);
        let types = listed.json()["types"].as_array().unwrap().clone();
        for expected in [
            "gitleaks_rule_id_gitlab_personal_access_token",
            "unleak_rule_acme_api_token",
        ] {
            assert!(types.contains(&json!(expected)), "{expected}: {types:?}");
        }
        assert!(
            !types
                .iter()
                .any(|kind| kind.as_str().unwrap().contains("unknown_kind"))
        );
    }
    let token = acme_token("one");
    desk.keep_secret(&token);
    let body = json!([{ "type": "unleak_rule_acme_api_token", "token": token, "location": "https://gitlab.example/a" }]);
    for (headers, status) in [
        (&[][..], 401),
        (&[("authorization", "Bearer new-gitlab-secret")][..], 401),
        (&[("authorization", "new-gitlab-secre")][..], 401),
        (&[("authorization", "")][..], 401),
        (
            &[("authorization", "new-gitlab-secret"), ("authorization", "x")][..],
            400,
        ),
        (
            &[
                ("authorization", "new-gitlab-secret"),
                ("content-type", "application/json"),
            ][..],
            204,
        ),
    ] {
        let answer = desk.post("/v1/revoke_tokens", headers, body.to_string()).await;
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.text);
    }
    let known = [("authorization", "new-gitlab-secret")];
    assert_eq!(desk.post("/v1/revoke_tokens", &known, "[{}]").await.status, 400);
    assert_eq!(
        desk.post("/v1/revoke_tokens", &known, body.to_string())
            .await
            .status,
        204,
        "again"
    );
    let leaks = desk.leaks().await;
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].sightings[0].path, "https://gitlab.example/a");
}

fn signing(byte: u8) -> String {
    use base64::Engine as _;
    format!(
        "whsec_{}",
        base64::engine::general_purpose::STANDARD.encode([byte; 32])
    )
}

const REPORTERS: &str = "[reports.reporters.scanner]\nkeys = [{ file = \"FOLDER/new\" }, { file = \"FOLDER/old\" }]\n\
    [reports.reporters.vendor]\nkeys = [{ file = \"FOLDER/public\" }]\n";

struct Post {
    id: String,
    timestamp: String,
    signature: String,
}

impl Post {
    fn new(desk: &Desk, key: u8, id: &str, body: &str) -> Self {
        let key = SigningKey::read(&Secret::new(signing(key))).unwrap();
        Self {
            id: id.to_owned(),
            timestamp: desk.seconds().to_string(),
            signature: key.sign(id, desk.seconds(), body.as_bytes()),
        }
    }

    async fn send(&self, desk: &Desk, body: &str) -> super::desk::Answer {
        let headers = [
            ("webhook-id", self.id.as_str()),
            ("webhook-timestamp", &self.timestamp),
            ("webhook-signature", &self.signature),
        ];
        desk.post("/reports", &headers, body).await
    }
}

#[tokio::test]
async fn a_reporter_with_a_key_reports_by_standard_webhooks() {
    let pair = {
        use ring::signature::KeyPair as _;
        let key = ring::signature::Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let pair = ring::signature::Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap();
        (pair.public_key().as_ref().to_vec(), pair)
    };
    let encode = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let public = format!("whpk_{}", encode(&pair.0));
    let secrets = files(&[("new", &signing(1)), ("old", &signing(2)), ("public", &public)]);
    let desk = Desk::open(&REPORTERS.replace("FOLDER", secrets.path().to_str().unwrap())).await;
    let (ours, token) = (desk.issue("ann").await, acme_token("one"));
    let commit = json!({ "id": "0123456789abcdef0123456789abcdef01234567", "author": "Ada", "email": "ada@example.com",
        "date": "2025-06-01T12:00:00Z" });
    let records = json!([
        { "token": ours, "type": "unleak/user-token", "url": "app/deploy.toml", "line": 3, "column": 9, "commit": commit },
        { "token": token, "type": "acme" },
        { "type": "nothing" },
    ]);
    let body = json!({ "type": "leak.reported", "timestamp": "2025-06-01T12:00:00Z", "data": { "records": records } });
    let body = body.to_string();
    let post = Post::new(&desk, 1, "msg_1", &body);
    let answer = post.send(&desk, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let expected = json!({
        "taken": 2,
        "refused": [{ "record": 2, "why": "it has no token" }],
        "feedback": [{ "token_hash": sha256(&ours), "token_type": "unleak/user-token", "label": "true_positive" }],
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(
        post.send(&desk, &body).await.json(),
        expected,
        "a message that comes again hears the same"
    );
    assert_eq!(desk.count("deliveries").await, 1);
    let leaks = desk.leaks().await;
    let seen = &leaks
        .iter()
        .find(|leak| leak.rule.service() == "unleak")
        .unwrap()
        .sightings[0];
    assert_eq!(
        (seen.path.as_str(), seen.line, seen.column),
        ("app/deploy.toml", 3, 9)
    );
    assert_eq!(seen.commit.as_ref().unwrap().email, "ada@example.com");
    // A plain list, signed with the older of the two keys; several signatures, of which one is right.
    let list = json!([record(&token, "acme", "https://example.com/b")]).to_string();
    let mut old = Post::new(&desk, 2, "msg_2", &list);
    old.signature = format!("v1,AAAA v2,xx {} v1a,BBBB", old.signature);
    assert_eq!(old.send(&desk, &list).await.status, 200);
    // A public key.
    let signed = format!("msg_3.{}.{list} ", desk.seconds());
    let public = Post {
        id: "msg_3".to_owned(),
        timestamp: desk.seconds().to_string(),
        signature: format!("v1a,{}", encode(pair.1.sign(signed.as_bytes()).as_ref())),
    };
    assert_eq!(public.send(&desk, &format!("{list} ")).await.status, 200);
}

#[tokio::test]
async fn a_message_that_is_old_altered_or_signed_by_a_stranger_is_refused() {
    let secrets = files(&[
        ("new", &signing(1)),
        ("old", &signing(2)),
        ("public", &signing(3)),
    ]);
    let desk = Desk::open(&REPORTERS.replace("FOLDER", secrets.path().to_str().unwrap())).await;
    let list = json!([record(&acme_token("one"), "acme", "")]).to_string();
    let good = || Post::new(&desk, 1, "msg_1", &list);
    let change = |change: fn(&mut Post)| {
        let mut post = good();
        change(&mut post);
        post
    };
    let cases = [
        ("a stranger's key", Post::new(&desk, 9, "msg_1", &list), 401),
        ("another id", change(|post| post.id = "msg_2".to_owned()), 401),
        (
            "another time",
            change(|post| post.timestamp = (post.timestamp.parse::<i64>().unwrap() + 1).to_string()),
            401,
        ),
        (
            "a time written otherwise",
            change(|post| post.timestamp = format!("+{}", post.timestamp)),
            400,
        ),
        ("no time", change(|post| post.timestamp = "now".to_owned()), 400),
        ("no signature", change(|post| post.signature = String::new()), 401),
        (
            "another version",
            change(|post| post.signature = post.signature.replace("v1,", "v2,")),
            401,
        ),
        ("no id", change(|post| post.id = String::new()), 401),
    ];
    for (what, post, status) in cases {
        let answer = post.send(&desk, &list).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
    }
    let altered = good().send(&desk, &format!("{list} ")).await;
    assert_eq!(altered.status, 401);
    let early = good();
    desk.later(301);
    assert_eq!(
        early.send(&desk, &list).await.status,
        401,
        "five minutes and a second old"
    );
    let late = good();
    desk.later(-602);
    assert_eq!(late.send(&desk, &list).await.status, 401, "as far in the future");
    let other = json!({ "type": "leak.revoked", "data": { "records": [] } }).to_string();
    assert_eq!(
        Post::new(&desk, 1, "msg_9", &other)
            .send(&desk, &other)
            .await
            .status,
        400
    );
    assert_eq!(desk.count("deliveries").await, 0);
}

#[tokio::test]
async fn whoever_found_a_token_turns_it_in_and_learns_nothing() {
    let desk = Desk::open("[reports.found]\nper_hour = 7\n").await;
    let page = desk.get("/found", &[]).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("<form method=\"post\"") && !page.text.contains("<script"),
        "{}",
        page.text
    );
    let policy = &page.headers["content-security-policy"];
    assert!(
        policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    let (ours, theirs) = (
        desk.issue("ann").await,
        ["unlu_", "Ky9Pf34qY6Nb3wWD25RQ4F5ZR3qa7y", "3gm1IL"].concat(),
    );
    desk.keep_secret(&theirs);
    let form =
        |token: &str| format!("token=look+at+this%3A%0A{token}+here&url=https%3A%2F%2Fexample.com%2Fa");
    let form_type = [("content-type", "application/x-www-form-urlencoded")];
    let mut answers = Vec::new();
    for token in [ours.as_str(), &theirs, "nothing-that-anybody-knows"] {
        answers.push(desk.post("/found", &form_type, form(token)).await);
        assert!(answers[0].text.contains("Thank you"), "{}", answers[0].text);
    }
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 200 && answer.text == answers[0].text)
    );
    let api = [("content-type", "application/json")];
    for token in [ours.as_str(), "nothing-that-anybody-knows"] {
        let answer = desk
            .post("/found", &api, json!({ "token": token, "url": "b" }).to_string())
            .await;
        assert_eq!(
            (answer.status, answer.json()),
            (202, json!({ "status": "received" }))
        );
    }
    assert_eq!(desk.post("/found", &api, "{}").await.status, 400);
    assert_eq!(desk.post("/found", &form_type, "x=1").await.status, 400);
    let many = desk.post("/found", &form_type, form(&ours)).await;
    assert_eq!(many.status, 429, "{}", many.text);
    let leaks = desk.leaks().await;
    assert_eq!(
        leaks.len(),
        2,
        "what neither a rule nor a token store knows is not kept"
    );
    let of_ann = leaks.iter().find(|leak| leak.sightings.len() == 2).unwrap();
    assert_eq!(of_ann.sightings[0].path, "https://example.com/a");
}

#[tokio::test]
async fn a_door_without_its_section_is_shut() {
    let desk = Desk::open("").await;
    for path in ["/reports", "/found", "/v1/revoke_tokens", "/webhooks/github"] {
        assert_eq!(desk.post(path, &[], "[]").await.status, 404, "{path}");
    }
}
