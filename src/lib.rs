//! unleak finds leaked tokens, proves which are alive, tells the people who can act, and kills them.
//!
//! # The codemap
//! A secret walks through the program in one direction, and the modules are the stations of that walk:
//!
//! | station | what it is |
//! |---|---|
//! | [`secret`], [`finding`], [`leak`], [`trace`] | the words |
//! | [`rule`] | what is known about services, as data |
//! | [`source`] | where bytes come from |
//! | [`scan`] | bytes in, findings out, on all cores |
//! | [`call`] | one request of a rule file, sent safely and read |
//! | [`verify`] | is it alive, whose is it |
//! | [`owner`] | who must hear |
//! | [`policy`] | what may be done |
//! | [`notify`] | telling them |
//! | [`contain`], [`revoke`] | ending it, and proving it ended |
//! | [`report`] | a scan as text, JSON or SARIF |
//! | [`database`] | SQLite and PostgreSQL with one face |
//! | [`store`] | what is remembered, and the ledger |
//! | [`respond`] | the life of one leak |
//! | [`token_service`] | the embedded token service |
//! | [`config`], [`server`], [`cli`] | the doors |
//!
//! Arrows go up this table only; `tests/it/layers.rs` holds them as a table. Up to `scan` everything is synchronous
//! and knows nothing of services; from [`verify`] on everything is async and may fail; the line between is
//! [`finding::Finding`]. Nothing is revoked without a `policy::Order`.

pub mod call;
pub mod cli;
pub mod config;
pub mod contain;
pub mod database;
pub mod finding;
pub mod leak;
pub mod notify;
pub mod owner;
pub mod policy;
pub mod report;
pub mod respond;
pub mod revoke;
pub mod rule;
pub mod scan;
pub mod secret;
pub mod server;
pub mod source;
pub mod store;
pub mod token_service;
pub mod trace;
pub mod verify;
