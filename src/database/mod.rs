//! One face for the two databases: SQLite, and PostgreSQL where several processes share what they know.
//!
//! All SQL is written once, in the words that both understand, and leaves through `Ask`. A change begins by taking its
//! store's one write lock, so that changes queue up instead of failing. Nothing here knows a table.

mod opening;

use std::borrow::Cow;
use std::sync::Arc;

use sqlx::postgres::{PgPool, PgRow};
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Arguments as _, FromRow, Postgres, Sqlite, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use opening::{explain, new_private_file, shown, translated};

/// Whose tables: two stores in one database queue up apart.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lock {
    /// The token service's.
    Tokens,
    /// The leaks'.
    Leaks,
}

impl Lock {
    /// The name of the write lock in PostgreSQL: "unleak" in ASCII, and the one after it.
    fn number(self) -> i64 {
        match self {
            Self::Tokens => 129_082_710_188_395,
            Self::Leaks => 129_082_710_188_396,
        }
    }
}

/// A database, by its kind; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Pool {
    Sqlite(SqlitePool, Turns),
    Postgres(PgPool, Turns),
}

/// Who may change something next: those of one process, in the order in which they came. SQLite itself lets whoever asks
/// again at the right moment go first, so that somebody could wait for ever; and of PostgreSQL's connections one is as good
/// as many for those who wait.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Semaphore>);

impl Turns {
    fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    async fn take(&self) -> sqlx::Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.0).acquire_owned().await;
        turn.map_err(|_| sqlx::Error::PoolClosed)
    }

    /// The turn of a change of a single statement; a question needs none.
    async fn take_for(&self, sql: &str) -> sqlx::Result<Option<OwnedSemaphorePermit>> {
        if sql.starts_with("SELECT") {
            return Ok(None);
        }
        self.take().await.map(Some)
    }
}

/// A text that holds a NUL, which PostgreSQL could not even be asked about.
#[derive(Debug, thiserror::Error)]
#[error("a text holds the character NUL; leave it out")]
pub(crate) struct HoldsNul;

/// A change under way; dropped without `commit` it never happened.
pub(crate) enum Open {
    Sqlite(Transaction<'static, Sqlite>, Option<OwnedSemaphorePermit>),
    Postgres(Transaction<'static, Postgres>, Option<OwnedSemaphorePermit>),
}

/// Where a statement runs.
pub(crate) enum On<'a> {
    Pool(&'a Pool),
    Change(&'a mut Open),
}

impl<'a> From<&'a Pool> for On<'a> {
    fn from(pool: &'a Pool) -> Self {
        Self::Pool(pool)
    }
}

impl<'a> From<&'a mut Open> for On<'a> {
    fn from(change: &'a mut Open) -> Self {
        Self::Change(change)
    }
}

/// A row that can be read from either database.
pub(crate) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// A value on its way into a statement; an absent one keeps its type, which PostgreSQL asks for.
pub(crate) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Truth(bool),
    Bytes(Option<Vec<u8>>),
}

macro_rules! values {
    ($($from:ty => |$value:ident| $into:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $into
            }
        })*
    };
}

values! {
    &str => |value| Self::Text(Some(value.to_owned()));
    String => |value| Self::Text(Some(value));
    &String => |value| Self::Text(Some(value.clone()));
    Option<String> => |value| Self::Text(value);
    Option<&str> => |value| Self::Text(value.map(str::to_owned));
    &Option<String> => |value| Self::Text(value.clone());
    i64 => |value| Self::Number(Some(value));
    Option<i64> => |value| Self::Number(value);
    bool => |value| Self::Truth(value);
    Vec<u8> => |value| Self::Bytes(Some(value));
    Option<Vec<u8>> => |value| Self::Bytes(value);
    &[u8] => |value| Self::Bytes(Some(value.to_vec()));
    [u8; 32] => |value| Self::Bytes(Some(value.to_vec()));
}

/// A statement with its values, `$1` first.
pub(crate) struct Ask {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    /// Its values stand in it one after the other, each once.
    in_order: bool,
}

/// Begins a statement.
pub(crate) fn sql(sql: &'static str) -> Ask {
    Ask {
        sql: Cow::Borrowed(sql),
        values: Vec::new(),
        in_order: false,
    }
}

/// A statement that a store puts together out of words of its own; what anybody else said is bound, never part of it.
pub(crate) fn sql_of(sql: String, values: Vec<Value>) -> Ask {
    Ask {
        sql: Cow::Owned(sql),
        values,
        in_order: false,
    }
}

/// Rows of one statement at most; each value of a row is counted by the databases, and SQLite takes 32,766.
pub(crate) const MOST_ROWS: usize = 500;

/// A statement about many rows of so many columns: `before`, `($1, $2), ($3, $4), …`, and `after`. All values of all rows
/// are bound next, row by row; `after` has no values of its own. At most [`MOST_ROWS`] rows, and at least one.
pub(crate) fn sql_rows(before: &'static str, rows: usize, columns: usize, after: &'static str) -> Ask {
    let mut sql = before.to_owned();
    for row in 0..rows {
        sql.push_str(if row == 0 { " (" } else { ", (" });
        for column in 0..columns {
            let comma = if column == 0 { "" } else { ", " };
            sql.push_str(&format!("{comma}${}", row * columns + column + 1));
        }
        sql.push(')');
    }
    sql.push(' ');
    sql.push_str(after);
    Ask {
        sql: Cow::Owned(sql),
        values: Vec::with_capacity(rows * columns),
        in_order: true,
    }
}

macro_rules! arguments {
    ($values:expr, $kind:ty) => {{
        let mut arguments = <$kind>::default();
        for value in $values {
            let added = match value {
                Value::Text(text) => arguments.add(text),
                Value::Number(number) => arguments.add(number),
                Value::Truth(truth) => arguments.add(truth),
                Value::Bytes(bytes) => arguments.add(bytes),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        arguments
    }};
}

/// The same for each place where a statement can run; all four differ in their types alone.
macro_rules! run {
    ($self:ident, $on:expr, $with:ident, |$query:ident, $on_it:ident| $done:expr) => {{
        $self.check()?;
        match $on.into() {
            On::Pool(Pool::Sqlite($on_it, turns)) => {
                let _turn = turns.take_for(&$self.sql).await?;
                let $query = sqlx::$with(
                    sqlx::AssertSqlSafe($self.for_sqlite()),
                    arguments!($self.values, sqlx::sqlite::SqliteArguments),
                );
                $done
            }
            On::Pool(Pool::Postgres($on_it, _)) => {
                let $query = sqlx::$with(
                    sqlx::AssertSqlSafe($self.sql),
                    arguments!($self.values, sqlx::postgres::PgArguments),
                );
                $done
            }
            On::Change(Open::Sqlite(change, _)) => {
                let $on_it = &mut **change;
                let $query = sqlx::$with(
                    sqlx::AssertSqlSafe($self.for_sqlite()),
                    arguments!($self.values, sqlx::sqlite::SqliteArguments),
                );
                $done
            }
            On::Change(Open::Postgres(change, _)) => {
                let $on_it = &mut **change;
                let $query = sqlx::$with(
                    sqlx::AssertSqlSafe($self.sql),
                    arguments!($self.values, sqlx::postgres::PgArguments),
                );
                $done
            }
        }
    }};
}

impl Ask {
    /// Gives the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// The statement as SQLite is told it. A value with a number is a name there, which the driver looks up anew for each
    /// value among all the others: of thousands that took two thirds of the time of a report.
    fn for_sqlite(&self) -> String {
        if !self.in_order {
            return self.sql.clone().into_owned();
        }
        let mut pieces = self.sql.split('$');
        let mut sql = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            sql.push('?');
            sql.push_str(piece.trim_start_matches(|digit: char| digit.is_ascii_digit()));
        }
        sql
    }

    /// No text that we keep or look for holds a NUL, which PostgreSQL could not even be asked about.
    fn check(&self) -> sqlx::Result<()> {
        let holds_nul = |value: &Value| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
        if self.values.iter().any(holds_nul) {
            return Err(sqlx::Error::Encode(Box::new(HoldsNul)));
        }
        Ok(())
    }

    /// Every row.
    pub(crate) async fn all<'a, T: Row>(self, on: impl Into<On<'a>>) -> sqlx::Result<Vec<T>> {
        Ok(run!(self, on, query_as_with, |query, it| query
            .fetch_all(it)
            .await?))
    }

    /// The row, if there is one.
    pub(crate) async fn optional<'a, T: Row>(self, on: impl Into<On<'a>>) -> sqlx::Result<Option<T>> {
        Ok(run!(self, on, query_as_with, |query, it| query
            .fetch_optional(it)
            .await?))
    }

    /// Changes rows, and says how many.
    pub(crate) async fn run<'a>(self, on: impl Into<On<'a>>) -> sqlx::Result<u64> {
        Ok(run!(self, on, query_with, |query, it| query
            .execute(it)
            .await?
            .rows_affected()))
    }
}

impl Open {
    /// Makes the change last.
    pub(crate) async fn commit(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(change, _turn) => change.commit().await?,
            Self::Postgres(change, _turn) => change.commit().await?,
        }
        Ok(())
    }
}

impl Pool {
    /// Begins a change and waits for the write lock, so that what it reads stays true until it commits.
    pub(crate) async fn begin(&self, lock: Lock) -> sqlx::Result<Open> {
        Ok(match self {
            Self::Sqlite(pool, turns) => {
                let turn = turns.take().await?;
                Open::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?, Some(turn))
            }
            Self::Postgres(pool, turns) => {
                let turn = turns.take().await?;
                let mut change = pool.begin().await?;
                sqlx::query("SELECT pg_advisory_xact_lock($1)")
                    .bind(lock.number())
                    .execute(&mut *change)
                    .await?;
                Open::Postgres(change, Some(turn))
            }
        })
    }

    /// Begins to read, so that all that is read is of one moment.
    pub(crate) async fn read(&self) -> sqlx::Result<Open> {
        Ok(match self {
            Self::Sqlite(pool, _) => Open::Sqlite(pool.begin().await?, None),
            Self::Postgres(pool, _) => Open::Postgres(
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?,
                None,
            ),
        })
    }

    /// Brings what SQLite's write-ahead log holds into the file and empties the log; `false` if somebody who reads stands in
    /// the way, who is not waited for long, because nobody can write meanwhile. PostgreSQL looks after its own.
    pub(crate) async fn empty_log(&self) -> sqlx::Result<bool> {
        let Self::Sqlite(pool, turns) = self else {
            return Ok(true);
        };
        let _turn = turns.take().await?;
        let mut connection = pool.acquire().await?;
        sqlx::query("PRAGMA busy_timeout = 200")
            .execute(&mut *connection)
            .await?;
        let emptied: sqlx::Result<(i64, i64, i64)> = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)")
            .fetch_one(&mut *connection)
            .await;
        opening::wait_again(&mut connection).await?;
        Ok(emptied?.0 == 0)
    }

    /// Closes it after the questions under way.
    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite(pool, _) => pool.close().await,
            Self::Postgres(pool, _) => pool.close().await,
        }
    }
}
