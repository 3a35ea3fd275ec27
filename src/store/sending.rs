//! The right to send: claimed for a whole message in one transaction before it leaves, given back in one after it.
//!
//! Nobody hears twice. A message that was begun and never heard of again, because its process died, may have been taken:
//! it is sent once more, the same notices with the same id, where the receiver knows messages by their ids; elsewhere it
//! is given up, and a person must ask whether it arrived.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde_json::json as object;

use super::ledger::Entry;
use super::notices::owner_key;
use super::outgoing::Outgoing;
use super::rows::text;
use super::tasks::random_id;
use super::{Store, without_nul};
use crate::database::{Open, sql};
use crate::finding::RuleId;
use crate::secret::Fingerprint;

/// A notice in a message.
#[derive(Clone, Debug)]
pub struct Leaving {
    /// The notice; its `about` as the message says it.
    pub notice: Outgoing,
    /// The slot of what it says by now: a first notice that waited may tell of the end.
    pub said: String,
    /// The slot of the end: once that is told, nothing else is.
    pub end: String,
}

/// Messages that were begun, and not yet ended.
#[derive(Debug)]
pub struct Sending {
    id: String,
    /// Which of the notices that were given are in it, in their order.
    pub taken: Vec<bool>,
}

/// How a message ended that was begun.
#[derive(Clone, Copy, Debug)]
pub enum SendingEnded<'a> {
    /// It was taken.
    Taken,
    /// It was not.
    Failed {
        /// Why, without secrets.
        why: &'a str,
        /// For each of its notices when it is tried again; `None` gives it up.
        again: &'a [Option<Timestamp>],
    },
}

/// What may be done with one notice.
enum Turn {
    Ours,
    /// Somebody else sends it or its like.
    Busy,
    /// It was sent, or its end was told.
    Over,
    /// Whether it arrived is not known, and sending it again could tell somebody twice.
    Doubtful,
}

impl Store {
    /// Claims notices that are to leave in one message; those that somebody else sends, or has sent, are left out, in
    /// however many processes this is called at once. `knows_ids`: the channel leaves out what it was sent before.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub async fn begin_sending(
        &self,
        leaving: &[Leaving],
        knows_ids: bool,
        now: Timestamp,
    ) -> Result<Sending> {
        let id = random_id()?;
        let until = now.saturating_add(self.stale)?;
        let mut tx = self.change().await?;
        let mut taken = Vec::with_capacity(leaving.len());
        // A first notice that tells the end, and the notice of the end, may leave in the same message.
        let mut ours = BTreeSet::new();
        for one in leaving {
            let turn = self.turn(&mut tx, one, &ours, knows_ids, now).await?;
            taken.push(matches!(turn, Some(Turn::Ours)));
            match turn {
                None => {}
                Some(Turn::Over) => {
                    let leave = sql(
                        "DELETE FROM outgoing WHERE fingerprint = $1 AND rule = $2 AND owner_key = $3 AND slot = $4",
                    );
                    one.notice.named(leave).run(&mut tx).await?;
                    overtaken(&mut tx, one, now).await?;
                }
                Some(Turn::Busy) => move_to(&mut tx, one, "", Some(until)).await?,
                Some(Turn::Doubtful) => move_to(&mut tx, one, "", None).await?,
                Some(Turn::Ours) => {
                    move_to(&mut tx, one, &id, Some(until)).await?;
                    for slot in one.slots() {
                        claim(&mut tx, &one.notice, slot, now).await?;
                        ours.insert(one.key(slot));
                    }
                }
            }
        }
        self.commit(tx).await?;
        Ok(Sending { id, taken })
    }

    /// `None` if it is no longer as it was when it was read: another process has it.
    async fn turn(
        &self,
        tx: &mut Open,
        one: &Leaving,
        ours: &BTreeSet<Key>,
        knows_ids: bool,
        now: Timestamp,
    ) -> Result<Option<Turn>> {
        let notice = &one.notice;
        let row = sql(
            "SELECT sending, due_at FROM outgoing WHERE fingerprint = $1 AND rule = $2 AND owner_key = $3 AND slot = $4",
        );
        let row: Option<(String, Option<i64>)> = notice.named(row).optional(&mut *tx).await?;
        let Some((sending, Some(due_at))) = row else {
            return Ok(None);
        };
        let as_read = sending == notice.sending.as_deref().unwrap_or_default();
        let ended = sending.is_empty() || due_at <= now.as_microsecond();
        if !as_read || !ended {
            return Ok(None);
        }
        let fresh = now.saturating_sub(self.stale)?.as_microsecond();
        let mut doubtful = notice.sending.is_some();
        let free = |slot: &&str| !ours.contains(&one.key(slot));
        if free(&one.end.as_str()) {
            match state(tx, notice, &one.end).await? {
                Some((state, _)) if state == "sent" => return Ok(Some(Turn::Over)),
                Some((state, at)) if state == "claimed" && at >= fresh && one.said != one.end => {
                    return Ok(Some(Turn::Busy));
                }
                _ => {}
            }
        }
        for slot in one.slots().filter(free) {
            match state(tx, notice, slot).await? {
                Some((state, _)) if state == "sent" => return Ok(Some(Turn::Over)),
                Some((state, at)) if state == "claimed" && notice.sending.is_none() => {
                    if at >= fresh {
                        return Ok(Some(Turn::Busy));
                    }
                    doubtful = true;
                }
                _ => {}
            }
        }
        Ok(Some(if doubtful && !knows_ids {
            Turn::Doubtful
        } else {
            Turn::Ours
        }))
    }

    /// Writes down how a message ended, for all its notices at once. Where another process took it over meanwhile, because
    /// it took too long, that one writes.
    ///
    /// # Errors
    /// A store that cannot be written: then the message is sent once more later.
    pub async fn end_sending(
        &self,
        sending: &Sending,
        leaving: &[Leaving],
        ended: SendingEnded<'_>,
        now: Timestamp,
    ) -> Result<()> {
        let mut tx = self.change().await?;
        let mut entries = Vec::new();
        for (at, one) in leaving.iter().enumerate() {
            let left = match ended {
                SendingEnded::Taken => one
                    .notice
                    .named(sql(
                        "DELETE FROM outgoing WHERE fingerprint = $1 AND rule = $2 AND owner_key = $3 AND slot = $4 \
                         AND sending = $5",
                    ))
                    .bind(&sending.id),
                SendingEnded::Failed { again, .. } => one
                    .notice
                    .named(sql(
                        "UPDATE outgoing SET sending = '', tries = tries + 1, due_at = $6 WHERE fingerprint = $1 \
                         AND rule = $2 AND owner_key = $3 AND slot = $4 AND sending = $5",
                    ))
                    .bind(&sending.id)
                    .bind(again.get(at).copied().flatten().map(Timestamp::as_microsecond)),
            };
            if left.run(&mut tx).await? != 1 {
                continue;
            }
            entries.extend(settle(&mut tx, one, ended, now).await?);
        }
        if let (SendingEnded::Taken, Some(one)) = (ended, leaving.first()) {
            // What was not taken before may be now: whatever was down is up again.
            sql(
                "UPDATE outgoing SET due_at = $1 WHERE owner_key = $2 AND channel = $3 AND tries > 0 AND sending = '' \
                 AND due_at > $1",
            )
            .bind(now.as_microsecond())
            .bind(owner_key(&one.notice.owner))
            .bind(&one.notice.channel)
            .run(&mut tx)
            .await?;
        }
        if !entries.is_empty() {
            self.append_all(&mut tx, &entries).await?;
        }
        self.commit(tx).await
    }

    /// A worker's store takes a message for lost whose process gave no word for so long; others wait ten minutes.
    #[must_use]
    pub fn sending_again_after(&self, stale: SignedDuration) -> Self {
        Self {
            stale,
            ..self.clone()
        }
    }
}

/// A leak, a person and a slot.
type Key = (Fingerprint, RuleId, String, String);

impl Leaving {
    fn key(&self, slot: &str) -> Key {
        let Outgoing {
            fingerprint,
            rule,
            owner,
            ..
        } = &self.notice;
        (*fingerprint, rule.clone(), owner.key(), slot.to_owned())
    }

    /// The slots that its message fills.
    fn slots(&self) -> impl Iterator<Item = &str> {
        let said = (self.said != self.notice.slot).then_some(self.said.as_str());
        std::iter::once(self.notice.slot.as_str()).chain(said)
    }
}

async fn move_to(tx: &mut Open, one: &Leaving, sending: &str, due: Option<Timestamp>) -> Result<()> {
    let moved = sql(
        "UPDATE outgoing SET sending = $5, due_at = $6, about = $7 WHERE fingerprint = $1 \
         AND rule = $2 AND owner_key = $3 AND slot = $4",
    );
    one.notice
        .named(moved)
        .bind(sending)
        .bind(due.map(Timestamp::as_microsecond))
        .bind(text(&one.notice.about)?)
        .run(tx)
        .await?;
    Ok(())
}

/// What became of a slot, and when.
async fn state(tx: &mut Open, notice: &Outgoing, slot: &str) -> Result<Option<(String, i64)>> {
    let state = sql(
        "SELECT state, at FROM notices WHERE fingerprint = $1 AND rule = $2 AND owner_key = $3 AND channel = $4",
    );
    Ok(notice.named_as(state, slot).optional(tx).await?)
}

/// A message that was begun and lost, and whose end was told meanwhile, is not sent again.
async fn overtaken(tx: &mut Open, one: &Leaving, now: Timestamp) -> Result<()> {
    let settle = sql(
        "UPDATE notices SET state = 'failed', at = $5, why = 'its end was told first' WHERE fingerprint = $1 \
         AND rule = $2 AND owner_key = $3 AND channel = $4 AND state = 'claimed'",
    );
    one.notice
        .named_as(settle, &one.notice.slot)
        .bind(now.as_microsecond())
        .run(tx)
        .await?;
    Ok(())
}

async fn claim(tx: &mut Open, notice: &Outgoing, slot: &str, now: Timestamp) -> Result<()> {
    let claim = sql(
        "INSERT INTO notices (fingerprint, rule, owner_key, channel, owner, state, at) \
         VALUES ($1, $2, $3, $4, $5, 'claimed', $6) \
         ON CONFLICT (fingerprint, rule, owner_key, channel) \
         DO UPDATE SET state = 'claimed', at = excluded.at, owner = excluded.owner, why = NULL",
    );
    notice
        .named_as(claim, slot)
        .bind(text(&notice.owner)?)
        .bind(now.as_microsecond())
        .run(tx)
        .await?;
    Ok(())
}

/// Writes the end of a notice down for each slot that its message filled; the lines for the ledger.
async fn settle<'a>(
    tx: &mut Open,
    one: &'a Leaving,
    ended: SendingEnded<'_>,
    now: Timestamp,
) -> Result<Vec<Entry<'a>>> {
    let (state, action, why) = match ended {
        SendingEnded::Taken => ("sent", "told", None),
        SendingEnded::Failed { why, .. } => ("failed", "not-told", Some(without_nul(why))),
    };
    let mut entries = Vec::new();
    for slot in one.slots() {
        let settle = sql(
            "UPDATE notices SET state = $5, at = $6, why = $7 WHERE fingerprint = $1 AND rule = $2 \
             AND owner_key = $3 AND channel = $4 AND state = 'claimed'",
        );
        let settled = one
            .notice
            .named_as(settle, slot)
            .bind(state)
            .bind(now.as_microsecond())
            .bind(why.clone())
            .run(&mut *tx)
            .await?;
        if settled == 1 {
            let owner = &one.notice.owner;
            entries.push(Entry {
                action,
                leak: Some((one.notice.fingerprint, &one.notice.rule)),
                detail: object!({
                    "owner": owner.name, "reason": owner.reason, "channel": slot, "why": why,
                }),
            });
        }
    }
    Ok(entries)
}
