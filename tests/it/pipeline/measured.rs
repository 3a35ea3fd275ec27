//! What the pipeline bears: reports of 100 records a second, and 10,000 leaks from report to close. Takes minutes, so it
//! runs when it is named: `cargo test --release --all-features --test it -- --ignored --nocapture pipeline::measured`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use unleak::call::{CallSettings, Caller, ServiceSettings};
use unleak::config::WorkerSection;
use unleak::notify::{Collect, Notifier, Settings};
use unleak::owner::OwnerSettings;
use unleak::respond::Responder;
use unleak::rule::RuleSet;
use unleak::server::metrics::Metrics;
use unleak::server::worker::Workers;
use unleak::store::{Delivery, Store};
use unleak::verify::Verifier;

use super::machine::{EVERY, Machine, held};
use crate::support::held::RULES;

const RECORDS: usize = 100;
const LEAKS: usize = 10_000;
/// Between two requests to the played service.
const PACE: Duration = Duration::from_millis(2);
const ROUND: Duration = Duration::from_secs(6);

/// Sends reports at this rate for a while, however long the answers take; 99 of 100 were answered within this.
async fn p99(receivers: &[Store], rate: usize, next: &Arc<AtomicUsize>) -> Duration {
    let mut answers = tokio::task::JoinSet::new();
    let mut clock = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let began = Instant::now();
    let mut sent = 0;
    while began.elapsed() < ROUND {
        let due = clock.tick().await;
        let (store, next) = (receivers[sent % receivers.len()].clone(), Arc::clone(next));
        sent += 1;
        answers.spawn(async move {
            let number = next.fetch_add(RECORDS, Ordering::Relaxed);
            let leaks: Vec<_> = (number..number + RECORDS)
                .map(|number| held(number, "https://github.com/acme/app/blob/main/config.py"))
                .collect();
            let delivery = Delivery::new("github", number.to_string().as_bytes());
            let taken = store.take_in(&delivery, &leaks).await.unwrap();
            assert_eq!(taken.known().len(), RECORDS);
            due.elapsed()
        });
    }
    let mut times = answers.join_all().await;
    times.sort();
    times[times.len() * 99 / 100]
}

#[test]
#[ignore = "takes minutes"]
fn reports_of_100_records_at_the_highest_rate_that_is_answered_within_a_second() {
    for kept in EVERY {
        for count in [1, 3] {
            let machine = Machine::new(*kept);
            let receivers: Vec<Store> = (0..count).map(|_| machine.store()).collect();
            let next = Arc::new(AtomicUsize::new(0));
            let (mut held, mut beyond) = ((0, Duration::ZERO), 256);
            let mut rate = 4;
            while rate < beyond {
                let p99 = machine.wait(p99(&receivers, rate, &next));
                println!("{kept:?}, {count} receivers: {rate} reports/s, p99 {p99:?}");
                if p99 < Duration::from_secs(1) {
                    held = (rate, p99);
                } else {
                    beyond = rate;
                }
                rate = if beyond == 256 {
                    held.0 * 2
                } else {
                    (held.0 + beyond) / 2
                };
                if rate == held.0 {
                    break;
                }
            }
            let written = machine.wait(receivers[0].backlog()).unwrap().waiting;
            assert_eq!(
                usize::try_from(written).unwrap(),
                next.load(Ordering::Relaxed),
                "nothing is lost"
            );
            println!(
                "{kept:?}, {count} receivers: {} reports/s of {RECORDS} records held, p99 {:?}; {written} leaks in the store",
                held.0, held.1
            );
        }
    }
}

/// Who asks the played service at [`PACE`] and writes to a folder.
fn responder(machine: &Machine, store: &Store) -> Responder {
    let settings = ServiceSettings {
        bases: vec![machine.service.base.clone()],
        settle: Some(Duration::from_secs(5)),
        ..ServiceSettings::default()
    };
    let caller = Caller::new(CallSettings {
        services: [("example".to_owned(), settings)].into(),
        pace: PACE,
        longest_wait: Duration::from_secs(60),
        ..CallSettings::default()
    })
    .unwrap();
    let outbox = machine.tool.path().join("outbox");
    Responder {
        verifier: Verifier::new(caller.clone()),
        caller,
        store: store.clone(),
        notifier: Notifier::new(&Settings {
            outbox: Some(outbox),
            ..Settings::default()
        })
        .unwrap()
        .collecting(Collect::For(SignedDuration::from_mins(5))),
        policy: toml::from_str(
            "limit_per_hour = 100000\n[[allow]]\nname = \"at once\"\naction = \"revoke\"\n",
        )
        .unwrap(),
        owners: OwnerSettings::default(),
        root: None,
    }
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_leaks_from_report_to_close_with_the_service_asked_no_faster_than_it_allows() {
    for kept in EVERY {
        let machine = Machine::new(*kept);
        let store = machine.store();
        let began = Instant::now();
        for first in (0..LEAKS).step_by(RECORDS) {
            machine.report(&store, &(first..first + RECORDS).collect::<Vec<_>>(), "x");
        }
        println!(
            "{kept:?}: {LEAKS} leaks in reports of {RECORDS} after {:?}",
            began.elapsed()
        );
        let responder = responder(&machine, &store);
        let mut rules = RuleSet::empty();
        rules.add("example", "rules/example.toml", RULES).unwrap();
        let section = WorkerSection {
            count: 16,
            ..WorkerSection::default()
        };
        let workers = Workers::new(responder, Arc::new(rules), section, Metrics::new());
        let (stop, stopping) = tokio::sync::watch::channel(false);
        machine.wait(async {
            let working = tokio::spawn(workers.run(stopping));
            loop {
                tokio::time::sleep(Duration::from_secs(5)).await;
                let backlog = store.backlog().await.unwrap();
                let notices = store.notice_queue().await.unwrap();
                if backlog.waiting + backlog.running + backlog.later + notices.waiting == 0 {
                    assert_eq!(backlog.dead, 0);
                    break;
                }
            }
            stop.send(true).unwrap();
            working.await.unwrap();
        });
        let (took, asked) = (began.elapsed(), machine.service.asked().len());
        machine.assert_all_is_done_once(&store, LEAKS, "load");
        let allowed = took.as_secs_f64() / PACE.as_secs_f64();
        assert!((asked as f64) < allowed + 100.0, "{asked} questions in {took:?}");
        println!("{kept:?}: {LEAKS} leaks told, revoked and closed after {took:?}; {asked} requests");
    }
}
