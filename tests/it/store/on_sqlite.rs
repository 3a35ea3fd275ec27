//! The sentences, on SQLite.

#![cfg_attr(
    feature = "postgres-tests",
    expect(clippy::duplicate_mod, reason = "the same tests run on both databases")
)]

pub(super) use super::place::Place;
pub(super) use super::{held, key, leaving, owner, sighting};

use unleak::store::Store;

use super::place::Kept;

/// A fresh store.
pub(super) async fn fresh() -> (Place, Store) {
    let place = Place::new(Kept::Sqlite).await;
    let store = place.open().await;
    (place, store)
}

#[path = "keys.rs"]
mod keys;
#[path = "ledger.rs"]
mod ledger;
#[path = "life.rs"]
mod life;
#[path = "notices.rs"]
mod notices;
#[path = "races.rs"]
mod races;
#[path = "reports.rs"]
mod reports;
#[path = "tasks.rs"]
mod tasks;
