//! Real services played on loopback with their odd behaviours, and the real binary driven through the whole loop:
//! scan, verify, owners, notice, revoke or contain, verify again.
//!
//! Each play keeps the state that its service would keep, so that what the program does is what it later sees.

mod desk;
mod gocd;
mod gocd_revoke;
mod posthog;
mod sentry;
mod sentry_contain;
mod server;

use desk::Desk;
use server::{Asked, Play, Said, Server};
