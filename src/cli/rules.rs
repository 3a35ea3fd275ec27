//! `unleak rules`: what is known about which service, and the proof that it holds. It asks nobody.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::cli::exit::{Exit, Hinted};
use crate::finding::{Confidence, RuleId, Severity};
use crate::rule::check::{Problem, check};
use crate::rule::file::With;
use crate::rule::{Rule, RuleSet};

/// Lists, shows and proves the rules.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  unleak rules list\n  unleak rules show github/personal-access-token\n  \
                        unleak rules check rules/example.toml"
)]
pub struct RulesArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What `unleak rules` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Lists every rule and what can be done about a token of its kind
    List {
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// Shows everything that is known about one rule
    Show {
        /// The rule's full id, as `rules list` shows it
        rule: String,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// Proves the rules in use, or a rule file or a folder of them; ends with 2 if anything is wrong
    Check {
        /// A rule file, or a folder of them
        path: Option<PathBuf>,
    },
}

/// Output of `rules list` and `rules show`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Runs it. Problems go to `err`, everything else to `out`; fails if `out` cannot be written, or the rule or the path
/// is not there.
pub fn run(args: &RulesArgs, rules: &RuleSet, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit> {
    match &args.action {
        Action::List { format } => list(rules, *format, out)?,
        Action::Show { rule, format } => show(find(rules, rule)?, *format, out)?,
        Action::Check { path } => return prove(rules, path.as_deref(), out, err),
    }
    Ok(Exit::Clean)
}

/// What can be done about a token of one kind.
#[derive(Debug, Serialize)]
struct Line<'a> {
    id: &'a RuleId,
    service: &'a str,
    title: &'a str,
    confidence: Confidence,
    severity: Severity,
    public: bool,
    verify: bool,
    owners: bool,
    contain: bool,
    /// With whose authority it can be revoked, in the order that is tried.
    revoke: Vec<&'static str>,
}

impl<'a> Line<'a> {
    fn of(rule: &'a Rule) -> Self {
        let mut revoke = Vec::new();
        for way in rule.revoke.iter().flat_map(|revoke| revoke.ways()) {
            if !revoke.contains(&authority(way.with)) {
                revoke.push(authority(way.with));
            }
        }
        Self {
            id: &rule.id,
            service: &rule.service.head.name,
            title: &rule.title,
            confidence: rule.confidence,
            severity: rule.severity,
            public: rule.public,
            verify: rule.verify.is_some(),
            owners: rule.owners.is_some(),
            contain: rule.contain.is_some(),
            revoke,
        }
    }

    /// In one column: `verify owners revoke(secret, operator)`.
    fn works(&self) -> String {
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

fn authority(with: With) -> &'static str {
    match with {
        With::Secret => "secret",
        With::Operator => "operator",
        With::Session => "page",
    }
}

fn list(rules: &RuleSet, format: Shape, out: &mut dyn Write) -> Result<()> {
    let lines: Vec<_> = rules.rules.iter().map(|rule| Line::of(rule)).collect();
    if format == Shape::Json {
        serde_json::to_writer_pretty(&mut *out, &lines)?;
        writeln!(out)?;
        return Ok(());
    }
    let width = |of: &dyn Fn(&Line<'_>) -> usize| lines.iter().map(of).max().unwrap_or(0);
    let id = width(&|line| line.id.as_str().len()).max(4);
    let title = width(&|line| line.title.chars().count()).max(5);
    writeln!(
        out,
        "{:id$}  {:title$}  {:10}  {:8}  WORKS",
        "RULE", "TITLE", "CONFIDENCE", "SEVERITY"
    )?;
    for line in &lines {
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

fn find<'a>(rules: &'a RuleSet, name: &str) -> Result<&'a Rule> {
    match rules.rules.iter().find(|rule| rule.id.as_str() == name) {
        Some(rule) => Ok(rule),
        None => Err(Hinted::usage(
            format!("no rule is called {name:?}"),
            "`unleak rules list` shows them",
        )),
    }
}

/// Everything that is known about one rule, the examples left out: they would look like leaks.
#[derive(Debug, Serialize)]
struct Sheet<'a> {
    #[serde(flatten)]
    line: Line<'a>,
    docs: &'a str,
    file: &'a str,
    hosts: &'a [String],
    bases: Vec<String>,
    pattern: &'a str,
    keywords: &'a [String],
    longest: Option<usize>,
    checksum: Option<String>,
    entropy: Option<f64>,
    digits: usize,
    context: Option<Near<'a>>,
    needs: &'a [RuleId],
    /// What a token says about itself, read without any call.
    tells: Vec<&'a str>,
    /// What the service tells of a live one.
    identity: Vec<&'a str>,
    /// The requests of each section.
    calls: Vec<(String, String)>,
    pages: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Near<'a> {
    words: &'a [String],
    within: usize,
    unless: &'a [String],
}

impl<'a> Sheet<'a> {
    fn of(rule: &'a Rule) -> Self {
        let service = &rule.service;
        let mut identity: Vec<&str> = Vec::new();
        for name in rule.verify.iter().flat_map(|verify| {
            verify.identity.keys().chain(
                verify
                    .identify
                    .iter()
                    .flat_map(|identify| identify.identity.keys()),
            )
        }) {
            if !identity.contains(&name.as_str()) {
                identity.push(name);
            }
        }
        let mut pages: Vec<&str> = Vec::new();
        let contain = rule.contain.iter().filter_map(|contain| contain.page.as_deref());
        let revoke = rule.revoke.iter().flat_map(|revoke| revoke.ways());
        for page in contain.chain(revoke.filter_map(|way| way.page.as_deref())) {
            if !pages.contains(&page) {
                pages.push(page);
            }
        }
        Self {
            line: Line::of(rule),
            docs: &service.head.docs,
            file: &service.shown,
            hosts: &service.head.hosts,
            bases: service.bases(),
            pattern: &rule.pattern,
            keywords: &rule.keywords,
            longest: rule.longest,
            checksum: rule.checksum.map(|checksum| checksum.name().to_owned()),
            entropy: rule.entropy,
            digits: rule.digits,
            context: rule.context.as_ref().map(|context| Near {
                words: &context.words,
                within: context.within,
                unless: &context.unless,
            }),
            needs: &rule.needs,
            tells: rule
                .decode
                .iter()
                .flat_map(|decode| decode.take.keys().map(String::as_str))
                .collect(),
            identity,
            calls: calls(rule),
            pages,
        }
    }
}

fn calls(rule: &Rule) -> Vec<(String, String)> {
    let mut calls = Vec::new();
    let mut add = |place: &str, request: &str| calls.push((place.to_owned(), request.to_owned()));
    if let Some(verify) = &rule.verify {
        add("verify", &verify.request);
        if let Some(fallback) = &verify.fallback {
            add("verify, if it is not known there", &fallback.request);
        }
        for identify in &verify.identify {
            add("identify", &identify.request);
        }
    }
    if let Some(owners) = &rule.owners {
        add("owners", &owners.request);
    }
    for step in rule.contain.iter().flat_map(|contain| contain.steps()) {
        add("contain", &step.request);
    }
    for way in rule.revoke.iter().flat_map(|revoke| revoke.ways()) {
        for step in way.steps() {
            add(&format!("revoke with {}", authority(way.with)), &step.request);
        }
    }
    calls
}

fn show(rule: &Rule, format: Shape, out: &mut dyn Write) -> Result<()> {
    let sheet = Sheet::of(rule);
    if format == Shape::Json {
        serde_json::to_writer_pretty(&mut *out, &sheet)?;
        writeln!(out)?;
        return Ok(());
    }
    let line = &sheet.line;
    writeln!(out, "{}\n{}\n", line.id, line.title)?;
    let mut field = |name: &str, value: String| -> Result<()> {
        if !value.is_empty() {
            writeln!(out, "{name:<12} {value}")?;
        }
        Ok(())
    };
    field("service", format!("{}, {}", line.service, sheet.docs))?;
    field("file", sheet.file.to_owned())?;
    field("confidence", line.confidence.to_string())?;
    field("severity", line.severity.to_string())?;
    field("works", line.works())?;
    field("pattern", sheet.pattern.to_owned())?;
    field("keywords", sheet.keywords.join(", "))?;
    field("checksum", sheet.checksum.clone().unwrap_or_default())?;
    let entropy = sheet
        .entropy
        .map(|bits| format!("at least {bits} bits per character"));
    field("entropy", entropy.unwrap_or_default())?;
    if sheet.digits > 0 {
        field("digits", format!("at least {}", sheet.digits))?;
    }
    if let Some(near) = &sheet.context {
        let words = near.words.join(", ");
        field("context", format!("one of {words} within {} bytes", near.within))?;
        field("not after", near.unless.join(", "))?;
    }
    let needs: Vec<_> = sheet.needs.iter().map(RuleId::as_str).collect();
    field("needs", needs.join(", "))?;
    field("tells", sheet.tells.join(", "))?;
    field("identity", sheet.identity.join(", "))?;
    field("hosts", sheet.hosts.join(", "))?;
    let bases = if sheet.bases.is_empty() {
        format!("none: set services.{}.bases", line.id.service())
    } else {
        sheet.bases.join(", ")
    };
    field("bases", bases)?;
    for (place, request) in &sheet.calls {
        field("call", format!("{request}  ({place})"))?;
    }
    for page in &sheet.pages {
        field("page", (*page).to_owned())?;
    }
    Ok(())
}

fn prove(rules: &RuleSet, path: Option<&Path>, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit> {
    let (problems, counted) = match path {
        None => (check(rules), counted(rules)),
        Some(path) => proved_at(path)?,
    };
    for problem in &problems {
        writeln!(err, "{problem}")?;
    }
    let (files, rules) = counted;
    if problems.is_empty() {
        writeln!(out, "{rules} rules in {files} files proved")?;
        return Ok(Exit::Clean);
    }
    writeln!(
        err,
        "{} problems in {rules} rules of {files} files",
        problems.len()
    )?;
    Ok(Exit::Usage)
}

fn counted(rules: &RuleSet) -> (usize, usize) {
    (rules.services.len(), rules.rules.len())
}

/// Problems of a file or of every file of a folder; a file that cannot even be loaded does not hide the others.
fn proved_at(path: &Path) -> Result<(Vec<Problem>, (usize, usize))> {
    let mut set = RuleSet::empty();
    let mut problems = Vec::new();
    let files = RuleSet::files(path).with_context(|| "nothing was proved")?;
    for file in &files {
        if let Err(error) = set.load(file) {
            problems.push(Problem::unreadable(&file.display().to_string(), &error));
        }
    }
    problems.extend(check(&set));
    Ok((problems, (files.len(), set.rules.len())))
}
