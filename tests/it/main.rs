//! The integration tests: one binary, one module for each station or door.

/// Git: history, index, ranges.
mod history;
/// Files, folders, standard input.
mod scan;
/// What the tests share.
mod support;
