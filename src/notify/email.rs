//! Mail by SMTP.
//!
//! Never in clear to another machine unless the operator chose so, and a password never without TLS. What comes from
//! outside is parsed as an address or cleaned, so that it can add no header.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, MessageBuilder, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls as Transported, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use serde::Deserialize;

use super::message::Message;
use super::settings::EmailSettings;
use super::text::clean;

/// For one answer of the server, and for the whole of one mail.
const ANSWER: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_secs(60);

/// Whether a mail may travel without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Never.
    #[default]
    Required,
    /// Only where the server offers none; then without a password.
    Opportunistic,
    /// Always; only for a server on this machine.
    None,
}

pub(super) struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Email {
    pub(super) fn new(settings: &EmailSettings) -> Result<Self> {
        let EmailSettings {
            host,
            username,
            password,
            ..
        } = settings;
        let from: Mailbox = settings.from.parse().with_context(|| {
            format!(
                "notify.email.from {:?} is no address; write `name <user@host>`",
                settings.from
            )
        })?;
        let here = is_loopback(host);
        if settings.tls == Tls::None && !here {
            bail!(
                "notify.email.tls = \"none\" is only for a server on this machine, and {host} is not; use \"required\""
            );
        }
        let port = settings.port.unwrap_or(587);
        let parameters = || {
            TlsParameters::new(host.clone())
                .with_context(|| format!("notify.email.host {host:?} cannot be used with TLS"))
        };
        let tls = match settings.tls {
            Tls::Required if port == 465 => Transported::Wrapper(parameters()?),
            Tls::Required => Transported::Required(parameters()?),
            Tls::Opportunistic => Transported::Opportunistic(parameters()?),
            Tls::None => Transported::None,
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.clone())
            .port(port)
            .tls(tls)
            .timeout(Some(ANSWER));
        match (username, password) {
            (Some(user), Some(password)) => {
                if settings.tls != Tls::Required && !here {
                    bail!("notify.email has a password, which may only travel with tls = \"required\"");
                }
                let password = password
                    .expose_str()
                    .context("the password of notify.email is not UTF-8")?;
                transport = transport.credentials(Credentials::new(user.clone(), password.to_owned()));
            }
            (None, None) => {}
            (Some(_), None) => {
                bail!("notify.email has a username and no password: set password_file or password_env")
            }
            (None, Some(_)) => bail!("notify.email has a password and no username: set both or none"),
        }
        Ok(Self {
            transport: transport.build(),
            from,
        })
    }

    pub(super) async fn send(&self, message: &Message) -> Result<(), String> {
        let mail = self.mail(message)?;
        match tokio::time::timeout(WHOLE, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(format!("the mail server did not take it: {}", chain(&error))),
            Err(_) => Err(format!("the mail server took longer than {} s", WHOLE.as_secs())),
        }
    }

    fn mail(&self, message: &Message) -> Result<lettre::Message, String> {
        let owner = &message.owner;
        let to = owner.email.as_deref().unwrap_or_default();
        let address: Address = to
            .parse()
            .map_err(|_| format!("{:?} is no e-mail address", clean(to, 100)))?;
        let named = |id: &String| format!("<{id}@{}>", self.from.email.domain());
        let mut mail = MessageBuilder::new()
            .from(self.from.clone())
            .mailbox(lettre::message::header::To::from(Mailboxes::from(Mailbox::new(
                Some(clean(&owner.name, 100)),
                address,
            ))))
            .subject(message.subject.clone())
            .message_id(Some(named(&message.id)));
        // What follows a notice stands in its thread.
        if let [first] = message.thread.as_slice() {
            mail = mail.in_reply_to(named(first));
        }
        if !message.thread.is_empty() {
            let ids: Vec<String> = message.thread.iter().map(named).collect();
            mail = mail.references(ids.join(" "));
        }
        let mail = match &message.html {
            Some(html) => mail.multipart(MultiPart::alternative_plain_html(
                message.body.clone(),
                html.clone(),
            )),
            None => mail.header(ContentType::TEXT_PLAIN).body(message.body.clone()),
        };
        let mut mail = mail.map_err(|error| format!("the mail cannot be made: {error}"))?;
        for (name, value) in [
            // RFC 3834: no vacation message answers it.
            ("Auto-Submitted", "auto-generated"),
            ("X-Auto-Response-Suppress", "All"),
        ] {
            if let Ok(name) = HeaderName::new_from_ascii(name.to_owned()) {
                mail.headers_mut()
                    .insert_raw(HeaderValue::new(name, value.to_owned()));
            }
        }
        Ok(mail)
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email(from {})", self.from.email)
    }
}

fn is_loopback(host: &str) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || literal
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// An error and what stands behind it, in one harmless line: a server's words are foreign text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(behind) = source {
        text = format!("{text}: {behind}");
        source = behind.source();
    }
    clean(&text, 300)
}
