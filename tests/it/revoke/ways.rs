//! Several ways, several regions, and ways that are not open to us.

use serde_json::json;
use unleak::call::{CallSettings, Caller};
use unleak::finding::RuleId;
use unleak::leak::Revocation;
use unleak::policy::Action;
use unleak::revoke;
use unleak::rule::RuleSet;
use unleak::secret::Secret;
use unleak::verify::Verifier;
use wiremock::matchers::{body_string_contains, header, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::held::{VERIFY, caller, held, order, rule, service, token};

use super::{SELF, alive_for, changes, reason, revoke_with, run};

#[tokio::test]
async fn what_only_a_signed_in_person_can_do_is_a_link_and_nothing_is_sent() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    let text = r#"
[revoke]
with = "session"
request = "DELETE {base}/tokens"
page = "{base}/settings/{organisation}/tokens"

[contain]
effect = "removes the member from the organisation"
reversible = true
request = "DELETE {base}/orgs/{organisation}/members/{principal}"
"#;
    let rule = rule(&[VERIFY, text].concat());
    let ended = run(&server, &rule, Some("admin-key")).await;
    let page = format!("{}/settings/acme/tokens", server.uri());
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert!(reason(&ended).contains(&page), "{ended:?}");
    assert!(
        reason(&ended).contains("containment is open: removes the member"),
        "{ended:?}"
    );
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        0,
        "nothing at all was sent"
    );
}

#[tokio::test]
async fn a_missing_credential_or_value_closes_the_way_with_the_setting_that_opens_it() {
    let server = MockServer::start().await;
    alive_for(&server, u64::MAX).await;
    let text = r#"
[revoke]
with = "operator"
request = "POST {base}/groups/{group}/tokens/revoke"
headers = { Authorization = "Bearer {operator}" }
"#;
    let rule = rule(&[VERIFY, text].concat());
    let plan = revoke::plan(&caller(service(&[server.uri()])), &rule, &held());
    assert!(!plan.can_revoke());
    let shown = plan.to_string();
    assert!(shown.contains("services.example.credential"), "{shown}");
    assert!(shown.contains("services.example.values.group"), "{shown}");
    let ended = run(&server, &rule, None).await;
    assert!(
        reason(&ended).contains("services.example.credential"),
        "{ended:?}"
    );
    assert_eq!(
        server.received_requests().await.unwrap().len(),
        0,
        "no open way, nothing sent"
    );
}

#[tokio::test]
async fn a_plan_shows_the_requests_and_no_secret_and_makes_no_call() {
    let server = MockServer::start().await;
    let mut settings = service(&[server.uri()]);
    settings.credential = Some(Secret::new("admin:pass-word".to_owned()));
    let text = SELF.replace(
        "{base}/revoke",
        "{base}/revoke/{secret}?by={operator}&for={principal}",
    );
    let plan = revoke::plan(&caller(settings), &rule(&[VERIFY, &text].concat()), &held());
    let shown = format!("{plan} {plan:?}");
    assert!(
        shown.contains(&format!(
            "POST {}/revoke/{{secret}}?by={{operator}}&for=mia",
            server.uri()
        )),
        "{shown}"
    );
    assert!(
        !shown.contains(&token()) && !shown.contains("pass-word"),
        "{shown}"
    );
    assert!(plan.can_revoke());
    assert_eq!(server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn the_owner_of_a_group_revokes_by_plaintext_after_the_token_may_not_itself() {
    let server = MockServer::start().await;
    alive_for(&server, 2).await;
    Mock::given(path("/revoke"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    Mock::given(path("/groups/42/tokens/revoke"))
        .and(header("Authorization", "Bearer owner-key"))
        .and(body_string_contains(token()))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"revoked": true})))
        .expect(1)
        .mount(&server)
        .await;
    let text = r#"
[[revoke.otherwise]]
with = "operator"
request = "POST {base}/groups/{group}/tokens/revoke"
headers = { Authorization = "Bearer {operator}" }
body = '{"token":"{secret}"}'
done = [{ status = 200, json = { "/revoked" = true } }]
"#;
    let mut settings = service(&[server.uri()]);
    settings.credential = Some(Secret::new("owner-key".to_owned()));
    settings.values.insert("group".to_owned(), "42".to_owned());
    let ended = revoke_with(settings, &rule(&[VERIFY, SELF, text].concat()), &held()).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "operator".to_owned()
        }
    );
}

#[tokio::test]
async fn no_further_way_is_tried_for_a_token_that_may_be_dead() {
    let server = MockServer::start().await;
    Mock::given(path("/me"))
        .respond_with(ResponseTemplate::new(503))
        .mount(&server)
        .await;
    Mock::given(path("/revoke"))
        .respond_with(ResponseTemplate::new(403))
        .mount(&server)
        .await;
    let two = [
        VERIFY,
        SELF,
        "[[revoke.otherwise]]\nwith = \"secret\"\nrequest = \"DELETE {base}/self\"\n",
    ]
    .concat();
    let ended = run(&server, &rule(&two), None).await;
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert_eq!(changes(&server).await, ["POST /revoke"]);
}

const EVERYWHERE: &str = r#"
[revoke]
with = "secret"
everywhere = true
request = "POST {base}/revoke"
body = '{"token":"{secret}"}'
done = [{ status = 200, json = { "/found" = true } }]
page = "https://example.com/settings"
"#;

async fn region(found: bool, questions: u64) -> MockServer {
    let server = MockServer::start().await;
    alive_for(&server, questions).await;
    Mock::given(path("/revoke"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"found": found})))
        .expect(1)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn every_region_is_told_and_one_that_found_the_token_is_enough() {
    let (us, eu) = (region(false, 0).await, region(true, 0).await);
    let rule = rule(&[VERIFY, EVERYWHERE].concat());
    let ended = revoke_with(service(&[us.uri(), eu.uri()]), &rule, &held()).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "secret".to_owned()
        }
    );
}

#[tokio::test]
async fn a_token_that_no_region_found_and_that_lives_on_is_refused_with_the_page() {
    let (us, eu) = (region(false, u64::MAX).await, region(false, 0).await);
    let rule = rule(&[VERIFY, EVERYWHERE].concat());
    let ended = revoke_with(service(&[us.uri(), eu.uri()]), &rule, &held()).await;
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert!(
        reason(&ended).contains("https://example.com/settings"),
        "{ended:?}"
    );
}

/// PostHog's own rule file: the secret token of a team is never rolled, only a person can.
#[tokio::test]
async fn posthogs_team_secret_that_no_region_rolls_is_refused_with_the_page() {
    let (us, eu) = (MockServer::start().await, MockServer::start().await);
    for (server, live) in [(&us, true), (&eu, false)] {
        let answer = if live {
            ResponseTemplate::new(200).set_body_json(json!({"flags": []}))
        } else {
            ResponseTemplate::new(401)
        };
        Mock::given(path("/api/feature_flag/local_evaluation/"))
            .respond_with(answer)
            .mount(server)
            .await;
        Mock::given(path("/api/revoke_leaked_key"))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"found": false, "type": null})))
            .expect(1)
            .mount(server)
            .await;
    }
    let rules = RuleSet::bundled().unwrap();
    let rule = rules.find(&RuleId::new("posthog", "project-secret-key")).unwrap();
    let mut held = held();
    held.leak.rule = rule.id.clone();
    let services = [("posthog".to_owned(), service(&[us.uri(), eu.uri()]))].into();
    let caller = Caller::new(CallSettings {
        services,
        ..CallSettings::default()
    });
    let caller = caller.unwrap();
    let verifier = Verifier::new(caller.clone());
    let ended = revoke::revoke(order(&held, Action::Revoke), &caller, &verifier, rule, &held).await;
    assert!(matches!(ended, Revocation::Refused { .. }), "{ended:?}");
    assert!(
        reason(&ended).contains("posthog.com/settings/project"),
        "{ended:?}"
    );
}
