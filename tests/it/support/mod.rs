//! What several test modules need; one file for each thing.

pub(crate) mod desk; // the real binary with a configuration, searched for secrets in the end
pub(crate) mod held; // leaks made by hand, rule texts
pub(crate) mod local; // a stateful service on loopback
#[cfg(feature = "postgres-tests")]
pub(crate) mod postgres; // a PostgreSQL of the tests' own
pub(crate) mod reports; // reports made by hand
pub(crate) mod sought; // looks for secrets
pub(crate) mod tool;
pub(crate) mod tools; // the real binary, and git
