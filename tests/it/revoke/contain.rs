//! Containment: what is done, and what proves it.

use serde_json::json;
use unleak::contain;
use unleak::leak::Revocation;
use unleak::policy::Action;
use unleak::secret::Secret;
use unleak::verify::Verifier;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::held::{VERIFY, caller, held, order, rule, service};

use super::changes;

const CONTAIN: &str = r#"
[contain]
effect = "removes the member from the organisation"
reversible = true
request = "DELETE {base}/orgs/{organisation}/members/{principal}"
headers = { Authorization = "Bearer {operator}" }
done = [{ status = 204 }]
"#;

async fn contained(orgs_after: serde_json::Value) -> (Revocation, MockServer) {
    let server = MockServer::start().await;
    Mock::given(path("/me"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"login": "mia", "orgs": orgs_after})))
        .mount(&server)
        .await;
    Mock::given(method("DELETE"))
        .and(header("Authorization", "Bearer admin-key"))
        .respond_with(ResponseTemplate::new(204))
        .mount(&server)
        .await;
    let mut settings = service(&[server.uri()]);
    settings.credential = Some(Secret::new("admin-key".to_owned()));
    let (caller, held) = (caller(settings), held());
    let rule = rule(&[VERIFY, CONTAIN].concat());
    let verifier = Verifier::new(caller.clone());
    let ended = contain::contain(order(&held, Action::Contain), &caller, &verifier, &rule, &held).await;
    (ended, server)
}

#[tokio::test]
async fn a_containment_is_proved_by_the_organisation_that_is_gone() {
    let (ended, server) = contained(json!(["other"])).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "containment".to_owned()
        }
    );
    assert_eq!(changes(&server).await, ["DELETE /orgs/acme/members/mia"]);
}

#[tokio::test]
async fn a_containment_that_cannot_be_seen_says_that_only_the_service_confirmed_it() {
    let (ended, _server) = contained(json!([])).await;
    assert_eq!(
        ended,
        Revocation::Done {
            with: "containment, confirmed by the service".to_owned()
        }
    );
}

#[tokio::test]
async fn a_containment_after_which_the_organisation_is_still_there_is_uncertain() {
    let (ended, _server) = contained(json!(["acme"])).await;
    assert!(matches!(ended, Revocation::Uncertain { .. }), "{ended:?}");
}
