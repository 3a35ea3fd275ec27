//! Scopes: what a token may do, and whether that is reading or writing.

use std::fmt;

use crate::token_service::error::Error;

/// Whether a token reads, writes, or both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It changes nothing.
    ReadOnly,
    /// It sees nothing, as an SDK that only sends events.
    WriteOnly,
    /// Both, or a scope whose name does not say.
    Mixed,
}

impl Access {
    /// The words for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::WriteOnly => "write-only",
            Self::Mixed => "mixed",
        }
    }
}

impl std::str::FromStr for Access {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        [Self::ReadOnly, Self::WriteOnly, Self::Mixed]
            .into_iter()
            .find(|access| access.name() == name)
            .ok_or_else(|| Error::invalid(format!("{name:?} is none of read-only, write-only and mixed")))
    }
}

/// What the last word of a scope says.
fn access(scope: &str) -> Access {
    match scope.rsplit([':', '.']).next() {
        Some("read" | "list" | "view") => Access::ReadOnly,
        Some("write" | "create" | "update" | "delete" | "revoke" | "send" | "ingest") => Access::WriteOnly,
        _ => Access::Mixed,
    }
}

fn is_admin(scope: &str) -> bool {
    scope.contains('*') || scope.split([':', '.']).any(|word| word == "admin")
}

/// Scopes, sorted, each once; written with spaces between them as in RFC 6749.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(value_type = Vec<String>, example = json!(["events:write"]))]
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

    /// Scopes that were seen in use, the first 64 of them: more than one token can have, if it has a wildcard.
    pub(super) fn seen(names: impl IntoIterator<Item = String>) -> Self {
        let names: std::collections::BTreeSet<String> = names.into_iter().collect();
        Self(names.into_iter().take(64).collect())
    }

    /// Whether this very scope is among them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|scope| scope == name)
    }

    /// Whether they allow this scope: it is among them, or a wildcard as `events:*` covers it.
    pub fn allow(&self, name: &str) -> bool {
        self.0.iter().any(|scope| {
            let covered = scope
                .strip_suffix('*')
                .filter(|rest| rest.is_empty() || rest.ends_with(':'));
            scope == name || covered.is_some_and(|rest| name.starts_with(rest))
        })
    }

    /// Whether they allow nothing that these do not.
    pub fn within(&self, wider: &Self) -> Result<(), &str> {
        match self.iter().find(|scope| !wider.allow(scope)) {
            Some(scope) => Err(scope),
            None => Ok(()),
        }
    }

    /// The first one that gives rights over an organisation rather than a use of it.
    pub fn admin(&self) -> Option<&str> {
        self.iter().find(|scope| is_admin(scope))
    }

    /// Whether they read, write, or both.
    pub fn access(&self) -> Access {
        let mut kinds = self.iter().map(access);
        let Some(first) = kinds.next() else {
            return Access::ReadOnly;
        };
        if kinds.all(|kind| kind == first) {
            first
        } else {
            Access::Mixed
        }
    }

    /// Takes out those that do not fit.
    pub(super) fn retain(&mut self, fits: impl Fn(&str) -> bool) {
        self.0.retain(|scope| fits(scope));
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

#[cfg(test)]
mod tests {
    use super::{Access, Scopes};

    fn scopes(names: &[&str]) -> Scopes {
        Scopes::new(names).unwrap()
    }

    #[test]
    fn reading_writing_and_both_are_told_apart() {
        for (names, access) in [
            (&["members:read", "tokens:read"][..], Access::ReadOnly),
            (&["events:write"], Access::WriteOnly),
            (&["events:write", "members:read"], Access::Mixed),
            (&["admin"], Access::Mixed),
            (&["events:*"], Access::Mixed),
        ] {
            assert_eq!(scopes(names).access(), access, "{names:?}");
        }
    }

    #[test]
    fn a_wildcard_covers_what_follows_its_colon_and_nothing_else() {
        let wide = scopes(&["events:*", "a:read", "odd*"]);
        for (name, allowed) in [
            ("events:write", true),
            ("events:x:y", true),
            ("eventsx", false),
            ("events", false),
            ("a:read", true),
            ("a:write", false),
            ("oddity", false),
        ] {
            assert_eq!(wide.allow(name), allowed, "{name}");
        }
        assert!(scopes(&["*"]).allow("anything:at-all"));
        assert_eq!(scopes(&["a:read", "b:read"]).within(&wide), Err("b:read"));
    }
}
