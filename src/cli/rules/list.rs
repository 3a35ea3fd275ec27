//! `unleak rules list`: one line a rule, or the table of services of `rules/README.md`.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::de::IntoDeserializer as _;
use serde::{Deserialize as _, Serialize};

use crate::cli::exit::Hinted;
use crate::finding::{Confidence, RuleId, Severity};
use crate::rule::file::With;
use crate::rule::{Rule, RuleSet};

/// Which rules are listed, and how.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only rules of these services
    #[arg(long, value_name = "SERVICE", value_delimiter = ',')]
    service: Vec<String>,
    /// Only rules of at least this severity
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    severity: Option<Severity>,
    /// Only rules for which all of this works
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    can: Vec<Can>,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

/// What can be done about a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Can {
    /// Ask whether it is alive
    Verify,
    /// Find the owners of the organisation it opens
    Owners,
    /// Contain it
    Contain,
    /// Revoke it without a person
    Revoke,
}

/// Output of `rules list`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// The table of services, for a page
    Markdown,
}

fn severity(word: &str) -> Result<Severity, serde::de::value::Error> {
    Severity::deserialize(word.into_deserializer())
}

/// What can be done about a token of one kind.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    pub(super) id: &'a RuleId,
    pub(super) service: &'a str,
    pub(super) title: &'a str,
    pub(super) confidence: Confidence,
    pub(super) severity: Severity,
    pub(super) public: bool,
    pub(super) verify: bool,
    pub(super) owners: bool,
    pub(super) contain: bool,
    /// With whose authority it can be revoked, in the order that is tried.
    pub(super) revoke: Vec<&'static str>,
}

impl<'a> Line<'a> {
    pub(super) fn of(rule: &'a Rule) -> Self {
        let mut revoke = Vec::new();
        for way in rule.revoke().into_iter().flat_map(|revoke| revoke.ways()) {
            if !revoke.contains(&authority(way.with)) {
                revoke.push(authority(way.with));
            }
        }
        Self {
            id: &rule.id,
            service: &rule.service.head().name,
            title: rule.title(),
            confidence: rule.confidence,
            severity: rule.severity,
            public: rule.public,
            verify: rule.verify().is_some(),
            owners: rule.owners().is_some(),
            contain: rule.contain().is_some(),
            revoke,
        }
    }

    fn can(&self, can: Can) -> bool {
        match can {
            Can::Verify => self.verify,
            Can::Owners => self.owners,
            Can::Contain => self.contain,
            Can::Revoke => self.revoke.iter().any(|way| *way != "page"),
        }
    }

    /// In one column: `verify owners revoke(secret, operator)`.
    pub(super) fn works(&self) -> String {
        let mut words: Vec<String> = [
            (self.public, "public by design"),
            (self.verify, "verify"),
            (self.owners, "owners"),
            (self.contain, "contain"),
        ]
        .into_iter()
        .filter(|(works, _)| *works)
        .map(|(_, word)| word.to_owned())
        .collect();
        if !self.revoke.is_empty() {
            words.push(format!("revoke({})", self.revoke.join(", ")));
        }
        words.join(" ")
    }
}

pub(super) fn authority(with: With) -> &'static str {
    match with {
        With::Secret => "secret",
        With::Operator => "operator",
        With::Session => "page",
    }
}

/// Writes the rules that `args` ask for; fails for a service that no rule has.
pub(super) fn list(args: &ListArgs, rules: &RuleSet, out: &mut dyn Write) -> Result<()> {
    for name in &args.service {
        if !rules.services.iter().any(|service| service.name == *name) {
            return Err(Hinted::usage(
                format!("no service is called {name:?}"),
                "`unleak rules list --format markdown` shows them",
            ));
        }
    }
    let wanted = |rule: &&Line<'_>| {
        (args.service.is_empty() || args.service.iter().any(|name| rule.id.service() == name))
            && args.severity.is_none_or(|least| rule.severity <= least)
            && args.can.iter().all(|can| rule.can(*can))
    };
    let lines: Vec<_> = rules.rules.iter().map(|rule| Line::of(rule)).collect();
    let lines: Vec<_> = lines.iter().filter(wanted).collect();
    match args.format {
        Form::Text => text(&lines, out),
        Form::Markdown => markdown(&lines, out),
        Form::Json => {
            serde_json::to_writer_pretty(&mut *out, &lines)?;
            Ok(writeln!(out)?)
        }
    }
}

fn text(lines: &[&Line<'_>], out: &mut dyn Write) -> Result<()> {
    let width = |of: &dyn Fn(&Line<'_>) -> usize| lines.iter().map(|line| of(line)).max().unwrap_or(0);
    let id = width(&|line| line.id.as_str().len()).max(4);
    let title = width(&|line| line.title.chars().count()).max(5);
    writeln!(
        out,
        "{:id$}  {:title$}  {:10}  {:8}  WORKS",
        "RULE", "TITLE", "CONFIDENCE", "SEVERITY"
    )?;
    for line in lines {
        let (confidence, severity) = (line.confidence.to_string(), line.severity.to_string());
        writeln!(
            out,
            "{:id$}  {:title$}  {confidence:10}  {severity:8}  {}",
            line.id.as_str(),
            line.title,
            line.works()
        )?;
    }
    Ok(())
}

/// One row a service: how many kinds of token are known, and for how many of them each step works.
fn markdown(lines: &[&Line<'_>], out: &mut dyn Write) -> Result<()> {
    let mut services: BTreeMap<&str, Vec<&Line<'_>>> = BTreeMap::new();
    for line in lines {
        services.entry(line.id.service()).or_default().push(line);
    }
    writeln!(
        out,
        "| service | name | find | verify | owners | contain | revoke |"
    )?;
    writeln!(out, "|---|---|--:|--:|--:|--:|---|")?;
    for (service, lines) in &services {
        let count = |can: Can| match lines.iter().filter(|line| line.can(can)).count() {
            0 => String::new(),
            count => count.to_string(),
        };
        let mut ways: Vec<&str> = lines
            .iter()
            .flat_map(|line| line.revoke.iter().copied())
            .collect();
        ways.sort_unstable();
        ways.dedup();
        writeln!(
            out,
            "| {service} | {} | {} | {} | {} | {} | {} |",
            lines[0].service.replace('|', "\\|"),
            lines.len(),
            count(Can::Verify),
            count(Can::Owners),
            count(Can::Contain),
            ways.join(", ")
        )?;
    }
    let all = |can: Can| lines.iter().filter(|line| line.can(can)).count();
    writeln!(
        out,
        "\n{} kinds of token of {} services; {} can be verified, of {} the organisation's owners can be named, {} can be \
         contained, {} can be revoked without a person.",
        lines.len(),
        services.len(),
        all(Can::Verify),
        all(Can::Owners),
        all(Can::Contain),
        all(Can::Revoke)
    )?;
    Ok(())
}
