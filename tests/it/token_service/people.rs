//! Service identities, project administrators, members, and organisations that are deleted.

use serde_json::json;

use super::manage::{made, make};
use super::{by, desk, operator, slugs};

#[tokio::test]
async fn a_service_identity_names_its_tokens_in_the_audit_log_and_stops_them() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["members:write", "members:read"]).await;
    let at = "/api/v1/organisations/acme/identities";
    let body = json!({ "slug": "deployer", "name": "Deployment", "project": "shop" });
    assert_eq!(desk.body("POST", at, &ann.text, &body).await.status, 204);
    assert_eq!(desk.body("POST", at, &ann.text, &body).await.status, 409);
    let listed = desk.get(at, &ann.text).await.json();
    assert_eq!(
        listed["identities"],
        json!([{ "slug": "deployer", "name": "Deployment", "project": "shop", "active": true }])
    );
    let token = json!({ "organisation": "acme", "project": "shop", "description": "web", "scopes": ["tokens:revoke"],
        "identity": "deployer" });
    let (id, text) = made(&make(&desk, &operator(), token).await);
    assert_eq!(desk.ask(&text).await.json()["identity"], "deployer");
    let other = desk.project_token(&["a:b"]).await;
    assert_eq!(desk.stop("acme", &other.id, "revoke", &text).await.status, 403);
    let log = desk.service.audit_log().await.unwrap();
    let refused = log.iter().find(|line| line.action == "refused").unwrap();
    assert_eq!(refused.by, format!("service deployer of acme (token {id})"));
    let dan = desk.user_token("dan", &["members:write"]).await;
    let turn = async |bearer: &str, how: &str| {
        let path = format!("{at}/deployer/{how}");
        desk.body("POST", &path, bearer, &json!({})).await.status
    };
    assert_eq!(turn(&dan.text, "deactivate").await, 403, "for owners");
    for _ in 0..2 {
        assert_eq!(turn(&ann.text, "deactivate").await, 204);
    }
    assert_eq!(
        desk.audited("identity.deactivate", "deployer").await,
        1,
        "twice changes nothing"
    );
    let dead = desk.ask(&text).await;
    assert_eq!(
        (dead.status, dead.json()["error_description"].as_str()),
        (401, Some("owner disabled"))
    );
    assert_eq!(turn(&ann.text, "activate").await, 204);
    assert_eq!(desk.ask(&text).await.status, 200);
}

#[tokio::test]
async fn a_projects_administrator_makes_sees_and_stops_its_tokens_and_no_others() {
    let desk = desk().await;
    let scopes = &["tokens:read", "tokens:write", "tokens:revoke", "events:write"];
    let bob = desk.user_token("bob", scopes).await;
    let blind = desk.user_token("bob", &["events:write"]).await;
    let ann = desk.user_token("ann", &["members:write"]).await;
    desk.service
        .add_project("acme", "site", "Site", &by())
        .await
        .unwrap();
    let of = |project: &str| json!({ "organisation": "acme", "project": project, "description": "x", "scopes": ["events:write"] });
    let tokens = |project: &str| format!("/api/v1/organisations/acme/projects/{project}/tokens");
    assert_eq!(desk.get(&tokens("shop"), &bob.text).await.status, 403, "not yet");
    let put = "/api/v1/organisations/acme/projects/shop/administrators/bob";
    assert_eq!(desk.body("PUT", put, &ann.text, &json!({})).await.status, 204);
    let (id, text) = made(&make(&desk, &bob.text, of("shop")).await);
    assert_eq!(
        desk.get(&tokens("shop"), &bob.text).await.json()["tokens"][0]["id"],
        id.as_str()
    );
    assert_eq!(desk.get(&tokens("site"), &bob.text).await.status, 403);
    assert_eq!(make(&desk, &bob.text, of("site")).await.status, 403);
    let (foreign, _) = made(&make(&desk, &operator(), of("site")).await);
    assert_eq!(desk.stop("acme", &foreign, "revoke", &bob.text).await.status, 403);
    assert_eq!(desk.stop("acme", &id, "revoke", &blind.text).await.status, 403);
    let stopped = desk.stop("acme", &id, "revoke", &bob.text).await;
    assert_eq!(
        stopped.json(),
        json!({ "id": id, "effect": "revoked", "already": false })
    );
    assert_eq!(desk.ask(&text).await.status, 401);
    assert_eq!(desk.body("DELETE", put, &ann.text, &json!({})).await.status, 204);
    assert_eq!(make(&desk, &bob.text, of("shop")).await.status, 403, "no more");
    let outsider = "/api/v1/organisations/acme/projects/shop/administrators/eve";
    assert_eq!(
        desk.body("PUT", outsider, &ann.text, &json!({})).await.status,
        400
    );
}

#[tokio::test]
async fn a_deleted_organisation_stops_its_tokens_and_is_kept() {
    let desk = desk().await;
    let ann = desk
        .user_token("ann", &["organisation:delete", "tokens:read"])
        .await;
    let dan = desk.user_token("dan", &["organisation:delete"]).await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    let project = desk.project_token(&["events:write"]).await;
    let robot = desk.organisation_token("acme", &["organisation:delete"]).await;
    let delete = "/api/v1/organisations/acme/delete";
    let why = json!({ "cause": "merged into beta" });
    for bearer in [&dan, &robot] {
        assert_eq!(desk.body("POST", delete, &bearer.text, &why).await.status, 403);
    }
    assert_eq!(
        desk.body("POST", delete, &ann.text, &why).await.json(),
        json!({ "already": false })
    );
    for token in [&project, &robot] {
        let dead = desk.ask(&token.text).await;
        assert_eq!(
            (dead.status, dead.json()["error_description"].as_str()),
            (401, Some("owner disabled"))
        );
    }
    let seen = desk.ask(&bob.text).await;
    assert_eq!(slugs(&seen, "organisations"), ["beta"]);
    assert_eq!(
        seen.json()["refused"],
        json!([{ "slug": "acme", "reason": "this organisation was deleted" }])
    );
    let check = "/api/v1/check?scope=events:write&organisation=acme";
    assert_eq!(desk.get(check, &bob.text).await.status, 403);
    assert_eq!(
        desk.service.tokens().await.unwrap().len(),
        5,
        "nothing is deleted"
    );
    let body = json!({ "organisation": "acme", "project": "shop", "description": "x", "preset": "sdk" });
    assert_eq!(make(&desk, &operator(), body).await.status, 403);
    let restore = "/api/v1/organisations/acme/restore";
    assert_eq!(
        desk.body("POST", restore, &bob.text, &json!({})).await.status,
        403
    );
    assert_eq!(
        desk.body("POST", restore, &operator(), &json!({})).await.json(),
        json!({ "already": false })
    );
    assert_eq!(desk.ask(&project.text).await.status, 200);
}

#[tokio::test]
async fn owners_manage_members_and_the_operator_organisations_and_users() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["members:write", "members:read"]).await;
    let dan = desk.user_token("dan", &["members:write"]).await;
    let eve = "/api/v1/organisations/acme/members/eve";
    let role = json!({ "role": "member" });
    assert_eq!(desk.body("PUT", eve, &dan.text, &role).await.status, 403);
    assert_eq!(desk.body("PUT", eve, &ann.text, &role).await.status, 204);
    let members = desk
        .get("/api/v1/organisations/acme/members", &ann.text)
        .await
        .json();
    assert_eq!(members["members"].as_array().unwrap().len(), 4);
    assert_eq!(desk.body("DELETE", eve, &ann.text, &json!({})).await.status, 204);
    assert_eq!(desk.body("DELETE", eve, &ann.text, &json!({})).await.status, 404);
    let projects = "/api/v1/organisations/acme/projects";
    let site = json!({ "slug": "site", "name": "Site" });
    assert_eq!(desk.body("POST", projects, &ann.text, &site).await.status, 201);
    assert_eq!(desk.body("POST", projects, &ann.text, &site).await.status, 409);
    assert_eq!(desk.get(projects, &ann.text).await.json()["projects"][1], site);
    let corp = json!({ "slug": "corp", "name": "Corp" });
    let kim = json!({ "login": "kim", "email": "kim@example.com", "name": "Kim" });
    for (path, body) in [("/api/v1/organisations", &corp), ("/api/v1/users", &kim)] {
        assert_eq!(desk.body("POST", path, &ann.text, body).await.status, 403);
        assert_eq!(desk.body("POST", path, &operator(), body).await.status, 201);
        assert_eq!(desk.body("POST", path, &operator(), body).await.status, 409);
    }
    let mine = desk.get("/api/v1/organisations", &ann.text).await.json();
    assert_eq!(
        mine["organisations"],
        json!([{ "slug": "acme", "name": "Acme Ltd", "deleted": false }])
    );
    for (path, status) in [
        ("/api/v1/users/bob/deactivate", 401),
        ("/api/v1/users/bob/activate", 200),
    ] {
        let bob = desk.service.user("bob").await.unwrap();
        let token = if bob.active {
            Some(desk.user_token("bob", &["a:b"]).await)
        } else {
            None
        };
        assert_eq!(desk.body("POST", path, &operator(), &json!({})).await.status, 204);
        if let Some(token) = token {
            assert_eq!(desk.ask(&token.text).await.status, status);
        }
    }
}
