//! The sentences, on SQLite.

#![cfg_attr(
    feature = "postgres-tests",
    expect(clippy::duplicate_mod, reason = "the same tests run on both databases")
)]

pub(super) use super::desk::{Answer, Desk, Held, KEY, Shared, by, client, operator, serve, slugs};

use super::desk::Kept;

/// A fresh server.
pub(super) async fn desk() -> Desk {
    Desk::open_on(Kept::Sqlite).await
}

#[path = "at_rest.rs"]
mod at_rest;
#[path = "audit.rs"]
mod audit;
#[path = "check.rs"]
mod check;
#[path = "command_line.rs"]
mod command_line;
#[path = "configured.rs"]
mod configured;
#[path = "keys.rs"]
mod keys;
#[path = "life.rs"]
mod life;
#[path = "limits.rs"]
mod limits;
#[path = "manage.rs"]
mod manage;
#[path = "oauth.rs"]
mod oauth;
#[path = "owners.rs"]
mod owners;
#[path = "people.rs"]
mod people;
#[path = "policy.rs"]
mod policy;
#[path = "review.rs"]
mod review;
