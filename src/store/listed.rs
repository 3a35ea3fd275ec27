//! What lists are made from, kept beside the leaks: one row for all, and one for each organisation that a token opens.
//!
//! It is written in the transaction that changes a leak, so that a list never says what its leak does not. It holds no
//! secret, and no address of anybody.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use sqlx::FromRow;

use super::rows::{self, LeakKey};
use super::{Store, without_nul};
use crate::database::{MOST_ROWS, Open, sql, sql_rows};
use crate::finding::{RuleId, Severity};
use crate::leak::{Identity, Verdict};
use crate::secret::Fingerprint;

/// Places of a leak that a search looks at.
pub(super) const MOST_PLACES: usize = 20;
/// Longest text that a search looks at, in bytes.
const MOST_WORDS: usize = 1200;
/// Organisations that one leak is listed under.
const MOST_ORGANISATIONS: usize = 50;
/// Columns of a row.
const COLUMNS: usize = 12;

/// What a change brings that does not stand in the leak.
#[derive(Clone, Debug, Default)]
pub(super) struct News<'a> {
    /// Places that it was seen in.
    pub(super) paths: Vec<String>,
    /// What the policy decided.
    pub(super) decision: Option<&'a str>,
    /// Whether a person said that it needs nothing, or took that back.
    pub(super) dismissed: Option<bool>,
}

#[derive(FromRow)]
struct Of {
    fingerprint: String,
    rule: String,
    redacted: String,
    severity: String,
    first_seen: i64,
    verdict: Option<String>,
    identity: String,
    closed_at: Option<i64>,
}

#[derive(FromRow)]
struct Before {
    fingerprint: String,
    rule: String,
    decision: String,
    dismissed: i64,
    dead_at: Option<i64>,
    words: String,
}

struct Line {
    key: LeakKey,
    organisations: Vec<String>,
    state: &'static str,
    decision: String,
    dismissed: bool,
    severity: i64,
    at: i64,
    dead_at: Option<i64>,
    words: String,
}

impl Store {
    /// Lists the leaks that an unleak wrote down which kept no lists; once for a store.
    pub(super) async fn list_all(&self) -> Result<()> {
        let done: Option<(String,)> = sql("SELECT value FROM marks WHERE name = 'listed'")
            .optional(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        if done.is_some() {
            return Ok(());
        }
        let mut tx = self.change().await?;
        let mut behind = (String::new(), String::new());
        loop {
            let keys: Vec<LeakKey> = sql(
                "SELECT fingerprint, rule FROM leaks WHERE (fingerprint, rule) > ($1, $2) \
                 ORDER BY fingerprint, rule LIMIT 500",
            )
            .bind(&behind.0)
            .bind(&behind.1)
            .all(&mut tx)
            .await?;
            let Some(last) = keys.last() else { break };
            behind = last.clone();
            let mut all: Vec<_> = keys.into_iter().map(|key| (key, News::default())).collect();
            for (key, news) in &mut all {
                news.paths = paths(&mut tx, key).await?;
            }
            relist(&mut tx, &all).await?;
        }
        sql("INSERT INTO marks (name, value) VALUES ('listed', '1') ON CONFLICT (name) DO NOTHING")
            .run(&mut tx)
            .await?;
        self.commit(tx).await
    }
}

async fn paths(tx: &mut Open, key: &LeakKey) -> Result<Vec<String>> {
    let rows: Vec<(String,)> =
        sql("SELECT path FROM sightings WHERE fingerprint = $1 AND rule = $2 ORDER BY id LIMIT 20")
            .bind(&key.0)
            .bind(&key.1)
            .all(tx)
            .await?;
    Ok(rows.into_iter().map(|(path,)| path).collect())
}

/// [`relist`] for one leak.
pub(super) async fn relist_one(
    tx: &mut Open,
    fingerprint: Fingerprint,
    rule: &RuleId,
    news: &News<'_>,
) -> Result<()> {
    let key = (fingerprint.to_string(), rule.to_string());
    relist(tx, &[(key, news.clone())]).await
}

/// Writes anew what lists say of these leaks, in the transaction that changed them. A leak that is not there is left out.
pub(super) async fn relist(tx: &mut Open, leaks: &[(LeakKey, News<'_>)]) -> Result<()> {
    for some in leaks.chunks(MOST_ROWS) {
        let found: Vec<Of> = of_leaks(
            "SELECT fingerprint, rule, redacted, severity, first_seen, verdict, identity, closed_at FROM leaks \
             WHERE (fingerprint, rule) IN (VALUES",
            some,
        )
        .all(&mut *tx)
        .await?;
        let before: Vec<Before> = of_leaks(
            "SELECT fingerprint, rule, decision, dismissed, dead_at, words FROM listed \
             WHERE organisation = '' AND (fingerprint, rule) IN (VALUES",
            some,
        )
        .all(&mut *tx)
        .await?;
        let mut before: BTreeMap<LeakKey, Before> = before
            .into_iter()
            .map(|row| ((row.fingerprint.clone(), row.rule.clone()), row))
            .collect();
        let news: BTreeMap<&LeakKey, &News> = some.iter().map(|(key, news)| (key, news)).collect();
        let mut lines = Vec::with_capacity(found.len());
        for of in found {
            let key = (of.fingerprint.clone(), of.rule.clone());
            let known = before.remove(&key);
            if let Some(news) = news.get(&key) {
                lines.push(line(key, of, known, news)?);
            }
        }
        of_leaks("DELETE FROM listed WHERE (fingerprint, rule) IN (VALUES", some)
            .run(&mut *tx)
            .await?;
        insert(tx, &lines).await?;
    }
    Ok(())
}

fn of_leaks(before: &'static str, leaks: &[(LeakKey, News<'_>)]) -> crate::database::Ask {
    let mut ask = sql_rows(before, leaks.len(), 2, ")");
    for ((fingerprint, rule), _) in leaks {
        ask = ask.bind(fingerprint).bind(rule);
    }
    ask
}

fn line(key: LeakKey, of: Of, before: Option<Before>, news: &News<'_>) -> Result<Line> {
    let damaged = || format!("the store's leak {} is damaged", key.0);
    let verdict: Option<Verdict> = rows::json(of.verdict, "verdict").with_context(damaged)?;
    let identity: Identity = rows::json(Some(of.identity), "identity")
        .with_context(damaged)?
        .unwrap_or_default();
    let severity: Severity = rows::json(Some(of.severity), "severity")
        .with_context(damaged)?
        .with_context(damaged)?;
    let known = before.as_ref();
    let dismissed = news
        .dismissed
        .unwrap_or_else(|| known.is_some_and(|before| before.dismissed != 0));
    let dead_at = verdict.as_ref().filter(|verdict| verdict.is_dead()).map(|_| {
        let since = known.and_then(|before| before.dead_at).or(of.closed_at);
        since.unwrap_or_else(|| Timestamp::now().as_microsecond())
    });
    let state = match &verdict {
        Some(Verdict::Dead { .. }) => "dead",
        _ if dismissed => "dismissed",
        Some(Verdict::Live { .. }) => "live",
        _ => "unknown",
    };
    let decision = news
        .decision
        .or(known.map(|before| before.decision.as_str()))
        .unwrap_or_default();
    let mut organisations: Vec<String> = identity
        .organisations
        .iter()
        .map(|name| without_nul(&name.trim().to_lowercase()))
        .filter(|name| !name.is_empty() && name.len() <= 300)
        .take(MOST_ORGANISATIONS)
        .collect();
    organisations.sort();
    organisations.dedup();
    organisations.insert(0, String::new());
    let words = words(
        &key.1,
        &of.redacted,
        &identity,
        known.map_or("", |before| &before.words),
        news,
    );
    Ok(Line {
        key,
        organisations,
        state,
        decision: decision.to_owned(),
        dismissed,
        severity: severity as i64,
        at: of.first_seen,
        dead_at,
        words,
    })
}

/// What a search looks at: what the leak is in the first line, and a place in each further one.
fn words(rule: &str, redacted: &str, identity: &Identity, before: &str, news: &News<'_>) -> String {
    // an address is nobody's business who may not see it, and a search would tell it letter by letter
    let names = identity.principal.iter().chain(&identity.organisations);
    let names: Vec<&str> = names
        .map(String::as_str)
        .filter(|name| !name.contains('@'))
        .collect();
    let one_line = |text: &str| text.replace(['\n', '\r', '\0'], " ").to_lowercase();
    let mut lines = vec![one_line(&format!("{rule} {redacted} {}", names.join(" ")))];
    let known = before.lines().skip(1).map(str::to_owned);
    for path in known.chain(news.paths.iter().map(|path| one_line(path))) {
        if lines.len() <= MOST_PLACES && !lines.contains(&path) {
            lines.push(path);
        }
    }
    let mut words = lines.join("\n");
    let mut end = words.len().min(MOST_WORDS);
    while !words.is_char_boundary(end) {
        end -= 1;
    }
    words.truncate(end);
    words
}

async fn insert(tx: &mut Open, lines: &[Line]) -> Result<()> {
    let rows: Vec<(&Line, &String)> = lines
        .iter()
        .flat_map(|line| line.organisations.iter().map(move |name| (line, name)))
        .collect();
    for some in rows.chunks(MOST_ROWS) {
        let mut ask = sql_rows(
            "INSERT INTO listed (organisation, fingerprint, rule, service, state, decision, dismissed, severity, at, \
             dead_at, lasted, words) VALUES",
            some.len(),
            COLUMNS,
            "",
        );
        for (line, organisation) in some {
            let service = line.key.1.split('/').next().unwrap_or_default();
            ask = ask
                .bind(*organisation)
                .bind(&line.key.0)
                .bind(&line.key.1)
                .bind(service)
                .bind(line.state)
                .bind(&line.decision)
                .bind(i64::from(line.dismissed))
                .bind(line.severity)
                .bind(line.at)
                .bind(line.dead_at)
                .bind(line.dead_at.map(|dead_at| (dead_at - line.at).max(0)))
                .bind(&line.words);
        }
        ask.run(&mut *tx).await.context("cannot list the leaks")?;
    }
    Ok(())
}
