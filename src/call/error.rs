//! Why a call has no reply. A message never holds a secret, nor a URL that could carry one.

use std::time::Duration;

use jiff::Timestamp;

/// Why a call has no reply; each message says the next step where there is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The request needs a value that is not known.
    #[error("{}", missing(.name, .service))]
    MissingValue {
        /// Its name in the request.
        name: String,
        /// The service's name in the configuration.
        service: String,
    },
    /// Neither the rule file nor the configuration names a base URL.
    #[error("no base URL is configured: set services.{service}.bases")]
    NoBase {
        /// The service's name in the configuration.
        service: String,
    },
    /// The guard refused: a host that is not trusted, an address that is not public, a value that would change what
    /// the request means. Nothing was sent.
    #[error("{0}")]
    Forbidden(String),
    /// The rule file's request cannot be used. Nothing was sent.
    #[error("the rule file's request cannot be used: {0}")]
    Invalid(String),
    /// No connection. Nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The request may have arrived, and its answer was lost.
    #[error("{0}")]
    Network(String),
    /// The reply is larger than is read.
    #[error("the reply has more than {limit} bytes")]
    TooLarge {
        /// Bytes that are read of one reply.
        limit: usize,
    },
    /// The service asks to wait longer than we do, or did so a moment ago.
    #[error("{}", limited(*.retry_after))]
    RateLimited {
        /// How long, if it says.
        retry_after: Option<Duration>,
    },
}

impl CallError {
    /// Its kind in one word, for instruments.
    pub fn name(&self) -> &'static str {
        match self {
            Self::MissingValue { .. } => "missing-value",
            Self::NoBase { .. } => "no-base",
            Self::Forbidden(_) => "forbidden",
            Self::Invalid(_) => "invalid",
            Self::Unreachable(_) => "unreachable",
            Self::Network(_) => "network",
            Self::TooLarge { .. } => "too-large",
            Self::RateLimited { .. } => "rate-limited",
        }
    }

    /// Whether the service may have acted on the request.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Self::Network(_) | Self::TooLarge { .. } => true,
            Self::MissingValue { .. }
            | Self::NoBase { .. }
            | Self::Forbidden(_)
            | Self::Invalid(_)
            | Self::Unreachable(_)
            | Self::RateLimited { .. } => false,
        }
    }
}

impl CallError {
    /// Whether the same request may go well another time, with nothing changed here.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Network(_) | Self::Unreachable(_) | Self::RateLimited { .. } => true,
            Self::MissingValue { .. }
            | Self::NoBase { .. }
            | Self::Forbidden(_)
            | Self::Invalid(_)
            | Self::TooLarge { .. } => false,
        }
    }
}

fn missing(name: &str, service: &str) -> String {
    match name {
        "secret" => "the secret is not text and cannot be sent".to_owned(),
        "operator" => {
            format!("the operator's credential is not configured: set services.{service}.credential")
        }
        "organisation" => {
            format!("the organisation is not known: set services.{service}.organisations")
        }
        "base" | "region" => format!("no base URL is known: set services.{service}.bases"),
        "principal" | "email" => format!("the service did not tell whose token it is ({name})"),
        _ if let Some(other) = name.strip_prefix("operator-") => {
            format!(
                "a credential of the operator's is not configured: set services.{service}.credentials.{other}"
            )
        }
        _ => format!("no value is known for {{{name}}}: set services.{service}.values.{name}"),
    }
}

fn limited(retry_after: Option<Duration>) -> String {
    let when = retry_after
        .and_then(|wait| Timestamp::now().checked_add(wait).ok())
        .and_then(|at| at.round(jiff::Unit::Second).ok());
    match when {
        Some(at) => format!("rate limited: ask again after {at}"),
        None => "rate limited: ask again later".to_owned(),
    }
}
