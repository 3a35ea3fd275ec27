//! What the pipeline does when what it needs is gone for a while: nothing is lost, nothing is doubled, readiness tells.

use super::machine::{EVERY, Kept, Machine};

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
        assert_eq!(machine.told().len(), 2, "somebody heard meanwhile");
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
fn a_channel_that_takes_nothing_is_tried_again_and_the_leak_is_not_closed_before() {
    let machine = Machine::new(Kept::Sqlite);
    machine.configure("[notify]\noutbox = \"outbox\"\n");
    let store = machine.store();
    let server = machine.serve();
    // A folder that is gone, as a mail server that is down: nothing can be handed over.
    let outbox = machine.tool.path().join("outbox");
    std::fs::remove_dir(&outbox).unwrap();
    std::fs::write(&outbox, "no folder").unwrap();
    machine.report(&store, &[1], "x");
    machine.until("the token is dead and nobody heard", || {
        let tasks = machine.wait(store.tasks(None, 10)).unwrap();
        machine.service.state().revoked.len() == 1 && tasks.iter().any(|task| task.why.contains("outbox"))
    });
    assert!(
        !machine
            .wait(store.known(super::machine::held(1, "x").leak.fingerprint))
            .unwrap()[0]
            .closed
    );
    std::fs::remove_file(&outbox).unwrap();
    std::fs::create_dir(&outbox).unwrap();
    machine.until_done(&store);
    assert_eq!(
        machine.told().len(),
        1,
        "of the end, which makes the beginning old news"
    );
    assert_eq!(machine.service.state().revoked.len(), 1);
    server.stop();
}
