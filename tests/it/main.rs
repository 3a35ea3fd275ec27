//! Everything together, as one binary: real databases, real servers on loopback, real git.

// What owners are told, by real SMTP and HTTP on loopback.
mod notify;
// What may be done about a leak: the table of decisions.
mod policy;
// What is remembered, in real SQLite files.
mod store;
