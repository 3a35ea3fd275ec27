//! What several test modules need; one file for each thing.

pub(crate) mod held; // leaks made by hand, rule texts
pub(crate) mod reports; // reports made by hand
pub(crate) mod tool; // the real binary, and git
