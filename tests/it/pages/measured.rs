//! What the pages cost with 100,000 leaks in the store. Takes minutes, so it runs when it is named:
//! `UNLEAK_SERVED=$PWD/target/release/unleak cargo test --test it -- --ignored --nocapture pages::measured`.

use std::time::{Duration, Instant};

use unleak::finding::Severity;
use unleak::leak::{DeadWhy, Held, Verdict};
use unleak::store::Delivery;

use super::site::{EVERY, Site, held, page_of};

const LEAKS: u32 = 100_000;

/// A leak of one of a hundred organisations, every tenth of which is acme.
fn one(number: u32) -> Held {
    let mut held = held(number, &format!("services/{}/settings_{number}.py", number % 977));
    let leak = &mut held.leak;
    leak.severity = [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
    ][number as usize % 4];
    leak.identity.principal = Some(format!("mia{number}"));
    leak.identity.organisations = vec![match number % 10 {
        1 => "acme".to_owned(),
        _ => format!("organisation-{}", number % 100),
    }];
    let seconds = i64::from(number % 7_000_000) * 70;
    leak.first_seen = jiff::Timestamp::now() - jiff::SignedDuration::from_secs(seconds);
    leak.verdict = match number % 5 {
        0 => Some(Verdict::Live {
            reason: "200".to_owned(),
        }),
        1 => None,
        _ => Some(Verdict::Dead {
            why: DeadWhy::Revoked,
            reason: "401".to_owned(),
        }),
    };
    held
}

/// The pages that are asked for, one of them deep in the list.
fn paths(deep: String) -> [String; 17] {
    [
        "/leaks".to_owned(),
        deep,
        "/leaks?state=live".to_owned(),
        "/leaks?state=live&severity=critical".to_owned(),
        "/leaks?severity=low".to_owned(),
        "/leaks?waiting=yes".to_owned(),
        "/leaks?service=example&state=dead".to_owned(),
        "/leaks?q=settings_77777".to_owned(),
        "/leaks?q=nothing-like-it".to_owned(),
        page_of(11),
        "/trends".to_owned(),
        "/services".to_owned(),
        "/policy".to_owned(),
        "/organisations".to_owned(),
        "/organisations/acme".to_owned(),
        "/organisations/acme/tokens".to_owned(),
        "/organisations/acme/audit".to_owned(),
    ]
}

#[test]
#[ignore = "takes minutes"]
fn every_page_with_a_hundred_thousand_leaks() {
    for kept in EVERY {
        let site = Site::empty(*kept, super::site::TWO_PEOPLE);
        let began = Instant::now();
        for from in (0..LEAKS).step_by(500) {
            let leaks: Vec<Held> = (from..from + 500).map(one).collect();
            let delivery = Delivery::new("test", format!("{from}").as_bytes());
            site.wait(site.store.take_in(&delivery, &leaks)).unwrap();
        }
        println!("{kept:?}: {LEAKS} leaks taken in within {:?}", began.elapsed());
        let behind = site.wait(site.store.listed(&unleak::store::Sought {
            whose: unleak::store::Whose::All,
            state: None,
            severity: None,
            service: None,
            waiting: false,
            words: String::new(),
            behind: None,
            most: 50_000,
        }));
        let behind = behind.unwrap().pop().unwrap().behind();
        let deep = format!(
            "/leaks?behind={}.{}.{}",
            behind.at, behind.fingerprint, behind.rule
        );
        let paths = paths(deep);
        for who in ["operator", "ann"] {
            let browser = site.browser(who);
            let more = ["/tasks".to_owned(), "/users".to_owned(), "/audit".to_owned()];
            let all = paths.iter().chain(more.iter().filter(|_| who == "operator"));
            for path in all {
                let mut times: Vec<Duration> = Vec::new();
                for _ in 0..11 {
                    let began = Instant::now();
                    let answer = browser.get(path);
                    times.push(began.elapsed());
                    assert_eq!(answer.status, 200, "{path}");
                }
                times.sort();
                println!(
                    "{kept:?} {who:8} median {:>7.1?} worst {:>7.1?} {path}",
                    times[5], times[10]
                );
            }
        }
    }
}
