//! Services that misbehave: nothing of it is taken for life or death.

use std::time::{Duration, Instant};

use super::ends;
use crate::played::{Answer, Server, json, reply};
use crate::support::desk::Desk;
use crate::support::local;
use crate::support::tool::{Ran, token};

/// `unleak verify` of the token, with this server as GitHub.
fn verified(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> (Ran, Vec<String>) {
    let runtime = local::runtime();
    let server = runtime.block_on(Server::start(answer));
    let desk = Desk::new(&format!(
        "[services.github]\nbases = [\"{}\"]\n[call]\ntimeout_seconds = 1\n",
        server.base
    ));
    desk.keep_secret(&token());
    let ran = desk.ask(&["verify"], token().as_bytes());
    (ran, server.seen())
}

fn is_about_the_token(request: &str) -> bool {
    request.contains(&token())
}

#[test]
fn a_host_that_nobody_knows_leaves_the_verdict_unknown() {
    let desk = Desk::new("[services.github]\nbases = [\"http://unleak-test.invalid\"]\n");
    desk.keep_secret(&token());
    let ran = desk.ask(&["verify"], token().as_bytes());
    ends(
        &ran,
        3,
        &[
            "unknown: the name unleak-test.invalid cannot be resolved",
            "check the network",
        ],
    );
}

#[test]
fn a_token_that_names_a_host_that_nobody_listed_is_sent_nowhere() {
    let desk = Desk::new("");
    let payload = r#"{"iat":1700000000.123456,"url":"https://evil.example","region_url":"https://evil.example","org":"acme"}"#;
    let payload = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, payload);
    let secret = [
        "sntrys_",
        &payload,
        "_",
        &"Vb9Lx0ZeR4tNw8KyC3mPj5Hs1a7Kq2".repeat(2)[..43],
    ]
    .concat();
    desk.keep_secret(&secret);
    let ran = desk.ask(&["verify"], secret.as_bytes());
    ends(
        &ran,
        3,
        &["names host evil.example", "set services.sentry.bases to trust it"],
    );
}

#[test]
fn a_redirect_is_not_followed_and_the_second_server_hears_nothing() {
    let runtime = local::runtime();
    let second = runtime.block_on(Server::start(|_| json(200, "{\"login\":\"mia\"}")));
    let location = format!("Location: {}/user\r\n", second.base);
    for status in [301, 302, 307, 308] {
        let location = location.clone();
        let (ran, _) = verified(move |_| reply(status, &location, ""));
        ends(
            &ran,
            3,
            &[
                &format!("unknown: {status}: redirects are not followed"),
                "check the configured base",
            ],
        );
    }
    assert!(second.seen().is_empty(), "{:?}", second.seen());
}

#[test]
fn a_service_in_trouble_is_asked_three_times_and_proves_nothing() {
    let (ran, seen) = verified(|_| json(503, "{\"message\":\"Bad credentials\"}"));
    ends(
        &ran,
        3,
        &["unknown: 503: the service is in trouble; ask again later"],
    );
    assert_eq!(
        seen.iter().filter(|request| is_about_the_token(request)).count(),
        3
    );
}

#[test]
fn a_short_limit_is_waited_for_and_a_long_one_is_told() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let started = Instant::now();
    let (ran, _) = verified(move |request| {
        let first =
            is_about_the_token(request) && asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        match (first, is_about_the_token(request)) {
            (true, _) => reply(429, "Retry-After: 2\r\n", ""),
            (false, true) => json(200, "{\"login\":\"mia\"}"),
            (false, false) => json(401, "{\"message\":\"Bad credentials\"}"),
        }
    });
    ends(&ran, 1, &["live: 200"]);
    assert!(started.elapsed() >= Duration::from_secs(2));
    let (ran, seen) = verified(|_| reply(429, "Retry-After: 86400\r\n", ""));
    ends(&ran, 3, &["unknown: rate limited: ask again after 20"]);
    assert_eq!(seen.len(), 1, "it is left alone: {seen:?}");
}

#[test]
fn a_reply_that_never_ends_is_left() {
    let started = Instant::now();
    let (ran, _) =
        verified(|_| Answer::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"login\":".to_vec()));
    ends(
        &ran,
        3,
        &["unknown: the reply did not end within 1s", "raise the timeout"],
    );
    let (silent, _) = verified(|_| Answer::Hang(Vec::new()));
    ends(&silent, 3, &["unknown: no reply within 1s"]);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn an_endless_body_is_cut_off() {
    let started = Instant::now();
    let (ran, _) = verified(|_| Answer::Endless(b"HTTP/1.1 200 OK\r\n\r\n{\"login\":\"".to_vec()));
    ends(&ran, 3, &["unknown: the reply has more than 1048576 bytes"]);
    let (ran, _) = verified(|_| Answer::Endless(b"HTTP/1.1 200 OK\r\nX: ".to_vec()));
    ends(&ran, 3, &["unknown: "]);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_captive_portal_is_seen_by_a_token_that_was_made_up() {
    let page = "<html><form id=\"login\">Welcome to the airport</form></html>";
    let (ran, seen) = verified(move |_| reply(200, "Content-Type: text/html\r\n", page));
    ends(
        &ran,
        3,
        &["unknown: the service says yes to a made-up token (captive portal or proxy?)"],
    );
    assert!(
        seen.len() == 1 && !is_about_the_token(&seen[0]),
        "the real one never left"
    );
    let (ran, _) = verified(|_| reply(200, "Content-Type: text/html\r\n", "<html>Welcome</html>"));
    ends(
        &ran,
        3,
        &["unknown: 200: a web page instead of an answer (captive portal or proxy?)"],
    );
}

#[test]
fn a_reply_that_is_not_json_proves_neither_life_nor_death() {
    let (ran, _) = verified(|_| json(401, "{\"message\": \"Bad credentials\""));
    ends(
        &ran,
        3,
        &["unknown: 401: an answer that the rule file does not explain"],
    );
    let (ran, _) = verified(|_| Answer::Bytes(b"\xff\xfe\0 nothing like HTTP".to_vec()));
    ends(&ran, 3, &["unknown: no usable reply"]);
}
