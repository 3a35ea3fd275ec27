//! The pages of `unleak serve`: who sees what, what buttons do, and how they look in a real browser. The same tests run on
//! SQLite and, with the feature `postgres-tests`, on PostgreSQL.

mod acts;
mod browser;
mod client;
mod elsewhere;
mod figures;
mod leaked;
mod leaks;
mod matrix;
mod measured;
mod organisations;
mod provider;
mod refused;
mod sign;
mod site;
