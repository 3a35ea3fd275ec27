//! The doors for reports of leaks: the real router on a real socket, a real store, real signatures, a key endpoint that
//! is played.

mod bytes;
mod counted;
mod desk;
mod github;
mod hostile;
mod keys;
mod odd;
#[cfg(feature = "postgres-tests")]
mod on_postgres;
mod others;
mod report_to;
mod reporter;
mod stores;
mod webhook;
mod whole;
