//! Writing leaks down: many at once, in as few statements as there are tables.
//!
//! Nothing here writes a secret in clear, not even where a path happens to hold it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::json;
use sqlx::FromRow;

use super::ledger::Entry;
use super::listed::{self, News};
use super::rows::{self, text};
use super::seal::Contents;
use super::{Store, leak_name, without_nul};
use crate::database::{MOST_ROWS, Open, sql, sql_rows};
use crate::finding::{CommitInfo, RuleId};
use crate::leak::{Held, Revocation, Verdict};
use crate::secret::{Fingerprint, Secret};

/// What the store knew of a leak when it was written down.
pub(super) struct Written {
    pub(super) new: bool,
    pub(super) closed: bool,
    /// Places that were not known.
    pub(super) added: u64,
    pub(super) verdict: Option<Verdict>,
    pub(super) revocation: Option<Revocation>,
}

#[derive(FromRow)]
struct Known {
    fingerprint: String,
    rule: String,
    sealed: Option<Vec<u8>>,
    closed_at: Option<i64>,
    verdict: Option<String>,
    revocation: Option<String>,
}

/// Leaks that are each there once, with their secrets sealed before anybody waits for the write lock.
pub(super) struct Batch {
    pub(super) leaks: Vec<Held>,
    pub(super) sealed: Vec<Vec<u8>>,
    /// Where each of the leaks that were given stands.
    pub(super) places: Vec<usize>,
}

impl Store {
    /// Joins what is the same leak, and seals.
    pub(super) fn batch(&self, given: &[Held]) -> Result<Batch> {
        let mut index: BTreeMap<(Fingerprint, RuleId), usize> = BTreeMap::new();
        let mut leaks: Vec<Held> = Vec::new();
        let mut places = Vec::with_capacity(given.len());
        for held in given {
            let key = (held.leak.fingerprint, held.leak.rule.clone());
            let place = *index.entry(key).or_insert(leaks.len());
            match leaks.get_mut(place) {
                None => leaks.push(held.clone()),
                Some(first) => join(first, held),
            }
            places.push(place);
        }
        let sealed = leaks
            .iter()
            .map(|held| self.sealed(held, None))
            .collect::<Result<_>>()?;
        Ok(Batch {
            leaks,
            sealed,
            places,
        })
    }

    /// Writes leaks down in a transaction that holds the write lock: new ones, and further sightings of known ones.
    pub(super) async fn write(&self, tx: &mut Open, batch: &Batch) -> Result<Vec<Written>> {
        let mut known = self.known_of(tx, &batch.leaks).await?;
        let mut new = Vec::new();
        let mut written = Vec::with_capacity(batch.leaks.len());
        for (held, sealed) in batch.leaks.iter().zip(&batch.sealed) {
            let key = (held.leak.fingerprint.to_string(), held.leak.rule.to_string());
            match known.remove(&key) {
                None => {
                    new.push((held, sealed));
                    written.push(Written {
                        new: true,
                        closed: false,
                        added: 0,
                        verdict: held.leak.verdict.clone(),
                        revocation: held.leak.revocation.clone(),
                    });
                }
                Some(row) => {
                    self.seen_again(tx, held, row.sealed.as_deref()).await?;
                    written.push(Written {
                        new: false,
                        closed: row.closed_at.is_some(),
                        added: 0,
                        verdict: rows::json(row.verdict, "verdict")?,
                        revocation: rows::json(row.revocation, "revocation")?,
                    });
                }
            }
        }
        insert(tx, &new).await?;
        let added = add_sightings(tx, &batch.leaks).await?;
        listed::relist(tx, &listed_anew(&batch.leaks)).await?;
        let mut entries = Vec::new();
        for (Held { leak, .. }, written) in batch.leaks.iter().zip(&mut written) {
            let key = (leak.fingerprint.to_string(), leak.rule.to_string());
            written.added = added.get(&key).copied().unwrap_or_default();
            if written.new || written.added > 0 {
                entries.push(Entry {
                    action: if written.new { "found" } else { "seen" },
                    leak: Some((leak.fingerprint, &leak.rule)),
                    detail: json!({ "redacted": leak.redacted, "places": written.added }),
                });
            }
        }
        if !entries.is_empty() {
            self.append_all(tx, &entries).await?;
        }
        Ok(written)
    }

    async fn known_of(&self, tx: &mut Open, leaks: &[Held]) -> Result<BTreeMap<rows::LeakKey, Known>> {
        let mut known = BTreeMap::new();
        for some in leaks.chunks(MOST_ROWS) {
            let mut ask = sql_rows(
                "SELECT fingerprint, rule, sealed, closed_at, verdict, revocation FROM leaks \
                 WHERE (fingerprint, rule) IN (VALUES",
                some.len(),
                2,
                ")",
            );
            for held in some {
                ask = ask
                    .bind(held.leak.fingerprint.to_string())
                    .bind(held.leak.rule.as_str());
            }
            let rows: Vec<Known> = ask.all(&mut *tx).await.map_err(|error| self.told(error))?;
            known.extend(
                rows.into_iter()
                    .map(|row| ((row.fingerprint.clone(), row.rule.clone()), row)),
            );
        }
        Ok(known)
    }

    async fn seen_again(&self, tx: &mut Open, held: &Held, sealed: Option<&[u8]>) -> Result<()> {
        let leak = &held.leak;
        // A closed leak has nothing sealed, and being seen again does not bring its secret back.
        let sealed = sealed.map(|sealed| self.sealed(held, Some(sealed))).transpose()?;
        sql("UPDATE leaks SET redacted = $1, severity = $2, \
             first_seen = CASE WHEN first_seen > $3 THEN $3 ELSE first_seen END, \
             last_seen = CASE WHEN last_seen < $4 THEN $4 ELSE last_seen END, sealed = $5 \
             WHERE fingerprint = $6 AND rule = $7")
        .bind(without_nul(&leak.redacted))
        .bind(text(&leak.severity)?)
        .bind(leak.first_seen.as_microsecond())
        .bind(leak.last_seen.as_microsecond())
        .bind(sealed)
        .bind(leak.fingerprint.to_string())
        .bind(leak.rule.as_str())
        .run(tx)
        .await?;
        Ok(())
    }

    /// Seals what `held` holds, and what was `known` besides: one sighting may have parts that another lacks.
    pub(super) fn sealed(&self, held: &Held, known: Option<&[u8]>) -> Result<Vec<u8>> {
        let name = leak_name(held.leak.fingerprint, &held.leak.rule);
        let mut contents = Contents {
            secret: held.secret.clone(),
            parts: held.parts.clone(),
            facts: held.facts.clone(),
        };
        if let Some(known) = known {
            let known = self.sealer.open(&name, known)?;
            for (part, value) in known.parts {
                contents.parts.entry(part).or_insert(value);
            }
            for (fact, value) in known.facts {
                contents.facts.entry(fact).or_insert(value);
            }
        }
        self.sealer.seal(&name, &contents)
    }
}

/// Takes over what a further sighting of the same leak brings.
fn join(first: &mut Held, held: &Held) {
    first.leak.sightings.extend(held.leak.sightings.iter().cloned());
    first.leak.first_seen = first.leak.first_seen.min(held.leak.first_seen);
    first.leak.last_seen = first.leak.last_seen.max(held.leak.last_seen);
    for (part, value) in &held.parts {
        first.parts.entry(part.clone()).or_insert_with(|| value.clone());
    }
    for (fact, value) in &held.facts {
        first.facts.entry(fact.clone()).or_insert_with(|| value.clone());
    }
}

async fn insert(tx: &mut Open, new: &[(&Held, &Vec<u8>)]) -> Result<()> {
    for some in new.chunks(MOST_ROWS) {
        let mut insert = sql_rows(
            "INSERT INTO leaks (fingerprint, rule, redacted, severity, first_seen, last_seen, verdict, identity, \
             owners, revocation, containment, sealed) VALUES",
            some.len(),
            12,
            "",
        );
        for (Held { leak, .. }, sealed) in some {
            insert = insert
                .bind(leak.fingerprint.to_string())
                .bind(leak.rule.as_str())
                .bind(without_nul(&leak.redacted))
                .bind(text(&leak.severity)?)
                .bind(leak.first_seen.as_microsecond())
                .bind(leak.last_seen.as_microsecond())
                .bind(leak.verdict.as_ref().map(text).transpose()?)
                .bind(text(&leak.identity)?)
                .bind(text(&leak.owners)?)
                .bind(leak.revocation.as_ref().map(text).transpose()?)
                .bind(leak.containment.as_ref().map(text).transpose()?)
                .bind(sealed.as_slice());
        }
        insert.run(&mut *tx).await.context("cannot record the leaks")?;
    }
    Ok(())
}

/// What lists are to say of leaks that were just written down.
fn listed_anew(leaks: &[Held]) -> Vec<(rows::LeakKey, News<'static>)> {
    let news = |held: &Held| {
        let paths = held.leak.sightings.iter().take(listed::MOST_PLACES);
        News {
            paths: paths
                .map(|seen| without_nul(&without_secrets(&seen.path, held)))
                .collect(),
            ..News::default()
        }
    };
    let key = |held: &Held| (held.leak.fingerprint.to_string(), held.leak.rule.to_string());
    leaks.iter().map(|held| (key(held), news(held))).collect()
}

/// Adds the sightings that are not known yet and says how many they were, by leak.
async fn add_sightings(tx: &mut Open, leaks: &[Held]) -> Result<BTreeMap<rows::LeakKey, u64>> {
    let mut added: BTreeMap<_, u64> = BTreeMap::new();
    let all: Vec<_> = leaks
        .iter()
        .flat_map(|held| held.leak.sightings.iter().map(move |sighting| (held, sighting)))
        .collect();
    for some in all.chunks(MOST_ROWS) {
        let mut insert = sql_rows(
            "INSERT INTO sightings (fingerprint, rule, origin, path, line, col, commit_id, commit_info) VALUES",
            some.len(),
            8,
            "ON CONFLICT DO NOTHING RETURNING fingerprint, rule",
        );
        for (held, sighting) in some {
            let clean = |text: &str| without_nul(&without_secrets(text, held));
            let commit = sighting.commit.as_ref().map(|commit| CommitInfo {
                author: clean(&commit.author),
                email: clean(&commit.email),
                ..commit.clone()
            });
            insert = insert
                .bind(held.leak.fingerprint.to_string())
                .bind(held.leak.rule.as_str())
                .bind(&sighting.origin)
                .bind(clean(&sighting.path))
                .bind(i64::try_from(sighting.line)?)
                .bind(i64::try_from(sighting.column)?)
                .bind(commit.as_ref().map_or("", |commit| commit.id.as_str()))
                .bind(commit.as_ref().map(text).transpose()?);
        }
        let rows: Vec<rows::LeakKey> = insert
            .all(&mut *tx)
            .await
            .context("cannot record where it was seen")?;
        for key in rows {
            *added.entry(key).or_default() += 1;
        }
    }
    Ok(added)
}

/// A file may be named after the secret it holds.
fn without_secrets(text: &str, held: &Held) -> String {
    std::iter::once(&held.secret)
        .chain(held.parts.values())
        .filter_map(Secret::expose_str)
        // Shorter ones are words: taking them out of a path would spoil it and hide nothing.
        .filter(|secret| secret.len() >= 8)
        .fold(text.to_owned(), |text, secret| {
            text.replace(secret, &held.leak.redacted)
        })
}
