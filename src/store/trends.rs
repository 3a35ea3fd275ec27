//! How it goes: leaks found and ended week by week, how long a leaked token lives, and what is still open.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};

use super::Store;
use super::whose::{OrganisationName, Pieces, Whose};
use crate::database::sql_of;

/// A week in microseconds. Weeks begin on Thursday, as the first one of 1970 did.
const WEEK: i64 = 7 * 24 * 3600 * 1_000_000;
/// Organisations that are compared at most.
const MOST: usize = 50;

/// What was found and ended in one week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Week {
    /// When it began.
    pub began: Timestamp,
    /// Leaks first seen in it.
    pub found: i64,
    /// Leaks whose token was proved dead in it.
    pub ended: i64,
}

/// One organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfOrganisation {
    /// Its name, in lower case.
    pub name: String,
    /// Its leaks.
    pub found: i64,
    /// Those whose token lives.
    pub live: i64,
    /// Those whose token is dead.
    pub dead: i64,
    /// Median time from the first sight of a leak to the proof of its token's death.
    pub median: Option<SignedDuration>,
}

/// How it goes.
#[derive(Clone, Debug)]
pub struct Trends {
    /// The last weeks, the oldest first.
    pub weeks: Vec<Week>,
    /// Median time from the first sight of a leak to the proof of its token's death, over all that died.
    pub median: Option<SignedDuration>,
    /// By organisation, those with most live tokens first; at most fifty.
    pub organisations: Vec<OfOrganisation>,
}

impl Store {
    /// How it goes with these leaks, over so many weeks up to now.
    pub async fn trends(&self, whose: &Whose, weeks: u16) -> Result<Trends> {
        let now = Timestamp::now().as_microsecond() / WEEK;
        let first = now - i64::from(weeks.max(1)) + 1;
        let found = self.weekly(whose, "at", first).await?;
        let ended = self.weekly(whose, "dead_at", first).await?;
        let of = |counts: &[(i64, i64)], week| {
            let found = counts.iter().find(|(number, _)| *number == week);
            found.map_or(0, |(_, count)| *count)
        };
        let all = (first..=now).map(|week| {
            Ok(Week {
                began: Timestamp::from_microsecond(week * WEEK)?,
                found: of(&found, week),
                ended: of(&ended, week),
            })
        });
        Ok(Trends {
            weeks: all.collect::<Result<_>>()?,
            median: self.median(whose).await?,
            organisations: self.by_organisation(whose).await?,
        })
    }

    /// How many leaks of each week, by this column, from week `first` on.
    async fn weekly(&self, whose: &Whose, column: &'static str, first: i64) -> Result<Vec<(i64, i64)>> {
        let mut pieces = Pieces::default();
        let (distinct, condition) = (whose.distinct(), whose.condition(&mut pieces));
        let since = pieces.bind(first * WEEK);
        let text = format!(
            "SELECT t.{column} / {WEEK} AS week, COUNT(*) FROM (SELECT {distinct} s.{column}, s.fingerprint, s.rule \
             FROM listed s WHERE {condition} AND s.{column} >= {since}) t GROUP BY 1"
        );
        sql_of(text, pieces.0)
            .all(&self.pool)
            .await
            .map_err(|error| self.told(error))
    }

    async fn median(&self, whose: &Whose) -> Result<Option<SignedDuration>> {
        let mut pieces = Pieces::default();
        let (distinct, condition) = (whose.distinct(), whose.condition(&mut pieces));
        // one row of each leak, in the order of the index where there is but one organisation
        let ended = format!(
            "SELECT {distinct} s.lasted, s.fingerprint, s.rule FROM listed s WHERE {condition} AND s.lasted IS NOT NULL"
        );
        let text = format!(
            "SELECT t.lasted FROM ({ended}) t ORDER BY t.lasted LIMIT 1 OFFSET \
             (SELECT (COUNT(*) - 1) / 2 FROM ({ended}) c WHERE c.lasted IS NOT NULL)"
        );
        // of nothing the offset is below nought, which PostgreSQL refuses
        let any: Option<(i64,)> = {
            let mut pieces = Pieces::default();
            let condition = whose.condition(&mut pieces);
            let text =
                format!("SELECT s.lasted FROM listed s WHERE {condition} AND s.lasted IS NOT NULL LIMIT 1");
            sql_of(text, pieces.0)
                .optional(&self.pool)
                .await
                .map_err(|error| self.told(error))?
        };
        if any.is_none() {
            return Ok(None);
        }
        let middle: Option<(i64,)> = sql_of(text, pieces.0)
            .optional(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        Ok(middle.map(|(lasted,)| SignedDuration::from_micros(lasted)))
    }

    async fn by_organisation(&self, whose: &Whose) -> Result<Vec<OfOrganisation>> {
        let mut pieces = Pieces::default();
        let condition = match whose {
            Whose::All => "s.organisation <> ''".to_owned(),
            Whose::Of(_) => whose.condition(&mut pieces),
        };
        let text = format!(
            "SELECT s.organisation, COUNT(*), SUM(CASE WHEN s.state = 'live' THEN 1 ELSE 0 END) AS live, \
             SUM(CASE WHEN s.state = 'dead' THEN 1 ELSE 0 END) FROM listed s WHERE {condition} \
             GROUP BY s.organisation ORDER BY live DESC, s.organisation LIMIT {MOST}"
        );
        let rows: Vec<(String, i64, i64, i64)> = sql_of(text, pieces.0)
            .all(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        let mut organisations = Vec::with_capacity(rows.len());
        for (name, found, live, dead) in rows {
            let median = match dead {
                0 => None,
                _ => self.median(&of_one(whose, &name)).await?,
            };
            organisations.push(OfOrganisation {
                name,
                found,
                live,
                dead,
                median,
            });
        }
        Ok(organisations)
    }
}

/// The part of these leaks that opens this organisation.
fn of_one(whose: &Whose, name: &str) -> Whose {
    Whose::Of(match whose {
        Whose::All => vec![OrganisationName {
            service: None,
            name: name.to_owned(),
        }],
        Whose::Of(names) => names.iter().filter(|own| own.name == name).cloned().collect(),
    })
}
