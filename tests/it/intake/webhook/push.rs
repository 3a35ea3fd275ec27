//! Pushes.

use serde_json::{Value, json};
use wiremock::MockServer;

use super::{COMMIT, deliver, get, played, repository};
use crate::intake::desk::{Desk, acme_token};

/// A commit that adds one token, keeps and removes others, and adds a file too large for a patch with one more.
async fn commit(desk: &Desk, github: &MockServer) {
    let tokens = ["one", "old", "large", "gone"].map(acme_token);
    for token in &tokens {
        desk.keep_secret(token);
    }
    let [new, old, large, gone] = tokens;
    let patch =
        format!("@@ -10,3 +10,3 @@ def f():\n known = \"{old}\"\n-key = \"{gone}\"\n+key = \"{new}\"\n end");
    let author = json!({ "name": "Ada", "email": "ada@example.com", "date": "2025-06-01T12:00:00Z" });
    let removed = format!("@@ -1 +0,0 @@\n-{gone}");
    let files = json!([
        { "filename": "src/a.py", "status": "modified", "patch": patch, "sha": "1", "changes": 2 },
        { "filename": "big.json", "status": "added", "sha": "f00d", "changes": 90000 },
        { "filename": "mode.sh", "status": "changed", "sha": "f00e", "changes": 0 },
        { "filename": "old.py", "status": "removed", "patch": removed, "sha": "2", "changes": 1 },
    ]);
    let answer = json!({ "sha": COMMIT, "commit": { "author": author }, "files": files });
    get(github, &format!("/repos/acme/app/commits/{COMMIT}"), answer).await;
    let text = format!("line\n{{\"k\": \"{large}\"}}\n");
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let (first, second) = text.split_at(20);
    let blob = json!({ "content": format!("{first}\n{second}\n"), "encoding": "base64" });
    get(github, "/repos/acme/app/git/blobs/f00d", blob).await;
}

fn push(github: &MockServer, commits: Value) -> String {
    json!({ "ref": "refs/heads/main", "after": COMMIT, "repository": repository(github), "commits": commits })
        .to_string()
}

#[tokio::test]
async fn a_push_is_looked_at_commit_by_commit() {
    let (desk, github, _files) = played().await;
    commit(&desk, &github).await;
    let body = push(
        &github,
        json!([{ "id": COMMIT, "distinct": true }, { "id": "f".repeat(40), "distinct": false }]),
    );
    for _ in 0..2 {
        let answer = deliver(&desk, "push", "guid-1", &body).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({ "status": "taken" })),
            "{}",
            answer.text
        );
    }
    let leaks = desk.leaks().await;
    let seen = leaks
        .iter()
        .map(|leak| (leak.sightings[0].path.clone(), leak.sightings[0].line));
    let mut seen: Vec<(String, usize)> = seen.collect();
    seen.sort();
    let at = format!("{}/acme/app/blob/{COMMIT}", github.uri());
    assert_eq!(
        seen,
        [(format!("{at}/big.json"), 2), (format!("{at}/src/a.py"), 11)]
    );
    assert_eq!(leaks[0].sightings[0].commit.as_ref().unwrap().author, "Ada");
    assert_eq!(desk.count("deliveries").await, 1);
    let deleted = json!({ "deleted": true, "repository": repository(&github), "commits": [] }).to_string();
    let answer = deliver(&desk, "push", "guid-2", &deleted).await;
    assert_eq!(answer.json(), json!({ "status": "passed over" }));
}

#[tokio::test]
async fn what_was_found_is_kept_where_another_commit_cannot_be_read_and_the_push_may_come_again() {
    let (desk, github, _files) = played().await;
    commit(&desk, &github).await;
    let body = push(&github, json!([{ "id": COMMIT }, { "id": "f".repeat(40) }]));
    let answer = deliver(&desk, "push", "guid-3", &body).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(desk.leaks().await.len(), 2);
    let nothing = json!({ "sha": "f", "commit": {}, "files": [] });
    get(
        &github,
        &format!("/repos/acme/app/commits/{}", "f".repeat(40)),
        nothing,
    )
    .await;
    assert_eq!(deliver(&desk, "push", "guid-3", &body).await.status, 200);
    assert_eq!(desk.leaks().await.len(), 2);
}
