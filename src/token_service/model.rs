//! What the token service knows: organisations, users, members, projects, tokens. Rows, without behaviour of their own.

use std::fmt;

use sqlx::FromRow;

use crate::database::Value;
use crate::token_service::error::{Denied, Error};
use crate::token_service::format::TokenKind;
use crate::token_service::policy::OrganisationPolicy;
pub use crate::token_service::scopes::{Access, Scopes};

/// A moment in whole seconds since 1970 UTC; written as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type, utoipa::ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = String, format = DateTime)]
pub struct Time(i64);

/// Seconds of a day.
const DAY: i64 = 86_400;

impl Time {
    /// Now.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_second())
    }

    /// From seconds since 1970 UTC.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since 1970 UTC.
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// So many days later, or earlier if negative.
    pub fn plus_days(self, days: i64) -> Self {
        self.plus_seconds(days.saturating_mul(DAY))
    }

    /// So many seconds later, or earlier if negative.
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
}

impl From<Time> for Value {
    fn from(time: Time) -> Self {
        Self::Number(Some(time.seconds()))
    }
}

impl From<Option<Time>> for Value {
    fn from(time: Option<Time>) -> Self {
        Self::Number(time.map(Time::seconds))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "{} seconds since 1970", self.0),
        }
    }
}

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a member may do in an organisation; a later one includes the earlier ones.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    sqlx::Type,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Works with it.
    Member,
    /// Sees its members and tokens.
    Admin,
    /// Decides what reaches it.
    Owner,
}

impl Role {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        [Self::Member, Self::Admin, Self::Owner]
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or_else(|| Error::invalid(format!("{name:?} is no role; there are owner, admin and member")))
    }
}

/// An organisation with its policy.
#[derive(Clone, Debug, FromRow)]
pub struct Organisation {
    /// Key of the row.
    pub id: String,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// When it was deleted: since then no token reaches it. It is kept all the same.
    pub ended_at: Option<Time>,
    /// Which tokens it lets in.
    #[sqlx(flatten)]
    pub policy: OrganisationPolicy,
}

/// A person.
#[derive(Clone, Debug, FromRow)]
pub struct User {
    /// Key of the row.
    pub id: String,
    /// Short unique name.
    pub login: String,
    /// Address for mail.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// Whether the person may still do anything here.
    pub active: bool,
}

/// A person with the role in one organisation.
#[derive(Clone, Debug, FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct Member {
    /// Short unique name.
    pub login: String,
    /// Name for people.
    pub name: String,
    /// Address for mail.
    pub email: String,
    /// What the person may do there.
    pub role: Role,
    /// Whether the person may still do anything here.
    #[serde(skip)]
    pub active: bool,
}

/// A project of an organisation.
#[derive(Clone, Debug, FromRow)]
pub struct Project {
    /// Key of the row.
    pub id: String,
    /// The organisation's key.
    pub organisation_id: String,
    /// Its name in URLs, unique in its organisation.
    pub slug: String,
    /// Its name for people.
    pub name: String,
}

/// Everything that is kept of a token but its hash.
#[derive(Clone, Debug, FromRow)]
pub struct Token {
    /// Its name everywhere after it was made.
    pub id: String,
    /// To whom it belongs.
    pub kind: TokenKind,
    /// The last four characters.
    pub last_four: String,
    /// The person's key, of a user token.
    pub user_id: Option<String>,
    /// The person's login, of a user token.
    pub login: Option<String>,
    /// The person's address, of a user token.
    pub email: Option<String>,
    /// The person's name, of a user token.
    pub user_name: Option<String>,
    /// Whether the person or service identity behind it is active, where there is one.
    pub active: Option<bool>,
    /// The service identity's slug, of a project or organisation token that was made for one.
    pub identity: Option<String>,
    /// The project's key, of a project token.
    pub project_id: Option<String>,
    /// The project's slug, of a project token.
    pub project: Option<String>,
    /// The organisation's key, of a project or organisation token.
    pub organisation_id: Option<String>,
    /// The organisation's slug, of a project or organisation token.
    pub organisation: Option<String>,
    /// When that organisation was deleted.
    pub organisation_ended_at: Option<Time>,
    /// What it is for.
    pub description: String,
    /// Why it must reach the whole organisation, of an organisation token.
    pub reason: Option<String>,
    /// What it may do.
    pub scopes: Scopes,
    /// The preset that it was made by.
    pub preset: Option<String>,
    /// When it was made.
    pub created_at: Time,
    /// By whom.
    pub created_by: String,
    /// When it ends by itself.
    pub expires_at: Option<Time>,
    /// When it was last seen, to about a minute.
    pub last_used_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
    /// By whom.
    pub revoked_by: Option<String>,
    /// Why.
    pub revoked_cause: Option<String>,
}

impl Token {
    /// Why it is not accepted anywhere any more; `None` while it lives.
    pub fn ended(&self, now: Time) -> Option<Denied> {
        if self.revoked_at.is_some() {
            Some(Denied::Revoked)
        } else if self.active == Some(false) || self.organisation_ended_at.is_some() {
            Some(Denied::OwnerDisabled)
        } else if self.expires_at.is_some_and(|end| end <= now) {
            Some(Denied::Expired)
        } else {
            None
        }
    }

    /// The public part: prefix and last four.
    pub fn shown(&self) -> String {
        format!("{}…{}", self.kind.prefix(), self.last_four)
    }

    /// Who holds it, for people and for the audit log: a login, a service identity, a project, or the organisation.
    pub fn holder(&self) -> String {
        if let Some(login) = &self.login {
            return format!("user {login}");
        }
        let organisation = self.organisation.as_deref().unwrap_or("the organisation");
        match (&self.identity, &self.project) {
            (Some(identity), _) => format!("service {identity} of {organisation}"),
            (None, Some(project)) => format!("project {project} of {organisation}"),
            (None, None) => format!("organisation {organisation}"),
        }
    }
}
