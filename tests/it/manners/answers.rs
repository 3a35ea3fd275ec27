//! What an earlier run was told, on the disk: fingerprints and answers, never a secret (the desk looks for it).

use crate::played::{Server, json};
use crate::support::desk::Desk;
use crate::support::local;
use crate::support::tool::token;

/// `scan --verify` again and again, with a server as GitHub that answers this of the token.
struct Runs {
    desk: Desk,
    server: Server,
    _runtime: tokio::runtime::Runtime,
}

impl Runs {
    fn of(answer: fn() -> crate::played::Answer, config: &str) -> Self {
        let runtime = local::runtime();
        let server = runtime.block_on(Server::start(move |request| match request.contains(&token()) {
            true => answer(),
            false => json(401, r#"{"message":"Bad credentials"}"#),
        }));
        let desk = Desk::new(&format!(
            "[services.github]\nbases = [\"{}\"]\n[call]\n{config}\n",
            server.base
        ));
        desk.leak("settings.env", &format!("GITHUB_TOKEN={}\n", token()), &token());
        Self {
            desk,
            server,
            _runtime: runtime,
        }
    }

    /// The reason of the verdict, and how many questions about the token the server has heard until now.
    fn scan(&self, further: &[&str]) -> (String, usize) {
        let args = [&["scan", ".", "-q", "--verify", "--format", "jsonl"], further].concat();
        let ran = self.desk.run(&args);
        let findings = ran.findings();
        assert_eq!(findings.len(), 1, "{} {}", ran.out, ran.err);
        let asked = self
            .server
            .seen()
            .iter()
            .filter(|request| request.contains(&token()))
            .count();
        (
            findings[0]["verdict"]["reason"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            asked,
        )
    }
}

fn dead() -> crate::played::Answer {
    json(401, r#"{"message":"Bad credentials"}"#)
}

fn live() -> crate::played::Answer {
    json(200, r#"{"login":"mia"}"#)
}

#[test]
fn a_dead_token_is_asked_about_once_a_day_and_again_when_that_is_asked_for() {
    let runs = Runs::of(dead, "");
    assert_eq!(runs.scan(&[]).1, 1);
    let (reason, asked) = runs.scan(&[]);
    assert_eq!(asked, 1);
    assert!(
        reason.contains("answered 0 min ago (--refresh asks again)"),
        "{reason}"
    );
    assert_eq!(runs.scan(&["--refresh"]).1, 2);
    let file = runs.desk.tool.home().join(".local/state/unleak/answers.json");
    std::fs::write(&file, "{ not JSON").unwrap();
    assert_eq!(runs.scan(&[]).1, 3, "a damaged file counts as empty");
}

#[test]
fn a_live_token_is_asked_about_in_each_run_unless_the_configuration_says_otherwise() {
    let runs = Runs::of(live, "");
    let questions = runs.scan(&[]).1;
    assert_eq!(runs.scan(&[]).1, 2 * questions);
    let runs = Runs::of(live, "keep_live_minutes = 5");
    let questions = runs.scan(&[]).1;
    assert_eq!(runs.scan(&[]).1, questions);
}

#[test]
fn what_nobody_could_tell_is_asked_again() {
    let runs = Runs::of(|| json(404, "{}"), "");
    assert_eq!(runs.scan(&[]).1, 1);
    assert_eq!(runs.scan(&[]).1, 2);
}
