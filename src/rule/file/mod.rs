//! The written form of a service: one TOML file, everything that is known about one token service.
//!
//! These types say what may be written and nothing else; `compile` gives it meaning and `check` proves it.
//! Unknown fields are errors, so that a misspelt one never silently does nothing.

mod ask;
mod section;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use ask::{Aws4File, CallFile, Expect, Filled, IdentityFile, JwtFile, SignFile, UseFile, WeightFile};
pub use section::{
    ContainFile, FallbackFile, FindFile, IdentifyFile, OwnersFile, Paging, RevokeFile, StepFile, TouchedFile,
    VerifyFile, With,
};

use crate::finding::{Confidence, Severity};

/// A whole rule file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// What holds for all rules of the file.
    pub service: ServiceHead,
    /// The shapes of its tokens.
    #[serde(default)]
    pub rule: Vec<RuleFile>,
    /// How to ask whether a token is alive; a rule may override it.
    pub verify: Option<VerifyFile>,
    /// How to find the owners of an organisation.
    pub owners: Option<OwnersFile>,
    /// What an organisation can do without the token's owner.
    pub contain: Option<ContainFile>,
    /// How to revoke.
    pub revoke: Option<RevokeFile>,
    /// How bad a live token is by what it opens; a rule's own go in their place.
    #[serde(default)]
    pub weight: Vec<WeightFile>,
}

/// `[service]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceHead {
    /// The service's name for people, `GitHub`.
    pub name: String,
    /// Its documentation of tokens.
    pub docs: String,
    /// Hosts that a token may be sent to; self-hosted ones come from the configuration.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Base URLs to ask in turn. Left out: `https://` and the first host. With neither, the configuration must name one.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Names that its calls use and that the configuration gives (`services.NAME.values`), each with what it is.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
    /// Further credentials of the operator that its calls use as `{operator-NAME}`, each with what it is; the
    /// configuration gives them (`services.NAME.credentials`).
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
    /// How often it may be asked, where it says less than unleak asks by itself (4 at once, 40 a second).
    #[serde(default)]
    pub rate: RateFile,
    /// Fact of a token to the values with which it is bait that somebody laid: nothing is ever sent about such a token.
    #[serde(default)]
    pub canaries: BTreeMap<String, Vec<String>>,
}

/// `rate` of a service; for each of its hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateFile {
    /// Most requests at a time.
    pub at_once: Option<usize>,
    /// Most requests in a minute.
    pub per_minute: Option<u32>,
}

/// `[[rule]]`: one shape of token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleFile {
    /// Name below the service; it never changes once published.
    pub id: String,
    /// What it is called, for people.
    pub title: String,
    /// Regular expression (syntax of the `regex` crate; `\b`, `\w`, `\d`, `\s` and `(?i)` are ASCII) with a group named
    /// `secret`.
    pub pattern: String,
    /// Literals of which one must occur; derived from the pattern, or from `context`, if left out.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Why its keywords may stand in ordinary source text as often as they do; `rules check` asks for it where they do.
    pub costly: Option<String>,
    /// Name of a built-in checksum that the secret must pass.
    pub checksum: Option<String>,
    /// Least Shannon entropy of the secret, in bits per character.
    pub entropy: Option<f64>,
    /// The secret holds at least so many digits.
    #[serde(default)]
    pub digits: usize,
    /// How the value must look, for shapes that say little; placeholders are refused then (`rule/placeholder.rs`).
    pub looks: Option<Looks>,
    /// Where the secret is base64 of text, `looks` and `unless_value` are asked of that text; of `user:password`, of the
    /// password. With `looks = "any"` it must be base64 of `user:password`.
    #[serde(default)]
    pub base64: bool,
    /// Words, in any case of letters, that a placeholder holds and a secret does not: a match that holds one is none.
    #[serde(default)]
    pub unless_value: Vec<String>,
    /// Values that the service's documentation prints: the first 16 hexadecimal digits of each one's SHA-256.
    #[serde(default)]
    pub published: Vec<String>,
    /// On the same bytes every other rule goes before this one.
    #[serde(default)]
    pub yields: bool,
    /// How sure a match is.
    pub confidence: Confidence,
    /// How bad a live one is.
    pub severity: Severity,
    /// Public by design: reported as information, never verified or revoked.
    #[serde(default)]
    pub public: bool,
    /// Words that must stand near, for shapes without a prefix.
    pub context: Option<ContextFile>,
    /// Other parts of the credential, by rule id of this file, that must stand near.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Name to rules of this file: the nearest match of one of them is that part, where one stands near.
    #[serde(default)]
    pub near: BTreeMap<String, Vec<String>>,
    /// Named groups of the pattern whose text is a fact of the token.
    #[serde(default)]
    pub facts: Vec<String>,
    /// What the secret says about itself, readable offline.
    pub decode: Option<DecodeFile>,
    /// Texts in which the rule must find something; `·` is dropped on load.
    #[serde(default)]
    pub accepts: Vec<String>,
    /// Texts in which it must not.
    #[serde(default)]
    pub rejects: Vec<String>,
    /// Overrides the file's `[verify]`; `false` switches it off.
    pub verify: Option<Section<VerifyFile>>,
    /// Overrides the file's `[owners]`; `false` switches it off.
    pub owners: Option<Section<OwnersFile>>,
    /// Overrides the file's `[contain]`; `false` switches it off.
    pub contain: Option<Section<ContainFile>>,
    /// Overrides the file's `[revoke]`; `false` switches it off.
    pub revoke: Option<Section<RevokeFile>>,
    /// How bad a live one is by what it opens, in place of the file's.
    #[serde(default)]
    pub weight: Vec<WeightFile>,
    /// What such tokens are for.
    #[serde(rename = "use")]
    pub needed: Option<UseFile>,
}

/// How a value looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Looks {
    /// Drawn at random, not written by a person (`rule/random.rs`).
    Random,
    /// Random, or a password that a person chose: letters, digits and a sign.
    Chosen,
    /// Anything but a placeholder.
    Any,
}

/// A section that a rule overrides, or `false` for "not for this rule".
#[derive(Clone, Debug)]
pub enum Section<T> {
    /// Used instead of the file's.
    Own(T),
    /// None for this rule.
    Off,
}

/// By hand, because serde's `untagged` would lose the line and the field of an error inside the table.
impl<'de, T: Deserialize<'de>> Deserialize<'de> for Section<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = Section<T>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table, or false")
            }
            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
                if value {
                    Err(E::custom("only false, or a table, may stand here"))
                } else {
                    Ok(Section::Off)
                }
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Section::Own)
            }
        }
        deserializer.deserialize_any(Visitor(std::marker::PhantomData))
    }
}

/// Words near a match.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextFile {
    /// One of these must occur, in any case of letters; without any, only `unless` is asked.
    #[serde(default)]
    pub words: Vec<String>,
    /// At most so many bytes before the secret or after it; within it counts too.
    #[serde(default)]
    pub within: usize,
    /// None of these may stand, as a whole word, in the 24 bytes before the secret: what the value is instead
    /// (`commit`, `sha`).
    #[serde(default)]
    pub unless: Vec<String>,
    /// Short words count in the middle of others, too; imported rules have that.
    #[serde(skip)]
    pub anywhere: bool,
}

/// How to read a part of the secret itself, without any call.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecodeFile {
    /// The named group that holds it.
    pub group: String,
    /// How it is written.
    pub format: DecodeFormat,
    /// JSON pointers that must be there; a match without them is no token.
    #[serde(default)]
    pub require: Vec<String>,
    /// Fact name to JSON pointer. `base` and `region` are URLs that later calls go to, if their host is listed.
    #[serde(default)]
    pub take: BTreeMap<String, String>,
    /// Identity field to fact name, known without asking.
    #[serde(default)]
    pub identity: BTreeMap<String, String>,
}

/// Encodings of a self-describing part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecodeFormat {
    /// JSON in base64.
    Base64Json,
    /// JSON in the URL-safe base64.
    Base64urlJson,
    /// The account in an access key id of AWS, as `/account`; older ids do not hold it.
    AwsAccount,
}
