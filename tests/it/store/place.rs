//! Where a store of the tests is, on either database.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;
use unleak::store::Store;

use super::key;

/// Which database.
#[derive(Clone, Copy)]
pub(super) enum Kept {
    Sqlite,
    #[cfg(feature = "postgres-tests")]
    Postgres,
}

/// A place for one store, until the test ends.
pub(super) struct Place {
    _folder: TempDir,
    pub(super) url: String,
    pub(super) kept: Kept,
}

impl Place {
    pub(super) async fn new(kept: Kept) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match kept {
            Kept::Sqlite => format!("sqlite:{}", folder.path().join("store.db").display()),
            #[cfg(feature = "postgres-tests")]
            Kept::Postgres => crate::support::postgres::new_database().await,
        };
        Self {
            _folder: folder,
            url,
            kept,
        }
    }

    /// Opens the store: as another process would, if it is open already.
    pub(super) async fn open(&self) -> Store {
        Store::open(&self.url, &key()).await.unwrap()
    }

    /// Lets nobody change anything for as long as what comes back lives.
    pub(super) async fn locked(&self) -> Box<dyn std::any::Any + Send> {
        if self.url.starts_with("sqlite:") {
            let mut raw = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut raw).await.unwrap();
            Box::new(raw)
        } else {
            let mut raw = sqlx::PgConnection::connect(&self.url).await.unwrap();
            let lock = "SELECT pg_advisory_lock(129082710188396)";
            sqlx::raw_sql(lock).execute(&mut raw).await.unwrap();
            Box::new(raw)
        }
    }

    /// Does something behind the store's back; whether the database let it.
    pub(super) async fn behind(&self, sql: &str) -> bool {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.url.starts_with("sqlite:") {
            let mut raw = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut raw).await.is_ok()
        } else {
            let mut raw = sqlx::PgConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut raw).await.is_ok()
        }
    }
}
