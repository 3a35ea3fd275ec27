//! The one integration binary.

/// Calls: where they may go, how often, what is read.
mod call;
/// A service played on loopback, for `call`, `probe` and `verify`.
mod played;
/// Made-up tokens.
mod probe;
/// No secret in logs, errors and URLs of calls.
mod secrecy;
/// Filling a call in: no value leaves its place.
mod template;
/// Verdicts and identities.
mod verify;
