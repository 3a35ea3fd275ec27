//! Placeholder.
#[allow(missing_docs)]
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub struct Settings {}
