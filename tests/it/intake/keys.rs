//! The public keys of a reporter: cached, fetched anew for an unknown id, and used on while their address is down.

use super::desk::{Desk, Signer, acme_token, record};

fn body(word: &str) -> String {
    serde_json::json!([record(&acme_token("one"), "acme_token", word)]).to_string()
}

fn asked(desk: &Desk) -> usize {
    desk.published.lock().unwrap().asked
}

#[tokio::test]
async fn keys_are_fetched_once_and_asked_about_again_after_an_hour() {
    let desk = Desk::open("").await;
    for i in 0..10 {
        assert_eq!(desk.github(body(&i.to_string())).await.status, 200);
    }
    assert_eq!(asked(&desk), 1);
    desk.later(3601);
    assert_eq!(desk.github(body("later")).await.status, 200);
    assert_eq!(desk.github(body("later still")).await.status, 200);
    let published = desk.published.lock().unwrap();
    assert_eq!((published.asked, published.unchanged), (2, 1), "by its ETag");
}

#[tokio::test]
async fn a_storm_of_unknown_ids_fetches_the_keys_at_most_once_a_minute() {
    let desk = Desk::open("").await;
    assert_eq!(desk.github(body("a")).await.status, 200);
    let stranger = Signer::new();
    let storm = async |from: usize| {
        let one = |i: usize| {
            let (id, signature) = (format!("{i:064x}"), stranger.sign(b"[]"));
            let desk = &desk;
            async move {
                let headers = [
                    ("Github-Public-Key-Identifier", id.as_str()),
                    ("Github-Public-Key-Signature", &signature),
                ];
                desk.post("/reports/github", &headers, "[]").await
            }
        };
        futures_util::future::join_all((from..from + 50).map(one)).await
    };
    let answers = storm(0).await;
    assert!(
        answers.iter().all(|answer| answer.status == 503),
        "the keys are a second old"
    );
    let wait: u64 = answers[0].headers["retry-after"].parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(asked(&desk), 1);
    for minute in 0..3 {
        desk.later(61);
        let answers = storm(100 * minute).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 1);
        assert_eq!(asked(&desk), 2 + minute);
    }
    assert_eq!(desk.github(body("b")).await.status, 200, "known keys go on");
}

#[tokio::test]
async fn a_new_key_is_known_at_once_when_a_minute_has_passed() {
    let mut desk = Desk::open("").await;
    assert_eq!(desk.github(body("a")).await.status, 200);
    let old = std::mem::replace(&mut desk.signer, Signer::new());
    let (id, pem) = (desk.signer.id.clone(), desk.signer.pem.clone());
    desk.published.lock().unwrap().keys = vec![(old.id.clone(), old.pem.clone(), false), (id, pem, true)];
    assert_eq!(desk.github(body("b")).await.status, 503, "nobody can tell yet");
    desk.later(60);
    assert_eq!(desk.github(body("b")).await.status, 200);
    // What was signed with the old key a moment ago is still on its way.
    let new = std::mem::replace(&mut desk.signer, old);
    assert_eq!(desk.github(body("c")).await.status, 200);
    desk.later(3601);
    let retired = desk.github(body("d")).await;
    assert_eq!(retired.status, 401, "{}", retired.text);
    desk.signer = new;
    assert_eq!(desk.github(body("e")).await.status, 200);
}

#[tokio::test]
async fn a_key_that_is_not_current_when_it_is_first_seen_proves_nothing() {
    let desk = Desk::open("").await;
    desk.published.lock().unwrap().keys[0].2 = false;
    assert_eq!(desk.github(body("a")).await.status, 401);
    assert_eq!(desk.count("deliveries").await, 0);
}

#[tokio::test]
async fn a_key_that_was_taken_back_proves_nothing_any_more() {
    let desk = Desk::open("").await;
    assert_eq!(desk.github(body("a")).await.status, 200);
    desk.published.lock().unwrap().keys.clear();
    desk.later(3601);
    assert_eq!(desk.github(body("b")).await.status, 401);
}

#[tokio::test]
async fn while_the_keys_address_is_down_known_keys_are_used_on() {
    let desk = Desk::open("").await;
    desk.published.lock().unwrap().broken = Some(500);
    let answer = desk.github(body("a")).await;
    assert_eq!(
        answer.status, 503,
        "no key was ever seen, so nobody can tell: {}",
        answer.text
    );
    assert!(answer.headers.contains_key("retry-after"));
    desk.published.lock().unwrap().broken = None;
    desk.later(61);
    assert_eq!(desk.github(body("a")).await.status, 200);
    for status in [500, 301, 404, 429] {
        desk.published.lock().unwrap().broken = Some(status);
        desk.later(100_000);
        assert_eq!(
            desk.github(body(&status.to_string())).await.status,
            200,
            "{status}"
        );
    }
    assert_eq!(asked(&desk), 6);
}
