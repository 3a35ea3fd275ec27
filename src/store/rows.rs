//! From rows to the words of `leak` and back.
//!
//! A row that cannot be read is an error that names the leak, never a leak with gaps.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::notices;
use crate::finding::RuleId;
use crate::leak::{Leak, Sighting};
use crate::secret::Fingerprint;

/// Fingerprint and rule.
pub(super) type LeakKey = (String, String);

/// The leak of this name.
pub(super) async fn one(
    tx: &mut SqliteConnection,
    fingerprint: Fingerprint,
    rule: &RuleId,
) -> Result<Option<Leak>> {
    let leaks = load(tx, &fingerprint.to_string()).await?;
    Ok(leaks.into_iter().find(|leak| leak.rule == *rule))
}

/// The leaks whose fingerprint begins so, with all that hangs on them.
pub(super) async fn load(tx: &mut SqliteConnection, beginning: &str) -> Result<Vec<Leak>> {
    // `g` comes after every hexadecimal digit.
    let end = format!("{beginning}g");
    let mut sightings: BTreeMap<LeakKey, Vec<Sighting>> = BTreeMap::new();
    let rows = sqlx::query("SELECT * FROM sightings WHERE fingerprint >= ? AND fingerprint < ? ORDER BY id")
        .bind(beginning)
        .bind(&end)
        .fetch_all(&mut *tx)
        .await?;
    for row in &rows {
        sightings.entry(key(row)?).or_default().push(read_sighting(row)?);
    }
    let mut notices = notices::load(tx, beginning, &end).await?;
    let rows = sqlx::query(
        "SELECT * FROM leaks WHERE fingerprint >= ? AND fingerprint < ? ORDER BY fingerprint, rule",
    )
    .bind(beginning)
    .bind(&end)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter()
        .map(|row| {
            let key = key(row)?;
            let mut leak =
                read_leak(row).with_context(|| format!("the store's leak {} is damaged", key.0))?;
            leak.sightings = sightings.remove(&key).unwrap_or_default();
            leak.notices = notices.remove(&key).unwrap_or_default();
            Ok(leak)
        })
        .collect()
}

fn read_leak(row: &SqliteRow) -> Result<Leak> {
    let (fingerprint, rule) = key(row)?;
    Ok(Leak {
        fingerprint: Fingerprint::parse(&fingerprint).context("its fingerprint is none")?,
        rule: serde_json::from_value(rule.into())?,
        redacted: row.try_get("redacted")?,
        severity: json_of(row, "severity")?.context("it has no severity")?,
        sightings: Vec::new(),
        first_seen: Timestamp::from_microsecond(row.try_get("first_seen")?)?,
        last_seen: Timestamp::from_microsecond(row.try_get("last_seen")?)?,
        verdict: json_of(row, "verdict")?,
        identity: json_of(row, "identity")?.unwrap_or_default(),
        owners: json_of(row, "owners")?.unwrap_or_default(),
        notices: Vec::new(),
        revocation: json_of(row, "revocation")?,
        containment: json_of(row, "containment")?,
    })
}

fn read_sighting(row: &SqliteRow) -> Result<Sighting> {
    Ok(Sighting {
        origin: row.try_get("origin")?,
        path: row.try_get("path")?,
        line: usize::try_from(row.try_get::<i64, _>("line")?)?,
        column: usize::try_from(row.try_get::<i64, _>("col")?)?,
        commit: json_of(row, "commit_info")?,
    })
}

/// The leak that a row belongs to.
pub(super) fn key(row: &SqliteRow) -> sqlx::Result<LeakKey> {
    Ok((row.try_get("fingerprint")?, row.try_get("rule")?))
}

/// A column that holds JSON, or nothing.
pub(super) fn json_of<T: DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<Option<T>> {
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| serde_json::from_str(&text).with_context(|| format!("its {column} cannot be read")))
        .transpose()
}

/// JSON for a column.
pub(super) fn text<T: Serialize>(value: &T) -> Result<String> {
    Ok(serde_json::to_string(value)?)
}
