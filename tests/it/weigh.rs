//! How bad a token is by what it opens, and what it need not be able to do.

use serde_json::Value;

use crate::played::{Server, TOKEN, json};
use crate::support::desk::Desk;
use crate::support::local;

const RULES: &str = r#"
[service]
name = "Post"
docs = "https://docs.example.com"

[[rule]]
id = "key"
title = "Post key"
pattern = '\b(?<secret>exp_[a-z0-9]{20})\b'
confidence = "high"
severity = "high"

[rule.use]
what = "an SDK only sends events"
scopes = ["events:write"]

[verify]
request = "GET {base}/me"
headers = { Authorization = "Bearer {secret}" }
live = [{ status = 200, body = '"scopes"' }]
dead = [{ status = 401, body = '"no"' }]
identity = { scopes = "/scopes/*", role = "/role" }

[[weight]]
identity = { role = "*admin*" }
severity = "critical"
because = "it administers the organisation"

[[weight]]
scopes = ["*:admin", "members:*"]
severity = "critical"
because = "it manages people"

[[weight]]
only = ["events:write"]
severity = "low"
because = "it can only send events"
"#;

/// What `unleak verify` tells of a key with these scopes and this role, as JSON and as text; and the severity that a scan
/// gives it.
fn weighed(scopes: &str, role: &str) -> (Value, String, String) {
    let runtime = local::runtime();
    let body = format!(r#"{{"scopes":[{scopes}],"role":"{role}"}}"#);
    let server = runtime.block_on(Server::start(move |request| match request.contains(TOKEN) {
        true => json(200, &body),
        false => json(401, r#"{"error":"no"}"#),
    }));
    let desk = Desk::new(&format!("[services.post]\nbases = [\"{}\"]\n", server.base));
    let rules = desk.tool.path().with_file_name("post.toml");
    std::fs::write(&rules, RULES).unwrap();
    let rules = rules.to_str().unwrap();
    desk.leak("settings.env", &format!("KEY={TOKEN}\n"), TOKEN);
    let told = desk.ask(
        &["--rules", rules, "verify", "--format", "json"],
        TOKEN.as_bytes(),
    );
    let text = desk.ask(&["--rules", rules, "verify"], TOKEN.as_bytes());
    let scan = desk.run(&[
        "--rules", rules, "scan", ".", "-q", "--verify", "--format", "jsonl", "--only", "post",
    ]);
    let severity = scan.findings()[0]["severity"].as_str().unwrap().to_owned();
    (serde_json::from_str(&told.out).unwrap(), text.out, severity)
}

#[test]
fn the_scopes_and_the_role_of_a_token_raise_or_lower_its_severity() {
    let (told, text, scanned) = weighed(r#""events:write""#, "member");
    assert_eq!(
        (told["severity"].as_str(), scanned.as_str()),
        (Some("low"), "low"),
        "{told}"
    );
    assert!(
        text.contains("severity: low, because it can only send events"),
        "{text}"
    );
    assert!(!text.contains("over-privileged"), "{text}");

    let (told, _, scanned) = weighed(r#""events:write","members:read""#, "member");
    assert_eq!(
        (told["severity"].as_str(), scanned.as_str()),
        (Some("critical"), "critical"),
        "{told}"
    );
    assert_eq!(told["because"], "it manages people");

    let (told, _, _) = weighed(r#""events:write""#, "Organisation Admin");
    assert_eq!(
        told["because"], "it administers the organisation",
        "the role goes before the scopes"
    );

    let (told, _, _) = weighed(r#""events:write","projects:read""#, "member");
    assert_eq!(
        (told["severity"].as_str(), &told["because"]),
        (Some("high"), &Value::Null),
        "the rule's own"
    );
}

#[test]
fn a_key_that_may_do_more_than_its_use_needs_is_called_over_privileged() {
    let (told, text, _) = weighed(r#""events:write","projects:write""#, "member");
    assert_eq!(
        told["identity"]["over_privileged"],
        serde_json::json!(["projects:write"]),
        "{told}"
    );
    assert!(
        text.contains("over-privileged: an SDK only sends events; it holds projects:write as well"),
        "{text}"
    );
}
