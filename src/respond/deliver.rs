//! Sends what waits: claimed first, so that nobody hears twice; several leaks to one person in one message; what a
//! channel does not take is tried again, later and later.

use std::collections::BTreeMap;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::Responder;
use super::tell::{Waiting, shown, slot};
use crate::finding::{RuleCard, RuleId};
use crate::leak::{Leak, OwnerReason};
use crate::notify::{About, Channel, Kind};
use crate::rule::RuleSet;
use crate::secret::Fingerprint;
use crate::store::Outgoing;

/// Waits between the tries of a notice, as Standard Webhooks advises; after the last it is given up.
const WAITS: [SignedDuration; 9] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
    SignedDuration::from_hours(10),
    SignedDuration::from_hours(14),
    SignedDuration::from_hours(20),
    SignedDuration::from_hours(24),
];
/// Nobody sends for longer; a claim that is older was left behind by a crash.
const LEASE: SignedDuration = SignedDuration::from_mins(10);
/// Notices that are looked at in one go.
const AT_ONCE: u32 = 2000;

/// One leak, with what a notice about it says.
struct Item {
    notice: Outgoing,
    leak: Leak,
    card: RuleCard,
    waiting: Waiting,
    kind: Kind,
}

/// Sends every notice that is due, of one leak or of all, and says what became of each.
pub(super) async fn due(
    to: &Responder,
    rules: &RuleSet,
    now: Timestamp,
    only: Option<(Fingerprint, RuleId)>,
) -> Result<Vec<String>> {
    let mut groups: BTreeMap<(String, String, usize), Vec<Outgoing>> = BTreeMap::new();
    let waiting = match &only {
        Some((fingerprint, rule)) => to.store.notices_of(*fingerprint, rule).await?,
        None => to.store.notices_due(now, AT_ONCE).await?,
    };
    for (number, notice) in waiting.into_iter().enumerate() {
        let several = Channel::named(&notice.channel).is_some_and(Channel::takes_several) && only.is_none();
        let is_due = notice.due_at.is_some_and(|at| at <= now);
        if several || is_due {
            let alone = if several { 0 } else { number + 1 };
            let key = (notice.owner.key(), notice.channel.clone(), alone);
            groups.entry(key).or_default().push(notice);
        }
    }
    let mut steps = Vec::new();
    for ((_, channel, _), notices) in groups {
        match Channel::named(&channel) {
            Some(channel) => send(to, rules, now, channel, notices, &mut steps).await?,
            None => steps.push(format!("no channel is called {channel:?}: its notices wait")),
        }
    }
    Ok(steps)
}

/// One message to one owner by one channel.
async fn send(
    to: &Responder,
    rules: &RuleSet,
    now: Timestamp,
    channel: Channel,
    notices: Vec<Outgoing>,
    steps: &mut Vec<String>,
) -> Result<()> {
    let mut items: Vec<Item> = Vec::new();
    for notice in notices {
        if let Some(item) = item(to, rules, notice, steps).await?
            && claim(to, channel, &item, now).await?
        {
            items.push(item);
        }
    }
    // Of several notices about one leak the latest state is told, once.
    let mut told: BTreeMap<(Fingerprint, RuleId), &Item> = BTreeMap::new();
    for item in &items {
        let known = told
            .entry((item.leak.fingerprint, item.leak.rule.clone()))
            .or_insert(item);
        if item.kind > known.kind {
            *known = item;
        }
    }
    let about: Vec<About<'_>> = told.values().map(|item| item.about()).collect();
    let Some(first) = items.first() else {
        return Ok(());
    };
    let owner = first.notice.owner.clone();
    let message = to.notifier.message(&about)?;
    let deliveries = to.notifier.send(&message, &[channel]).await;
    let failed = deliveries.into_iter().find_map(|delivery| delivery.result.err());
    let many = about.len();
    for item in &items {
        ended(to, channel, item, failed.as_deref(), now).await?;
    }
    let of = if many > 1 {
        format!(" of {many} leaks")
    } else {
        String::new()
    };
    let name = if many > 1 {
        channel.name().to_owned()
    } else {
        first.notice.slot.clone()
    };
    let who = if owner.reason == OwnerReason::Channel {
        owner.reason.to_string()
    } else {
        format!("{} by {name} ({})", shown(&owner), owner.reason)
    };
    steps.push(match (failed, owner.reason == OwnerReason::Channel) {
        (None, true) => format!("told {name}{of} ({who})"),
        (None, false) => format!("told {who}{of}"),
        (Some(why), true) => format!("could not tell {name}{of}: {why}"),
        (Some(why), false) => format!("could not tell {} by {name}{of}: {why}", shown(&owner)),
    });
    Ok(())
}

impl Item {
    fn about(&self) -> About<'_> {
        let Waiting {
            planned,
            containment,
            command,
            ..
        } = &self.waiting;
        About {
            kind: self.kind,
            leak: &self.leak,
            owner: &self.notice.owner,
            card: &self.card,
            planned: if self.kind == Kind::Revoked { "" } else { planned },
            containment: containment.as_deref(),
            command,
        }
    }
}

/// The leak as it stands now, and what there is to say of it. Without its rule or leak a notice is dropped, aloud.
async fn item(
    to: &Responder,
    rules: &RuleSet,
    notice: Outgoing,
    steps: &mut Vec<String>,
) -> Result<Option<Item>> {
    let leak = to.store.leak(notice.fingerprint, &notice.rule).await?;
    let (Some(leak), Some(rule)) = (leak, rules.find(&notice.rule)) else {
        steps.push(format!(
            "a notice of {} waits: its rule {} is not loaded; give its file with --rules",
            notice.fingerprint, notice.rule
        ));
        return Ok(None);
    };
    let waiting: Waiting = serde_json::from_value(notice.about.clone())?;
    let mut card = rule.card();
    card.page.clone_from(&waiting.page);
    // What happened while it waited is what people must hear.
    let kind = match (waiting.kind, Kind::of(&leak)) {
        (_, Kind::Revoked) => Kind::Revoked,
        (Kind::Found, Kind::Contained) => Kind::Contained,
        (kind, _) => kind,
    };
    Ok(Some(Item {
        notice,
        leak,
        card,
        waiting,
        kind,
    }))
}

/// Whether it is ours to send. A claim that a crash left behind is taken over where sending twice does no harm, as the
/// receiver knows the message by its id; elsewhere a person must look.
async fn claim(to: &Responder, channel: Channel, item: &Item, now: Timestamp) -> Result<bool> {
    let notice = &item.notice;
    let (fingerprint, rule, owner) = (notice.fingerprint, &notice.rule, &notice.owner);
    if to
        .store
        .claim_notice(fingerprint, rule, owner, &notice.slot)
        .await?
    {
        return Ok(true);
    }
    let Some(since) = to.store.claimed_since(notice).await? else {
        to.store.notice_left(notice).await?;
        return Ok(false);
    };
    let left_behind = now.saturating_sub(LEASE)?;
    let by_id = !matches!(channel, Channel::Slack | Channel::Teams | Channel::GitHub);
    if since < left_behind && by_id {
        return to.store.reclaim_notice(notice, left_behind).await;
    }
    let until = (since >= left_behind).then(|| now.saturating_add(LEASE).unwrap_or(now));
    to.store.notice_put_off(notice, notice.tries, until).await?;
    Ok(false)
}

/// Writes down how it went.
async fn ended(
    to: &Responder,
    channel: Channel,
    item: &Item,
    failed: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let notice = &item.notice;
    let (fingerprint, rule, owner) = (notice.fingerprint, &notice.rule, &notice.owner);
    let Some(why) = failed else {
        to.store
            .notice_sent(fingerprint, rule, owner, &notice.slot)
            .await?;
        // A first notice that came with the end needs no second one.
        let said = slot(item.kind, channel);
        if said != notice.slot && to.store.claim_notice(fingerprint, rule, owner, &said).await? {
            to.store.notice_sent(fingerprint, rule, owner, &said).await?;
        }
        return to.store.notice_left(notice).await;
    };
    to.store
        .notice_failed(fingerprint, rule, owner, &notice.slot, why)
        .await?;
    let tried = notice.tries + 1;
    let wait = WAITS.get(notice.tries as usize).map(|wait| {
        // Up to a quarter longer, so that what failed together does not come back together.
        let mut byte = [0_u8; 1];
        let _ = getrandom::fill(&mut byte);
        *wait + *wait * i32::from(byte[0]) / 1024
    });
    let until = wait.map(|wait| now.saturating_add(wait).unwrap_or(now));
    to.store.notice_put_off(notice, tried, until).await
}
