//! Making tokens over the API, presets, unblocking, asking, listing.

use serde_json::{Value, json};
use unleak::token_service::preset::{Preset, Presets};

use super::{Answer, Desk, desk, operator, slugs};

pub(super) async fn make(desk: &Desk, bearer: &str, body: Value) -> Answer {
    desk.body("POST", "/api/v1/tokens", bearer, &body).await
}

pub(super) fn made(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 201, "{}", answer.text);
    let json = answer.json();
    let text = |field: &str| json[field].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}

#[tokio::test]
async fn a_token_is_made_by_a_preset_and_an_admin_preset_never_for_an_application() {
    let desk = desk().await;
    let sdk = json!({ "organisation": "acme", "project": "shop", "description": "web", "preset": "sdk" });
    let (_, token) = made(&make(&desk, &operator(), sdk.clone()).await);
    let seen = desk.ask(&token).await.json();
    assert_eq!(
        (&seen["scopes"], &seen["access"]),
        (&json!(["events:write"]), &json!("write-only"))
    );
    let read = json!({ "user": "ann", "description": "look", "preset": "read-only", "access": "read-only" });
    let (_, token) = made(&make(&desk, &operator(), read).await);
    let seen = desk.ask(&token).await.json();
    assert_eq!(seen["access"], "read-only");
    assert!(seen["expires_at"].is_string(), "a preset brings its lifetime");
    let mut admin = sdk.clone();
    admin["preset"] = json!("admin");
    assert_eq!(make(&desk, &operator(), admin).await.status, 403);
    let person = json!({ "user": "ann", "description": "root", "preset": "admin" });
    made(&make(&desk, &operator(), person).await);
    for (field, value) in [
        ("preset", json!("nonsense")),
        ("scopes", json!(["a:b"])),
        ("access", json!("read-only")),
        ("user", json!("ann")),
        ("expires_in_days", json!(0)),
        ("description", json!("")),
    ] {
        let mut odd = sdk.clone();
        odd[field] = value;
        let answer = make(&desk, &operator(), odd).await;
        assert_eq!(answer.status, 400, "{field}: {}", answer.text);
    }
    let own: Preset = serde_json::from_value(json!({ "scopes": ["mail:send"] })).unwrap();
    let service = desk
        .service
        .clone()
        .with_presets(Presets::with([("mailer".to_owned(), own)]).unwrap());
    assert!(service.presets().iter().any(|(name, _)| name == "mailer"));
}

#[tokio::test]
async fn nobody_passes_on_more_than_they_have() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["tokens:write", "events:*"]).await;
    let blind = desk.user_token("ann", &["events:write"]).await;
    let of_user = |login: &str, scope: &str| json!({ "user": login, "description": "x", "scopes": [scope] });
    made(&make(&desk, &ann.text, of_user("ann", "events:write")).await);
    let of_project =
        json!({ "organisation": "acme", "project": "shop", "description": "x", "scopes": ["events:write"] });
    let (id, _) = made(&make(&desk, &ann.text, of_project).await);
    assert!(
        desk.service
            .token(&id)
            .await
            .unwrap()
            .created_by
            .starts_with("user ann (token ")
    );
    for (bearer, body, why) in [
        (
            &ann,
            of_user("ann", "members:read"),
            "cannot pass on the scope members:read",
        ),
        (&ann, of_user("bob", "events:write"), "made by its own user"),
        (&blind, of_user("ann", "events:write"), "tokens:write"),
    ] {
        let answer = make(&desk, &bearer.text, body).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(
            answer.json()["detail"].as_str().unwrap().contains(why),
            "{}",
            answer.text
        );
    }
    let foreign =
        json!({ "organisation": "beta", "reason": "x", "description": "x", "scopes": ["events:write"] });
    assert_eq!(make(&desk, &ann.text, foreign).await.status, 404);
}

#[tokio::test]
async fn the_same_request_sent_again_makes_no_second_token_and_shows_none() {
    let desk = desk().await;
    let body = json!({ "organisation": "acme", "project": "shop", "description": "web", "preset": "sdk" });
    let send = async |key: &str, body: &Value| {
        let request = desk.client.post(format!("{}/api/v1/tokens", desk.base));
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        desk.send(request.body(body.to_string()), &operator()).await
    };
    let first = send("one", &body).await;
    let (id, token) = made(&first);
    let again = send("one", &body).await;
    assert_eq!(again.status, 200);
    assert_eq!(again.json(), json!({ "id": id, "token": null }));
    assert_eq!(desk.service.tokens().await.unwrap().len(), 1);
    let mut other = body.clone();
    other["description"] = json!("another");
    assert_eq!(send("one", &other).await.status, 409);
    assert_ne!(made(&send("two", &body).await).0, id);
    assert_eq!(send("", &body).await.status, 400);
    assert_eq!(desk.ask(&token).await.status, 200);
    let at_once = futures_util::future::join_all((0..10).map(|_| send("three", &body))).await;
    let fresh = at_once.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(fresh, 1, "of ten at once, one made it");
}

#[tokio::test]
async fn a_block_is_lifted_and_set_again() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["tokens:revoke"]).await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    let reach = async || slugs(&desk.ask(&bob.text).await, "organisations");
    let already = async |how: &str| {
        let answer = desk.stop("acme", &bob.id, how, &ann.text).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["already"].as_bool().unwrap()
    };
    assert!(already("unblock").await, "there is none yet");
    assert!(!already("block").await);
    assert_eq!(reach().await, ["beta"]);
    assert!(!already("unblock").await);
    assert_eq!(reach().await, ["acme", "beta"]);
    assert!(!already("block").await);
    assert!(already("block").await);
    assert_eq!(reach().await, ["beta"]);
    assert_eq!(desk.audited("token.block", &bob.id).await, 2);
    assert_eq!(desk.audited("token.unblock", &bob.id).await, 1);
    let member = desk.user_token("bob", &["tokens:revoke"]).await;
    assert_eq!(
        desk.stop("acme", &bob.id, "unblock", &member.text).await.status,
        403
    );
}

#[tokio::test]
async fn the_owner_of_a_token_is_asked_once_and_the_token_lives_on() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["tokens:revoke"]).await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    let asked = desk.stop("acme", &bob.id, "ask", &ann.text).await;
    assert_eq!(
        asked.json(),
        json!({ "id": bob.id, "effect": "owner asked", "already": false })
    );
    assert_eq!(
        desk.stop("acme", &bob.id, "ask", &ann.text).await.json()["already"],
        true
    );
    let seen = desk.ask(&bob.text).await;
    assert_eq!(slugs(&seen, "organisations"), ["acme", "beta"]);
    assert_eq!(seen.json()["asked"][0]["cause"], "leaked");
    let wishes = desk.service.wishes_to_tell().await.unwrap();
    assert_eq!((wishes.len(), wishes[0].email.as_str()), (1, "bob@example.com"));
    assert!(desk.service.claim_wish(&wishes[0]).await.unwrap());
    assert!(desk.service.wishes_to_tell().await.unwrap().is_empty());
    let project = desk.project_token(&["events:write"]).await;
    assert_eq!(desk.stop("acme", &project.id, "ask", &ann.text).await.status, 400);
}

#[tokio::test]
async fn ones_own_tokens_are_listed_and_stopped_everywhere() {
    let desk = desk().await;
    let desk_token = desk.user_token("bob", &["tokens:read", "tokens:revoke"]).await;
    let other = desk.user_token("bob", &["events:write"]).await;
    let foreign = desk.user_token("ann", &["events:write"]).await;
    let listed = desk.get("/api/v1/tokens", &desk_token.text).await.json();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2);
    let stop = async |id: &str, bearer: &str| {
        let path = format!("/api/v1/tokens/{id}/revoke");
        desk.body("POST", &path, bearer, &json!({ "cause": "leaked" }))
            .await
    };
    assert_eq!(
        stop(&foreign.id, &desk_token.text).await.status,
        404,
        "as if it were not there"
    );
    assert_eq!(
        stop(&desk_token.id, &other.text).await.status,
        403,
        "without the scope only itself"
    );
    assert_eq!(
        stop(&other.id, &desk_token.text).await.json()["effect"],
        "revoked"
    );
    assert_eq!(stop(&foreign.id, &operator()).await.json()["effect"], "revoked");
    assert_eq!(desk.ask(&other.text).await.status, 401);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_no_token_is_lost_between_two_pages() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["tokens:read"]).await;
    for _ in 0..6 {
        desk.user_token("bob", &["events:write"]).await;
        desk.project_token(&["events:write"]).await;
    }
    let path = "/api/v1/organisations/acme/tokens";
    let ids = |page: &Value| {
        let listed = page["tokens"].as_array().unwrap().iter();
        listed
            .map(|token| token["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let whole = ids(&desk.get(path, &ann.text).await.json());
    assert_eq!(whole.len(), 13);
    let mut seen = Vec::new();
    let mut query = "?limit=4".to_owned();
    loop {
        let page = desk.get(&format!("{path}{query}"), &ann.text).await.json();
        seen.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=4&cursor={next}");
    }
    assert_eq!(seen, whole);
    for odd in ["limit=0", "limit=1001", "cursor=x", "cursor=1.", "page=2"] {
        assert_eq!(
            desk.get(&format!("{path}?{odd}"), &ann.text).await.status,
            400,
            "{odd}"
        );
    }
}

#[tokio::test]
async fn the_document_of_the_api_names_every_route_and_every_failure() {
    let desk = desk().await;
    let document = desk.get("/openapi.json", "").await.json();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.len() >= 27, "{}", paths.len());
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            for status in ["400", "401", "403", "404", "429", "503"] {
                assert!(responses.contains_key(status), "{method} {path} {status}");
            }
            assert!(operation["summary"].is_string(), "{method} {path}");
        }
    }
    let text = document.to_string();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name} is described nowhere"
        );
    }
}
