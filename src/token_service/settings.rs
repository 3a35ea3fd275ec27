//! What an operator can set, as the configuration file writes it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::bail;

use crate::token_service::keys::{KeyRing, ServerKey};
use crate::token_service::preset::{Preset, Presets};

/// The settings of the token service.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Files with further server keys: older ones whose tokens were not all seen yet, or the next one.
    pub further_key_files: Vec<PathBuf>,
    /// Presets by name, beside the built-in ones.
    pub presets: BTreeMap<String, Preset>,
    /// How often a caller may ask.
    pub limits: Limits,
    /// The review of tokens, and its mails.
    pub review: ReviewSettings,
}

/// How often a caller may ask; every key may be left out.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests a second that one token, or one address without an accepted token, may send in the long run.
    pub requests_per_second: u32,
    /// Requests that it may send at once.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            requests_per_second: 50,
            burst: 200,
        }
    }
}

/// The review of tokens, and its mails; every key may be left out.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReviewSettings {
    /// Days between two mails to the same owner; 0 sends none.
    pub mail_every_days: i64,
    /// Days after which a token that nobody used is worth a question.
    pub unused_days: i64,
}

impl Default for ReviewSettings {
    fn default() -> Self {
        Self {
            mail_every_days: 0,
            unused_days: crate::token_service::review::UNUSED_DAYS,
        }
    }
}

impl Settings {
    /// The key for new tokens with the further ones, read from their files.
    pub fn keys(&self, current: ServerKey) -> anyhow::Result<KeyRing> {
        let further: anyhow::Result<Vec<ServerKey>> = self
            .further_key_files
            .iter()
            .map(|path| ServerKey::read(path))
            .collect();
        Ok(KeyRing::new(current, further?))
    }

    /// Whether every value makes sense.
    pub fn check(&self) -> anyhow::Result<()> {
        let Limits {
            requests_per_second,
            burst,
        } = self.limits;
        for (key, value) in [("requests_per_second", requests_per_second), ("burst", burst)] {
            if !(1..=1_000_000).contains(&value) {
                bail!("limits.{key} = {value}: take a number from 1 to 1000000");
            }
        }
        let ReviewSettings {
            mail_every_days,
            unused_days,
        } = self.review;
        for (key, value) in [("mail_every_days", mail_every_days), ("unused_days", unused_days)] {
            if !(0..=36_500).contains(&value) {
                bail!("review.{key} = {value}: take a number of days from 0 to 36500");
            }
        }
        self.presets().map(drop)
    }

    /// The built-in presets and the operator's.
    pub fn presets(&self) -> anyhow::Result<Presets> {
        Ok(Presets::with(self.presets.clone())?)
    }
}
