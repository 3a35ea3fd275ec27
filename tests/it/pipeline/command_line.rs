//! `unleak tasks`, `unleak ledger` and `unleak store`, on a store that a server works on.

use serde_json::Value;

use super::machine::{Kept, Machine};

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
