//! Proves rule files: that their examples are found and their counter-examples are not, that their calls go nowhere
//! but to their hosts, that no reply means both live and dead, and that every name in a call is filled by something.
//!
//! It reads the rules only: it must never send a request, and never prints an example.

mod calls;
mod replies;
mod sections;
mod ways;

use std::fmt;

use serde::Serialize;

use super::compile::Rule;
use super::judge;
use super::lead::Lead;
use super::pattern::build;
use super::service::Service;
use super::{RuleSet, file};
use crate::finding::{Confidence, RuleId, Severity};

/// Something that is wrong with a rule file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as it was given.
    pub file: String,
    /// The rule; none where the whole file is meant.
    pub rule: Option<RuleId>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub next: String,
}

impl Problem {
    /// A file that could not be loaded; the error names the file.
    pub fn unreadable(file: &str, error: &anyhow::Error) -> Self {
        let what = format!("{error:#}");
        Self {
            what: what
                .strip_prefix(&format!("{file}: "))
                .unwrap_or(&what)
                .to_owned(),
            file: file.to_owned(),
            rule: None,
            next: "correct it; rules/README.md explains every field".to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.file)?;
        if let Some(rule) = &self.rule {
            write!(f, "rule {:?}: ", rule.rule())?;
        }
        write!(f, "{}; {}", self.what, self.next)
    }
}

/// Everything that is wrong with these rules, in their order. A section that several rules share is named once, with
/// the first of them.
pub fn check(set: &RuleSet) -> Vec<Problem> {
    let mut problems = Vec::new();
    // Imported rules have no examples and no calls; loading them proved all there is.
    for service in set.services.iter().filter(|service| !service.imported) {
        let mut notes = Notes {
            file: &service.shown,
            rule: None,
            problems: &mut problems,
        };
        head(service, &mut notes);
        if !set.rules.iter().any(|rule| rule.service.name == service.name) {
            notes.add("it has no rule", "add one with [[rule]], or delete the file");
        }
    }
    for rule in set.rules.iter().filter(|rule| !rule.is_imported()) {
        let mut notes = Notes {
            file: &rule.service.shown,
            rule: Some(&rule.id),
            problems: &mut problems,
        };
        names(rule, &mut notes);
        weight(rule, &mut notes);
        examples(rule, &mut notes);
        // A section that the file gives to several rules is wrong once, not once for each.
        let mut shared = Vec::new();
        sections::check(
            rule,
            &mut Notes {
                problems: &mut shared,
                ..notes
            },
        );
        shared.retain(|new: &Problem| {
            !problems
                .iter()
                .any(|known| known.file == new.file && known.what == new.what)
        });
        problems.append(&mut shared);
    }
    problems
}

/// Where problems are noted down.
struct Notes<'a> {
    file: &'a str,
    rule: Option<&'a RuleId>,
    problems: &'a mut Vec<Problem>,
}

impl Notes<'_> {
    fn add(&mut self, what: impl Into<String>, next: impl Into<String>) {
        self.problems.push(Problem {
            file: self.file.to_owned(),
            rule: self.rule.cloned(),
            what: what.into(),
            next: next.into(),
        });
    }

    fn add_unless(&mut self, holds: bool, what: impl Into<String>, next: impl Into<String>) {
        if !holds {
            self.add(what, next);
        }
    }
}

fn head(service: &Service, notes: &mut Notes<'_>) {
    let file::ServiceHead {
        name,
        docs,
        hosts,
        regions,
        values,
        credentials,
        canaries,
        rate,
    } = &service.head();
    notes.add_unless(
        rate.at_once != Some(0) && rate.per_minute != Some(0),
        "service.rate lets nothing through",
        "give one at least, or leave it out",
    );
    notes.add_unless(
        credentials
            .values()
            .chain(values.values())
            .all(|what| !what.trim().is_empty())
            && canaries.values().all(|values| !values.is_empty()),
        "service.credentials, values or canaries says nothing of one of its names",
        "say what it is",
    );
    notes.add_unless(
        !name.trim().is_empty(),
        "service.name is empty",
        "give the name people know it by",
    );
    notes.add_unless(
        calls::is_page(docs),
        format!("service.docs = {docs:?} is no https:// address"),
        "name the page that describes the service's tokens",
    );
    for host in hosts {
        notes.add_unless(
            calls::is_host(host),
            format!("service.hosts holds {host:?}, which is no host name"),
            "write it in lower case, without scheme, port or path",
        );
    }
    for region in regions {
        let listed = region
            .strip_prefix("https://")
            .is_some_and(|host| hosts.iter().any(|known| known == host));
        notes.add_unless(
            listed,
            format!("service.regions holds {region:?}"),
            "write https:// and a host that service.hosts lists, without a path",
        );
    }
    for name in values
        .keys()
        .filter(|name| calls::BUILT_IN.contains(&name.as_str()))
    {
        notes.add(
            format!("service.values gives {name:?}, which unleak fills itself"),
            "choose another name",
        );
    }
}

fn names(rule: &Rule, notes: &mut Notes<'_>) {
    let id = rule.id.rule();
    let kebab = !id.is_empty()
        && id.split('-').all(|word| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        });
    notes.add_unless(
        kebab,
        format!("its id {id:?} is not in kebab-case"),
        "use lower-case letters and digits with single hyphens between words",
    );
    notes.add_unless(
        !rule.title().trim().is_empty(),
        "its title is empty",
        "say what the token is called",
    );
}

/// Severity and confidence that go together, and with what the rule knows.
fn weight(rule: &Rule, notes: &mut Notes<'_>) {
    // A mark such as OpenAI's T3BlbkFJ stands in the middle of the token.
    let marked = rule.context.is_none() && rule.keywords.iter().all(|word| word.len() >= 8);
    let proved = rule.checksum.is_some() || rule.decode().is_some() || rule.prefix.len() >= 4 || marked;
    notes.add_unless(
        proved || rule.confidence != Confidence::High,
        "its confidence is high, with no checksum, no decode, no prefix of four characters and no mark of eight",
        "set confidence to medium or low",
    );
    notes.add_unless(
        rule.confidence != Confidence::Low || rule.severity != Severity::Critical,
        "its confidence is low and its severity critical",
        "set severity to high: a critical alarm must be sure of itself",
    );
    notes.add_unless(
        rule.entropy.is_none_or(|least| (0.0..=8.0).contains(&least)),
        "its entropy is not between 0 and 8 bits",
        "random base 62 has about 5, random hexadecimal about 3.8",
    );
    if let Some(context) = &rule.context {
        notes.add_unless(
            !(context.words.is_empty() && context.unless.is_empty())
                && context
                    .words
                    .iter()
                    .chain(&context.unless)
                    .all(|word| !word.is_empty()),
            "its context holds no word, or an empty one",
            "name words that stand near such a token",
        );
        notes.add_unless(
            context.words.is_empty() || (1..=1000).contains(&context.within),
            "its context.within is not between 1 and 1000 bytes",
            "80 is about a line",
        );
    }
}

/// Whether every match holds what the rule is called by, or has it near.
fn calling(rule: &Rule, notes: &mut Notes<'_>) {
    let holds = |word: &std::borrow::Cow<'static, str>| {
        rule.keywords
            .iter()
            .any(|keyword| word.contains(keyword.as_str()))
    };
    let by_context = rule
        .context
        .as_ref()
        .is_some_and(|context| context.words.iter().all(holds));
    notes.add_unless(
        rule.lead != Lead::Missing || by_context,
        format!(
            "its pattern matches texts that hold none of its keywords {:?}",
            rule.keywords
        ),
        "the scan would pass them over: name a keyword of every alternative",
    );
}

fn examples(rule: &Rule, notes: &mut Notes<'_>) {
    if let Err(error) = build(&rule.pattern) {
        notes.add(
            format!("its pattern does not compile: {error}"),
            "see the syntax of the regex crate",
        );
        return;
    }
    notes.add_unless(
        !rule.accepts().is_empty() && !rule.rejects().is_empty(),
        "its accepts or rejects are empty",
        "give texts that hold the token in varied surroundings, and near misses",
    );
    calling(rule, notes);
    for (at, text) in rule.accepts().iter().enumerate() {
        let number = at + 1;
        let lower = text.to_lowercase();
        notes.add_unless(
            rule.keywords
                .iter()
                .any(|word| lower.contains(&word.to_lowercase())),
            format!(
                "its accepts no. {number} holds none of the keywords {:?}",
                rule.keywords
            ),
            "the scan would pass it over: correct keywords or the example",
        );
        if judge::first(rule, text.as_bytes()).is_none() {
            let matched = rule.regex().is_match(text.as_bytes());
            let why = if matched {
                "the pattern matches it, but checksum, digits, entropy, context or decode does not let it pass"
            } else {
                "the pattern does not match it"
            };
            notes.add(
                format!("its accepts no. {number} is not found: {why}"),
                "correct the rule or the example",
            );
        }
    }
    for (at, text) in rule.rejects().iter().enumerate() {
        notes.add_unless(
            judge::first(rule, text.as_bytes()).is_none(),
            format!("its rejects no. {} is found", at + 1),
            "make the rule stricter or correct the example",
        );
    }
}
