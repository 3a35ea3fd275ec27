//! What instruments see of the doors.

use serde_json::json;

use super::desk::{Desk, acme_token, record};

#[tokio::test]
async fn each_door_counts_what_it_took_what_it_refused_and_the_leaks_in_it() {
    let desk = Desk::open("").await;
    let token = acme_token("one");
    desk.keep_secret(&token);
    let body = json!([record(&token, "acme", "https://example.com/a")]).to_string();
    for _ in 0..2 {
        assert_eq!(desk.github(&body).await.status, 200);
    }
    let other = json!([record(&token, "acme", "https://example.com/b")]).to_string();
    assert_eq!(desk.github(&other).await.status, 200);
    let unsigned = desk.post("/reports/github", &[], body.as_bytes()).await;
    assert!((400..500).contains(&unsigned.status), "{}", unsigned.status);
    let strange = desk.post("/reports/made-up-by-a-sender", &[], "x").await;
    assert_eq!(strange.status, 404);
    let metrics = desk.get("/metrics", &[]).await.text;
    for line in [
        "unleak_reports_total{door=\"github\",outcome=\"taken-in\"} 3",
        "unleak_reports_total{door=\"github\",outcome=\"refused\"} 1",
        "unleak_reports_total{door=\"unknown\",outcome=\"refused\"} 1",
        "unleak_leaks_total{door=\"github\",kind=\"new\"} 1",
        "unleak_leaks_total{door=\"github\",kind=\"known\"} 1",
        "unleak_leaks_total{door=\"github\",kind=\"again\"} 1",
        "unleak_report_answer_seconds_count{door=\"github\"} 4",
        "unleak_tasks{state=\"waiting\"} 1",
        "unleak_notices{state=\"given-up\"} 0",
        "unleak_stopped 0",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(!metrics.contains("made-up"), "a sender's word is no label");
}
