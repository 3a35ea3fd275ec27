//! Signed events by Standard Webhooks 1.0.0.
//!
//! Each owner of each leak is an event of its own, whose id is the same over all tries, so that a receiver can leave
//! out what it has. After a 410 nothing more is sent.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::json;
use zeroize::Zeroizing;

use super::message::Message;
use super::post::{Post, Tried};
use super::settings::WebhookSettings;
use crate::secret::{Secret, mac_sha256};

pub(super) struct Webhook {
    post: Post,
    key: Zeroizing<Vec<u8>>,
    /// Set by a 410: the receiver wants no more.
    ended: AtomicBool,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Webhook([redacted])")
    }
}

impl Webhook {
    pub(super) fn new(settings: &WebhookSettings) -> Result<Self> {
        let post = Post::new(&settings.url, "notify.webhook.url", "the webhook's receiver")?;
        let secret = settings.secret.as_ref().context(
            "notify.webhook has no signing secret: set secret, secret_file or secret_env (whsec_ and base64)",
        )?;
        Ok(Self {
            post,
            key: signing_key(secret).context("notify.webhook")?,
            ended: AtomicBool::new(false),
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        if self.ended.load(Ordering::Relaxed) {
            return Err(ENDED.to_owned());
        }
        let event =
            json!({ "type": message.kind.name(), "timestamp": Timestamp::now(), "data": message.data });
        let body = event.to_string();
        let request = |client: &reqwest::Client| {
            // The time of this try: receivers refuse what is older than five minutes.
            let timestamp = Timestamp::now().as_second();
            client
                .post(self.post.url.clone())
                .header("content-type", "application/json")
                .header("webhook-id", &message.id)
                .header("webhook-timestamp", timestamp)
                .header(
                    "webhook-signature",
                    sign(&self.key, &message.id, timestamp, body.as_bytes()),
                )
                .body(body.clone())
        };
        self.post
            .send(request, |reply| {
                if reply.status == 410 {
                    self.ended.store(true, Ordering::Relaxed);
                    return Tried::Failed(ENDED.to_owned());
                }
                self.post.judge(reply, "notify.webhook")
            })
            .await
    }
}

const ENDED: &str = "the webhook's receiver answered 410, it wants no more events; take [notify.webhook] out";

/// The key of Standard Webhooks in a signing secret: `whsec_` and base64; the key is the decoded bytes.
///
/// # Errors
/// Anything else, and fewer than 24 or more than 64 bytes; the message does not show it.
pub fn signing_key(secret: &Secret) -> Result<Zeroizing<Vec<u8>>> {
    let wrong = || anyhow!("a signing secret must be whsec_ and 24 to 64 bytes in base64");
    let text = secret.expose_str().ok_or_else(wrong)?.trim();
    let key = STANDARD
        .decode(text.strip_prefix("whsec_").unwrap_or(text))
        .map(Zeroizing::new)
        .map_err(|_| wrong())?;
    if !(24..=64).contains(&key.len()) {
        return Err(wrong());
    }
    Ok(key)
}

/// The value of `webhook-signature` for this message, id and time (seconds since 1970).
pub fn sign(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let mac = mac_sha256(key, &[format!("{id}.{timestamp}.").as_bytes(), body]);
    format!("v1,{}", STANDARD.encode(mac))
}

#[cfg(test)]
mod tests {
    use super::{sign, signing_key};
    use crate::secret::Secret;

    /// The vector of the reference libraries' own tests.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let secret = ["whsec_", "MfKQ9r8GKYqrTwjUPD8I", "LPZIo2LaLaSw"].concat();
        let key = signing_key(&Secret::new(secret)).unwrap();
        assert_eq!(
            sign(
                &key,
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                br#"{"test": 2432232314}"#
            ),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn a_signing_secret_of_another_form_is_refused_without_showing_it() {
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%"] {
            let error = signing_key(&Secret::new(wrong)).unwrap_err().to_string();
            assert!(error.contains("24 to 64 bytes"), "{error}");
        }
    }
}
