//! The embedded token service: real router on port 0, real database, a foreign HTTP client. The same tests run on SQLite
//! and on PostgreSQL.

mod desk;
mod measured;
mod on_postgres;
mod on_sqlite;
mod postgres;
