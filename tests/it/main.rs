//! The one integration binary.

/// Calls: where they may go, how often, what is read.
mod call;
/// Filling a call in: no value leaves its place.
mod template;
/// Verdicts and identities.
mod verify;
