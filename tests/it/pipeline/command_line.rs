//! `unleak tasks`, `unleak ledger` and `unleak store`, on a store that a server works on.

use serde_json::Value;

use super::machine::{EVERY, Kept, Machine};

#[test]
fn what_was_given_up_is_listed_with_its_reason_and_put_again_by_a_person() {
    let machine = Machine::new(Kept::Sqlite);
    let config = std::fs::read_to_string(machine.tool.path().join("c.toml")).unwrap();
    machine.tool.write(
        "c.toml",
        config.replace("[serve.worker]\n", "[serve.worker]\nattempts = 2\n"),
    );
    let store = machine.store();
    machine.service.state().broken = true;
    machine.report(&store, &[1], "https://example.com/a");
    let server = machine.serve();
    machine.until("it was given up", || {
        machine
            .unleak(&["tasks", "list", "--dead"])
            .out
            .contains("given up")
    });
    let listed = machine.unleak(&["tasks", "list", "--dead"]).out;
    assert!(listed.contains("tried 2 times: 500"), "{listed}");
    let json = machine.unleak(&["tasks", "list", "--json"]).out;
    let task: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(task["state"], "dead");
    let (_, ready) = machine.ready(&server);
    assert_eq!(ready["tasks"]["dead"], 1);

    machine.service.state().broken = false;
    assert_eq!(machine.unleak(&["tasks", "requeue", "zz"]).code, 2);
    assert_eq!(machine.unleak(&["tasks", "requeue", "ffffffffff"]).code, 2);
    assert_eq!(machine.unleak(&["tasks", "requeue"]).out, "1 due now\n");
    machine.until_done(&store);
    assert_eq!(machine.service.state().revoked.len(), 1);
    assert_eq!(machine.unleak(&["tasks", "list"]).out, "");

    let whole = machine.unleak(&["ledger", "verify"]);
    assert!(
        whole.code == 0 && whole.out.starts_with("the ledger is whole"),
        "{}",
        whole.out
    );
    let exported = machine.unleak(&["ledger", "export"]).out;
    let lines: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let actions: Vec<_> = lines.iter().filter_map(|line| line["action"].as_str()).collect();
    for action in [
        "found",
        "reported",
        "given-up",
        "requeued",
        "revocation-done",
        "closed",
    ] {
        assert!(actions.contains(&action), "{action} {actions:?}");
    }
    assert!(!exported.contains("exm_R"));
    let after = machine.unleak(&["ledger", "export", "--after", "2"]).out;
    assert_eq!(after.lines().count(), lines.len() - 2);
    server.stop();
}

#[test]
fn a_copy_of_the_store_opens_with_the_same_key_and_holds_no_secret_in_clear() {
    let machine = Machine::new(Kept::Sqlite);
    let store = machine.store();
    machine.report(&store, &[1, 2], "https://example.com/a");
    let copied = machine.unleak(&["store", "backup", "copy.db"]);
    assert_eq!(copied.code, 0, "{}", copied.err);
    let again = machine.unleak(&["store", "backup", "copy.db"]);
    assert!(
        again.code == 2 && again.err.contains("is there already"),
        "{}",
        again.err
    );
    let bytes = std::fs::read(machine.tool.path().join("copy.db")).unwrap();
    assert!(!bytes.windows(5).any(|window| window == b"exm_R"));
    let config = std::fs::read_to_string(machine.tool.path().join("c.toml")).unwrap();
    machine
        .tool
        .write("c.toml", config.replace(&machine.url, "sqlite:copy.db"));
    let listed = machine.unleak(&["tasks", "list"]).out;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert_eq!(machine.unleak(&["ledger", "verify"]).code, 0);
}

/// Copies the store with the tools of its database, and gives the copy's URL.
fn copied(machine: &Machine, kept: Kept) -> String {
    match kept {
        Kept::Sqlite => {
            assert_eq!(machine.unleak(&["store", "backup", "copy.db"]).code, 0);
            format!("sqlite:{}/copy.db", machine.tool.path().display())
        }
        #[cfg(feature = "postgres-tests")]
        Kept::Postgres => {
            let run = |program: &str, url: &str, args: &[&str]| {
                let program = crate::support::postgres::binaries().join(program);
                let mut command = machine.tool.command(program.to_str().unwrap());
                let ran = command.args(["-d", url]).args(args).output().unwrap();
                assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
            };
            run("pg_dump", &machine.url, &["-f", "copy.sql"]);
            let copy = machine.wait(crate::support::postgres::new_database());
            run("psql", &copy, &["-q", "-v", "ON_ERROR_STOP=1", "-f", "copy.sql"]);
            copy
        }
    }
}

#[test]
fn a_store_that_is_restored_goes_on_where_the_copy_was_made_and_nothing_is_revoked_twice() {
    for kept in EVERY {
        let mut machine = Machine::new(*kept);
        let store = machine.store();
        machine.report(&store, &[1, 2], "https://example.com/a");
        let copy = copied(&machine, *kept);
        let server = machine.serve();
        machine.until_done(&store);
        server.stop();
        machine.url = copy;
        machine.configure("[notify]\noutbox = \"outbox\"\n");
        let restored = machine.store();
        let server = machine.serve();
        machine.until_done(&restored);
        server.stop();
        assert_eq!(
            machine.service.state().revoked.len(),
            2,
            "the copy knew of no revocation"
        );
        let leaks = machine.wait(restored.all()).unwrap();
        for leak in &leaks {
            let known = machine.wait(restored.known(leak.fingerprint)).unwrap();
            assert!(known[0].closed, "{kept:?} {leak:#?}");
        }
        assert_eq!(leaks.len(), 2);
        assert_eq!(machine.unleak(&["ledger", "verify"]).code, 0);
    }
}

#[test]
fn a_ledger_that_was_touched_is_told_by_the_exit_code() {
    let machine = Machine::new(Kept::Sqlite);
    let store = machine.store();
    machine.report(&store, &[1], "x");
    machine.wait(async {
        use sqlx::{Connection as _, Executor as _};
        let mut raw = sqlx::SqliteConnection::connect(&machine.url).await.unwrap();
        raw.execute("DROP TRIGGER ledger_keeps_its_lines; UPDATE ledger SET actor = 'x' WHERE seq = 1")
            .await
            .unwrap();
    });
    let broken = machine.unleak(&["ledger", "verify"]);
    assert!(
        broken.code == 1 && broken.out.contains("broken at line 1"),
        "{}",
        broken.out
    );
}
