//! Each owner once: the right to tell is claimed in the store before anything leaves.

use anyhow::Result;

use super::Case;
use crate::notify::{About, Channel, Kind, Message};
use crate::owner::clean;
use crate::revoke;

impl Case<'_> {
    /// Tells every owner who has not heard of this yet, by every channel that reaches them. `planned` says what will
    /// be done and why.
    pub(super) async fn tell(&mut self, planned: &str) -> Result<()> {
        let plan = revoke::plan(&self.to.caller, self.rule, &self.held);
        let mut card = self.rule.card();
        card.page = plan.page().map(str::to_owned);
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
        let owners = self.held.leak.owners.clone();
        if owners.is_empty() {
            self.say("nobody was told: no owner was found; set owners.fallback");
        }
        for owner in &owners {
            let about = About {
                leak: &self.held.leak,
                owner,
                card: &card,
                planned,
                containment: containment.as_deref(),
            };
            let message = Message::new(&about);
            self.tell_one(&message).await?;
        }
        Ok(())
    }

    async fn tell_one(&mut self, message: &Message) -> Result<()> {
        let owner = &message.owner;
        let (store, leak) = (&self.to.store, &self.held.leak);
        let (fingerprint, rule) = (leak.fingerprint, leak.rule.clone());
        let who = match &owner.email {
            Some(email) => format!("{} <{email}>", clean(&owner.name)),
            None => clean(&owner.name),
        };
        let open = self.to.notifier.channels(owner);
        if open.is_empty() {
            self.say(format!(
                "{who} was not told ({}): no channel reaches them",
                owner.reason
            ));
            return Ok(());
        }
        let mut claimed = Vec::new();
        for channel in open {
            if store
                .claim_notice(fingerprint, &rule, owner, &slot(message.kind, channel))
                .await?
            {
                claimed.push(channel);
            }
        }
        let deliveries = self.to.notifier.send(message, &claimed).await;
        #[cfg(feature = "kill-points")]
        crate::store::kill::point();
        for delivery in deliveries {
            let slot = slot(message.kind, delivery.channel);
            let step = match &delivery.result {
                Ok(_) => {
                    store.notice_sent(fingerprint, &rule, owner, &slot).await?;
                    format!("told {who} by {slot} ({})", owner.reason)
                }
                Err(why) => {
                    store.notice_failed(fingerprint, &rule, owner, &slot, why).await?;
                    self.untold = Some(format!(
                        "a notice by {} was not taken: {why}",
                        delivery.channel.name()
                    ));
                    format!("could not tell {who} by {slot}: {why}")
                }
            };
            self.say(step);
        }
        Ok(())
    }
}

/// How the store calls a notice: the channel for the first one, with what it is about for those that follow, so that
/// each is sent once.
fn slot(kind: Kind, channel: Channel) -> String {
    match kind {
        Kind::Found | Kind::Tokens => channel.name().to_owned(),
        Kind::Revoked => format!("{}, revoked", channel.name()),
        Kind::Contained => format!("{}, contained", channel.name()),
    }
}
