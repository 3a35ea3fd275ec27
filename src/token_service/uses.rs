//! Who was seen using what: kept in memory for a moment and written in one go, at most once a minute for each token.
//!
//! A use must never make a request wait for the database, and never fail it. Memory is bounded; what does not fit is
//! forgotten, because a last use is a hint and no proof.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::database::{Lock, Open, Pool, sql};
use crate::token_service::error::Result;
use crate::token_service::model::Time;
use crate::token_service::store::TokenService;

/// How long a token is used before its use is written again, in seconds.
const COALESCE: i64 = 60;
/// How often uses that are due are written.
const TICK: Duration = Duration::from_secs(1);
/// Tokens that are kept in memory at most.
const MOST_TOKENS: usize = 50_000;
/// Different uses of one token that wait at most.
const MOST_VISITS: usize = 64;
/// Different uses of one token that are kept: a token for everything can be tried with any name of a scope.
const MOST_KEPT: i64 = 1000;
/// Tokens whose uses are written in one transaction.
const BATCH: usize = 500;

/// What was used: an organisation's id, a project's slug, empty where none was named, and a scope.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Visit {
    pub(super) organisation: String,
    pub(super) project: String,
    pub(super) scope: String,
}

#[derive(Debug)]
struct Seen {
    last: Time,
    written: Option<Time>,
    waiting: bool,
    visits: BTreeSet<Visit>,
}

/// Uses that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Uses {
    seen: Mutex<HashMap<String, Seen>>,
}

/// What is written of one token.
type Due = (String, Time, Vec<Visit>);

impl Uses {
    /// Uses that are written every second for as long as somebody holds them.
    pub(super) fn watched(pool: &Pool) -> Arc<Self> {
        let uses = Arc::new(Self::default());
        let (weak, pool) = (Arc::downgrade(&uses), pool.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                let Some(uses) = weak.upgrade() else { return };
                if let Err(error) = uses.write_due(&pool).await {
                    tracing::warn!(%error, "the last uses of tokens could not be written");
                }
            }
        });
        uses
    }

    /// Notes a use.
    pub(super) fn note(&self, token: &str, visit: Option<Visit>) {
        let now = Time::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains_key(token) {
            if seen.len() >= MOST_TOKENS {
                seen.retain(|_, seen| seen.waiting || seen.last.plus_seconds(COALESCE) > now);
            }
            if seen.len() >= MOST_TOKENS {
                return;
            }
        }
        let entry = seen.entry(token.to_owned()).or_insert_with(|| Seen {
            last: now,
            written: None,
            waiting: true,
            visits: BTreeSet::new(),
        });
        entry.last = now;
        entry.waiting = true;
        if let Some(visit) = visit
            && entry.visits.len() < MOST_VISITS
        {
            entry.visits.insert(visit);
        }
    }

    /// Writes what was not written in the last minute.
    pub(super) async fn write_due(&self, pool: &Pool) -> Result<()> {
        let now = Time::now();
        let ripe = |written: Option<Time>| written.is_none_or(|at| at.plus_seconds(COALESCE) <= now);
        let due = self.take(now, ripe);
        write(pool, &due).await
    }

    /// Writes everything, for a server that stops.
    pub(super) async fn write_all(&self, pool: &Pool) -> Result<()> {
        let due = self.take(Time::now(), |_| true);
        write(pool, &due).await
    }

    fn take(&self, now: Time, ripe: impl Fn(Option<Time>) -> bool) -> Vec<Due> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // what has been quiet for two minutes is as good as never seen
        seen.retain(|_, seen| seen.waiting || seen.last.plus_seconds(2 * COALESCE) > now);
        let due = seen
            .iter_mut()
            .filter(|(_, seen)| seen.waiting && ripe(seen.written));
        due.map(|(token, seen)| {
            seen.waiting = false;
            seen.written = Some(now);
            let visits = std::mem::take(&mut seen.visits);
            (token.clone(), seen.last, visits.into_iter().collect())
        })
        .collect()
    }
}

async fn write(pool: &Pool, due: &[Due]) -> Result<()> {
    for batch in due.chunks(BATCH) {
        let mut change = pool.begin(Lock::Tokens).await?;
        for (token, last, visits) in batch {
            // another server may have written it in the same minute
            sql("UPDATE tokens SET last_used_at = $1 \
                 WHERE id = $2 AND (last_used_at IS NULL OR last_used_at <= $3)")
            .bind(*last)
            .bind(token)
            .bind(last.plus_seconds(-COALESCE))
            .run(&mut change)
            .await?;
            for visit in visits {
                write_visit(&mut change, token, visit, *last).await?;
            }
        }
        change.commit().await?;
    }
    Ok(())
}

async fn write_visit(change: &mut Open, token: &str, visit: &Visit, last: Time) -> Result<()> {
    let known = sql("UPDATE token_visits SET last_used_at = $1 \
         WHERE token_id = $2 AND organisation_id = $3 AND project = $4 AND scope = $5")
    .bind(last)
    .bind(token)
    .bind(&visit.organisation)
    .bind(&visit.project)
    .bind(&visit.scope)
    .run(&mut *change)
    .await?;
    if known == 0 {
        sql(
            "INSERT INTO token_visits (last_used_at, token_id, organisation_id, project, scope) \
             SELECT $1, $2, $3, $4, $5 WHERE (SELECT COUNT(*) FROM token_visits WHERE token_id = $2) < $6",
        )
        .bind(last)
        .bind(token)
        .bind(&visit.organisation)
        .bind(&visit.project)
        .bind(&visit.scope)
        .bind(MOST_KEPT)
        .run(change)
        .await?;
    }
    Ok(())
}

impl TokenService {
    /// Writes down the uses that are due, instead of within the next second.
    pub async fn write_uses(&self) -> Result<()> {
        self.uses.write_due(&self.pool).await
    }
}
