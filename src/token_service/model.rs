//! What the token service knows: organisations, users, members, projects, tokens. Rows, without behaviour of their own.

use std::fmt;

use sqlx::FromRow;

use crate::token_service::error::{Denied, Error};
use crate::token_service::format::TokenKind;
use crate::token_service::policy::OrganisationPolicy;

/// A moment in whole seconds since 1970 UTC; written as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
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
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type, serde::Serialize, serde::Deserialize,
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

/// Scopes, sorted, each once; written with spaces between them as in RFC 6749.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Takes names of lower-case letters, digits and `: . _ - *`; at most 64 scopes of at most 64 characters.
    pub fn new<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let mut scopes: Vec<String> = Vec::new();
        for name in names {
            let name = name.as_ref();
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b":._-*".contains(&b);
            if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
                return Err(Error::invalid(format!(
                    "{name:?} is no scope; one is written as members:read, in lower-case letters, digits and : . _ - *"
                )));
            }
            scopes.push(name.to_owned());
        }
        scopes.sort();
        scopes.dedup();
        if scopes.len() > 64 {
            return Err(Error::invalid("a token has at most 64 scopes"));
        }
        Ok(Self(scopes))
    }

    /// Whether this very scope is among them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|scope| scope == name)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl<'de> serde::Deserialize<'de> for Scopes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::<String>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<DB: sqlx::Database> sqlx::Type<DB> for Scopes
where
    str: sqlx::Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <str as sqlx::Type<DB>>::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        <str as sqlx::Type<DB>>::compatible(ty)
    }
}

impl<'r, DB: sqlx::Database> sqlx::Decode<'r, DB> for Scopes
where
    &'r str: sqlx::Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let text = <&str as sqlx::Decode<DB>>::decode(value)?;
        Ok(Self::new(text.split_ascii_whitespace())?)
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
#[derive(Clone, Debug, FromRow, serde::Serialize)]
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
    /// Whether the person is active, of a user token.
    pub active: Option<bool>,
    /// The project's slug, of a project token.
    pub project: Option<String>,
    /// The organisation's key, of a project or organisation token.
    pub organisation_id: Option<String>,
    /// What it is for.
    pub description: String,
    /// Why it must reach the whole organisation, of an organisation token.
    pub reason: Option<String>,
    /// What it may do.
    pub scopes: Scopes,
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
        } else if self.active == Some(false) {
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

    /// Who holds it, for people: a login, a project, or the word for the whole organisation.
    pub fn holder(&self) -> String {
        match (&self.login, &self.project) {
            (Some(login), _) => format!("user {login}"),
            (None, Some(project)) => format!("project {project}"),
            (None, None) => "the organisation".to_owned(),
        }
    }
}
