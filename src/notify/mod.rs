//! Telling people: by e-mail, in a room of Slack or Teams, by PagerDuty, in a private report on GitHub, by a signed
//! webhook, and into a folder.
//!
//! A notice goes to a person by the channels that reach persons, and to each room once for each leak, however many
//! owners it has. A channel that fails does not stop the others. Who was told already is the store's to know: callers
//! claim a notice before they send it. The secret is never in a message.

mod data;
mod email;
mod fields;
mod github;
pub mod message;
mod outbox;
mod pagerduty;
mod post;
pub mod review;
mod sample;
mod settings;
mod slack;
mod teams;
mod text;
mod texts;
mod webhook;
mod words;

use std::sync::Arc;

use anyhow::Result;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

pub use email::Tls;
pub use message::{About, Kind, Message};
pub use settings::{
    ChatSettings, Collecting, EmailSettings, GitHubSettings, PagerDutySettings, Settings, Wanted,
    WebhookSettings,
};
pub use texts::Texts;
pub use webhook::{sign, signing_key};
pub use words::built_in;

use crate::finding::Severity;
use crate::leak::{Leak, Owner, OwnerReason};

/// A way to tell somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Channel {
    Email,
    Webhook,
    Outbox,
    Slack,
    Teams,
    PagerDuty,
    GitHub,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 7] = [
        Self::Email,
        Self::Webhook,
        Self::Outbox,
        Self::Slack,
        Self::Teams,
        Self::PagerDuty,
        Self::GitHub,
    ];

    /// The word for the store, for `Notice` and for the configuration: `email`, `slack`, ….
    pub fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Outbox => "outbox",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::PagerDuty => "pagerduty",
            Self::GitHub => "github",
        }
    }

    /// The channel of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }

    /// Whether its receivers leave out a message whose id they have seen, so that sending it again does no harm.
    pub fn knows_ids(self) -> bool {
        !matches!(self, Self::Slack | Self::Teams | Self::GitHub)
    }

    /// Whether it takes several leaks in one notice. Machines and incidents want each for itself.
    pub fn takes_several(self) -> bool {
        matches!(self, Self::Email | Self::Slack | Self::Teams | Self::Outbox)
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

/// When notices leave, so that many leaks become one notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collect {
    /// Each at once.
    #[default]
    Nothing,
    /// At the end of a run, which delivers them itself; if it is cut off, whoever delivers next does.
    Run,
    /// So long after the first; critical ones at once.
    For(SignedDuration),
}

/// Longest time that a run is waited for before others deliver its notices.
const RUN: SignedDuration = SignedDuration::from_mins(10);

/// The channels and texts of this installation; cheap to clone.
#[derive(Clone)]
pub struct Notifier {
    texts: Arc<Texts>,
    built_in: Arc<Texts>,
    collect: Collect,
    email: Option<Arc<email::Email>>,
    webhook: Option<Arc<webhook::Webhook>>,
    outbox: Option<Arc<outbox::Outbox>>,
    slack: Option<(Severity, Arc<slack::Slack>)>,
    teams: Option<(Severity, Arc<teams::Teams>)>,
    pagerduty: Option<(Severity, Arc<pagerduty::PagerDuty>)>,
    github: Option<(Severity, Arc<github::GitHub>)>,
}

impl Notifier {
    /// Makes the channels ready; nothing is sent yet.
    ///
    /// # Errors
    /// Settings that cannot work or would not be safe: an address that is none, mail without TLS to another machine,
    /// a signing secret of the wrong form, a folder that cannot be made, a template that asks for what does not exist.
    pub fn new(settings: &Settings) -> Result<Self> {
        // rustls needs one provider for the process; whoever comes first installs the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let built_in = Arc::new(Texts::load(None, settings.link.as_deref())?);
        let texts = match &settings.templates {
            Some(folder) => Arc::new(Texts::load(Some(folder), settings.link.as_deref())?),
            None => Arc::clone(&built_in),
        };
        /// A channel that is configured, made ready.
        fn made<S, C>(settings: Option<&S>, new: impl FnOnce(&S) -> Result<C>) -> Result<Option<Arc<C>>> {
            Ok(settings.map(new).transpose()?.map(Arc::new))
        }
        let from = |least: Option<Severity>| least.unwrap_or(Severity::Low);
        let (slack, teams) = (settings.slack.as_ref(), settings.teams.as_ref());
        let (pagerduty, github) = (settings.pagerduty.as_ref(), settings.github.as_ref());
        Ok(Self {
            texts,
            built_in,
            collect: Collect::Nothing,
            email: made(settings.email.as_ref(), email::Email::new)?,
            webhook: made(settings.webhook.as_ref(), webhook::Webhook::new)?,
            outbox: made(settings.outbox.as_ref(), |folder| outbox::Outbox::new(folder))?,
            slack: made(slack, slack::Slack::new)?.map(|made| (from(slack.map(|it| it.severity)), made)),
            teams: made(teams, teams::Teams::new)?.map(|made| (from(teams.map(|it| it.severity)), made)),
            pagerduty: made(pagerduty, pagerduty::PagerDuty::new)?
                .map(|made| (from(pagerduty.map(|it| it.severity)), made)),
            github: made(github, github::GitHub::new)?.map(|made| (from(github.map(|it| it.severity)), made)),
        })
    }

    /// The same channels, whose notices are collected so.
    #[must_use]
    pub fn collecting(self, collect: Collect) -> Self {
        Self { collect, ..self }
    }

    /// When a notice about a leak of this severity is due that is made now.
    pub fn due(&self, severity: Severity, now: Timestamp) -> Timestamp {
        let wait = match self.collect {
            Collect::Nothing => SignedDuration::ZERO,
            Collect::Run => RUN,
            Collect::For(_) if severity == Severity::Critical => SignedDuration::ZERO,
            Collect::For(window) => window,
        };
        now.saturating_add(wait).unwrap_or(now)
    }

    /// Whether notices leave as soon as they are made.
    pub fn at_once(&self) -> bool {
        self.collect == Collect::Nothing
    }

    /// The channels by which this owner can be told: e-mail only where they have an address. For a room, the room.
    pub fn channels(&self, owner: &Owner) -> Vec<Channel> {
        if owner.reason == OwnerReason::Channel {
            let open = |channel: &Channel| self.is_open(*channel);
            return Channel::named(&owner.name).filter(open).into_iter().collect();
        }
        let mut open = vec![Channel::Email, Channel::Webhook, Channel::Outbox];
        open.retain(|channel| {
            self.is_open(*channel) && (*channel != Channel::Email || owner.email.is_some())
        });
        open
    }

    /// The rooms and services that hear of this leak, whoever its owners are.
    pub fn rooms(&self, leak: &Leak) -> Vec<Owner> {
        let severity = leak.severity;
        let places: Vec<String> = leak.sightings.iter().map(|seen| seen.path.clone()).collect();
        let mut rooms = Vec::new();
        for (least, channel) in [
            (self.slack.as_ref().map(|it| it.0), Channel::Slack),
            (self.teams.as_ref().map(|it| it.0), Channel::Teams),
            (self.pagerduty.as_ref().map(|it| it.0), Channel::PagerDuty),
            (self.github.as_ref().map(|it| it.0), Channel::GitHub),
        ] {
            let somewhere = match (&self.github, channel) {
                (Some((_, github)), Channel::GitHub) => github.repository(&places).is_some(),
                _ => true,
            };
            if least.is_some_and(|least| severity <= least) && somewhere {
                rooms.push(room(channel));
            }
        }
        rooms
    }

    fn is_open(&self, channel: Channel) -> bool {
        match channel {
            Channel::Email => self.email.is_some(),
            Channel::Webhook => self.webhook.is_some(),
            Channel::Outbox => self.outbox.is_some(),
            Channel::Slack => self.slack.is_some(),
            Channel::Teams => self.teams.is_some(),
            Channel::PagerDuty => self.pagerduty.is_some(),
            Channel::GitHub => self.github.is_some(),
        }
    }

    /// The channels that are configured.
    pub fn open(&self) -> Vec<Channel> {
        Channel::ALL
            .into_iter()
            .filter(|channel| self.is_open(*channel))
            .collect()
    }

    /// The message about these leaks, all to one owner. Where an operator's template fails on it, the built-in one
    /// takes its place, so that nobody stays untold.
    ///
    /// # Errors
    /// Nothing to tell of.
    pub fn message(&self, about: &[About<'_>]) -> Result<Message> {
        self.texts.digest(about).or_else(|error| {
            tracing::warn!("a template failed, the built-in one is used: {error:#}");
            self.built_in.digest(about)
        })
    }

    /// One message of each kind about made-up leaks, to see what people get.
    ///
    /// # Errors
    /// A template that fails.
    pub fn samples(&self) -> Result<Vec<Message>> {
        sample::rich(&self.texts)
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
            Channel::Slack => self.slack.as_ref().ok_or_else(closed)?.1.send(message).await,
            Channel::Teams => self.teams.as_ref().ok_or_else(closed)?.1.send(message).await,
            Channel::PagerDuty => self.pagerduty.as_ref().ok_or_else(closed)?.1.send(message).await,
            Channel::GitHub => self.github.as_ref().ok_or_else(closed)?.1.send(message).await,
        }
    }
}

/// The recipient that stands for a room.
pub fn room(channel: Channel) -> Owner {
    Owner {
        name: channel.name().to_owned(),
        email: None,
        reason: OwnerReason::Channel,
        organisation: None,
    }
}
