//! One face for the two databases: SQLite, and PostgreSQL where several servers share their tokens.
//!
//! All SQL of this module is written once, in the words that both understand, and leaves through [`Ask`]. A change
//! begins by taking the one write lock, so that changes queue up instead of failing. Nothing here knows a table.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sqlx::migrate::{Migration, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{Arguments as _, FromRow, Postgres, SqlSafeStr, Sqlite, Transaction};

use crate::token_service::error::{Error, Result};
use crate::token_service::model::Time;

/// How long to wait for a connection, or for another process's change.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections to PostgreSQL that one server holds at most.
const CONNECTIONS: u32 = 16;
/// The name of the write lock in PostgreSQL: "unleak" in ASCII.
const WRITE_LOCK: &str = "SELECT pg_advisory_xact_lock(129082710188395)";

/// A database, by its kind; cheap to clone.
#[derive(Clone, Debug)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A change under way; dropped without `commit` it never happened.
pub(super) enum Open {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Where a statement runs.
pub(super) enum On<'a> {
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
pub(super) trait Row:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Row for T {}

/// A value on its way into a statement; an absent one keeps its type, which PostgreSQL asks for.
pub(super) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Truth(bool),
    Bytes(Vec<u8>),
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
    Time => |value| Self::Number(Some(value.seconds()));
    Option<Time> => |value| Self::Number(value.map(Time::seconds));
    bool => |value| Self::Truth(value);
    Vec<u8> => |value| Self::Bytes(value);
    &[u8] => |value| Self::Bytes(value.to_vec());
    [u8; 32] => |value| Self::Bytes(value.to_vec());
}

/// A statement with its values, `$1` first.
pub(super) struct Ask {
    sql: &'static str,
    values: Vec<Value>,
}

/// Begins a statement.
pub(super) fn sql(sql: &'static str) -> Ask {
    Ask {
        sql,
        values: Vec::new(),
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
            On::Pool(Pool::Sqlite($on_it)) => {
                let $query = sqlx::$with($self.sql, arguments!($self.values, sqlx::sqlite::SqliteArguments));
                $done
            }
            On::Pool(Pool::Postgres($on_it)) => {
                let $query = sqlx::$with($self.sql, arguments!($self.values, sqlx::postgres::PgArguments));
                $done
            }
            On::Change(Open::Sqlite(change)) => {
                let $on_it = &mut **change;
                let $query = sqlx::$with($self.sql, arguments!($self.values, sqlx::sqlite::SqliteArguments));
                $done
            }
            On::Change(Open::Postgres(change)) => {
                let $on_it = &mut **change;
                let $query = sqlx::$with($self.sql, arguments!($self.values, sqlx::postgres::PgArguments));
                $done
            }
        }
    }};
}

impl Ask {
    /// Gives the next value.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// No text that we keep or look for holds a NUL, which PostgreSQL could not even be asked about.
    fn check(&self) -> Result<()> {
        let holds_nul = |value: &Value| matches!(value, Value::Text(Some(text)) if text.contains('\0'));
        if self.values.iter().any(holds_nul) {
            return Err(Error::invalid("a text holds the character NUL; leave it out"));
        }
        Ok(())
    }

    /// Every row.
    pub(super) async fn all<'a, T: Row>(self, on: impl Into<On<'a>>) -> Result<Vec<T>> {
        Ok(run!(self, on, query_as_with, |query, it| query
            .fetch_all(it)
            .await?))
    }

    /// The row, if there is one.
    pub(super) async fn optional<'a, T: Row>(self, on: impl Into<On<'a>>) -> Result<Option<T>> {
        Ok(run!(self, on, query_as_with, |query, it| query
            .fetch_optional(it)
            .await?))
    }

    /// Changes rows, and says how many.
    pub(super) async fn run<'a>(self, on: impl Into<On<'a>>) -> Result<u64> {
        Ok(run!(self, on, query_with, |query, it| query
            .execute(it)
            .await?
            .rows_affected()))
    }
}

impl Open {
    /// Makes the change last.
    pub(super) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(change) => change.commit().await?,
            Self::Postgres(change) => change.commit().await?,
        }
        Ok(())
    }
}

impl Pool {
    /// Connects, and brings the tables up to date.
    pub(super) async fn open(url: &str) -> anyhow::Result<Self> {
        let shown = shown(url);
        let pool = match url.split_once(':') {
            Some(("sqlite", _)) => Self::Sqlite(sqlite(url).await?),
            Some(("postgres" | "postgresql", _)) => Self::Postgres(postgres(url).await?),
            _ => bail!(
                "the token store is a URL as sqlite:///var/lib/unleak/tokens.db or postgres://user@host/unleak; \
                 other databases are not built in"
            ),
        };
        let migrated = match &pool {
            Self::Sqlite(pool) => migrations(false).run(pool).await,
            Self::Postgres(pool) => migrations(true).run(pool).await,
        };
        migrated.with_context(|| format!("cannot bring the tables of {shown} up to date"))?;
        Ok(pool)
    }

    /// Begins a change and waits for the write lock.
    pub(super) async fn begin(&self) -> Result<Open> {
        Ok(match self {
            Self::Sqlite(pool) => Open::Sqlite(pool.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => {
                let mut change = pool.begin().await?;
                sqlx::query(WRITE_LOCK).execute(&mut *change).await?;
                Open::Postgres(change)
            }
        })
    }

    /// Closes it after the questions under way.
    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// The URL without what may be a password, for messages.
pub(super) fn shown(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(parsed) if parsed.password().is_some() || parsed.query().is_some() => {
            let host = parsed.host_str().unwrap_or_default();
            format!("{}://{host}{}", parsed.scheme(), parsed.path())
        }
        _ => url.to_owned(),
    }
}

/// The tables, as one list for both: what PostgreSQL calls otherwise is said its way.
fn migrations(postgres: bool) -> Migrator {
    let mut migrator = sqlx::migrate!("src/token_service/migrations");
    // the leaks of `store` may live in the same database and count their own migrations
    migrator.dangerous_set_table_name("token_service_migrations");
    if postgres {
        let translated = migrator.migrations.iter().map(|migration| {
            // bytes are compared as bytes in both, whatever language the database speaks
            let text = migration
                .sql
                .as_str()
                .replace(" BLOB", " BYTEA")
                .replace(" TEXT", " TEXT COLLATE \"C\"");
            Migration::new(
                migration.version,
                migration.description.clone(),
                migration.migration_type,
                SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(text)),
                migration.no_tx,
            )
        });
        migrator.migrations = translated.collect();
    }
    migrator
}

async fn postgres(url: &str) -> anyhow::Result<PgPool> {
    let shown = shown(url);
    // the driver's error may repeat the URL, and with it a password
    let options = PgConnectOptions::from_str(url)
        .ok()
        .with_context(|| format!("{shown} is not a PostgreSQL URL, as postgres://user@host/unleak"))?;
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await
        .with_context(|| {
            format!(
                "cannot open the token store {shown}; see whether PostgreSQL runs there and has the database, and \
                 whether ~/.pgpass or PGPASSWORD has the user's password"
            )
        })
}

async fn sqlite(url: &str) -> anyhow::Result<SqlitePool> {
    let options = SqliteConnectOptions::from_str(url)
        .with_context(|| format!("{url} is not an SQLite URL, as sqlite:///var/lib/unleak/tokens.db"))?;
    let in_memory = url.contains(":memory:") || url.contains("mode=memory");
    let path = options.get_filename().to_owned();
    if !in_memory && !path.exists() {
        new_private_file(&path).with_context(|| format!("cannot make the token store {}", path.display()))?;
    }
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        // a revocation that was answered must survive a power cut
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(PATIENCE);
    SqlitePoolOptions::new()
        .max_connections(if in_memory { 1 } else { 4 })
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await
        .with_context(|| format!("cannot open the token store {url}"))
}

/// Makes a file that only its owner may read; somebody else's file of the same name is never taken over.
pub(super) fn new_private_file(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // another process made it first: the caller reads or opens what is there
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::OpenOptions::new().append(true).open(path)
        }
        made => made,
    }
}
