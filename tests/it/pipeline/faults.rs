//! What the pipeline does when what it needs is gone for a while: nothing is lost, nothing is doubled, readiness tells.

use super::machine::{EVERY, Kept, Machine, held};

#[test]
fn a_service_that_answers_with_errors_is_asked_again_until_it_is_well() {
    for kept in EVERY {
        let machine = Machine::new(*kept);
        let store = machine.store();
        machine.service.state().broken = true;
        machine.report(&store, &[1, 2], "x");
        let server = machine.serve();
        machine.until("both failed once", || {
            let tasks = machine.wait(store.tasks(None, 10)).unwrap();
            tasks.iter().filter(|task| task.why.contains("500")).count() == 2
        });
        machine.until("somebody heard meanwhile", || machine.told().len() == 2);
        assert_eq!(
            machine.ready(&server).0,
            200,
            "it is not this server that is unwell"
        );
        machine.service.state().broken = false;
        machine.until_done(&store);
        assert_eq!(machine.service.state().revoked.len(), 2);
        server.stop();
    }
}

#[test]
fn a_channel_that_takes_nothing_holds_nothing_up_and_whoever_must_hear_hears_once_it_is_well() {
    for kept in EVERY {
        let machine = Machine::new(*kept);
        let store = machine.store();
        let server = machine.serve();
        // A folder that is gone, as a mail server that is down: nothing can be handed over.
        let outbox = machine.tool.path().join("outbox");
        std::fs::remove_dir(&outbox).unwrap();
        std::fs::write(&outbox, "no folder").unwrap();
        machine.report(&store, &[1], "x");
        machine.until("the token is dead, the leak closed, and its notice waits", || {
            let closed = machine.wait(store.known(held(1, "x").leak.fingerprint)).unwrap()[0].closed;
            let queue = machine.wait(store.notice_queue()).unwrap();
            closed && queue.failing > 0
        });
        let (_, metrics) = machine.get(&server, "/metrics");
        assert!(
            metrics.contains("unleak_messages_total{channel=\"outbox\",outcome=\"failed\"}"),
            "{metrics}"
        );
        std::fs::remove_file(&outbox).unwrap();
        std::fs::create_dir(&outbox).unwrap();
        machine.until_done(&store);
        machine.assert_all_is_done_once(&store, 1, "the channel was away");
        server.stop();
    }
}

#[cfg(feature = "postgres-tests")]
#[test]
fn a_database_that_goes_away_and_comes_back_loses_nothing_and_readiness_tells() {
    let mut database = crate::support::postgres::Own::start();
    let machine = Machine::at(
        crate::support::tool::Tool::new(),
        crate::support::local::runtime(),
        database.url(),
    );
    let store = machine.store();
    machine.report(&store, &(0..30).collect::<Vec<_>>(), "x");
    let server = machine.serve();
    machine.until("work has begun", || machine.service.state().revoked.len() > 3);
    database.stop();
    machine.until("readiness tells", || {
        let (status, ready) = machine.ready(&server);
        status == 503 && ready["store"] != "ok" && ready["token_store"] == "ok"
    });
    database.start_again();
    machine.until("it is ready again", || machine.ready(&server).0 == 200);
    machine.until_done(&store);
    machine.assert_all_is_done_once(&store, 30, "the database was away");
    server.stop();
}

/// A limit on the size of files, as a disk that is full: what is written beyond it fails.
#[test]
fn a_disk_that_is_full_and_has_room_again_loses_nothing_and_readiness_tells() {
    let machine = Machine::new(Kept::Sqlite);
    let store = machine.store();
    machine.report(&store, &[1], "x");
    let shell = "trap '' XFSZ; exec \"$@\"";
    let mut command = machine.tool.command("sh");
    command.args(["-c", shell, "sh", env!("CARGO_BIN_EXE_unleak")]);
    command.args(["-v", "--config", "c.toml", "--rules", "rules", "serve"]);
    let server = machine.started(command);
    machine.until_done(&store);
    let limit = |bytes: &str| {
        let pid = server.child.id().to_string();
        let limited = machine
            .tool
            .command("prlimit")
            .args([format!("--pid={pid}"), format!("--fsize={bytes}:unlimited")])
            .status()
            .unwrap();
        assert!(limited.success());
    };
    limit("4096");
    machine.report(&store, &(2..12).collect::<Vec<_>>(), "x");
    machine.until("readiness tells", || {
        let (status, ready) = machine.ready(&server);
        status == 503 && ready["store"] != "ok"
    });
    assert_eq!(
        machine.service.state().revoked.len(),
        1,
        "nothing is sent that cannot be written down"
    );
    limit("unlimited");
    machine.until("it is ready again", || machine.ready(&server).0 == 200);
    machine.until_done(&store);
    machine.assert_all_is_done_once(&store, 11, "the disk was full");
    server.stop();
}
