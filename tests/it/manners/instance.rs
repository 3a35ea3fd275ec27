//! Self-hosted instances: each is asked, and what is configured for one goes to no other.

use crate::played::{Server, TOKEN, json, reply};
use crate::support::desk::Desk;
use crate::support::local;

const RULES: &str = r#"
[service]
name = "Forge"
docs = "https://docs.example.com"

[[rule]]
id = "token"
title = "Forge token"
pattern = '\b(?<secret>exp_[a-z0-9]{20})\b'
confidence = "high"
severity = "high"

[verify]
request = "GET {base}/me"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200, body = '"login"' }]
dead = [{ status = 401, body = '"no"' }]
identity = { principal = "/login" }

[owners]
request = "GET {base}/admins"
headers = { Authorization = "Bearer {operator}" }
each = "/*"
fields = { name = "/login" }
"#;

/// An instance that knows the token or not, and whose administrator is of this name.
fn instance(runtime: &tokio::runtime::Runtime, knows: bool, administrator: &'static str) -> Server {
    runtime.block_on(Server::start(move |request| {
        if request.starts_with("GET /admins") {
            json(200, &format!(r#"[{{"login":"{administrator}"}}]"#))
        } else if knows && request.contains(TOKEN) {
            json(200, r#"{"login":"mia"}"#)
        } else {
            json(401, r#"{"error":"no"}"#)
        }
    }))
}

#[test]
fn of_two_instances_the_one_that_knows_the_token_gets_its_own_credential_and_the_other_none() {
    let runtime = local::runtime();
    let (one, other) = (instance(&runtime, false, "otto"), instance(&runtime, true, "ada"));
    let public = runtime.block_on(Server::start(|_| reply(200, "", "")));
    let desk = Desk::new("");
    let (first, second) = (
        desk.key_file("one", "credential-of-one"),
        desk.key_file("other", "credential-of-other"),
    );
    desk.configure(&format!(
        "[[instance]]\nservice = \"forge\"\nbase = {:?}\ncredential_file = {first:?}\n\
         [[instance]]\nservice = \"forge\"\nbase = {:?}\ncredential_file = {second:?}\n\
         [services.forge]\ninstead = {{ \"forge.example.com\" = {:?} }}\n",
        one.base, other.base, public.base
    ));
    let rules = desk.tool.path().with_file_name("forge.toml");
    std::fs::write(&rules, RULES).unwrap();
    desk.keep_secret(TOKEN);
    let args = [
        "--rules",
        rules.to_str().unwrap(),
        "owners",
        "--rule",
        "forge/token",
    ];
    let ran = desk.ask(&args, TOKEN.as_bytes());
    assert!(
        ran.out.contains("mia: the token is theirs") && ran.out.contains("ada: owns"),
        "{} {}",
        ran.out,
        ran.err
    );
    assert!(!ran.out.contains("otto"));
    let told = |server: &Server| server.seen().join("\n");
    assert!(told(&other).contains("credential-of-other") && !told(&other).contains("credential-of-one"));
    assert!(!told(&one).contains("credential-of"), "{}", told(&one));
    assert!(
        public.seen().is_empty(),
        "a self-hosted token is asked about at configured instances only"
    );
}
