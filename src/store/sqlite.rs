//! Opening the SQLite file: who may read it, its schema, and errors that say what to do.
//!
//! Never opens a file that a newer unleak wrote, and never with a key other than the file's own.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row, SqlitePool};

use super::seal::StoreKey;

/// In order; a file's schema version is how many of them it has seen. Published ones never change.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_leaks.sql"),
    include_str!("migrations/0002_outgoing.sql"),
];

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn connect(url: &str) -> Result<SqlitePool> {
    let Some(rest) = url.strip_prefix("sqlite:") else {
        bail!("the store must be `sqlite:PATH` or `sqlite::memory:`; this build has no other database");
    };
    let memory = rest.contains(":memory:") || rest.contains("mode=memory");
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|error| anyhow!("cannot read the store's URL {url}: {error}; write `sqlite:PATH`"))?
        .foreign_keys(true)
        .busy_timeout(PATIENCE)
        // FULL: that a request is about to leave must be on the disk before it leaves.
        .synchronous(SqliteSynchronous::Full)
        // A wiped secret is overwritten, not only unlinked.
        .pragma("secure_delete", "ON");
    let (options, connections) = if memory {
        // Each further connection, and each one after an idle time, would be an empty database of its own.
        (options, 1)
    } else {
        make_private(options.get_filename())?;
        (options.journal_mode(SqliteJournalMode::Wal), 4)
    };
    let pool_options = SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(3 * PATIENCE);
    let pool = first_connection(pool_options, options)
        .await
        .map_err(|error| explain(error, url))?;
    migrate(&pool, url).await?;
    Ok(pool)
}

/// Two processes that make the same file at once can meet in the switch to WAL, where SQLite does not wait by itself.
async fn first_connection(
    pool_options: SqlitePoolOptions,
    options: SqliteConnectOptions,
) -> sqlx::Result<SqlitePool> {
    let mut tries = 0;
    loop {
        match pool_options.clone().connect_with(options.clone()).await {
            Err(error) if tries < 20 && result_code(&error) == Some(5) => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(25 * tries)).await;
            }
            result => return result,
        }
    }
}

/// Makes the file and its folder for their owner alone. SQLite gives its side files (`-wal`, `-shm`) the same mode.
fn make_private(file: &Path) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let shown = file.display();
    if file.as_os_str().is_empty() {
        bail!("the store's URL names no file; write `sqlite:PATH`");
    }
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make the store's folder {}", folder.display()))?;
    }
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot make the store {shown}")),
    }
}

async fn migrate(pool: &SqlitePool, shown: &str) -> Result<()> {
    let explained = |error| explain(error, shown);
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.map_err(explained)?;
    sqlx::raw_sql("CREATE TABLE IF NOT EXISTS store_schema (version INTEGER NOT NULL) STRICT")
        .execute(&mut *tx)
        .await
        .map_err(explained)?;
    let version: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM store_schema")
        .fetch_one(&mut *tx)
        .await
        .map_err(explained)?;
    let seen = usize::try_from(version).unwrap_or(usize::MAX);
    if seen > MIGRATIONS.len() {
        bail!(
            "{shown} was written by a newer unleak (schema {version}, this one knows {}); use that one",
            MIGRATIONS.len()
        );
    }
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(seen) {
        let number = i64::try_from(at + 1)?;
        sqlx::raw_sql(*migration)
            .execute(&mut *tx)
            .await
            .with_context(|| format!("{shown}: migration {number} of the schema failed"))?;
        sqlx::query("INSERT INTO store_schema (version) VALUES (?)")
            .bind(number)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await.map_err(explained)
}

/// A file knows its key by a one-way mark, so that a wrong key is told at once and not at the first secret.
pub(super) async fn check_key(pool: &SqlitePool, key: &StoreKey, shown: &str) -> Result<()> {
    let mark: String = key
        .derive(b"unleak store: key mark v1")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    sqlx::query("INSERT INTO marks (name, value) VALUES ('key', ?) ON CONFLICT DO NOTHING")
        .bind(&mark)
        .execute(pool)
        .await
        .map_err(|error| explain(error, shown))?;
    let row = sqlx::query("SELECT value FROM marks WHERE name = 'key'")
        .fetch_one(pool)
        .await
        .map_err(|error| explain(error, shown))?;
    if row.try_get::<String, _>(0)? != mark {
        bail!("{shown} was made with another store key; give that key, or name another file");
    }
    Ok(())
}

/// SQLite's primary result code.
fn result_code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// SQLite's error with the file's name and the next step.
pub(super) fn explain(error: sqlx::Error, shown: &str) -> anyhow::Error {
    match result_code(&error) {
        Some(5 | 6) => anyhow!(
            "{shown} is locked by another process since {} s; wait for it, or end it, and try again",
            PATIENCE.as_secs()
        ),
        Some(8) => anyhow!("{shown} cannot be written; check its owner and mode"),
        Some(11) => anyhow!("{shown} is damaged; bring back a copy of it"),
        Some(13) => anyhow!("no space is left on the disk of {shown}; make room and try again"),
        Some(14) => anyhow!("{shown} cannot be opened; check the path, its owner and mode"),
        Some(26) => anyhow!("{shown} is not a database; name another file"),
        _ => anyhow::Error::new(error).context(format!("the store {shown} failed")),
    }
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection, Executor, SqliteConnection};

    use super::explain;

    #[tokio::test]
    async fn a_locked_file_is_called_locked() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.path().join("s.db").display());
        let mut one = SqliteConnection::connect(&url).await.unwrap();
        let mut two = SqliteConnection::connect(&url).await.unwrap();
        two.execute("PRAGMA busy_timeout = 0").await.unwrap();
        one.execute("BEGIN IMMEDIATE").await.unwrap();
        let error = two.execute("BEGIN IMMEDIATE").await.unwrap_err();
        assert!(
            explain(error, "s.db")
                .to_string()
                .contains("s.db is locked by another process")
        );
    }
}
