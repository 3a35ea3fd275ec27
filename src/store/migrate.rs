//! The tables: brought up to date when the store is opened, by one process at a time.
//!
//! Never touches a store that a newer unleak wrote.

use anyhow::{Context, Result, bail};
use sqlx::AssertSqlSafe;

use crate::database::{Lock, Open, Pool, explain, sql, translated};

/// In order; a store's schema version is how many of them it has seen. Published ones never change.
const MIGRATIONS: &[Migration] = &[
    Migration {
        tables: include_str!("migrations/0001_leaks.sql"),
        sqlite: include_str!("migrations/0001_leaks.sqlite.sql"),
        postgres: include_str!("migrations/0001_leaks.postgres.sql"),
    },
    Migration {
        tables: include_str!("migrations/0002_pipeline.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        tables: include_str!("migrations/0003_outgoing.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        tables: include_str!("migrations/0004_listed.sql"),
        sqlite: "",
        postgres: "",
    },
    Migration {
        tables: include_str!("migrations/0005_traces.sql"),
        sqlite: "",
        postgres: "",
    },
];

/// Tables in the words of SQLite that are translated, and what each database says in its own.
struct Migration {
    tables: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

pub(super) async fn migrate(pool: &Pool, shown: &str) -> Result<()> {
    let explained = |error| explain(error, shown);
    let mut change = pool.begin(Lock::Leaks).await.map_err(explained)?;
    run(
        &mut change,
        "CREATE TABLE IF NOT EXISTS store_schema (version INTEGER NOT NULL) STRICT;",
        "",
        "",
    )
    .await
    .map_err(explained)?;
    let (version,): (i64,) = sql("SELECT COALESCE(MAX(version), 0) FROM store_schema")
        .optional(&mut change)
        .await
        .map_err(explained)?
        .context("the store has no schema")?;
    let seen = usize::try_from(version).unwrap_or(usize::MAX);
    if seen > MIGRATIONS.len() {
        bail!(
            "{shown} was written by a newer unleak (schema {version}, this one knows {}); use that one",
            MIGRATIONS.len()
        );
    }
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(seen) {
        let number = i64::try_from(at + 1)?;
        run(
            &mut change,
            migration.tables,
            migration.sqlite,
            migration.postgres,
        )
        .await
        .with_context(|| format!("{shown}: migration {number} of the schema failed"))?;
        sql("INSERT INTO store_schema (version) VALUES ($1)")
            .bind(number)
            .run(&mut change)
            .await
            .map_err(explained)?;
    }
    change.commit().await.map_err(explained)
}

async fn run(change: &mut Open, tables: &str, sqlite: &str, postgres: &str) -> sqlx::Result<()> {
    match change {
        Open::Sqlite(change, _) => {
            let text = format!("{tables}\n{sqlite}");
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut **change).await?;
        }
        Open::Postgres(change, _) => {
            let text = format!("{}\n{postgres}", translated(tables));
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut **change).await?;
        }
    }
    Ok(())
}
