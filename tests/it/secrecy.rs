//! What a call leaves behind in logs, errors and URLs.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use std::io::Write;
use std::sync::{Arc, Mutex};

use unleak::call::{Caller, ServiceSettings, Values};
use unleak::secret::Secret;
use unleak::verify::Verifier;

use crate::played::{Answer as Said, Server, TOKEN, held, quick, reply, rules};
use crate::verify::VERIFY;

#[tokio::test]
async fn the_secret_and_the_operators_credential_are_in_no_log_no_error_and_no_url() {
    // With a single subscriber tracing asks only the thread that meets an event first, and that may be another test's.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let log = Log::default();
    let guard = log.listen();
    let credential = "operator:correct-horse-battery";
    let rest = VERIFY.replace("Bearer {secret}", "Bearer {secret} {basic:operator}")
        + "[[verify.identify]]\nrequest = \"GET {base}/bot{secret}/me\"\nidentity = { email = \"/email\" }\n";
    let set = rules("", &rest);
    let echo = Server::start(|request| {
        let status = if request.contains(TOKEN) { 200 } else { 401 };
        reply(
            status,
            &format!("X-OAuth-Scopes: {TOKEN}\r\n"),
            &format!("Invalid {request}"),
        )
    })
    .await;
    let dropping =
        Server::start(|_| Said::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".to_vec())).await;
    let mut said = String::new();
    for base in [
        echo.base.as_str(),
        dropping.base.as_str(),
        "http://127.0.0.1:1",
        "https://127.0.0.1:1",
    ] {
        let settings = quick(ServiceSettings {
            bases: vec![base.to_owned()],
            credential: Some(Secret::new(credential)),
            ..ServiceSettings::default()
        });
        let caller = Caller::new(settings).unwrap();
        let held = held(TOKEN, &[]);
        let answer = Verifier::new(caller.clone()).verify(&set.rules[0], &held).await;
        said.push_str(&format!("{answer:?}"));
        let values = Values::of(&held, &caller, &set.services[0], base);
        let call = set.rules[0].verify().unwrap().identify[0].call();
        let got = caller.act(&set.services[0], &call, &values).await;
        said.push_str(&format!("{got:?} {values:?}"));
    }
    drop(guard);
    said.push_str(&String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(
        said.contains("called") && said.contains("no connection"),
        "{said}"
    );
    for secret in [TOKEN, &TOKEN[4..], credential, "b3BlcmF0b3I6", "correct-horse"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    let urls: Vec<String> = echo
        .seen()
        .iter()
        .filter_map(|seen| seen.split(' ').nth(1).map(str::to_owned))
        .collect();
    assert_eq!(
        urls.iter().filter(|url| url.contains(TOKEN)).count(),
        2,
        "only where the rule puts it: {urls:?}"
    );
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes everything that this thread logs, until the guard is dropped.
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
