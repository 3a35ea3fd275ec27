//! What people look at: lists page by page, counts, one leak's timeline, dead letters. Every question is a stretch of an
//! index, however many leaks there are, and asks for no more than the one who looks may see.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::json;
use sqlx::FromRow;

use super::rows::{self, rule_id};
use super::whose::{Pieces, Whose};
use super::{Line, Store};
use crate::database::{sql, sql_of};
use crate::finding::{RuleId, Severity};
use crate::leak::{Identity, Revocation, Verdict};
use crate::secret::Fingerprint;

/// How a leak stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Its token opens something.
    Live,
    /// Nobody knows yet.
    Unknown,
    /// Its token opens nothing any more.
    Dead,
    /// A person said that it needs nothing.
    Dismissed,
}

impl State {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Live, Self::Unknown, Self::Dead, Self::Dismissed];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Unknown => "unknown",
            Self::Dead => "dead",
            Self::Dismissed => "dismissed",
        }
    }

    /// The state of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == word)
    }
}

/// The severities in the order of their numbers in `listed`.
const SEVERITIES: [Severity; 5] = [
    Severity::Critical,
    Severity::High,
    Severity::Medium,
    Severity::Low,
    Severity::Info,
];

fn severity(number: i64) -> Severity {
    let at = usize::try_from(number).unwrap_or_default();
    SEVERITIES.get(at).copied().unwrap_or(Severity::Info)
}

/// Where a page of leaks ends: the next one begins behind it, whatever arrives meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// When the last one was first seen, in microseconds since 1970 UTC.
    pub at: i64,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its rule.
    pub rule: String,
}

/// Which leaks are looked for; the newest come first.
#[derive(Clone, Debug)]
pub struct Sought {
    /// Whose.
    pub whose: Whose,
    /// Only those that stand so.
    pub state: Option<State>,
    /// Only those as bad as this.
    pub severity: Option<Severity>,
    /// Only those of this service.
    pub service: Option<String>,
    /// Only those that wait for a person's yes.
    pub waiting: bool,
    /// Only those with this text in rule, redacted secret, place, owner or organisation, or in the beginning of the
    /// fingerprint.
    pub words: String,
    /// Only those behind this one.
    pub behind: Option<Behind>,
    /// At most so many.
    pub most: u32,
}

/// A leak as a list shows it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its fingerprint.
    pub fingerprint: String,
    /// Its rule.
    pub rule: RuleId,
    /// The form that people may see.
    pub redacted: String,
    /// How bad it is.
    pub severity: Severity,
    /// How it stands.
    pub state: State,
    /// What the policy decided last; empty before it did.
    pub decision: String,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// What its service says.
    pub verdict: Option<Verdict>,
    /// Whose it is.
    pub identity: Identity,
    /// How its revocation goes.
    pub revocation: Option<Revocation>,
    /// How its containment goes.
    pub containment: Option<Revocation>,
}

impl Row {
    /// The page behind this row begins there.
    pub fn behind(&self) -> Behind {
        Behind {
            at: self.first_seen.as_microsecond(),
            fingerprint: self.fingerprint.clone(),
            rule: self.rule.to_string(),
        }
    }
}

/// How many leaks stand so and are so bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// How they stand.
    pub state: State,
    /// How bad they are.
    pub severity: Severity,
    /// How many wait for a person's yes.
    pub waiting: i64,
    /// How many there are.
    pub leaks: i64,
}

/// A task that was given up.
#[derive(Clone, Debug, FromRow)]
pub struct DeadLetter {
    /// Its leak's fingerprint.
    pub fingerprint: String,
    /// Its leak's rule.
    pub rule: String,
    /// Its leak's secret as people may see it.
    pub redacted: String,
    /// When it was given up, in microseconds since 1970 UTC.
    pub due_at: i64,
    /// After how many attempts.
    pub attempts: i64,
    /// Why.
    pub why: String,
}

#[derive(FromRow)]
struct RowRead {
    at: i64,
    fingerprint: String,
    rule: String,
    state: String,
    decision: String,
    severity: i64,
    redacted: String,
    verdict: Option<String>,
    identity: String,
    revocation: Option<String>,
    containment: Option<String>,
}

impl RowRead {
    fn read(self) -> Result<Row> {
        Ok(Row {
            rule: rule_id(self.rule)?,
            fingerprint: self.fingerprint,
            redacted: self.redacted,
            severity: severity(self.severity),
            state: State::named(&self.state).unwrap_or(State::Unknown),
            decision: self.decision,
            first_seen: Timestamp::from_microsecond(self.at)?,
            verdict: rows::json(self.verdict, "verdict")?,
            identity: rows::json(Some(self.identity), "identity")?.unwrap_or_default(),
            revocation: rows::json(self.revocation, "revocation")?,
            containment: rows::json(self.containment, "containment")?,
        })
    }
}

impl Sought {
    fn conditions(&self, pieces: &mut Pieces) -> String {
        let mut all = vec![self.whose.condition(pieces)];
        if let Some(state) = self.state {
            all.push(format!("s.state = {}", pieces.bind(state.name())));
        }
        if let Some(severity) = self.severity {
            all.push(format!("s.severity = {}", pieces.bind(severity as i64)));
        }
        if let Some(service) = &self.service {
            all.push(format!("s.service = {}", pieces.bind(service)));
        }
        if self.waiting {
            all.push("s.state = 'live' AND s.decision = 'approve'".to_owned());
        }
        let words = self.words.trim().to_lowercase().replace('\0', "");
        if is_fingerprint(&words) {
            let (from, to) = (pieces.bind(&words), pieces.bind(format!("{words}g")));
            all.push(format!("s.fingerprint >= {from} AND s.fingerprint < {to}"));
        } else {
            for word in words.split_whitespace().take(8) {
                let pattern = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
                let pattern = pieces.bind(format!("%{pattern}%"));
                all.push(format!("s.words LIKE {pattern} ESCAPE '\\'"));
            }
        }
        if let Some(behind) = &self.behind {
            let (at, fingerprint, rule) = (
                pieces.bind(behind.at),
                pieces.bind(&behind.fingerprint),
                pieces.bind(&behind.rule),
            );
            all.push(format!(
                "(s.at, s.fingerprint, s.rule) < ({at}, {fingerprint}, {rule})"
            ));
        }
        all.join(" AND ")
    }
}

/// Eight digits or more that are hexadecimal mean a fingerprint; fewer may be a word.
fn is_fingerprint(words: &str) -> bool {
    (8..=32).contains(&words.len()) && words.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Store {
    /// A page of leaks, the newest first.
    pub async fn listed(&self, sought: &Sought) -> Result<Vec<Row>> {
        let mut pieces = Pieces::default();
        let (distinct, conditions) = (sought.whose.distinct(), sought.conditions(&mut pieces));
        let most = pieces.bind(i64::from(sought.most));
        let text = format!(
            "SELECT p.*, l.redacted, l.verdict, l.identity, l.revocation, l.containment FROM (\
             SELECT {distinct} s.at, s.fingerprint, s.rule, s.state, s.decision, s.severity FROM listed s \
             WHERE {conditions} ORDER BY s.at DESC, s.fingerprint DESC, s.rule DESC LIMIT {most}) p \
             JOIN leaks l ON l.fingerprint = p.fingerprint AND l.rule = p.rule \
             ORDER BY p.at DESC, p.fingerprint DESC, p.rule DESC"
        );
        let rows: Vec<RowRead> = sql_of(text, pieces.0)
            .all(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        rows.into_iter().map(RowRead::read).collect()
    }

    /// How many leaks there are, by state and severity.
    pub async fn counted(&self, whose: &Whose) -> Result<Vec<Count>> {
        let mut pieces = Pieces::default();
        let (distinct, condition) = (whose.distinct(), whose.condition(&mut pieces));
        let text = format!(
            "SELECT state, severity, SUM(CASE WHEN state = 'live' AND decision = 'approve' THEN 1 ELSE 0 END), COUNT(*) \
             FROM (SELECT {distinct} s.state, s.severity, s.decision, s.fingerprint, s.rule FROM listed s \
             WHERE {condition}) t GROUP BY state, severity"
        );
        let rows: Vec<(String, i64, i64, i64)> = sql_of(text, pieces.0)
            .all(&self.pool)
            .await
            .map_err(|error| self.told(error))?;
        let counts = rows.into_iter().map(|(state, number, waiting, leaks)| Count {
            state: State::named(&state).unwrap_or(State::Unknown),
            severity: severity(number),
            waiting,
            leaks,
        });
        Ok(counts.collect())
    }

    /// The last lines of the ledger about one leak, the newest first, at most `limit`.
    pub async fn timeline(&self, fingerprint: Fingerprint, rule: &RuleId, limit: u32) -> Result<Vec<Line>> {
        sql("SELECT seq, at, action, COALESCE(fingerprint, '') AS fingerprint, COALESCE(rule, '') AS rule, actor, \
             detail, prev, hash FROM ledger WHERE fingerprint = $1 AND rule = $2 ORDER BY seq DESC LIMIT $3")
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .bind(i64::from(limit))
        .all(&self.pool)
        .await
        .map_err(|error| self.told(error))
    }

    /// The number of the last line of the ledger about one leak; 0 if there is none.
    pub async fn last_line(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<i64> {
        let last: Option<(i64,)> =
            sql("SELECT seq FROM ledger WHERE fingerprint = $1 AND rule = $2 ORDER BY seq DESC LIMIT 1")
                .bind(fingerprint.to_string())
                .bind(rule.as_str())
                .optional(&self.pool)
                .await
                .map_err(|error| self.told(error))?;
        Ok(last.map_or(0, |(seq,)| seq))
    }

    /// Tasks that were given up, the first to be given up first, behind this one.
    pub async fn dead_letters(&self, behind: &Behind, most: u32) -> Result<Vec<DeadLetter>> {
        sql(
            "SELECT t.fingerprint, t.rule, l.redacted, t.due_at, t.attempts, t.why FROM tasks t \
             JOIN leaks l ON l.fingerprint = t.fingerprint AND l.rule = t.rule \
             WHERE t.state = 'dead' AND (t.due_at, t.fingerprint, t.rule) > ($1, $2, $3) \
             ORDER BY t.due_at, t.fingerprint, t.rule LIMIT $4",
        )
        .bind(behind.at)
        .bind(&behind.fingerprint)
        .bind(&behind.rule)
        .bind(i64::from(most))
        .all(&self.pool)
        .await
        .map_err(|error| self.told(error))
    }

    /// Makes a leak be looked at now by a worker, as if it had just been reported: somebody asked for it.
    ///
    /// # Errors
    /// A store that cannot be written.
    pub async fn look_now(&self, fingerprint: Fingerprint, rule: &RuleId) -> Result<()> {
        let now = Timestamp::now().as_microsecond();
        let mut tx = self.change().await?;
        sql("INSERT INTO tasks (fingerprint, rule, state, wanted, put_at, due_at, wakes, attempts, lease, lease_until, why) \
             VALUES ($1, $2, 'due', 1, $3, $3, 1, 0, '', 0, '') ON CONFLICT (fingerprint, rule) DO UPDATE SET \
             wanted = tasks.wanted + 1, attempts = CASE WHEN tasks.state = 'running' THEN tasks.attempts ELSE 0 END, \
             due_at = CASE WHEN tasks.state = 'running' THEN tasks.due_at ELSE excluded.due_at END, \
             state = CASE WHEN tasks.state = 'running' THEN 'running' ELSE 'due' END")
        .bind(fingerprint.to_string())
        .bind(rule.as_str())
        .bind(now)
        .run(&mut tx)
        .await?;
        self.append_in(
            &mut tx,
            "asked-for",
            Some((fingerprint, rule)),
            &json!({ "what": "verify" }),
        )
        .await?;
        self.commit(tx).await
    }
}
