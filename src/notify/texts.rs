//! The texts of notices: the words, and the layouts that they are put into. An operator's own files take the place of
//! the built-in ones.
//!
//! They are read at run time, so a template library of run time is needed: `minijinja`, which is small, has no
//! dependency but serde, escapes HTML by itself, and can say which fields a template asks for. A template that cannot
//! be read, or that asks for a field that does not exist, is an error at the start and never a lost notice: it is
//! checked against what there is, and tried on samples of every kind. The words are rendered to harmless plain text
//! first; only then are they put into a layout, which escapes them if it is HTML.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};
use serde::Serialize;

use super::data::data;
use super::fields::{Fields, done, places, why_you};
use super::message::{About, Content, Fact, Kind, Message, Row, Step, id, id_of_all, incident};
use super::sample;
use super::text::{clean, wrapped};
use super::words::{self, EventWords, LAYOUTS, Words};
use crate::finding::Severity;
use crate::leak::{OwnerReason, Verdict};

/// Rows of a digest before it only counts them.
const ROWS: usize = 200;

/// The fields of a digest's words.
#[derive(Serialize)]
struct DigestFields {
    kind: &'static str,
    count: usize,
    alive: usize,
    dead: usize,
    unsure: usize,
    worst: String,
    severity: String,
    state: String,
    name: String,
    why_you: String,
}

/// The texts of this installation.
pub struct Texts {
    environment: Environment<'static>,
    words: Words,
    link: Option<String>,
}

impl Texts {
    /// The built-in texts, with the files of `folder` in the place of those that they are named like. `link` is the
    /// address of a leak's page, `{fingerprint}` in it.
    ///
    /// # Errors
    /// A folder that cannot be read, a file in it that no text is called like, a template that cannot be read or asks
    /// for a field that does not exist.
    pub fn load(folder: Option<&Path>, link: Option<&str>) -> Result<Self> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let (words, layouts) = words::read(folder)?;
        for (name, text) in layouts {
            environment
                .add_template_owned(name, text)
                .map_err(|error| anyhow!("{name}: {error}"))?;
        }
        let texts = Self {
            environment,
            words,
            link: link.map(str::to_owned),
        };
        texts
            .check()
            .context("the texts of notices (notify.templates) cannot be used")?;
        Ok(texts)
    }

    /// Every template asks for what there is, and can be filled for every kind of notice.
    fn check(&self) -> Result<()> {
        let sample = sample::leak();
        let about = sample.about(Kind::Found);
        let fields = names(&Fields::of(&about, None))?;
        let of_digest = names(&digest_fields(&[about]))?;
        let words = &self.words;
        let in_all = [&words.greeting, &words.why, &words.badge, &words.footer];
        for text in in_all
            .into_iter()
            .chain(words.fact.iter().map(|fact| &fact.value))
        {
            self.asks_for(text, &fields)?;
        }
        for kind in sample::KINDS {
            let event = self.event(*kind);
            for text in event.all() {
                self.asks_for(
                    text,
                    if *kind == Kind::Digest {
                        &of_digest
                    } else {
                        &fields
                    },
                )?;
            }
        }
        let mut content = names(&Content::default())?;
        content.insert("loop".to_owned());
        for (name, _) in LAYOUTS {
            let template = self.environment.get_template(name)?;
            let unknown: Vec<String> = template
                .undeclared_variables(false)
                .into_iter()
                .filter(|asked| !content.contains(asked))
                .collect();
            if !unknown.is_empty() {
                bail!(
                    "{name} asks for {}; there is: {}",
                    unknown.join(", "),
                    listed(&content)
                );
            }
        }
        for message in sample::messages(self)? {
            tracing::trace!(kind = message.kind.name(), "the texts can be filled");
        }
        Ok(())
    }

    fn asks_for(&self, text: &str, known: &BTreeSet<String>) -> Result<()> {
        let template = self
            .environment
            .template_from_str(text)
            .map_err(|error| anyhow!("words.toml: {text:?}: {error}"))?;
        for asked in template.undeclared_variables(false) {
            if !known.contains(&asked) {
                bail!(
                    "words.toml: {text:?} asks for {asked}; there is: {}",
                    listed(known)
                );
            }
        }
        Ok(())
    }

    fn event(&self, kind: Kind) -> &EventWords {
        match kind {
            Kind::Found | Kind::Tokens => &self.words.found,
            Kind::Revoked => &self.words.revoked,
            Kind::Contained => &self.words.contained,
            Kind::Approval => &self.words.approval,
            Kind::Escalation(_) => &self.words.escalation,
            Kind::Digest => &self.words.digest,
        }
    }

    /// The message about one leak.
    ///
    /// # Errors
    /// A template that fails on this leak although it did not on the samples.
    pub fn message(&self, about: &About<'_>) -> Result<Message> {
        let fields = Fields::of(about, self.link.as_deref());
        let mut content = self.content(about.kind, &Serde(&fields).into())?;
        content.colour = colour(about.kind, about.leak.severity);
        content.places = places(&about.leak.sightings);
        content.done = done(about);
        if !fields.planned.is_empty() && !matches!(about.kind, Kind::Escalation(_)) {
            content.done.push(format!("Decision: {}.", fields.planned));
        }
        content.link.clone_from(&fields.link);
        let (body, html) = self.filled("notice", &content)?;
        let thread = match about.kind {
            Kind::Found => Vec::new(),
            _ => vec![id(Kind::Found, about.leak, about.owner)],
        };
        Ok(Message {
            kind: about.kind,
            id: id(about.kind, about.leak, about.owner),
            thread,
            incident: Some(incident(about.leak)),
            owner: about.owner.clone(),
            severity: about.leak.severity,
            subject: content.subject.clone(),
            body,
            html: Some(html),
            places: about
                .leak
                .sightings
                .iter()
                .map(|seen| seen.path.clone())
                .collect(),
            data: data(about),
            content,
        })
    }

    /// One message about several leaks to the same owner, the worst first. Of one leak it is [`Texts::message`].
    ///
    /// # Errors
    /// As [`Texts::message`]; and nothing to tell of.
    pub fn digest(&self, about: &[About<'_>]) -> Result<Message> {
        let first = match about {
            [] => bail!("a notice of nothing"),
            [only] => return self.message(only),
            [first, ..] => first,
        };
        let mut sorted = about.to_vec();
        // What needs somebody first: alive before dead, bad before harmless.
        sorted.sort_by_key(|one| (one.kind == Kind::Revoked, one.leak.severity, one.leak.fingerprint));
        let fields = digest_fields(&sorted);
        let severity = sorted
            .iter()
            .map(|one| one.leak.severity)
            .min()
            .unwrap_or(Severity::Low);
        let mut content = self.content(Kind::Digest, &Serde(&fields).into())?;
        content.colour = colour(Kind::Digest, severity);
        content.left_out = sorted.len().saturating_sub(ROWS);
        content.rows = sorted
            .iter()
            .take(ROWS)
            .map(|one| self.row(one))
            .collect::<Result<_>>()?;
        let (body, html) = self.filled("digest", &content)?;
        let ids: Vec<String> = sorted
            .iter()
            .map(|one| id(one.kind, one.leak, one.owner))
            .collect();
        let thread = sorted
            .iter()
            .take(50)
            .map(|one| id(Kind::Found, one.leak, one.owner));
        let leaks: Vec<_> = sorted
            .iter()
            .take(ROWS)
            .map(|one| {
                serde_json::json!({
                    "event": one.kind.name(), "fingerprint": one.leak.fingerprint, "rule": one.leak.rule,
                    "severity": one.leak.severity,
                })
            })
            .collect();
        Ok(Message {
            kind: Kind::Digest,
            id: id_of_all(&ids),
            thread: thread.collect(),
            incident: None,
            owner: first.owner.clone(),
            severity,
            subject: content.subject.clone(),
            body,
            html: Some(html),
            content,
            places: Vec::new(),
            data: serde_json::json!({ "leaks": leaks, "leaks_in_all": sorted.len() }),
        })
    }

    fn row(&self, about: &About<'_>) -> Result<Row> {
        let fields = Fields::of(about, self.link.as_deref());
        let event = self.event(about.kind);
        Ok(Row {
            colour: colour(about.kind, about.leak.severity),
            link_text: self.word(&event.button, &Serde(&fields).into(), 80)?,
            severity: fields.severity,
            title: fields.title,
            redacted: fields.redacted,
            whose: fields.whose,
            why_you: fields.why_you,
            place: fields.place,
            more: fields.more,
            state: fields.state.to_owned(),
            done: match about.kind {
                Kind::Approval => format!("Nothing is done before a person says yes: {}", fields.command),
                Kind::Escalation(_) => fields.planned,
                _ => fields.done,
            },
            link: fields.link,
            rule: fields.rule,
            fingerprint: fields.fingerprint,
        })
    }

    /// The words of an event, filled.
    fn content(&self, kind: Kind, fields: &Value) -> Result<Content> {
        let (words, event) = (&self.words, self.event(kind));
        let word = |text: &str| self.word(text, fields, 1500);
        let facts = words.fact.iter().filter(|_| kind != Kind::Digest);
        let facts = facts.map(|fact| {
            Ok(Fact {
                name: fact.name.clone(),
                value: word(&fact.value)?,
            })
        });
        let mut facts = facts.collect::<Result<Vec<_>>>()?;
        facts.retain(|fact| !fact.value.is_empty());
        let steps = event.todo.iter().map(|step| {
            let link = step.link.as_deref().map(&word).transpose()?;
            Ok((word(&step.text)?, link))
        });
        let steps = steps.collect::<Result<Vec<_>>>()?.into_iter();
        let todo = steps
            .filter(|(text, link)| !text.is_empty() && link.as_ref().is_none_or(|link| !link.is_empty()))
            .map(|(text, link)| Step {
                text,
                link: link.unwrap_or_default(),
            });
        Ok(Content {
            subject: self.word(&event.subject, fields, 200)?,
            headline: word(&event.headline)?,
            badge: word(&words.badge)?,
            greeting: word(&words.greeting)?,
            why: word(&words.why)?,
            todo: todo.collect(),
            facts,
            link_text: word(&event.button)?,
            footer: word(&words.footer)?,
            ..Content::default()
        })
    }

    /// A word is one harmless line, whatever its template makes.
    fn word(&self, text: &str, fields: &Value, most: usize) -> Result<String> {
        let filled = self
            .environment
            .render_str(text, fields.clone())
            .map_err(|error| anyhow!("words.toml: {text:?}: {error}"))?;
        Ok(clean(&filled, most))
    }

    /// A layout, as wrapped text and as HTML.
    fn filled(&self, layout: &str, content: &Content) -> Result<(String, String)> {
        let render = |name: String| {
            let template = self.environment.get_template(&name)?;
            template
                .render(Serde(content))
                .map_err(|error| anyhow!("{name}: {error}"))
        };
        Ok((
            wrapped(&render(format!("{layout}.txt"))?),
            render(format!("{layout}.html"))?,
        ))
    }
}

fn digest_fields(about: &[About<'_>]) -> DigestFields {
    let count = |wanted: fn(&Verdict) -> bool| {
        let verdicts = about.iter().filter_map(|one| one.leak.verdict.as_ref());
        verdicts.filter(|verdict| wanted(verdict)).count()
    };
    let (alive, dead) = (count(Verdict::is_live), count(Verdict::is_dead));
    let worst = about.iter().map(|one| one.leak.severity).min();
    let worst = worst.map_or(String::new(), |worst| worst.to_string());
    let owner = about.first().map(|one| one.owner);
    let mut reasons: Vec<String> = about.iter().map(|one| why_you(one.owner)).collect();
    reasons.dedup();
    DigestFields {
        kind: Kind::Digest.name(),
        count: about.len(),
        alive,
        dead,
        unsure: about.len() - alive - dead,
        severity: worst.clone(),
        worst,
        state: format!("{} leaks", about.len()),
        name: owner.map_or(String::new(), |owner| {
            if owner.reason == OwnerReason::Channel {
                String::new()
            } else {
                clean(&owner.name, 100)
            }
        }),
        why_you: match reasons.as_slice() {
            [one] => one.clone(),
            _ => "each of them concerns you; the list says why".to_owned(),
        },
    }
}

fn names(fields: &impl Serialize) -> Result<BTreeSet<String>> {
    let value = serde_json::to_value(fields)?;
    let object = value.as_object().context("fields have names")?;
    Ok(object.keys().cloned().collect())
}

fn listed(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn colour(kind: Kind, severity: Severity) -> &'static str {
    match (kind, severity) {
        (Kind::Revoked, _) => "#1a7f37",
        (_, Severity::Critical) => "#a40e26",
        (_, Severity::High) => "#cf222e",
        (_, Severity::Medium) => "#9a4a00",
        (_, Severity::Low | Severity::Info) => "#59636e",
    }
}
