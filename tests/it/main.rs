//! Everything together, as one binary: real databases, real servers on loopback, real git.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on must panic, also outside its own function"
)]

// What owners are told, by real SMTP and HTTP on loopback.
mod notify;
// What may be done about a leak: the table of decisions.
mod policy;
// What is remembered, in real SQLite files.
mod store;
