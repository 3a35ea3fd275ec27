//! What several tests need: leaks made by hand, rule texts, local services.

/// Runs the real binary.
pub(crate) mod tool;

pub(crate) mod held;
