//! Who must hear of a leak now: each person once by each channel, each room once, whatever happens to the run.
//!
//! Here it is only written down who must hear of what; `deliver` sends it.

use anyhow::Result;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Case;
use super::deliver;
use crate::leak::{Notice, Owner, OwnerReason};
use crate::notify::{Channel, Kind, room};
use crate::owner::{clean, contact_of};
use crate::policy::{self, Escalate};
use crate::revoke;
use crate::store::Outgoing;
use crate::trace::Trace;

/// What a notice says besides the leak itself, as it waits in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Waiting {
    pub(super) kind: Kind,
    pub(super) planned: String,
    pub(super) containment: Option<String>,
    pub(super) page: Option<String>,
    pub(super) command: String,
}

impl Case<'_> {
    /// Tells every owner and room that has not heard of this yet. `planned` says what will be done and why.
    pub(super) async fn tell(&mut self, planned: &str) -> Result<()> {
        let notices = self.notices(planned).await?;
        self.to.store.queue_notices(&notices).await?;
        self.leave().await
    }

    /// What every owner and room is to hear of this now.
    pub(super) async fn notices(&mut self, planned: &str) -> Result<Vec<Outgoing>> {
        let mut everybody = self.held.leak.owners.clone();
        if everybody.is_empty() {
            self.say("nobody was told: no owner was found; set owners.fallback");
        }
        everybody.extend(self.to.notifier.rooms(&self.held.leak));
        let kind = Kind::of(&self.held.leak);
        if kind != Kind::Found {
            // Whoever heard of it hears of its end: those who were asked or called out, too.
            let told = self.told(|_| true).await?;
            for owner in told.into_iter().map(|notice| notice.owner) {
                if !everybody.iter().any(|known| known.key() == owner.key()) {
                    everybody.push(owner);
                }
            }
        }
        self.notices_to(&everybody, kind, planned)
    }

    /// What was told of this leak up to now, and what of the queue is as good as told.
    pub(super) async fn told(&self, counts: impl Fn(&Outgoing) -> bool) -> Result<Vec<Notice>> {
        let leak = &self.held.leak;
        let (fingerprint, rule) = (leak.fingerprint, &leak.rule);
        let known = self.to.store.leak(fingerprint, rule).await?;
        let mut told = known.map(|leak| leak.notices).unwrap_or_default();
        let left = self.to.store.notices_left(fingerprint, rule).await?;
        let now = Timestamp::now();
        told.extend(left.into_iter().filter(counts).map(|notice| Notice {
            owner: notice.owner,
            channel: notice.slot,
            sent_at: notice.due_at.unwrap_or(now),
        }));
        Ok(told)
    }

    /// What those who may say yes are asked. Nobody is asked where nobody is named: the owners read what waits.
    pub(super) fn approvals_wanted(&mut self, planned: &str) -> Result<Vec<Outgoing>> {
        let approvers = self.to.policy.approvers.clone();
        let people = self.named(&approvers, OwnerReason::Approver);
        self.notices_to(&people, Kind::Approval, planned)
    }

    /// Takes the steps of the escalation that are due.
    pub(super) async fn escalate(&mut self) -> Result<()> {
        if self.is_dismissed().await? {
            return Ok(());
        }
        let now = Timestamp::now();
        // What was told in this run is in the store and not yet here. What was given up gets another chance.
        self.held.leak.notices = self.told(|notice| notice.due_at.is_some()).await?;
        let due: Vec<(u8, Escalate)> = policy::escalations(&self.held.leak, &self.to.policy, now)
            .into_iter()
            .map(|(number, step)| (number, step.clone()))
            .collect();
        for (number, step) in due {
            let people = self.named(&step.to, OwnerReason::Escalation);
            let hours = step.after.duration().as_hours();
            let planned = format!("the token is not dead {hours} h after it was told");
            self.say(format!("escalation {number}: nobody has acted"));
            let notices = self.notices_to(&people, Kind::Escalation(number), &planned)?;
            self.to.store.queue_notices(&notices).await?;
            self.leave().await?;
        }
        Ok(())
    }

    /// The people and rooms that the policy names; what is none of them is said.
    fn named(&mut self, names: &[String], reason: OwnerReason) -> Vec<Owner> {
        let mut people = Vec::new();
        for name in names {
            match (Channel::named(name), contact_of(name, reason)) {
                (Some(channel), _) => people.push(room(channel)),
                (None, Some(person)) => people.push(person),
                (None, None) => self.say(format!(
                    "the policy names {name:?}, which is neither address nor channel"
                )),
            }
        }
        people
    }

    fn notices_to(&mut self, everybody: &[Owner], kind: Kind, planned: &str) -> Result<Vec<Outgoing>> {
        let plan = revoke::plan(&self.to.caller, self.rule, &self.held);
        let containment = plan.containments.first().map(|way| {
            let place = way
                .organisation
                .as_ref()
                .map_or(String::new(), |name| format!(", in {name}"));
            let page = way
                .page
                .as_ref()
                .map_or(String::new(), |page| format!(": {page}"));
            format!("{}{place}{page}", way.effect.as_deref().unwrap_or("contain it"))
        });
        let command = match kind {
            Kind::Approval => "approve",
            _ => "revoke",
        };
        let about = serde_json::to_value(Waiting {
            kind,
            planned: planned.to_owned(),
            containment,
            page: plan.page().map(str::to_owned),
            command: format!("unleak {command} {}", self.held.leak.fingerprint),
        })?;
        let mut notices = Vec::new();
        for owner in everybody {
            let mut channels = self.to.notifier.channels(owner);
            if channels.is_empty() {
                self.say(format!(
                    "{} was not told ({}): no channel reaches them",
                    shown(owner),
                    owner.reason
                ));
            }
            // A report cannot be added to, and a second one would be another leak.
            channels.retain(|channel| *channel != Channel::GitHub || kind == Kind::Found);
            let leak = &self.held.leak;
            notices.extend(channels.into_iter().map(|channel| Outgoing {
                fingerprint: leak.fingerprint,
                rule: leak.rule.clone(),
                owner: owner.clone(),
                channel: channel.name().to_owned(),
                slot: slot(kind, channel),
                about: about.clone(),
                due_at: Some(self.to.notifier.due(leak.severity, Timestamp::now())),
                tries: 0,
                sending: None,
                trace: Trace::current(),
            }));
        }
        Ok(notices)
    }

    /// Sends what waits about this leak, unless notices are collected.
    pub(super) async fn leave(&mut self) -> Result<()> {
        if self.to.notifier.at_once() {
            let leak = &self.held.leak;
            let only = Some((leak.fingerprint, leak.rule.clone()));
            let told = deliver::due(self.to, self.rules, Timestamp::now(), only).await?;
            told.into_iter().for_each(|told| self.say(told.said));
        }
        Ok(())
    }
}

/// How people are shown in steps.
pub(super) fn shown(owner: &Owner) -> String {
    match &owner.email {
        Some(email) => format!("{} <{email}>", clean(&owner.name)),
        None => clean(&owner.name),
    }
}

/// How the store calls a notice: the channel for the first one, with what it is about for those that follow, so that
/// each is sent once.
pub(super) fn slot(kind: Kind, channel: Channel) -> String {
    let name = channel.name();
    match kind {
        Kind::Found | Kind::Digest | Kind::Tokens => name.to_owned(),
        Kind::Approval => format!("{name}, approval"),
        Kind::Escalation(step) => format!("{name}, escalation {step}"),
        Kind::Revoked => format!("{name}, revoked"),
        Kind::Contained => format!("{name}, contained"),
    }
}
