//! How often a caller may ask.

use unleak::token_service::Limits;

use super::{desk, serve};

#[tokio::test]
async fn a_caller_that_asks_too_often_is_told_when_to_come_again_and_others_are_not_disturbed() {
    let desk = desk().await;
    let limits = Limits {
        requests_per_second: 1,
        burst: 5,
    };
    let base = serve(&desk.service, &limits).await;
    let busy = desk.user_token("ann", &["members:read"]).await;
    let calm = desk.user_token("dan", &["members:read"]).await;
    let get = async |token: &str, path: &str| {
        let request = desk.client.get(format!("{base}{path}"));
        let request = if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        };
        request.send().await.unwrap()
    };
    let members = "/api/v1/organisations/acme/members";
    assert_eq!(get(&calm.text, members).await.status(), 200);
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(get(&busy.text, members).await.status().as_u16());
    }
    assert_eq!(statuses[..3], [200, 200, 200]);
    assert_eq!(statuses[7], 429, "{statuses:?}");
    let refused = get(&busy.text, members).await;
    let seconds: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&seconds));
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(
        get(&calm.text, members).await.status(),
        200,
        "another token has its own budget"
    );
    let check = "/api/v1/check?scope=members:read&organisation=acme";
    for _ in 0..20 {
        assert_eq!(
            get(&busy.text, check).await.status(),
            200,
            "the check is not limited"
        );
    }
}

#[tokio::test]
async fn made_up_tokens_are_counted_by_address() {
    let desk = desk().await;
    let limits = Limits {
        requests_per_second: 1,
        burst: 5,
    };
    let base = serve(&desk.service, &limits).await;
    let mut statuses = Vec::new();
    for at in 0..12 {
        let request = desk.client.get(format!("{base}/api/v1/token"));
        let answer = desk.send(request, &format!("unlu_{at:036}")).await;
        if answer.status == 429 {
            assert_eq!(
                answer.json()["error"],
                "too_many_requests",
                "as OAuth says it here"
            );
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses[0], 401);
    assert_eq!(statuses[11], 429, "{statuses:?}");
}
