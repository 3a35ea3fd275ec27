//! The review of tokens, and what a policy would stop.

use serde_json::{Value, json};
use unleak::notify::{self, Notifier};
use unleak::server::letters;
use unleak::token_service::model::Time;
use unleak::token_service::{Holder, ReviewSettings};

use super::{Desk, by, desk};

const MANAGE: &[&str] = &["tokens:read", "policy:read"];

/// Findings of one token of a review as JSON.
fn findings(review: &Value, id: &str) -> Vec<String> {
    let tokens = review["tokens"].as_array().unwrap();
    let found = tokens.iter().find(|token| token["id"] == id);
    let findings = found.map_or(Vec::new(), |token| token["findings"].as_array().unwrap().clone());
    findings
        .iter()
        .map(|one| one["finding"].as_str().unwrap().to_owned())
        .collect()
}

async fn review(desk: &Desk, bearer: &str) -> Value {
    desk.service.write_uses().await.unwrap();
    let answer = desk.get("/api/v1/organisations/acme/review", bearer).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn used(desk: &Desk, token: &str, scope: &str, project: &str) {
    let mut path = format!("/api/v1/check?scope={scope}&organisation=acme");
    if !project.is_empty() {
        path = format!("{path}&project={project}");
    }
    assert_eq!(desk.get(&path, token).await.status, 200);
}

#[tokio::test]
async fn each_thing_that_speaks_against_a_token_is_found_with_the_smaller_token() {
    let desk = desk().await;
    let soon = Some(Time::now().plus_days(30));
    let ann = desk.held(Holder::User("ann".into()), MANAGE, soon).await;
    let good = desk
        .held(Holder::User("dan".into()), &["events:write"], soon)
        .await;
    used(&desk, &good.text, "events:write", "").await;
    let wide = desk
        .organisation_token("acme", &["events:write", "events:read", "members:read"])
        .await;
    used(&desk, &wide.text, "events:write", "shop").await;
    let admin = desk.project_token(&["admin", "events:write"]).await;
    used(&desk, &admin.text, "events:write", "shop").await;
    let idle = desk.project_token(&["events:write"]).await;
    let gone = desk.user_token("bob", &["events:write"]).await;
    desk.service.set_user_active("bob", false, &by()).await.unwrap();
    let old = "UPDATE tokens SET created_at = created_at - 91 * 86400 WHERE id = $1";
    desk.meddle(old, &idle.id).await;
    let seen = review(&desk, &ann.text).await;
    assert_eq!(
        findings(&seen, &good.id),
        Vec::<String>::new(),
        "nothing speaks against it"
    );
    assert_eq!(
        findings(&seen, &wide.id),
        ["no-expiry", "scopes-never-used", "one-project"]
    );
    assert_eq!(findings(&seen, &admin.id), ["no-expiry", "admin-in-application"]);
    assert_eq!(findings(&seen, &idle.id), ["never-used", "no-expiry"]);
    assert_eq!(findings(&seen, &gone.id), ["owner-left", "no-expiry"]);
    let never = desk.user_token("dan", &["admin"]).await;
    let seen = review(&desk, &ann.text).await;
    assert_eq!(findings(&seen, &never.id), ["no-expiry", "admin"]);
    let smaller = |id: &str| {
        let tokens = seen["tokens"].as_array().unwrap();
        tokens.iter().find(|token| token["id"] == id).unwrap()["smaller"].clone()
    };
    assert_eq!(
        smaller(&wide.id),
        json!({ "kind": "project", "project": "shop", "scopes": ["events:write"], "expires_in_days": 90,
            "command": "unleak token create --project acme/shop --scope events:write --description \"for a test\" \
                --expires-in 90d" })
    );
    assert_eq!(smaller(&admin.id)["scopes"], json!(["events:write"]));
    assert_eq!(
        smaller(&never.id)["scopes"],
        json!([
            "audit:read",
            "leaks:read",
            "members:read",
            "policy:read",
            "tokens:read"
        ]),
        "nothing is known of its use, so reading must do"
    );
    assert_eq!(smaller(&idle.id), Value::Null, "what nobody uses is not replaced");
}

#[tokio::test]
async fn a_token_that_was_used_long_ago_is_found() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let token = desk.project_token(&["events:write"]).await;
    used(&desk, &token.text, "events:write", "").await;
    desk.service.write_uses().await.unwrap();
    desk.meddle(
        "UPDATE tokens SET last_used_at = last_used_at - 100 * 86400 WHERE id = $1",
        &token.id,
    )
    .await;
    assert_eq!(
        findings(&review(&desk, &ann.text).await, &token.id),
        ["unused", "no-expiry"]
    );
}

#[tokio::test]
async fn a_review_is_also_text_and_a_page_on_which_no_word_from_outside_is_markup() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let mut asked = unleak::token_service::NewToken {
        holder: Holder::User("bob".into()),
        description: "<script>alert(1)</script>".into(),
        scopes: unleak::token_service::model::Scopes::new(["a:b"]).unwrap(),
        expires_at: None,
    };
    desk.service.create(&asked, &by()).await.unwrap();
    asked.description = "plain".into();
    let path = "/api/v1/organisations/acme/review";
    let page = desk
        .get(&format!("{path}?format=html&unused_days=0"), &ann.text)
        .await;
    assert_eq!(page.kind, "text/html; charset=utf-8");
    assert!(
        page.text.contains("&lt;script&gt;") && !page.text.contains("<script"),
        "{}",
        page.text
    );
    let text = desk.get(&format!("{path}?format=text"), &ann.text).await.text;
    assert!(text.contains("\ntokens to look at: "), "{text}");
    assert_eq!(
        desk.get(&format!("{path}?format=pdf"), &ann.text).await.status,
        400
    );
    assert_eq!(
        desk.get(&format!("{path}?unused_days=-1"), &ann.text)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn owners_get_a_letter_about_their_tokens_and_not_again_before_its_time() {
    let desk = desk().await;
    desk.user_token("bob", &["events:write"]).await;
    desk.project_token(&["events:write"]).await;
    let letters = desk.service.review_letters(90, 30).await.unwrap();
    let to: Vec<&str> = letters.iter().map(|letter| letter.email.as_str()).collect();
    assert_eq!(
        to,
        ["ann@example.com", "bob@example.com"],
        "a project's tokens are its organisation's owners' business"
    );
    assert!(letters[0].body.contains("project shop of acme") && !letters[0].body.contains("user bob"));
    assert!(desk.service.claim_letter(&letters[1], 30).await.unwrap());
    assert!(
        !desk.service.claim_letter(&letters[1], 30).await.unwrap(),
        "of two servers one sends it"
    );
    let letters = desk.service.review_letters(90, 30).await.unwrap();
    assert_eq!(letters.len(), 1);
    desk.meddle(
        "UPDATE review_mails SET sent_at = sent_at - 31 * 86400 WHERE email = $1",
        "bob@example.com",
    )
    .await;
    assert_eq!(desk.service.review_letters(90, 30).await.unwrap().len(), 2);
    desk.service.set_user_active("bob", false, &by()).await.unwrap();
    let letters = desk.service.review_letters(90, 30).await.unwrap();
    let to: Vec<&str> = letters.iter().map(|letter| letter.email.as_str()).collect();
    assert_eq!(
        to,
        ["ann@example.com", "eve@example.com"],
        "who left is not written to, the owners of their organisations are"
    );
    assert!(letters.iter().all(|letter| letter.body.contains("user bob")));
}

#[tokio::test]
async fn impact_lists_the_tokens_that_used_the_organisation_and_would_stop() {
    let desk = desk().await;
    let ann = desk.user_token("ann", MANAGE).await;
    let bob = desk.user_token("bob", &["events:write", "events:read"]).await;
    let idle = desk.user_token("dan", &["events:write"]).await;
    let elsewhere = desk.user_token("eve", &["events:write"]).await;
    let project = desk.project_token(&["events:write"]).await;
    used(&desk, &bob.text, "events:write", "").await;
    used(&desk, &project.text, "events:write", "").await;
    let policy = json!({ "refuse_user_tokens": true, "allowed_scopes": null, "max_lifetime_days": null,
        "expiry_required": false });
    let path = "/api/v1/organisations/acme/policy/impact?days=30";
    let answer = desk.body("POST", path, &ann.text, &policy).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let impact = answer.json();
    let ids = |list: &str| {
        let listed = impact[list].as_array().unwrap().iter();
        listed
            .map(|stops| stops["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert!(
        ids("stops").contains(&bob.id) && ids("stops").contains(&ann.id),
        "{impact}"
    );
    assert_eq!(ids("idle"), std::slice::from_ref(&idle.id));
    assert_eq!(impact["spared"], 1, "the project's token stays");
    assert!(!answer.text.contains(&elsewhere.id));
    let of_bob = impact["stops"].as_array().unwrap().iter();
    let of_bob = of_bob
        .clone()
        .find(|stops| stops["id"] == bob.id.as_str())
        .unwrap();
    assert_eq!(of_bob["used_scopes"], json!(["events:write"]));
    assert_eq!(of_bob["email"], "bob@example.com");
    assert!(of_bob["last_used_here"].is_string());
    assert!(of_bob["why"].as_str().unwrap().contains("refuses user tokens"));
    // a month later the same use is not lately any more
    desk.meddle(
        "UPDATE token_visits SET last_used_at = last_used_at - 31 * 86400 WHERE token_id = $1",
        &bob.id,
    )
    .await;
    let later = desk.body("POST", path, &ann.text, &policy).await.json();
    assert!(later["idle"].to_string().contains(&bob.id), "{later}");
    let seen = desk.ask(&bob.text).await;
    assert!(
        seen.json()["refused"].as_array().unwrap().is_empty(),
        "nothing was switched on"
    );
    assert_eq!(desk.audited("policy.set", "acme").await, 0);
}

#[tokio::test]
async fn the_server_writes_each_letter_once() {
    let desk = desk().await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    desk.service
        .ask("acme", &bob.id, "please use a project token", &by())
        .await
        .unwrap();
    let outbox = tempfile::tempdir().unwrap();
    let notifier = Notifier::new(&notify::Settings {
        outbox: Some(outbox.path().to_owned()),
        ..Default::default()
    });
    let notifier = notifier.unwrap();
    let settings = ReviewSettings {
        mail_every_days: 30,
        ..Default::default()
    };
    assert_eq!(
        letters::write(&desk.service, &notifier, &settings).await.unwrap(),
        2
    );
    let files = std::fs::read_dir(outbox.path()).unwrap();
    let texts: Vec<String> = files
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    assert!(
        texts.iter().all(|text| text.contains("bob@example.com")),
        "{texts:?}"
    );
    assert!(
        texts
            .iter()
            .any(|text| text.contains("please use a project token")),
        "{texts:?}"
    );
    assert!(texts.iter().any(|text| text.contains("no expiry")), "{texts:?}");
    assert_eq!(
        letters::write(&desk.service, &notifier, &settings).await.unwrap(),
        0
    );
    let nowhere = Notifier::new(&unleak::notify::Settings::default()).unwrap();
    desk.user_token("dan", &["events:write"]).await;
    assert_eq!(
        letters::write(&desk.service, &nowhere, &settings).await.unwrap(),
        0
    );
    assert_eq!(
        letters::write(&desk.service, &notifier, &settings).await.unwrap(),
        1,
        "what was not sent is not forgotten"
    );
}
