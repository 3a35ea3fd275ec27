//! What may go wrong on the way to a page, as its visitor hears it. What was sent is never repeated.

use axum::http::StatusCode;

use crate::token_service::Error;

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody is signed in.
    SignIn,
    /// There is none, or it is none of the visitor's business: the two are never told apart.
    NotFound(&'static str),
    /// The visitor may see it and not do this.
    Forbidden(String),
    /// What was sent makes no sense; the text says what to change.
    Bad(String),
    /// It cannot be done as things stand.
    Conflict(String),
    /// Too often; seconds until it may be tried again.
    TooMany(u64),
    /// A store does not answer, or the server failed.
    NotNow,
}

impl Trouble {
    /// Its status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::NotNow => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Its title.
    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::SignIn => "Sign in",
            Self::NotFound(_) => "Not found",
            Self::Forbidden(_) => "Not allowed",
            Self::Bad(_) => "That cannot be read",
            Self::Conflict(_) => "That cannot be done now",
            Self::TooMany(_) => "Too often",
            Self::NotNow => "Not available",
        }
    }

    /// What happened, with the next step.
    pub(super) fn told(&self) -> String {
        match self {
            Self::SignIn => "Nobody is signed in.".to_owned(),
            Self::NotFound(what) => format!(
                "There is no such {what}, or it belongs to an organisation that you are not a member of."
            ),
            Self::Forbidden(why) | Self::Bad(why) | Self::Conflict(why) => why.clone(),
            Self::TooMany(seconds) => format!("Try again in {seconds} seconds."),
            Self::NotNow => {
                "The store does not answer, so nothing is known and nothing was changed. Try again in a minute; the log \
                 of the server says more."
                    .to_owned()
            }
        }
    }
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        tracing::error!("a page could not be made: {error:#}");
        Self::NotNow
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let told = sentence(&error.to_string());
        match error {
            Error::Invalid(_) => Self::Bad(told),
            Error::Conflict(_) => Self::Conflict(told),
            Error::Forbidden(_) | Error::MissingScope(_) => Self::Forbidden(told),
            Error::NotFound(what) => Self::NotFound(what),
            Error::Denied(_) => Self::SignIn,
            Error::Store(_) | Error::Random(_) | Error::OldKey => {
                tracing::error!(error = told, "a page could not be made");
                Self::NotNow
            }
        }
    }
}

/// With a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.trim().chars();
    let mut sentence: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    sentence.extend(chars);
    if !sentence.ends_with(['.', '!', '?']) {
        sentence.push('.');
    }
    sentence
}
