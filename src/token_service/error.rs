//! What may go wrong in the token service, as the doors need to tell it apart.

use crate::database::HoldsNul;

/// Result of the token service.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a presented token is not accepted. Its text is `error_description` of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Never issued here, or not even written as a token.
    #[error("unknown token")]
    Unknown,
    /// It was revoked.
    #[error("revoked")]
    Revoked,
    /// Its time is over.
    #[error("expired")]
    Expired,
    /// The person it belongs to was deactivated.
    #[error("owner disabled")]
    OwnerDisabled,
}

/// What may go wrong; no variant ever holds a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request makes no sense as it stands; the text says what to change.
    #[error("{0}")]
    Invalid(String),
    /// What is asked for is there already, or was asked for otherwise.
    #[error("{0}")]
    Conflict(String),
    /// The presented token is not accepted.
    #[error("{0}")]
    Denied(#[from] Denied),
    /// The caller is known and may not do this; the text says why.
    #[error("{0}")]
    Forbidden(String),
    /// The caller's token lacks this scope.
    #[error("this token lacks the scope {0}")]
    MissingScope(String),
    /// There is none, or it is none of the caller's business: the two are never told apart.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The database did not answer; nothing is known about any token.
    #[error("the token store failed: {0}")]
    Store(#[source] sqlx::Error),
    /// Tokens are hashed under a key that came after this server started; what it cannot find may be there.
    #[error("this server was started without the newest server key; start it again with it")]
    OldKey,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Encode(told) if told.is::<HoldsNul>() => Self::Invalid(told.to_string()),
            other => Self::Store(other),
        }
    }
}

impl Error {
    /// An [`Error::Invalid`].
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }

    /// Turns "this row is already there" into a sentence; any other failure stays what it is.
    pub(crate) fn taken(self, text: impl FnOnce() -> String) -> Self {
        match &self {
            Self::Store(sqlx::Error::Database(database)) if database.is_unique_violation() => {
                Self::Conflict(text())
            }
            _ => self,
        }
    }
}
