//! What several test modules need; one file per thing.

pub(crate) mod reports;
