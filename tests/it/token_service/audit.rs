//! The audit log: what it holds, and that nobody can change it unseen.

use serde_json::Value;
use unleak::token_service::Error;
use unleak::token_service::audit::{AuditHead, Checked};

use super::{desk, operator};

#[tokio::test]
async fn an_edited_or_missing_audit_line_is_found() {
    let desk = desk().await;
    let checked = async || desk.service.check_audit(None).await.unwrap();
    assert!(desk.service.audit_log().await.unwrap().len() > 10);
    assert!(matches!(checked().await, Checked::Whole(_)));
    desk.meddle(
        "UPDATE token_audit SET by_whom = 'somebody else' WHERE subject = $1 AND action = 'user.create'",
        "bob",
    )
    .await;
    assert_eq!(checked().await, Checked::Broken(4));
    desk.meddle(
        "UPDATE token_audit SET by_whom = 'test' WHERE subject = $1 AND action = 'user.create'",
        "bob",
    )
    .await;
    assert!(matches!(checked().await, Checked::Whole(_)));
    desk.meddle(
        "DELETE FROM token_audit WHERE subject = $1 AND action = 'user.create'",
        "eve",
    )
    .await;
    assert_eq!(checked().await, Checked::Broken(6));
}

#[tokio::test]
async fn a_log_whose_last_lines_were_cut_off_is_found() {
    let desk = desk().await;
    let Checked::Whole(head) = desk.service.check_audit(None).await.unwrap() else {
        panic!("a fresh log is whole");
    };
    let last = "DELETE FROM token_audit WHERE subject = $1 AND action = 'project.create'";
    desk.meddle(last, "shop").await;
    let cut = head.number - 1;
    assert_eq!(
        desk.service.check_audit(None).await.unwrap(),
        Checked::CutOff(cut)
    );
    // whoever takes the seal away as well, or puts an older one back, meets an end that was kept elsewhere
    let kept: AuditHead = head.to_string().parse().unwrap();
    assert_eq!(kept, head);
    assert_eq!(
        desk.service.check_audit(Some(&kept)).await.unwrap(),
        Checked::CutOff(cut)
    );
    desk.service
        .add_project("acme", "site", "Site", &super::by())
        .await
        .unwrap();
    assert_eq!(
        desk.service.check_audit(Some(&kept)).await.unwrap(),
        Checked::Broken(head.number),
        "a log that grew again is another one"
    );
}

#[tokio::test]
async fn every_refused_attempt_leaves_a_line_and_the_same_one_only_once_a_minute() {
    let desk = desk().await;
    let member = desk.user_token("bob", &["tokens:revoke", "policy:write"]).await;
    let narrow = desk.user_token("ann", &["events:write"]).await;
    let target = desk.project_token(&["events:write"]).await;
    for _ in 0..3 {
        assert_eq!(
            desk.stop("acme", &target.id, "revoke", &member.text).await.status,
            403
        );
    }
    assert_eq!(
        desk.get("/api/v1/organisations/acme/tokens", &narrow.text)
            .await
            .status,
        403
    );
    assert_eq!(
        desk.get("/api/v1/organisations/beta/tokens", &narrow.text)
            .await
            .status,
        404
    );
    assert_eq!(desk.get("/api/v1/audit", &narrow.text).await.status, 403);
    desk.form("/oauth/revoke", "", &format!("token={}", target.text))
        .await;
    for _ in 0..3 {
        assert_eq!(desk.ask(&target.text).await.status, 401);
    }
    let check = "/api/v1/check?scope=a:b&organisation=acme";
    assert_eq!(desk.get(check, &member.text).await.status, 403);
    let refused = desk.service.audit_log().await.unwrap();
    let refused: Vec<&str> = refused
        .iter()
        .filter(|line| line.action == "refused")
        .map(|line| line.detail.as_str())
        .collect();
    assert_eq!(
        refused,
        [
            "tokens:revoke: this needs the role owner in acme",
            "tokens:read: this token lacks the scope tokens:read",
            "tokens:read: not a member of this organisation",
            "audit.read: only whoever runs this server may do this, with the operator key",
            "token.present: revoked",
            "token.check: this token lacks the scope a:b",
        ]
    );
    desk.is_whole().await;
}

#[tokio::test]
async fn owners_read_the_log_of_their_organisation_page_by_page_and_the_operator_all_of_it() {
    let desk = desk().await;
    let ann = desk.user_token("ann", &["audit:read"]).await;
    let dan = desk.user_token("dan", &["audit:read"]).await;
    let path = "/api/v1/organisations/acme/audit";
    let mut lines: Vec<Value> = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next {
        let answer = desk
            .get(&format!("{path}?limit=2&after={after}"), &ann.text)
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let page = answer.json();
        lines.extend(page["lines"].as_array().unwrap().clone());
        next = page["next"].as_i64();
    }
    assert!(lines.len() >= 5 && lines.iter().all(|line| line["organisation"] == "acme"));
    let whole = desk.get(path, &ann.text).await.json();
    assert_eq!(whole["lines"], Value::Array(lines));
    assert_eq!(
        desk.get(path, &dan.text).await.status,
        403,
        "an admin is no owner"
    );
    let all = desk.get("/api/v1/audit", &operator()).await.json();
    assert_eq!(all["lines"][0]["number"], 1);
    for odd in ["after=-1", "limit=0", "limit=1001", "limit=x"] {
        assert_eq!(
            desk.get(&format!("{path}?{odd}"), &ann.text).await.status,
            400,
            "{odd}"
        );
    }
}

#[tokio::test]
async fn no_end_of_a_log_is_read_from_other_text() {
    for text in ["", "3", "3:", "x:00", "3:zz", "3:ab", "3:ñ"] {
        assert!(
            matches!(text.parse::<AuditHead>(), Err(Error::Invalid(_))),
            "{text}"
        );
    }
}
