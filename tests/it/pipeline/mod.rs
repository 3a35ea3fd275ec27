//! The durable pipeline: the real `unleak serve` as a process, a real database, a played service, an outbox; killed,
//! stopped, starved of its disk and its database. The same tests run on SQLite and, with the feature `postgres-tests`, on
//! PostgreSQL.

mod command_line;
mod faults;
#[cfg(feature = "kill-points")]
mod kill;
mod machine;
mod measured;
mod outbox;
mod reporter;
mod traces;
mod work;
