//! Killed with SIGKILL at every step in turn: whatever the step, each leak ends with one notice and one revocation.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;

use super::machine::{EVERY, Kept, Machine};
use super::reporter::Reporter;

/// Steps that are tried at the same time.
const AT_ONCE: usize = 4;

/// Kills the server at this step; whether it came so far.
fn killed_at(kept: Kept, step: u64) -> bool {
    let machine = Machine::new(kept);
    let store = machine.store();
    machine.report(&store, &[1], "https://example.com/a");
    let mut command = machine.serving();
    command.env("UNLEAK_KILL_AT", step.to_string());
    let mut server = machine.started(command);
    let mut killed = false;
    machine.until("it is killed or done", || {
        killed = server.was_killed();
        killed || machine.is_done(&store)
    });
    if killed {
        let server = machine.serve();
        machine.until_done(&store);
        server.stop();
    }
    machine.assert_all_is_done_once(&store, 1, &format!("{kept:?}, killed at step {step}"));
    killed
}

#[test]
fn a_server_killed_at_any_step_leaves_one_notice_and_one_revocation_behind_once_it_runs_again() {
    for kept in EVERY {
        let (next, done) = (AtomicU64::new(1), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while !done.load(Ordering::SeqCst) {
                        let step = next.fetch_add(1, Ordering::SeqCst);
                        if !killed_at(*kept, step) {
                            done.store(true, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        let steps = next.load(Ordering::SeqCst);
        assert!(steps > 25, "the life of a leak has more steps than {steps}");
    }
}

/// Reports to a server that kills itself at this step while it takes the report in, and again until somebody answers;
/// whether it was killed before it answered.
fn killed_before_it_answers(kept: Kept, step: u64) -> bool {
    let machine = Machine::new(kept);
    let reporter = Reporter::of(&machine, "[notify]\noutbox = \"outbox\"\n");
    let records =
        [1, 2].map(|number| json!({ "token": format!("exm_R{number:023}"), "type": "x", "url": "" }));
    let send = |base: &str| {
        let asked = reporter.asked(base, &json!(records).to_string(), &[]);
        let answer = machine.wait(asked.send());
        answer.is_ok_and(|answer| answer.status() == 200)
    };
    let mut command = machine.serving();
    command
        .args(["--workers", "0"])
        .env("UNLEAK_KILL_AT", step.to_string());
    let mut server = machine.started(command);
    let answered = send(&server.base);
    machine.until("it is answered, or killed", || answered || server.was_killed());
    drop(server);
    let server = machine.serve();
    machine.until("somebody answers", || answered || send(&server.base));
    let store = machine.store();
    machine.until_done(&store);
    server.stop();
    machine.assert_all_is_done_once(&store, 2, &format!("{kept:?}, killed at step {step} of a report"));
    !answered
}

#[test]
fn a_report_whose_receiver_is_killed_before_it_answers_may_be_sent_again_and_is_taken_once() {
    for kept in EVERY {
        let killed: Vec<bool> = (1..=3)
            .map(|step| killed_before_it_answers(*kept, step))
            .collect();
        assert_eq!(
            killed,
            [true, true, false],
            "before what it wrote is kept, and right after"
        );
    }
}

#[test]
fn two_servers_of_which_one_is_killed_again_and_again_do_everything_once() {
    for kept in EVERY {
        let machine = Machine::new(*kept);
        let store = machine.store();
        let steady = machine.serve();
        for round in 0..6 {
            let numbers: Vec<usize> = (round * 4..round * 4 + 4).collect();
            let mut command = machine.serving();
            command.env("UNLEAK_KILL_AT", (5 + round * 7).to_string());
            let mut killed = machine.started(command);
            machine.report(&store, &numbers, "https://example.com/a");
            machine.report(&store, &numbers, "https://example.com/b");
            machine.until("it is killed or all is done", || {
                killed.was_killed() || machine.is_done(&store)
            });
        }
        machine.until_done(&store);
        machine.assert_all_is_done_once(&store, 24, &format!("{kept:?}"));
        steady.stop();
    }
}
