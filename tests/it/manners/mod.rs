//! How services are asked: to where never, how often, and what is not asked twice.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

mod answers; // what an earlier run was told
mod instance; // self-hosted instances and their credentials
mod many; // a thousand secrets, ten thousand sightings
mod nowhere; // addresses that no call reaches
