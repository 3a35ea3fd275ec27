//! Sends what waits: claimed first, so that nobody hears twice; several leaks to one person in one message; what a
//! channel does not take is tried again, later and later.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use super::Responder;
use super::tell::{Waiting, shown, slot};
use crate::finding::{RuleCard, RuleId};
use crate::leak::{Leak, OwnerReason, Verdict};
use crate::notify::{About, Channel, Kind, Message};
use crate::rule::RuleSet;
use crate::secret::Fingerprint;
use crate::store::{Leaving, Outgoing, SendingEnded};
use crate::trace::Trace;

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
/// Notices that are looked at in one go.
const AT_ONCE: u32 = 800;
/// Leaks in one message: as many as it shows.
const TOGETHER: usize = 200;
/// Messages that are under way at the same time.
const SIDE_BY_SIDE: usize = 8;
/// What cannot be told as things are, such as a leak whose rule is not loaded, is looked at again so much later.
const STUCK: SignedDuration = SignedDuration::from_hours(1);

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// By which channel.
    pub channel: String,
    /// Of how many leaks.
    pub leaks: usize,
    /// Whether it was taken.
    pub taken: bool,
    /// The same for people.
    pub said: String,
}

/// One leak, with what a notice about it says.
struct Item {
    leaving: Leaving,
    leak: Leak,
    card: RuleCard,
    waiting: Waiting,
}

/// Notices that leave together.
type Group = (Channel, Vec<Outgoing>);

/// Sends every notice that is due, of one leak or of all, and says what became of each.
pub(super) async fn due(
    to: &Responder,
    rules: &RuleSet,
    now: Timestamp,
    only: Option<(Fingerprint, RuleId)>,
) -> Result<Vec<Told>> {
    let waiting = match &only {
        Some((fingerprint, rule)) => to.store.notices_of(*fingerprint, rule, now).await?,
        None => to.store.notices_due(now, AT_ONCE).await?,
    };
    let mut told = Vec::new();
    // To one person by one channel in the order in which they were written down; the end not before the beginning.
    let mut lines: BTreeMap<(String, String, Option<String>), Vec<Group>> = BTreeMap::new();
    for notice in waiting {
        let Some(channel) = Channel::named(&notice.channel) else {
            let said = format!("no channel is called {:?}: its notices wait", notice.channel);
            told.push(stuck(to, &notice, now, said).await?);
            continue;
        };
        let together = channel.takes_several() && only.is_none();
        if !together && notice.due_at.is_none_or(|at| at > now) {
            continue;
        }
        let alone = (!channel.takes_several()).then(|| format!("{} {}", notice.fingerprint, notice.rule));
        let line = lines
            .entry((notice.owner.key(), notice.channel.clone(), alone))
            .or_default();
        // A message that was begun before is sent again as it was, and nothing else with it.
        let fits = |(_, group): &&mut Group| {
            group.len() < TOGETHER && group.iter().all(|other| other.sending == notice.sending)
        };
        match line.iter_mut().find(fits).filter(|_| together) {
            Some((_, group)) => group.push(notice),
            None => line.push((channel, vec![notice])),
        }
    }
    let sent: Vec<Vec<Told>> = stream::iter(lines.into_values())
        .map(|line| send_all(to, rules, now, line))
        .buffered(SIDE_BY_SIDE)
        .try_collect()
        .await?;
    told.extend(sent.into_iter().flatten());
    Ok(told)
}

async fn send_all(to: &Responder, rules: &RuleSet, now: Timestamp, line: Vec<Group>) -> Result<Vec<Told>> {
    let mut told = Vec::new();
    for (channel, notices) in line {
        send(to, rules, now, channel, notices, &mut told).await?;
    }
    Ok(told)
}

/// One message to one owner by one channel.
async fn send(
    to: &Responder,
    rules: &RuleSet,
    now: Timestamp,
    channel: Channel,
    notices: Vec<Outgoing>,
    told: &mut Vec<Told>,
) -> Result<()> {
    let mut items: Vec<Item> = Vec::new();
    for notice in notices {
        match item(to, rules, notice, channel).await? {
            Ok(item) => items.push(item),
            Err(notice) => {
                let said = format!(
                    "a notice of {} waits: its rule {} is not loaded; give its file with --rules",
                    notice.fingerprint, notice.rule
                );
                told.push(stuck(to, &notice, now, said).await?);
            }
        }
    }
    if items.is_empty() {
        return Ok(());
    }
    let all: Vec<Leaving> = items.iter().map(|item| item.leaving.clone()).collect();
    let sending = to.store.begin_sending(&all, channel.knows_ids(), now).await?;
    let mut taken = sending.taken.iter();
    items.retain(|_| taken.next().is_some_and(|taken| *taken));
    let leaving: Vec<Leaving> = items.iter().map(|item| item.leaving.clone()).collect();
    // Of several notices about one leak the latest state is told, once.
    let mut latest: BTreeMap<(Fingerprint, RuleId), &Item> = BTreeMap::new();
    for item in &items {
        let known = latest
            .entry((item.leak.fingerprint, item.leak.rule.clone()))
            .or_insert(item);
        if item.waiting.kind > known.waiting.kind {
            *known = item;
        }
    }
    let about: Vec<About<'_>> = latest.values().map(|item| item.about()).collect();
    let Some(first) = leaving.first() else {
        return Ok(());
    };
    let message = to.notifier.message(&about)?;
    let failed = leave(to, channel, &message, &leaving, about.len()).await;
    let again: Vec<_> = leaving.iter().map(|one| again(one.notice.tries, now)).collect();
    let ended = match &failed {
        None => SendingEnded::Taken,
        Some(why) => SendingEnded::Failed { why, again: &again },
    };
    to.store.end_sending(&sending, &leaving, ended, now).await?;
    told.push(Told {
        channel: channel.name().to_owned(),
        leaks: about.len(),
        taken: failed.is_none(),
        said: said(channel, &first.notice, about.len(), failed),
    });
    Ok(())
}

/// Sends a message, within a span of each trace that led to it; why it was not taken, if it was not.
async fn leave(
    to: &Responder,
    channel: Channel,
    message: &Message,
    leaving: &[Leaving],
    leaks: usize,
) -> Option<String> {
    let spans = spans(channel, leaving, leaks);
    let inner = spans.first().cloned().unwrap_or_else(Span::none);
    let deliveries = to.notifier.send(message, &[channel]).instrument(inner).await;
    #[cfg(feature = "kill-points")]
    crate::store::kill::point();
    let failed = deliveries.into_iter().find_map(|delivery| delivery.result.err());
    for span in spans {
        span.record("unleak.taken", failed.is_none());
    }
    failed
}

/// A span for each trace that led to this message: what is told of several leaks at once is part of all their traces.
fn spans(channel: Channel, leaving: &[Leaving], leaks: usize) -> Vec<Span> {
    let traces: BTreeSet<&Trace> = leaving.iter().map(|one| &one.notice.trace).collect();
    let spans = traces.into_iter().map(|trace| {
        let span = info_span!(
            target: "traces",
            "notify",
            otel.kind = "producer",
            unleak.channel = channel.name(),
            unleak.leaks = leaks,
            unleak.taken = Empty,
        );
        trace.leads_to(&span);
        span
    });
    spans.collect()
}

/// How it went, for people.
fn said(channel: Channel, first: &Outgoing, leaks: usize, failed: Option<String>) -> String {
    let (of, name) = match leaks {
        0 | 1 => (String::new(), first.slot.as_str()),
        many => (format!(" of {many} leaks"), channel.name()),
    };
    let owner = &first.owner;
    match (failed, owner.reason == OwnerReason::Channel) {
        (None, true) => format!("told {name}{of} ({})", owner.reason),
        (None, false) => format!("told {} by {name} ({}){of}", shown(owner), owner.reason),
        (Some(why), true) => format!("could not tell {name}{of}: {why}"),
        (Some(why), false) => format!("could not tell {} by {name}{of}: {why}", shown(owner)),
    }
}

impl Item {
    fn about(&self) -> About<'_> {
        let Waiting {
            kind,
            planned,
            containment,
            command,
            ..
        } = &self.waiting;
        About {
            kind: *kind,
            leak: &self.leak,
            owner: &self.leaving.notice.owner,
            card: &self.card,
            planned: if *kind == Kind::Revoked { "" } else { planned },
            containment: containment.as_deref(),
            command,
        }
    }
}

/// The leak as it stands now, and what there is to say of it; the notice comes back where that cannot be said now.
async fn item(
    to: &Responder,
    rules: &RuleSet,
    mut notice: Outgoing,
    channel: Channel,
) -> Result<Result<Item, Outgoing>> {
    let leak = to.store.leak(notice.fingerprint, &notice.rule).await?;
    let (Some(leak), Some(rule)) = (leak, rules.find(&notice.rule)) else {
        return Ok(Err(notice));
    };
    let mut waiting: Waiting = serde_json::from_value(notice.about.clone())?;
    let mut card = rule.card();
    card.page.clone_from(&waiting.page);
    // What happened while it waited is what people must hear; what may have arrived is said as it was.
    waiting.kind = match (waiting.kind, Kind::of(&leak)) {
        (kind, _) if notice.sending.is_some() => kind,
        // Proved: a revocation that is done and not yet asked about is not the end.
        (_, Kind::Revoked) if leak.verdict.as_ref().is_some_and(Verdict::is_dead) => Kind::Revoked,
        (Kind::Found, Kind::Contained) => Kind::Contained,
        (kind, _) => kind,
    };
    notice.about = serde_json::to_value(&waiting)?;
    let said = slot(waiting.kind, channel);
    Ok(Ok(Item {
        leaving: Leaving {
            notice,
            said,
            end: slot(Kind::Revoked, channel),
        },
        leak,
        card,
        waiting,
    }))
}

/// When a notice is tried again that was tried so often before; `None` gives it up.
fn again(tries: u32, now: Timestamp) -> Option<Timestamp> {
    let wait = *WAITS.get(tries as usize)?;
    // Up to a quarter longer, so that what failed together does not come back together. Without randomness it does.
    let mut byte = [0_u8; 1];
    let _ = getrandom::fill(&mut byte);
    let longer = wait + wait * i32::from(byte[0]) / 1024;
    Some(now.saturating_add(longer).unwrap_or(now))
}

async fn stuck(to: &Responder, notice: &Outgoing, now: Timestamp, said: String) -> Result<Told> {
    let until = now.saturating_add(STUCK)?;
    to.store.put_notice_off(notice, until).await?;
    Ok(Told {
        channel: notice.channel.clone(),
        leaks: 0,
        taken: false,
        said,
    })
}
