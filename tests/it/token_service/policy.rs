//! What an organisation's policy turns away, and what lives on.

use serde_json::{Value, json};
use unleak::token_service::model::{Scopes, Time};
use unleak::token_service::{Holder, NewToken};

use super::{by, desk, operator, slugs};

const PATH: &str = "/api/v1/organisations/acme/policy";

fn policy(field: &str, value: Value) -> Value {
    let mut policy = json!({
        "refuse_user_tokens": false,
        "allowed_scopes": null,
        "max_lifetime_days": null,
        "expiry_required": false,
    });
    policy[field] = value;
    policy
}

#[tokio::test]
async fn an_organisation_that_refuses_user_tokens_turns_them_away_and_they_live_on_elsewhere() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["policy:write"]).await;
    let bob = desk.user_token("bob", &["events:write"]).await;
    let project = desk.project_token(&["events:write"]).await;
    let asked = policy("refuse_user_tokens", json!(true));
    assert_eq!(desk.body("PUT", PATH, &ann.text, &asked).await.json(), asked);
    let seen = desk.ask(&bob.text).await;
    assert_eq!(slugs(&seen, "organisations"), ["beta"]);
    let reason = seen.json()["refused"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("refuses user tokens"), "{reason}");
    assert_eq!(slugs(&desk.ask(&project.text).await, "organisations"), ["acme"]);
    let owner = desk.body("PUT", PATH, &ann.text, &asked).await;
    assert_eq!(owner.status, 403, "an owner's user token is one, too");
    assert_eq!(owner.json()["detail"].as_str(), Some(reason.as_str()));
    let undone = policy("refuse_user_tokens", json!(false));
    assert_eq!(desk.body("PUT", PATH, &operator(), &undone).await.status, 200);
    assert_eq!(
        slugs(&desk.ask(&bob.text).await, "organisations"),
        ["acme", "beta"]
    );
    assert_eq!(desk.audited("policy.set", "acme").await, 2);
}

#[tokio::test]
async fn a_scope_that_is_not_allowed_turns_existing_tokens_away_and_makes_no_new_one() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["policy:write"]).await;
    let wide = desk.project_token(&["events:write", "members:read"]).await;
    let narrow = desk.project_token(&["events:write"]).await;
    let asked = policy("allowed_scopes", json!(["events:write"]));
    assert_eq!(desk.body("PUT", PATH, &ann.text, &asked).await.status, 200);
    assert_eq!(slugs(&desk.ask(&wide.text).await, "refused"), ["acme"]);
    assert_eq!(slugs(&desk.ask(&narrow.text).await, "organisations"), ["acme"]);
    let asked = NewToken {
        holder: Holder::Project {
            organisation: "acme".into(),
            project: "shop".into(),
        },
        description: "wide".into(),
        scopes: Scopes::new(["members:read"]).unwrap(),
        expires_at: None,
    };
    let refused = desk.service.create(&asked, &by()).await.unwrap_err().to_string();
    assert!(refused.contains("members:read"), "{refused}");
}

#[tokio::test]
async fn a_lifetime_beyond_the_limit_and_a_missing_expiry_are_turned_away() {
    let desk = desk().await;
    let made = async |days: Option<i64>| {
        let end = days.map(|days| Time::now().plus_days(days));
        desk.held(Holder::User("bob".into()), &["events:write"], end)
            .await
    };
    let (short, long, endless) = (made(Some(30)).await, made(Some(365)).await, made(None).await);
    for (asked, admitted) in [
        (policy("max_lifetime_days", json!(90)), [true, false, false]),
        (policy("expiry_required", json!(true)), [true, true, false]),
        (policy("expiry_required", json!(false)), [true, true, true]),
    ] {
        assert_eq!(desk.body("PUT", PATH, &operator(), &asked).await.status, 200);
        for (token, admitted) in [&short, &long, &endless].into_iter().zip(admitted) {
            let slugs = slugs(&desk.ask(&token.text).await, "organisations");
            assert_eq!(slugs.contains(&"acme".to_owned()), admitted, "{asked}");
            assert!(slugs.contains(&"beta".to_owned()));
        }
    }
}

#[tokio::test]
async fn only_owners_change_the_policy_and_an_unclear_one_changes_nothing() {
    let desk = desk().await;
    let scopes = &["policy:read", "policy:write"];
    let ann = desk.user_token("ann", scopes).await;
    let dan = desk.user_token("dan", scopes).await;
    let robot = desk.organisation_token("acme", scopes).await;
    let asked = policy("refuse_user_tokens", json!(true));
    for caller in [&dan, &robot] {
        assert_eq!(desk.body("PUT", PATH, &caller.text, &asked).await.status, 403);
    }
    let partial = json!({ "refuse_user_tokens": true });
    assert_eq!(desk.body("PUT", PATH, &ann.text, &partial).await.status, 422);
    let nonsense = policy("max_lifetime_days", json!(-1));
    assert_eq!(desk.body("PUT", PATH, &ann.text, &nonsense).await.status, 400);
    let unchanged = policy("refuse_user_tokens", json!(false));
    assert_eq!(desk.get(PATH, &ann.text).await.json(), unchanged);
}
