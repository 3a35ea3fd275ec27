//! The embedded token service: real router on port 0, real database, a foreign HTTP client. The same tests run on SQLite
//! and, with the feature `postgres-tests` (tests/run has it on), on PostgreSQL.

mod desk;
mod measured;
#[cfg(feature = "postgres-tests")]
mod on_postgres;
mod on_sqlite;
