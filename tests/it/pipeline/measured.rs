//! What the receiver bears: reports of 100 records over HTTP, and 10,000 leaks from report to close. Takes minutes, so it
//! runs when it is named, and measures the optimised program that UNLEAK_MEASURED names:
//! `UNLEAK_MEASURED=target/release/unleak cargo test --all-features --test it -- --ignored --nocapture pipeline::measured`.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use unleak::leak::Verdict;
use unleak::store::{Chain, Store};

use super::machine::{EVERY, Kept, Machine, Server};
use super::outbox::Heard;
use super::reporter::{self, Reporter};

const RECORDS: usize = 100;
const LEAKS: usize = 10_000;
/// What we leave between two requests to one host.
const PACE: Duration = Duration::from_millis(25);
const ROUND: Duration = Duration::from_secs(8);
const MOST: usize = 512;

/// A machine whose database writes to the disk what it says that it wrote.
fn machine(kept: Kept) -> (Machine, Box<dyn std::any::Any>) {
    match kept {
        Kept::Sqlite => (Machine::new(kept), Box::new(())),
        #[cfg(feature = "postgres-tests")]
        Kept::Postgres => {
            let own = crate::support::postgres::Own::start();
            let (tool, runtime) = (
                crate::support::tool::Tool::new(),
                crate::support::local::runtime(),
            );
            (Machine::at(tool, runtime, own.url()), Box::new(own))
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration but the environment"
)]
fn serving(machine: &Machine, workers: usize) -> Command {
    let program =
        std::env::var("UNLEAK_MEASURED").unwrap_or_else(|_| env!("CARGO_BIN_EXE_unleak").to_owned());
    let mut command = machine.tool.command(&program);
    let workers = workers.to_string();
    command.args([
        "--config",
        "c.toml",
        "--rules",
        "rules",
        "serve",
        "--workers",
        &workers,
    ]);
    command
}

/// `VmRSS` or `VmHWM` of a process, in MiB.
fn memory(server: &Server, what: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib / 1024
}

/// A report of so many new tokens, as GitHub's records are.
fn report(first: usize, records: usize) -> String {
    let records = (first..first + records).map(|number| {
        json!({
            "token": format!("exm_R{number:023}"),
            "type": "example_token",
            "url": format!("https://github.com/acme/app/blob/1f3c/config/{number}.py"),
            "source": "commit",
        })
    });
    json!(records.collect::<Vec<_>>()).to_string()
}

/// Sends reports at this rate for a while, however long the answers take; 99 of 100 were answered well within this.
async fn p99(reporter: &Reporter, servers: &[Server], rate: usize, next: &Arc<AtomicUsize>) -> Duration {
    let mut answers = tokio::task::JoinSet::new();
    let mut clock = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let (began, mut sent) = (Instant::now(), 0);
    while began.elapsed() < ROUND {
        let due = clock.tick().await;
        let first = next.fetch_add(RECORDS, Ordering::Relaxed);
        let asked = reporter.asked(&servers[sent % servers.len()].base, &report(first, RECORDS), &[]);
        sent += 1;
        answers.spawn(async move {
            let answer = asked.send().await.unwrap();
            let (status, told) = (answer.status().as_u16(), answer.text().await.unwrap());
            assert!(status == 200 && told.contains("\"taken\":100"), "{status} {told}");
            due.elapsed()
        });
    }
    let mut times = answers.join_all().await;
    times.sort();
    times[times.len() * 99 / 100]
}

fn load() -> String {
    std::fs::read_to_string("/proc/loadavg").unwrap()[..14].to_owned()
}

#[test]
#[ignore = "takes minutes"]
fn reports_of_100_records_at_the_highest_rate_that_is_answered_within_a_second() {
    for kept in EVERY {
        for count in [1, 3] {
            let (machine, _database) = machine(*kept);
            let reporter = Reporter::of(&machine, "[notify]\noutbox = \"outbox\"\n");
            let servers: Vec<Server> = (0..count)
                .map(|_| machine.started(serving(&machine, 0)))
                .collect();
            let next = Arc::new(AtomicUsize::new(0));
            let (mut held, mut beyond) = ((0, Duration::ZERO), MOST);
            let mut rate = 8;
            while rate < beyond && rate > held.0 {
                let p99 = machine.wait(p99(&reporter, &servers, rate, &next));
                println!(
                    "{kept:?}, {count} receivers: {rate} reports/s, p99 {p99:.0?}, load {}",
                    load()
                );
                if p99 < Duration::from_secs(1) {
                    held = (rate, p99);
                } else {
                    beyond = rate;
                }
                let further = if beyond == MOST {
                    held.0 * 2
                } else {
                    (held.0 + beyond) / 2
                };
                // a tenth more or less is the machine's mood
                rate = if beyond - held.0 <= held.0 / 10 {
                    held.0
                } else {
                    further
                };
            }
            let first = next.fetch_add(LEAKS, Ordering::Relaxed);
            let began = Instant::now();
            let asked = reporter.asked(&servers[0].base, &report(first, LEAKS), &[]);
            assert_eq!(machine.wait(asked.send()).unwrap().status(), 200);
            println!(
                "{kept:?}, {count} receivers: one report of {LEAKS} records answered after {:.1?}",
                began.elapsed()
            );
            let store = machine.store();
            let written = machine.wait(store.backlog()).unwrap().waiting;
            assert_eq!(
                usize::try_from(written).unwrap(),
                next.load(Ordering::Relaxed),
                "nothing is lost"
            );
            let now: Vec<_> = servers.iter().map(|server| memory(server, "VmRSS")).collect();
            let most: Vec<_> = servers.iter().map(|server| memory(server, "VmHWM")).collect();
            println!(
                "{kept:?}, {count} receivers: {} reports/s of {RECORDS} records held, p99 {:.0?}; {written} leaks in \
                 the store; MiB {now:?}, at most {most:?}",
                held.0, held.1
            );
            servers.into_iter().for_each(Server::stop);
        }
    }
}

/// What must hold in the end, asked without a question for each leak.
fn assert_each_once(machine: &Machine, store: &Store) {
    let revoked = machine.service.state().revoked.clone();
    let once: BTreeSet<&String> = revoked.iter().collect();
    assert_eq!((revoked.len(), once.len()), (LEAKS, LEAKS), "revocations");
    let told = machine.told();
    let once: BTreeSet<&Heard> = told.iter().collect();
    assert_eq!(told.len(), once.len(), "nobody hears the same twice");
    assert_eq!(
        told.iter().filter(|heard| heard.dead).count(),
        LEAKS,
        "of the end of each"
    );
    let leaks = machine.wait(store.all()).unwrap();
    let dead = |verdict: &Option<Verdict>| verdict.as_ref().is_some_and(Verdict::is_dead);
    assert_eq!(leaks.iter().filter(|leak| dead(&leak.verdict)).count(), LEAKS);
    let chain = machine.wait(store.verify_chain()).unwrap();
    assert!(matches!(chain, Chain::Whole { .. }), "{chain}");
    assert!(!machine.log().contains("exm_R"));
}

#[expect(clippy::print_stdout, reason = "figures are for whoever asked for them")]
fn ten_thousand(kept: Kept) {
    let (machine, _database) = machine(kept);
    let reporter = Reporter::of(&machine, "[notify]\noutbox = \"outbox\"\n");
    reporter::replace(&machine, "lease_seconds = 1\nretry_seconds = 1\n", "");
    let server = machine.started(serving(&machine, 16));
    let began = Instant::now();
    for first in (0..LEAKS).step_by(RECORDS) {
        let answer = machine
            .wait(reporter.asked(&server.base, &report(first, RECORDS), &[]).send())
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
    println!(
        "{kept:?}: {LEAKS} leaks in reports of {RECORDS} after {:.1?}, load {}",
        began.elapsed(),
        load()
    );
    let store = machine.store();
    let mut looked = 0_usize;
    loop {
        std::thread::sleep(Duration::from_secs(5));
        let backlog = machine.wait(store.backlog()).unwrap();
        let notices = machine.wait(store.notice_queue()).unwrap();
        assert_eq!((backlog.dead, notices.given_up), (0, 0));
        let left = backlog.waiting + backlog.running + backlog.later;
        if left + notices.waiting == 0 {
            break;
        }
        looked += 1;
        if looked.is_multiple_of(24) {
            println!(
                "{kept:?}: after {:.0?} {left} left, {} MiB",
                began.elapsed(),
                memory(&server, "VmRSS")
            );
        }
    }
    let (took, asked) = (began.elapsed(), machine.service.asked().len());
    assert_each_once(&machine, &store);
    let allowed = took.as_secs_f64() / PACE.as_secs_f64();
    assert!((asked as f64) < allowed + 100.0, "{asked} questions in {took:?}");
    println!(
        "{kept:?}: {LEAKS} leaks told, revoked and closed after {took:.0?}; {asked} requests, {:.1} a second; at most {} \
         MiB; load {}",
        asked as f64 / took.as_secs_f64(),
        memory(&server, "VmHWM"),
        load()
    );
    server.stop();
}

#[test]
#[ignore = "takes minutes"]
fn ten_thousand_leaks_from_report_to_close_with_the_service_asked_no_faster_than_it_allows() {
    std::thread::scope(|scope| {
        for kept in EVERY {
            scope.spawn(|| ten_thousand(*kept));
        }
    });
}
