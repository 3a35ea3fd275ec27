//! The embedded token service: organisations issue their own tokens with it, and their owners can stop each of them.
//!
//! The scanner treats it as any other service, through `rules/unleak.toml`; only [`crate::server`] and
//! [`crate::cli`] may use this module. A token must never be stored, logged or shown after it was made: what is kept
//! is an HMAC of it and its last four characters. Nothing is ever deleted; everything that changes leaves an audit
//! line in the same transaction.

pub mod api;
pub mod audit;
mod error;
pub mod format;
mod issue;
pub mod model;
mod people;
pub mod policy;
mod presented;
pub mod review;
mod rights;
mod stop;
mod store;

pub use error::{Denied, Error, Result};
pub use issue::{Created, Holder, NewToken};
pub use presented::{Presented, Reach, Visitor};
pub use rights::{Bearer, Right};
pub use stop::{Effect, Stopped};
pub use store::{ServerKey, TokenService};
