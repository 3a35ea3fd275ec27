//! Whoever reports to a machine's server, by Standard Webhooks.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Client, RequestBuilder};

use super::machine::Machine;

const KEY: [u8; 32] = [5; 32];

/// The reporter `ci`.
pub(super) struct Reporter {
    client: Client,
    sent: AtomicUsize,
}

impl Reporter {
    /// Configures the machine so that it believes this reporter, and with `rest`.
    pub(super) fn of(machine: &Machine, rest: &str) -> Self {
        let key = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, KEY);
        machine.tool.write("reporter.key", format!("whsec_{key}"));
        machine.configure(&format!(
            "{rest}[reports.reporters.ci]\nkeys = [{{ file = \"reporter.key\" }}]\n"
        ));
        // a second test to install it finds it installed
        let _installed = rustls::crypto::ring::default_provider().install_default();
        Self {
            client: Client::builder().no_proxy().build().unwrap(),
            sent: AtomicUsize::new(0),
        }
    }

    /// A signed report with these records, and further headers.
    pub(super) fn asked(&self, base: &str, records: &str, headers: &[(&str, &str)]) -> RequestBuilder {
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let (id, now) = (format!("msg_{number}"), jiff::Timestamp::now().as_second());
        let mut asked = self
            .client
            .post(format!("{base}/reports?mark=hidden-in-the-query"))
            .header("content-type", "application/json")
            .header("webhook-id", &id)
            .header("webhook-timestamp", now)
            .header(
                "webhook-signature",
                unleak::notify::sign(&KEY, &id, now, records.as_bytes()),
            )
            .body(records.to_owned());
        for (name, value) in headers {
            asked = asked.header(*name, *value);
        }
        asked
    }
}

/// Writes the machine's configuration with other words.
pub(super) fn replace(machine: &Machine, from: &str, to: &str) {
    let text = std::fs::read_to_string(machine.tool.path().join("c.toml")).unwrap();
    assert!(text.contains(from), "{text}");
    machine.tool.write("c.toml", text.replace(from, to));
}
