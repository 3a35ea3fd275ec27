//! Placeholder.

pub mod line_hash;
