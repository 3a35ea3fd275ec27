//! How a run ends, for the shell.

/// Exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Nothing found.
    Clean = 0,
    /// Leaks found.
    Leaks = 1,
    /// Wrong use or configuration.
    Usage = 2,
    /// Not everything was scanned.
    Incomplete = 3,
}
