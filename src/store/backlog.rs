//! How much is still to do, as people and their instruments see it, and putting again what was given up.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;
use sqlx::FromRow;

use super::Store;
use crate::database::sql;

/// Where a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskState {
    /// It waits for its time, or for a worker.
    Due,
    /// A worker holds it.
    Running,
    /// A dead letter.
    Dead,
}

impl TaskState {
    /// `due`, `running` or `dead`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Running => "running",
            Self::Dead => "dead",
        }
    }
}

/// A task as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its leak's fingerprint.
    pub fingerprint: String,
    /// Its leak's rule.
    pub rule: String,
    /// Its leak's secret as people may see it.
    pub redacted: String,
    /// Where it stands.
    pub state: TaskState,
    /// When it is due; for a running one, when its lease ends.
    pub due: Timestamp,
    /// Failed attempts since it last went well.
    pub attempts: i64,
    /// Why it waits or died; empty for a new one.
    pub why: String,
}

/// How much is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Tasks that a worker could take now.
    pub waiting: u64,
    /// Tasks that wait for their time.
    pub later: u64,
    /// Tasks that workers hold.
    pub running: u64,
    /// Dead letters.
    pub dead: u64,
    /// For how long the oldest of the waiting has been due.
    pub lag: Duration,
}

#[derive(FromRow)]
struct ListRow {
    fingerprint: String,
    rule: String,
    redacted: String,
    state: String,
    due_at: i64,
    lease_until: i64,
    attempts: i64,
    why: String,
}

impl Store {
    /// Makes the tasks due now whose fingerprint begins so (all dead letters, if it is empty; else also those that wait),
    /// as if they had never failed, and says how many they were.
    pub async fn requeue_tasks(&self, beginning: &str) -> Result<u64> {
        let dead_alone = "UPDATE tasks SET state = 'due', due_at = $1, attempts = 0, wakes = 1 WHERE state = 'dead' \
                          AND fingerprint >= $2 AND fingerprint < $3";
        let waiting_too = "UPDATE tasks SET state = 'due', due_at = $1, attempts = 0, wakes = 1 \
                           WHERE state <> 'running' AND fingerprint >= $2 AND fingerprint < $3";
        let mut tx = self.change().await?;
        let put = sql(if beginning.is_empty() {
            dead_alone
        } else {
            waiting_too
        })
        .bind(Timestamp::now().as_microsecond())
        .bind(beginning)
        .bind(format!("{beginning}g"))
        .run(&mut tx)
        .await?;
        if put > 0 {
            let detail = json!({ "tasks": put, "fingerprint": beginning });
            self.append_in(&mut tx, "requeued", None, &detail).await?;
        }
        self.commit(tx).await?;
        Ok(put)
    }

    /// Tasks, those due first at the front, at most `limit`; only those of one state, if one is given.
    pub async fn tasks(&self, state: Option<TaskState>, limit: u32) -> Result<Vec<Listed>> {
        let rows: Vec<ListRow> = sql(
            "SELECT t.fingerprint, t.rule, l.redacted, t.state, t.due_at, t.lease_until, t.attempts, t.why \
             FROM tasks t JOIN leaks l ON l.fingerprint = t.fingerprint AND l.rule = t.rule \
             WHERE $1 = '' OR t.state = $1 ORDER BY t.due_at, t.fingerprint, t.rule LIMIT $2",
        )
        .bind(state.map_or("", TaskState::name))
        .bind(i64::from(limit))
        .all(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        rows.into_iter().map(ListRow::read).collect()
    }

    /// Whether something can be written, which a full disk or a file of another owner does not let us.
    pub async fn try_writing(&self) -> Result<()> {
        sql("INSERT INTO marks (name, value) VALUES ('written', $1) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value")
        .bind(Timestamp::now().to_string())
        .run(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        Ok(())
    }

    /// How much is to do now.
    pub async fn backlog(&self) -> Result<Backlog> {
        let now = Timestamp::now().as_microsecond();
        let rows: Vec<(String, i64, i64, i64)> = sql(
            "SELECT state, COUNT(*), SUM(CASE WHEN due_at <= $1 THEN 1 ELSE 0 END), MIN(due_at) FROM tasks GROUP BY state",
        )
        .bind(now)
        .all(&self.pool)
        .await
        .map_err(|error| self.told(error))?;
        let mut backlog = Backlog::default();
        for (state, count, due, oldest) in rows {
            let count = u64::try_from(count)?;
            match state.as_str() {
                "due" => {
                    backlog.waiting = u64::try_from(due)?;
                    backlog.later = count - backlog.waiting;
                    backlog.lag = Duration::from_micros(u64::try_from(now - oldest).unwrap_or_default());
                }
                "running" => backlog.running = count,
                _ => backlog.dead = count,
            }
        }
        Ok(backlog)
    }
}

impl ListRow {
    fn read(self) -> Result<Listed> {
        let state = match self.state.as_str() {
            "running" => TaskState::Running,
            "dead" => TaskState::Dead,
            _ => TaskState::Due,
        };
        let due = if state == TaskState::Running {
            self.lease_until
        } else {
            self.due_at
        };
        Ok(Listed {
            fingerprint: self.fingerprint,
            rule: self.rule,
            redacted: self.redacted,
            state,
            due: Timestamp::from_microsecond(due)?,
            attempts: self.attempts,
            why: self.why,
        })
    }
}
