//! What the workers do when nothing goes wrong.

use super::machine::{EVERY, Machine};

#[test]
fn reported_leaks_are_told_revoked_proved_dead_and_closed_each_once_however_often_they_are_reported() {
    for kept in EVERY {
        let machine = Machine::new(*kept);
        let store = machine.store();
        machine.report(&store, &[1, 2, 3], "https://example.com/a");
        let one = machine.serve();
        let two = machine.serve();
        for place in ["b", "c", "d", "e"] {
            machine.report(&store, &[1, 2, 3, 4], &format!("https://example.com/{place}"));
        }
        machine.until_done(&store);
        machine.assert_all_is_done_once(&store, 4, &format!("{kept:?}"));
        let again = machine.report(&store, &[1, 2, 3, 4], "https://example.com/a");
        assert!(again.iter().all(|known| known.closed));
        machine.until_done(&store);
        machine.assert_all_is_done_once(&store, 4, &format!("{kept:?}, reported again"));
        let (status, ready) = machine.ready(&one);
        assert_eq!((status, &ready["status"]), (200, &"ready".into()));
        assert_eq!(ready["worker"], "ok");
        assert_eq!(ready["tasks"]["waiting"], 0);
        for server in [one, two] {
            let (_, metrics) = machine.get(&server, "/metrics");
            assert!(metrics.contains("unleak_tasks{state=\"dead\"} 0"), "{metrics}");
            assert!(!metrics.contains("mia"), "{metrics}");
            assert!(metrics.ends_with("# EOF\n"));
            server.stop();
        }
    }
}

#[test]
fn a_server_that_is_asked_to_stop_gives_its_tasks_back() {
    for kept in EVERY {
        let machine = Machine::new(*kept);
        let store = machine.store();
        machine.report(&store, &(0..40).collect::<Vec<_>>(), "x");
        let server = machine.serve();
        machine.until("some are done", || machine.service.state().revoked.len() > 4);
        server.stop();
        let backlog = machine.wait(store.backlog()).unwrap();
        assert_eq!(backlog.running, 0, "{backlog:?}");
        let server = machine.serve();
        machine.until_done(&store);
        machine.assert_all_is_done_once(&store, 40, "stopped");
        server.stop();
    }
}
