//! The one integration binary.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on says where, and stops"
)]

/// Calls: where they may go, how often, what is read.
mod call;
/// Finding owners, asked of local services and read from CODEOWNERS.
mod owner;
/// The ways to end a token, against local services that refuse, delay and lie.
mod revoke;
/// What several test modules need.
mod support;
/// Filling a call in: no value leaves its place.
mod template;
/// Verdicts and identities.
mod verify;
