//! Placeholder.

/// Serving over HTTP.
pub mod serve;
/// Managing the embedded token service.
pub mod token;
