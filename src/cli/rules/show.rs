//! `unleak rules show`: everything that is known about one rule.

use std::borrow::Cow;
use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::list::{Line, authority};
use super::{Shape, words};
use crate::cli::exit::Hinted;
use crate::finding::RuleId;
use crate::rule::file::Looks;
use crate::rule::{Rule, RuleSet};

fn find<'a>(rules: &'a RuleSet, name: &str) -> Result<&'a Rule> {
    if let Some(rule) = rules.rules.iter().find(|rule| rule.id.as_str() == name) {
        return Ok(rule);
    }
    let service = name.split('/').next().unwrap_or_default();
    let ids = rules.rules.iter().map(|rule| &rule.id);
    let of_service: Vec<_> = ids
        .filter(|id| id.service() == service)
        .map(RuleId::as_str)
        .collect();
    let hint = if of_service.is_empty() {
        "`unleak rules list` shows them".to_owned()
    } else {
        format!(
            "those of {service} are {}; `unleak rules list` shows all",
            of_service.join(", ")
        )
    };
    Err(Hinted::usage(format!("no rule is called {name:?}"), hint))
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
    looks: Option<Looks>,
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
    words: &'a [Cow<'static, str>],
    within: usize,
    unless: &'a [Cow<'static, str>],
}

impl<'a> Sheet<'a> {
    fn of(rule: &'a Rule) -> Self {
        let service = &rule.service;
        let mut identity: Vec<&str> = Vec::new();
        for name in rule.verify().into_iter().flat_map(|verify| {
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
        let contain = rule
            .contain()
            .into_iter()
            .filter_map(|contain| contain.page.as_deref());
        let revoke = rule.revoke().into_iter().flat_map(|revoke| revoke.ways());
        for page in contain.chain(revoke.filter_map(|way| way.page.as_deref())) {
            if !pages.contains(&page) {
                pages.push(page);
            }
        }
        Self {
            line: Line::of(rule),
            docs: &service.head().docs,
            file: &service.shown,
            hosts: &service.head().hosts,
            bases: service.bases(),
            pattern: &rule.pattern,
            keywords: &rule.keywords,
            longest: rule.longest,
            checksum: rule.checksum.map(|checksum| checksum.name().to_owned()),
            entropy: rule.entropy,
            digits: rule.digits,
            looks: rule.looks,
            context: rule.context.as_ref().map(|context| Near {
                words: &context.words,
                within: context.within,
                unless: &context.unless,
            }),
            needs: &rule.needs,
            tells: rule
                .decode()
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
    if let Some(verify) = rule.verify() {
        add("verify", &verify.request);
        if let Some(fallback) = &verify.fallback {
            add("verify, if it is not known there", &fallback.request);
        }
        for identify in &verify.identify {
            add("identify", &identify.request);
        }
    }
    if let Some(owners) = rule.owners() {
        add("owners", &owners.request);
    }
    for step in rule.contain().into_iter().flat_map(|contain| contain.steps()) {
        add("contain", &step.request);
    }
    for way in rule.revoke().into_iter().flat_map(|revoke| revoke.ways()) {
        for step in way.steps() {
            add(&format!("revoke with {}", authority(way.with)), &step.request);
        }
    }
    calls
}

/// Writes what is known of the rule of this full id; fails if there is none.
pub(super) fn show(rules: &RuleSet, name: &str, format: Shape, out: &mut dyn Write) -> Result<()> {
    let rule = find(rules, name)?;
    let sheet = Sheet::of(rule);
    if format == Shape::Json {
        serde_json::to_writer_pretty(&mut *out, &sheet)?;
        writeln!(out)?;
        return Ok(());
    }
    let line = &sheet.line;
    writeln!(out, "{}\n{}\n", line.id, line.title)?;
    for sentence in words::of(rule) {
        writeln!(out, "{sentence}")?;
    }
    writeln!(out)?;
    let mut field = |name: &str, value: String| -> Result<()> {
        if !value.is_empty() {
            writeln!(out, "{name:<12} {value}")?;
        }
        Ok(())
    };
    let service = [line.service, sheet.docs].join(", ");
    field("service", service.trim_end_matches(", ").to_owned())?;
    field("file", sheet.file.to_owned())?;
    field("confidence", line.confidence.to_string())?;
    field("severity", line.severity.to_string())?;
    field("works", line.works())?;
    field("pattern", sheet.pattern.to_owned())?;
    field("keywords", sheet.keywords.join(", "))?;
    field("checksum", sheet.checksum.clone().unwrap_or_default())?;
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
    let bases = match sheet.bases.as_slice() {
        [] if sheet.calls.is_empty() => String::new(),
        [] => format!("none: set services.{}.bases", line.id.service()),
        bases => bases.join(", "),
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
