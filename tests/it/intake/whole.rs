//! The whole loop with the real binary: GitHub reports a token of the embedded service, it is dead soon after, whoever
//! must hear has heard once, and nothing anywhere holds it in clear.

use std::io::BufRead as _;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use serde_json::{Value, json};

use super::desk::{client, record, serve};
use super::reporter::{Published, Shared, Signer, published, sha256};
use crate::support::desk::Desk;

/// `unleak serve` as a process; killed if the test forgets it.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The embedded service has ann, who owns acme, and bob, a member, whose token this gives.
fn token(desk: &Desk) -> String {
    for args in [
        &["organisation", "create", "acme", "--name", "Acme"][..],
        &[
            "user",
            "create",
            "ann",
            "--email",
            "ann@example.com",
            "--name",
            "Ann",
        ],
        &[
            "user",
            "create",
            "bob",
            "--email",
            "bob@example.com",
            "--name",
            "Bob",
        ],
        &["member", "add", "acme", "ann", "--role", "owner"],
        &["member", "add", "acme", "bob", "--role", "member"],
    ] {
        let ran = desk.run(&[&["token"], args].concat());
        assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    }
    // It is shown once, here, and this output is not searched.
    let config = desk.config();
    let made = desk.tool.run([
        "--config",
        config.to_str().unwrap(),
        "token",
        "create",
        "--user",
        "bob",
        "--scope",
        "events:write",
        "--description",
        "for a test",
    ]);
    let token = made
        .out
        .split_whitespace()
        .find(|word| word.starts_with("unlu_"))
        .unwrap_or_else(|| panic!("{} {}", made.out, made.err));
    desk.keep_secret(token);
    token.to_owned()
}

/// The receiver as a process, with its reporter.
struct Receiver {
    desk: Desk,
    base: String,
    token: String,
    signer: Signer,
    client: reqwest::Client,
    _server: Server,
}

impl Receiver {
    async fn start() -> Self {
        let signer = Signer::new();
        let keys: Shared<Published> = Arc::default();
        keys.lock()
            .unwrap()
            .keys
            .push((signer.id.clone(), signer.pem.clone(), true));
        let keys = serve(Router::new().route("/keys", get(published)).with_state(keys)).await;
        // A port that is free now: the service must know its own address before it starts.
        let free = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let base = format!("http://{free}");
        let desk = Desk::new("");
        let operator = desk.key_file("operator.key", &"operator-".repeat(5));
        desk.configure(&format!(
            "[serve]\nlisten = \"{free}\"\noperator_key_file = {operator:?}\n\
             [services.unleak]\nbases = [\"{base}\"]\ncredential_file = {operator:?}\nsettle_seconds = 5\n\
             [owners]\nfallback = [\"Security <security@example.com>\"]\n\
             [reports.origins.github]\nkeys = \"{keys}/keys\"\n\
             [[policy.allow]]\nname = \"ours at once\"\naction = \"revoke\"\nservice = \"unleak\"\nsource = \"report\"\n"
        ));
        let token = tokio::task::block_in_place(|| token(&desk));
        let mut command = desk.tool.command(env!("CARGO_BIN_EXE_unleak"));
        command.arg("--config").arg(desk.config()).args(["-v", "serve"]);
        let log = std::fs::File::create(desk.tool.home().join("serve.log")).unwrap();
        let mut server = Server(command.stdout(Stdio::piped()).stderr(log).spawn().unwrap());
        let mut line = String::new();
        let out = server.0.stdout.take().unwrap();
        std::io::BufReader::new(out).read_line(&mut line).unwrap();
        assert_eq!(line.trim(), format!("listening on {base}"));
        Self {
            desk,
            base,
            token,
            signer,
            client: client(),
            _server: server,
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.desk.tool.home().join("serve.log")).unwrap_or_default()
    }

    /// GitHub reports the token at this place.
    async fn report(&self, place: &str) -> (u16, Value) {
        let body = json!([record(&self.token, "unleak_user_token", place)]).to_string();
        let reply = self
            .client
            .post(format!("{}/reports/github", self.base))
            .header("Github-Public-Key-Identifier", &self.signer.id)
            .header("Github-Public-Key-Signature", self.signer.sign(body.as_bytes()))
            .body(body)
            .send()
            .await
            .unwrap();
        let status = reply.status().as_u16();
        (
            status,
            serde_json::from_str(&reply.text().await.unwrap()).unwrap(),
        )
    }

    async fn is_alive(&self) -> bool {
        let asked = self
            .client
            .get(format!("{}/api/v1/token", self.base))
            .bearer_auth(&self.token);
        asked.send().await.unwrap().status().as_u16() == 200
    }

    async fn metrics(&self) -> String {
        let asked = self.client.get(format!("{}/metrics", self.base));
        asked.send().await.unwrap().text().await.unwrap()
    }

    /// Whether no task is left and nobody is still to hear.
    async fn is_done(&self) -> bool {
        let metrics = self.metrics().await;
        let none = |state| metrics.contains(&format!("unleak_tasks{{state=\"{state}\"}} 0"));
        let heard = ["waiting", "given-up"]
            .into_iter()
            .all(|state| metrics.contains(&format!("unleak_notices{{state=\"{state}\"}} 0")));
        heard && ["waiting", "later", "running", "dead"].into_iter().all(none)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reported_token_of_the_embedded_service_dies_and_each_owner_hears_once() {
    let receiver = Receiver::start().await;
    let desk = &receiver.desk;
    assert!(receiver.is_alive().await);
    let hash = sha256(&receiver.token);
    let label = json!([{ "token_hash": hash, "token_type": "unleak_user_token", "label": "true_positive" }]);
    let (d, e) = (
        "https://github.com/a/b/blob/c/d",
        "https://github.com/a/b/blob/c/e",
    );
    let two = tokio::join!(receiver.report(d), receiver.report(e));
    assert_eq!(
        two,
        ((200, label.clone()), (200, label.clone())),
        "{}",
        receiver.log()
    );
    until("the token is dead", async || !receiver.is_alive().await).await;
    // Before and after its end, the same report and another one hear the same.
    for place in [d, "https://gist.github.com/f"] {
        assert_eq!(
            receiver.report(place).await,
            (200, label.clone()),
            "{}",
            receiver.log()
        );
    }
    until("nothing is left to do", async || receiver.is_done().await).await;
    for name in ["ann", "bob"] {
        let to = format!("To: {name} <");
        let told: Vec<String> = desk
            .outbox()
            .into_iter()
            .filter(|text| text.starts_with(&to))
            .collect();
        let of_the_end = told
            .iter()
            .filter(|text| text.contains("Subject: [unleak] revoked:"));
        assert_eq!(
            of_the_end.count(),
            1,
            "{name} hears of the end once: {told:#?}\n{}",
            receiver.log()
        );
        assert!(told.len() <= 2, "{name} hears of the leak once: {told:#?}");
    }
    assert!(
        desk.outbox()
            .iter()
            .all(|text| text.contains("github.com/a/b/blob/c/")),
        "where it was seen"
    );
    let ledger = tokio::task::block_in_place(|| desk.run(&["ledger", "verify"]));
    assert_eq!(ledger.code, 0, "{} {}", ledger.out, ledger.err);
    desk.also_search("metrics", receiver.metrics().await);
}
