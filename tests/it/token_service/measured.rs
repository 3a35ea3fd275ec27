//! What 100,000 tokens cost: issuing, introspecting and listing must not grow with their number. Takes minutes, so it runs
//! when it is named: `cargo test --release --test it -- --ignored --nocapture token_service::measured`.

#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use std::time::{Duration, Instant};

use super::desk::{Desk, Kept};

/// Median and 99th of 100.
async fn times<F: Future<Output = ()>>(count: usize, mut run: impl FnMut() -> F) -> (Duration, Duration) {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let began = Instant::now();
        run().await;
        times.push(began.elapsed());
    }
    times.sort();
    (times[count / 2], times[count * 99 / 100])
}

async fn measure(kept: Kept, name: &str) {
    let desk = Desk::open_on(kept).await;
    let ann = desk.user_token("ann", &["tokens:read"]).await;
    let asked = desk.project_token(&["events:write"]).await;
    let mut medians = Vec::new();
    for (goal, more) in [(1_000, 1_000), (10_000, 9_000), (100_000, 90_000)] {
        desk.fill(more).await;
        let issue = times(200, || async {
            drop(desk.project_token(&["events:write"]).await)
        })
        .await;
        let introspect = times(500, || async {
            assert_eq!(desk.introspect(&ann.text, &asked.text).await["active"], true);
        })
        .await;
        let list = times(50, || async {
            let page = desk
                .get("/api/v1/organisations/acme/tokens?limit=100", &ann.text)
                .await;
            assert_eq!(page.status, 200);
        })
        .await;
        let deep = desk
            .get("/api/v1/organisations/acme/tokens?limit=1000", &ann.text)
            .await
            .json();
        let cursor = deep["next"].as_str().unwrap_or_default().to_owned();
        let further = times(50, || async {
            let path = format!("/api/v1/organisations/acme/tokens?limit=100&cursor={cursor}");
            desk.get(&path, &ann.text).await;
        })
        .await;
        let began = Instant::now();
        let advised = desk
            .service
            .review(None, 90)
            .await
            .map_or(0, |advice| advice.len());
        let review = (advised, began.elapsed());
        println!(
            "{name} {goal:>6} tokens: issue {issue:?}, introspect {introspect:?}, list 100 {list:?}, the page behind the \
             first 1000 {further:?} (median, p99); review {review:?}"
        );
        medians.push([issue.0, introspect.0, list.0]);
    }
    for (at, what) in ["issue", "introspect", "list"].into_iter().enumerate() {
        let (few, many) = (medians[0][at], medians[2][at]);
        assert!(
            many < few * 3 + Duration::from_millis(1),
            "{what}: {few:?} grew to {many:?}"
        );
    }
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn issuing_introspecting_and_listing_stay_flat_up_to_100_000_tokens_on_sqlite() {
    measure(Kept::Sqlite, "sqlite").await;
}

#[cfg(feature = "postgres-tests")]
#[tokio::test]
#[ignore = "takes minutes"]
async fn issuing_introspecting_and_listing_stay_flat_up_to_100_000_tokens_on_postgresql() {
    measure(Kept::Postgres, "postgresql").await;
}
