//! The embedded token service: organisations issue their own tokens with it, and their owners can stop each of them.
//!
//! The scanner treats it as any other service, through `rules/unleak.toml`; only [`crate::server`], [`crate::cli`] and
//! [`crate::config`], which reads its settings, may use this module. A token must never be stored, logged or shown after it was made: what is kept
//! is an HMAC of it and its last four characters. Nothing is ever deleted; everything that changes leaves an audit
//! line in the same transaction.

pub mod api;
mod ask;
pub mod audit;
mod check;
mod elsewhere;
mod error;
pub mod format;
mod identity;
mod impact;
mod issue;
mod keys;
pub mod model;
mod organisation;
mod people;
pub mod policy;
mod presented;
pub mod preset;
pub mod review;
mod rights;
mod scopes;
mod seldom;
mod session;
mod settings;
mod stop;
mod store;
mod uses;
mod visitors;

pub use ask::Wish;
pub use check::Use;
pub use elsewhere::{BACK_WITHIN, Begun, Somebody, Ties, Vouched};
pub use error::{Denied, Error, Result};
pub use identity::ServiceIdentity;
pub use impact::{IMPACT_DAYS, Impact, Stops};
pub use issue::{Created, Fresh, Holder, IdempotencyKey, Making, NewToken};
pub use keys::{KeyRing, ServerKey};
pub use presented::{Presented, Reach};
pub use rights::{Bearer, Operator, Right};
pub use session::{SessionTimes, SignedIn};
pub use settings::{Limits, ReviewSettings, Settings};
pub use stop::{Effect, Stopped};
pub use store::{KnownKey, TokenService};
pub use visitors::{Cursor, Page, Visitor};
