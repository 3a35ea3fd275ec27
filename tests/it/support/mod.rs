//! What several tests need: leaks made by hand, rule texts, local services.

pub(crate) mod held;
