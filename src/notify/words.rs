//! `words.toml` and the layouts: what is built in, and what of it an operator's folder replaces.
//!
//! Here they are only read; whether they can be filled is for [`super::texts`] to find out, before anything is sent.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use serde::Deserialize;

/// The layouts: file name and built-in text.
pub(super) const LAYOUTS: [(&str, &str); 4] = [
    ("notice.txt", include_str!("templates/notice.txt")),
    ("notice.html", include_str!("templates/notice.html")),
    ("digest.txt", include_str!("templates/digest.txt")),
    ("digest.html", include_str!("templates/digest.html")),
];
const WORDS: &str = include_str!("templates/words.toml");

/// The files of the built-in texts: name and contents.
pub fn built_in() -> impl Iterator<Item = (&'static str, &'static str)> {
    LAYOUTS.into_iter().chain([("words.toml", WORDS)])
}

/// `words.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) greeting: String,
    pub(super) why: String,
    pub(super) badge: String,
    pub(super) footer: String,
    pub(super) fact: Vec<FactWords>,
    pub(super) found: EventWords,
    pub(super) revoked: EventWords,
    pub(super) contained: EventWords,
    pub(super) approval: EventWords,
    pub(super) escalation: EventWords,
    pub(super) digest: EventWords,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FactWords {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventWords {
    pub(super) subject: String,
    pub(super) headline: String,
    pub(super) button: String,
    pub(super) todo: Vec<StepWords>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepWords {
    pub(super) text: String,
    pub(super) link: Option<String>,
}

impl EventWords {
    /// Every text of the event.
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        let steps = self.todo.iter();
        let texts = steps
            .flat_map(|step| [Some(&step.text), step.link.as_ref()])
            .flatten();
        [&self.subject, &self.headline, &self.button]
            .into_iter()
            .chain(texts)
    }
}

/// The words and the layouts, each by its file name.
pub(super) fn read(folder: Option<&Path>) -> Result<(Words, Vec<(&'static str, String)>)> {
    let mut words: toml::Table = WORDS.parse().context("the built-in words")?;
    let mut layouts: Vec<(&str, String)> = LAYOUTS.map(|(name, text)| (name, text.to_owned())).into();
    for (name, text) in folder.map(own).transpose()?.into_iter().flatten() {
        if let Some(layout) = layouts.iter_mut().find(|(known, _)| *known == name) {
            layout.1 = text;
        } else {
            let theirs = text.parse().map_err(|error| anyhow!("{name}: {error}"))?;
            join(&mut words, theirs);
        }
    }
    let words = words.try_into().map_err(|error| anyhow!("words.toml: {error}"))?;
    Ok((words, layouts))
}

/// The texts that stand in a folder; hidden files are passed over.
fn own(folder: &Path) -> Result<Vec<(String, String)>> {
    let shown = folder.display();
    let entries = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {shown} of notify.templates"))?;
    let mut texts = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read the folder {shown}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        if name != "words.toml" && !LAYOUTS.iter().any(|(known, _)| *known == name) {
            bail!(
                "{shown}/{name}: no text of a notice is called that; there are words.toml, {}",
                LAYOUTS.map(|(known, _)| known).join(", ")
            );
        }
        let text =
            std::fs::read_to_string(entry.path()).with_context(|| format!("cannot read {shown}/{name}"))?;
        texts.push((name, text));
    }
    Ok(texts)
}

/// What `theirs` has takes the place of what `ours` has; tables are joined.
fn join(ours: &mut toml::Table, theirs: toml::Table) {
    for (key, value) in theirs {
        match (ours.get_mut(&key), value) {
            (Some(toml::Value::Table(ours)), toml::Value::Table(theirs)) => join(ours, theirs),
            (_, value) => {
                ours.insert(key, value);
            }
        }
    }
}
