//! From rows to the words of `leak` and back.
//!
//! A row that cannot be read is an error that names the leak, never a leak with gaps.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::FromRow;

use super::notices;
use crate::database::{Open, sql};
use crate::finding::RuleId;
use crate::leak::{Leak, Sighting};
use crate::secret::Fingerprint;

/// Fingerprint and rule.
pub(super) type LeakKey = (String, String);

#[derive(FromRow)]
struct LeakRow {
    fingerprint: String,
    rule: String,
    redacted: String,
    severity: String,
    first_seen: i64,
    last_seen: i64,
    verdict: Option<String>,
    identity: String,
    owners: String,
    revocation: Option<String>,
    containment: Option<String>,
}

#[derive(FromRow)]
struct SightingRow {
    fingerprint: String,
    rule: String,
    origin: String,
    path: String,
    line: i64,
    col: i64,
    commit_info: Option<String>,
}

/// The leak of this name.
pub(super) async fn one(tx: &mut Open, fingerprint: Fingerprint, rule: &RuleId) -> Result<Option<Leak>> {
    let leaks = load(tx, &fingerprint.to_string()).await?;
    Ok(leaks.into_iter().find(|leak| leak.rule == *rule))
}

/// The leaks whose fingerprint begins so, with all that hangs on them.
pub(super) async fn load(tx: &mut Open, beginning: &str) -> Result<Vec<Leak>> {
    // `g` comes after every hexadecimal digit.
    let end = format!("{beginning}g");
    let mut sightings: BTreeMap<LeakKey, Vec<Sighting>> = BTreeMap::new();
    let rows: Vec<SightingRow> = sql(
        "SELECT fingerprint, rule, origin, path, line, col, commit_info FROM sightings \
         WHERE fingerprint >= $1 AND fingerprint < $2 ORDER BY id",
    )
    .bind(beginning)
    .bind(&end)
    .all(&mut *tx)
    .await?;
    for row in rows {
        let key = (row.fingerprint.clone(), row.rule.clone());
        sightings.entry(key).or_default().push(row.read()?);
    }
    let mut notices = notices::load(tx, beginning, &end).await?;
    let rows: Vec<LeakRow> = sql(
        "SELECT fingerprint, rule, redacted, severity, first_seen, last_seen, verdict, identity, owners, revocation, \
         containment FROM leaks WHERE fingerprint >= $1 AND fingerprint < $2 ORDER BY fingerprint, rule",
    )
    .bind(beginning)
    .bind(&end)
    .all(&mut *tx)
    .await?;
    rows.into_iter()
        .map(|row| {
            let key = (row.fingerprint.clone(), row.rule.clone());
            let mut leak = row
                .read()
                .with_context(|| format!("the store's leak {} is damaged", key.0))?;
            leak.sightings = sightings.remove(&key).unwrap_or_default();
            leak.notices = notices.remove(&key).unwrap_or_default();
            Ok(leak)
        })
        .collect()
}

impl LeakRow {
    fn read(self) -> Result<Leak> {
        Ok(Leak {
            fingerprint: Fingerprint::parse(&self.fingerprint).context("its fingerprint is none")?,
            rule: rule_id(self.rule)?,
            redacted: self.redacted,
            severity: json(Some(self.severity), "severity")?.context("it has no severity")?,
            sightings: Vec::new(),
            first_seen: Timestamp::from_microsecond(self.first_seen)?,
            last_seen: Timestamp::from_microsecond(self.last_seen)?,
            verdict: json(self.verdict, "verdict")?,
            identity: json(Some(self.identity), "identity")?.unwrap_or_default(),
            owners: json(Some(self.owners), "owners")?.unwrap_or_default(),
            notices: Vec::new(),
            revocation: json(self.revocation, "revocation")?,
            containment: json(self.containment, "containment")?,
        })
    }
}

impl SightingRow {
    fn read(self) -> Result<Sighting> {
        Ok(Sighting {
            origin: self.origin,
            path: self.path,
            line: usize::try_from(self.line)?,
            column: usize::try_from(self.col)?,
            commit: json(self.commit_info, "commit")?,
        })
    }
}

/// A rule's id as a column holds it.
pub(super) fn rule_id(text: String) -> Result<RuleId> {
    Ok(serde_json::from_value(text.into())?)
}

/// What a column holds as JSON, or nothing.
pub(super) fn json<T: DeserializeOwned>(text: Option<String>, column: &str) -> Result<Option<T>> {
    text.map(|text| serde_json::from_str(&text).with_context(|| format!("its {column} cannot be read")))
        .transpose()
}

/// JSON for a column.
pub(super) fn text<T: Serialize>(value: &T) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}
