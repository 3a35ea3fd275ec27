//! Presets: ready-made sets of scopes for one use each, built in or written by the operator.
//!
//! A preset for an application never holds an admin scope; a set that does is turned away when it is read.

use std::collections::BTreeMap;

use crate::token_service::error::{Error, Result};
use crate::token_service::format::TokenKind;
use crate::token_service::model::Scopes;

/// A preset, as the configuration writes it under its name.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What tokens made by it may do.
    pub scopes: Scopes,
    /// Whether it is for programs: it may then hold no admin scope, and any kind of token can be made by it. Without
    /// it only user tokens can.
    #[serde(default = "yes")]
    pub application: bool,
    /// When its tokens end by themselves, in days from 1 to 36500, unless something else is asked for.
    #[serde(default)]
    pub expires_in_days: Option<i64>,
}

fn yes() -> bool {
    true
}

/// All presets by name; the default are the built-in ones.
#[derive(Clone, Debug)]
pub struct Presets(BTreeMap<String, Preset>);

impl Default for Presets {
    fn default() -> Self {
        let built_in = |scopes: &[&str], application, days| {
            Scopes::new(scopes).ok().map(|scopes| Preset {
                scopes,
                application,
                expires_in_days: days,
            })
        };
        let read = ["audit:read", "members:read", "policy:read", "tokens:read"];
        let presets = [
            ("sdk", built_in(&["events:write"], true, None)),
            (
                "ci",
                built_in(&["artifacts:write", "releases:write"], true, Some(90)),
            ),
            ("read-only", built_in(&read, true, Some(90))),
            ("admin", built_in(&["admin"], false, Some(30))),
        ];
        let presets = presets.into_iter();
        Self(
            presets
                .filter_map(|(name, preset)| Some((name.to_owned(), preset?)))
                .collect(),
        )
    }
}

impl Presets {
    /// The built-in presets and these; one of the same name takes a built-in one's place.
    pub fn with(own: impl IntoIterator<Item = (String, Preset)>) -> Result<Self> {
        let mut all = Self::default();
        for (name, preset) in own {
            let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            if name.is_empty() || name.len() > 63 || !name.bytes().all(fits) {
                return Err(Error::invalid(format!(
                    "{name:?} cannot be the name of a preset; take lower-case letters, digits and -"
                )));
            }
            if preset.scopes.is_empty() {
                return Err(Error::invalid(format!("the preset {name} has no scope")));
            }
            if let Some(admin) = preset.scopes.admin().filter(|_| preset.application) {
                return Err(Error::invalid(format!(
                    "the preset {name} is for applications and has the admin scope {admin}; take it out, or write \
                     application = false"
                )));
            }
            if preset
                .expires_in_days
                .is_some_and(|days| !(1..=36_500).contains(&days))
            {
                return Err(Error::invalid(format!(
                    "the preset {name}: expires_in_days must be from 1 to 36500"
                )));
            }
            all.0.insert(name, preset);
        }
        Ok(all)
    }

    /// Each with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Preset)> {
        self.0.iter().map(|(name, preset)| (name.as_str(), preset))
    }

    /// The preset of this name, for this kind of token.
    pub fn named(&self, name: &str, kind: TokenKind) -> Result<&Preset> {
        let preset = self.0.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.0.keys().map(String::as_str).collect();
            Error::invalid(format!(
                "there is no preset {name:?}; there are {}",
                names.join(", ")
            ))
        })?;
        if !preset.application && kind != TokenKind::User {
            return Err(Error::Forbidden(format!(
                "the preset {name} is for people, and a {kind} token is none of a person; take another preset"
            )));
        }
        Ok(preset)
    }
}

#[cfg(test)]
mod tests {
    use super::{Preset, Presets};
    use crate::token_service::format::TokenKind;

    fn with(text: &str) -> Result<Presets, String> {
        let preset: Preset = serde_json::from_str(text).map_err(|error| error.to_string())?;
        Presets::with([("own".to_owned(), preset)]).map_err(|error| error.to_string())
    }

    #[test]
    fn the_built_in_presets_are_there_and_none_for_applications_holds_an_admin_scope() {
        let presets = Presets::default();
        let names: Vec<&str> = presets.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["admin", "ci", "read-only", "sdk"]);
        for (name, preset) in presets.iter() {
            assert_eq!(preset.scopes.admin().is_some(), !preset.application, "{name}");
        }
    }

    #[test]
    fn a_preset_for_applications_with_an_admin_scope_is_refused() {
        for scope in ["admin", "*", "org:*", "project:admin"] {
            let text = format!(r#"{{"scopes":["events:write","{scope}"]}}"#);
            let why = with(&text).unwrap_err();
            assert!(why.contains(scope) && why.contains("application"), "{why}");
            let for_people = format!(r#"{{"scopes":["{scope}"],"application":false}}"#);
            let presets = with(&for_people).unwrap();
            assert!(presets.named("own", TokenKind::User).is_ok());
            assert!(presets.named("own", TokenKind::Project).is_err());
        }
        assert!(with(r#"{"scopes":[]}"#).is_err());
        assert!(with(r#"{"scopes":["a:b"],"expires_in_days":0}"#).is_err());
        assert!(with(r#"{"scopes":["a:b"],"colour":"red"}"#).is_err());
    }
}
