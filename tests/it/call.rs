//! Calls: what may be sent where, how often, and what is read of the reply.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use unleak::call::{CallError, Caller, Reply, ServiceSettings, Values};
use unleak::rule::RuleSet;
use unleak::rule::file::CallFile;

use crate::played::{Answer, Server, TOKEN, caller, held, json, quick, reply, rules};

fn get(url: &str) -> CallFile {
    CallFile {
        request: format!("GET {url}"),
        headers: BTreeMap::from([("Authorization".to_owned(), "Bearer {secret}".to_owned())]),
        body: None,
        sign: None,
    }
}

/// Asks (or acts, for `act`) with the token on the first base.
async fn send(caller: &Caller, set: &RuleSet, call: &CallFile, act: bool) -> Result<Reply, CallError> {
    let service = &set.services[0];
    let base = caller.bases(service).first().cloned().unwrap_or_default();
    let values = Values::of(&held(TOKEN, &[]), caller, service, &base);
    if act {
        caller.act(service, call, &values).await
    } else {
        caller.ask(service, call, &values).await
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_never_followed() {
    let elsewhere = Server::start(|_| json(200, "{}")).await;
    let location = format!("Location: {}/stolen\r\n", elsewhere.base);
    let service = Server::start(move |_| reply(302, &location, "")).await;
    // Even where both are configured.
    let caller = caller(&[&service.base, &elsewhere.base]);
    let reply = send(&caller, &rules("", ""), &get("{base}/user"), false)
        .await
        .unwrap();
    assert_eq!(reply.status, 302);
    assert_eq!(service.seen().len(), 1);
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn a_host_that_nobody_listed_receives_nothing() {
    let listed = Server::start(|_| json(200, "{}")).await;
    let other = Server::start(|_| json(200, "{}")).await;
    let caller = caller(&[&listed.base]);
    let set = rules("hosts = [\"api.example.com\"]", "");
    let host = other.base.trim_start_matches("http://");
    for url in [
        format!("{}/user", other.base),
        format!("https://{host}/user"),
        format!("http://api.example.com@{host}/user"),
        format!("http://{host}\\@api.example.com/user"),
        "http://api.example.com/user".to_owned(),
        "https://api.example.com:8443/user".to_owned(),
        "https://api.example.com./user".to_owned(),
        "https://API.EXAMPLE.COM.evil.test/user".to_owned(),
        "https://аpi.example.com/user".to_owned(),
        "ftp://api.example.com/user".to_owned(),
    ] {
        let error = send(&caller, &set, &get(&url), false).await.unwrap_err();
        assert!(matches!(error, CallError::Forbidden(_)), "{url}: {error:?}");
        assert!(!error.may_have_arrived());
        assert!(!caller.allowed(&set.services[0], &url), "{url}");
    }
    assert!(caller.allowed(&set.services[0], "https://API.example.com/user"));
    assert!(other.seen().is_empty() && listed.seen().is_empty());
}

#[tokio::test]
async fn a_listed_name_that_leads_to_this_machine_is_refused_unless_configured() {
    let set = rules("hosts = [\"localhost\", \"127.0.0.1\", \"[::1]\"]", "");
    for host in ["localhost", "127.0.0.1", "0x7f.1", "2130706433", "[::1]"] {
        let error = send(&caller(&[]), &set, &get(&format!("https://{host}/user")), false)
            .await
            .unwrap_err();
        let CallError::Forbidden(text) = &error else {
            panic!("{host}: {error:?}");
        };
        assert!(text.contains("not on the public internet"), "{text}");
    }
    let service = Server::start(|_| json(200, "{}")).await;
    let base = service.base.replace("127.0.0.1", "localhost");
    let reply = send(&caller(&[&base]), &set, &get("{base}/user"), false)
        .await
        .unwrap();
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn what_is_configured_for_one_service_is_not_open_to_another() {
    let service = Server::start(|_| json(200, "{}")).await;
    let base = service.base.replace("127.0.0.1", "localhost");
    let caller = caller(&[&base]);
    send(&caller, &rules("", ""), &get("{base}/user"), false)
        .await
        .unwrap();
    let mut others = rules("hosts = [\"localhost\"]", "");
    let text = "[service]\nname = \"Other\"\ndocs = \"https://docs.example.com\"\nhosts = [\"localhost\"]\n";
    others.add("other", "other.toml", text).unwrap();
    let other = others
        .services
        .iter()
        .find(|service| service.name == "other")
        .unwrap();
    let values = Values::of(&held(TOKEN, &[]), &caller, other, &base);
    for url in [format!("{base}/user"), "https://localhost/user".to_owned()] {
        let error = caller.ask(other, &get(&url), &values).await.unwrap_err();
        assert!(matches!(error, CallError::Forbidden(_)), "{error:?}");
    }
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn an_endless_body_is_not_read_to_its_end() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n";
    let service = Server::start(move |_| Answer::Endless(head.as_bytes().to_vec())).await;
    let error = send(
        &caller(&[&service.base]),
        &rules("", ""),
        &get("{base}/user"),
        false,
    )
    .await
    .unwrap_err();
    assert_eq!(error, CallError::TooLarge { limit: 1 << 20 });
    let declared = "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n";
    let service = Server::start(move |_| Answer::Hang(declared.as_bytes().to_vec())).await;
    let error = send(
        &caller(&[&service.base]),
        &rules("", ""),
        &get("{base}/user"),
        false,
    )
    .await;
    assert!(matches!(error, Err(CallError::TooLarge { .. })));
}

#[tokio::test]
async fn a_reply_that_never_ends_is_given_up_and_said() {
    for (head, said) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
            "did not end within",
        ),
        ("HTTP/1.1 200 OK\r\nX-Half:", "no reply within"),
    ] {
        let service = Server::start(move |_| Answer::Hang(head.as_bytes().to_vec())).await;
        let started = Instant::now();
        let error = send(
            &caller(&[&service.base]),
            &rules("", ""),
            &get("{base}/user"),
            false,
        )
        .await
        .unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.may_have_arrived());
        assert!(started.elapsed() < Duration::from_secs(5));
        assert_eq!(service.seen().len(), 1, "the time limit is not spent twice");
    }
}

#[tokio::test]
async fn a_huge_or_broken_head_is_an_error() {
    for head in [
        format!("HTTP/1.1 200 OK\r\nX-Huge: {}\r\n\r\n", "h".repeat(2 << 20)),
        "\u{1f480} not http at all\r\n\r\n".to_owned(),
        String::new(),
    ] {
        let bytes = head.into_bytes();
        let service = Server::start(move |_| Answer::Bytes(bytes.clone())).await;
        let error = send(
            &caller(&[&service.base]),
            &rules("", ""),
            &get("{base}/user"),
            false,
        )
        .await;
        assert!(matches!(error, Err(CallError::Network(_))), "{error:?}");
    }
}

#[tokio::test]
async fn a_service_in_trouble_is_asked_again_but_never_told_twice() {
    let service = Server::start(|_| json(502, "{}")).await;
    let set = rules("", "");
    let caller = caller(&[&service.base]);
    assert_eq!(
        send(&caller, &set, &get("{base}/user"), false)
            .await
            .unwrap()
            .status,
        502
    );
    assert_eq!(service.seen().len(), 3);
    let delete = CallFile {
        request: "DELETE {base}/user".to_owned(),
        ..CallFile::default()
    };
    assert_eq!(send(&caller, &set, &delete, true).await.unwrap().status, 502);
    assert_eq!(service.seen().len(), 4);

    let dropping = Server::start(|_| Answer::Bytes(Vec::new())).await;
    let error = send(&self::caller(&[&dropping.base]), &set, &delete, true)
        .await
        .unwrap_err();
    assert!(error.may_have_arrived(), "{error:?}");
    assert_eq!(dropping.seen().len(), 1);
}

#[tokio::test]
async fn a_short_retry_after_is_waited_for_and_a_long_one_is_reported() {
    let turns = AtomicUsize::new(0);
    let service = Server::start(move |_| match turns.fetch_add(1, Ordering::SeqCst) {
        0 => reply(429, "Retry-After: 1\r\n", ""),
        _ => json(200, "{}"),
    })
    .await;
    let set = rules("", "");
    let started = Instant::now();
    let got = send(&caller(&[&service.base]), &set, &get("{base}/user"), false).await;
    assert_eq!(got.unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_secs(1));

    for status in [429, 503] {
        let service = Server::start(move |_| reply(status, "Retry-After: 3600\r\n", "")).await;
        let caller = caller(&[&service.base]);
        for act in [false, true] {
            let error = send(&caller, &set, &get("{base}/user"), act).await.unwrap_err();
            assert!(
                matches!(error, CallError::RateLimited { retry_after: Some(_) }),
                "{error:?}"
            );
            assert!(
                error.to_string().starts_with("rate limited: ask again after 20"),
                "{error}"
            );
            assert!(!error.may_have_arrived());
        }
        assert_eq!(service.seen().len(), 1, "the second was not even sent");
    }
}

#[tokio::test]
async fn one_host_gets_at_most_four_requests_at_a_time() {
    let service = Server::start(|_| {
        Answer::Late(
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
            Duration::from_millis(50),
        )
    })
    .await;
    let caller = caller(&[&service.base]);
    let set = rules("", "");
    let call = get("{base}/user");
    let all = (0..16).map(|_| send(&caller, &set, &call, false));
    for got in futures_util::future::join_all(all).await {
        assert_eq!(got.unwrap().status, 200);
    }
    assert_eq!(service.seen().len(), 16);
    assert_eq!(service.most_at_once(), 4);
}

#[tokio::test]
async fn a_next_page_on_another_host_is_not_asked_for_and_never_filled_in() {
    let service = Server::start(|_| json(200, "[]")).await;
    let other = Server::start(|_| json(200, "[]")).await;
    let caller = caller(&[&service.base, &other.base]);
    let set = rules("", "");
    let values = Values::of(&held(TOKEN, &[]), &caller, &set.services[0], &service.base);
    let call = get("{base}/members");
    let error = caller
        .ask_page(
            &set.services[0],
            &call,
            &values,
            &format!("{}/members?page=2", other.base),
        )
        .await;
    assert!(matches!(error, Err(CallError::Forbidden(_))));
    assert!(other.seen().is_empty());
    let next = format!("{}/members?page=2&x={{secret}}", service.base);
    caller
        .ask_page(&set.services[0], &call, &values, &next)
        .await
        .unwrap();
    let seen = service.seen();
    assert!(seen[0].starts_with("GET /members?page=2&x="), "{}", seen[0]);
    assert!(!seen[0].lines().next().unwrap().contains(TOKEN));
}

#[test]
fn a_configured_base_that_is_none_is_refused_without_repeating_it() {
    for base in [
        "ftp://x.example",
        "example.com",
        "https://me:hunter2@x.example",
        "https://x.example/?a=hunter2",
    ] {
        let settings = quick(ServiceSettings {
            bases: vec![base.to_owned()],
            ..ServiceSettings::default()
        });
        let error = format!("{:#}", Caller::new(settings).err().unwrap());
        assert!(
            error.contains("services.example.bases") && !error.contains("hunter2"),
            "{error}"
        );
    }
}
