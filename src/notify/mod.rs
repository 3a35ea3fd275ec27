//! Telling owners: by e-mail, by a signed webhook, and into a folder.
//!
//! One owner, one message, every channel that is open; a channel that fails does not stop the others. Who was told
//! already is the store's to know: callers claim a notice before they send it. The secret is never in a message.

mod email;
pub mod message;
mod outbox;
pub mod review;
mod text;
mod webhook;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

pub use email::Tls;
pub use message::{About, Kind, Message};

use crate::leak::Owner;
use crate::secret::Secret;

/// `[notify]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Folder that takes one text file per notice.
    pub outbox: Option<PathBuf>,
    /// `[notify.email]`.
    pub email: Option<EmailSettings>,
    /// `[notify.webhook]`.
    pub webhook: Option<WebhookSettings>,
}

/// `[notify.email]`: the mail server that takes our messages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailSettings {
    /// Its name, or its address.
    pub host: String,
    /// Its port; 587 if left out. On 465 TLS starts at once, elsewhere by STARTTLS.
    pub port: Option<u16>,
    /// Who the messages are from: `unleak <unleak@example.com>`.
    pub from: String,
    /// Whether TLS is a must; `required` if left out.
    #[serde(default)]
    pub tls: Tls,
    /// User name, where the server asks for one.
    pub username: Option<String>,
    /// File that holds the password.
    pub password_file: Option<PathBuf>,
    /// Name of the environment variable that holds the password.
    pub password_env: Option<String>,
    /// The password itself, which the configuration reads from one of these two; it cannot be written down here.
    #[serde(skip)]
    pub password: Option<Secret>,
}

/// `[notify.webhook]`: who takes our events, by Standard Webhooks 1.0.0.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Where they are posted. Its host may be private: the operator named it. Never shown: it may hold a token.
    pub url: String,
    /// The signing secret, `whsec_` and 24 to 64 bytes in base64.
    #[serde(default, deserialize_with = "secret")]
    pub secret: Option<Secret>,
    /// File that holds the signing secret; the configuration reads it into `secret`.
    pub secret_file: Option<PathBuf>,
    /// Name of the environment variable that holds it; the configuration reads it into `secret`.
    pub secret_env: Option<String>,
}

impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSettings([redacted])")
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Some(Secret::new(String::deserialize(deserializer)?)))
}

/// A way to tell somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Channel {
    Email,
    Webhook,
    Outbox,
}

impl Channel {
    /// The word for the store and for `Notice`: `email`, `webhook`, `outbox`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Outbox => "outbox",
        }
    }
}

/// How one channel ended.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The channel.
    pub channel: Channel,
    /// When it was handed over, or why it was not, with the next step; no secret, no URL.
    pub result: Result<Timestamp, String>,
}

/// The channels of this installation; cheap to clone.
#[derive(Clone, Default)]
pub struct Notifier {
    email: Option<Arc<email::Email>>,
    webhook: Option<Arc<webhook::Webhook>>,
    outbox: Option<Arc<outbox::Outbox>>,
}

impl Notifier {
    /// Makes the channels ready; nothing is sent yet.
    ///
    /// # Errors
    /// Settings that cannot work or would not be safe: an address that is none, mail without TLS to another machine,
    /// a signing secret of the wrong form, a folder that cannot be made.
    pub fn new(settings: &Settings) -> Result<Self> {
        // rustls needs one provider for the process; whoever comes first installs the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            email: settings
                .email
                .as_ref()
                .map(email::Email::new)
                .transpose()?
                .map(Arc::new),
            webhook: settings
                .webhook
                .as_ref()
                .map(webhook::Webhook::new)
                .transpose()?
                .map(Arc::new),
            outbox: settings
                .outbox
                .as_deref()
                .map(outbox::Outbox::new)
                .transpose()?
                .map(Arc::new),
        })
    }

    /// The channels by which this owner can be told: e-mail only where they have an address.
    pub fn channels(&self, owner: &Owner) -> Vec<Channel> {
        let open = [
            (Channel::Email, self.email.is_some() && owner.email.is_some()),
            (Channel::Webhook, self.webhook.is_some()),
            (Channel::Outbox, self.outbox.is_some()),
        ];
        open.into_iter()
            .filter_map(|(channel, open)| open.then_some(channel))
            .collect()
    }

    /// Sends the message by these channels at once, and says for each how it ended.
    pub async fn send(&self, message: &Message, channels: &[Channel]) -> Vec<Delivery> {
        join_all(channels.iter().map(|channel| async {
            let result = self.send_by(message, *channel).await;
            if let Err(why) = &result {
                tracing::warn!(
                    channel = channel.name(),
                    id = message.id,
                    why,
                    "a notice was not sent"
                );
            }
            Delivery {
                channel: *channel,
                result: result.map(|()| Timestamp::now()),
            }
        }))
        .await
    }

    async fn send_by(&self, message: &Message, channel: Channel) -> Result<(), String> {
        let closed = || format!("no {} is configured: see [notify]", channel.name());
        match channel {
            Channel::Email => self.email.as_ref().ok_or_else(closed)?.send(message).await,
            Channel::Webhook => self.webhook.as_ref().ok_or_else(closed)?.send(message).await,
            Channel::Outbox => self.outbox.as_ref().ok_or_else(closed)?.send(message).await,
        }
    }
}
