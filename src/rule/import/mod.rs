//! Other people's rules: a gitleaks or betterleaks configuration becomes rules of the service `imported`.
//!
//! What has no equal here is never passed over in silence: what would make us find less is an error that names the rule,
//! the line and what to do; what would make us report more is a warning. It reads the files that the operator named, and
//! those that they extend, and must never fetch anything.

mod file;
mod gather;
mod go;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};

use self::file::{AllowFile, ForeignRule};
use self::gather::{Gathered, Numbered};
use super::RuleSet;
use super::allow::{Allowlist, MOST, Target};
use super::compile::{self, Imported, SecretGroup};
use super::file::{ContextFile, RuleFile, ServiceFile, ServiceHead};
use super::keywords::Shape;
use super::pattern::Pattern;
use crate::finding::{Confidence, Severity};

/// The service of every imported rule.
pub const SERVICE: &str = "imported";

/// How near a keyword stands that the pattern does not hold, in bytes: the peers look for keywords in pieces of files of
/// this size.
const NEAR: usize = 100 << 10;

/// Most rules of one configuration.
const MOST_RULES: usize = 5000;

/// Whether this is the configuration of gitleaks or betterleaks and no rule file of ours. What cannot be read at all is
/// left to whoever reads rule files.
pub fn is_foreign(text: &str) -> bool {
    const THEIRS: [&str; 4] = ["rules", "extend", "allowlist", "allowlists"];
    const OURS: [&str; 2] = ["service", "rule"];
    let Ok(table) = text.parse::<toml::Table>() else {
        return false;
    };
    let holds = |names: &[&str]| names.iter().any(|name| table.contains_key(*name));
    holds(&THEIRS) && !holds(&OURS)
}

/// Adds the rules of this configuration, and its allowlists to the rules that they are for. A rule of the same id that
/// was imported before is replaced.
///
/// # Errors
/// Everything in it that has no equal here, a line each.
pub fn add(set: &mut RuleSet, path: &Path, text: &str) -> Result<()> {
    let gathered = gather::gather(path, text)?;
    if gathered.rules.len() > MOST_RULES {
        bail!(
            "{}: {} rules; at most {MOST_RULES} are read",
            path.display(),
            gathered.rules.len()
        );
    }
    let mut problems = Vec::new();
    let mut note = |result: Result<()>| {
        if let Err(error) = result {
            problems.push(format!("{error:#}"));
        }
    };
    let mut lists = Vec::new();
    for (place, list) in gathered.allowlists.iter().enumerate() {
        let name = name_of(list, place, "of the configuration");
        note(
            allowlist(list, name)
                .with_context(|| format!("{}: allowlist {}", path.display(), place + 1))
                .map(|made| lists.push((list.target_rules.clone(), Arc::new(made)))),
        );
    }
    let mut ready = Vec::new();
    for rule in &gathered.rules {
        note(
            convert(rule, &lists)
                .with_context(|| rule.shown())
                .map(|made| ready.push(made)),
        );
    }
    if !problems.is_empty() {
        problems.truncate(20);
        bail!("{}", problems.join("\n"));
    }
    enter(set, path, &gathered, ready)?;
    if gathered.use_default {
        let everywhere = lists.into_iter().filter(|(rules, _)| rules.is_empty());
        let everywhere: Vec<_> = everywhere.map(|(_, list)| list).collect();
        for rule in set.rules.iter_mut().filter(|rule| !rule.is_imported()) {
            let rule = Arc::get_mut(rule).ok_or_else(|| anyhow!("the rules are in use already"))?;
            rule.allowlists.extend(everywhere.iter().cloned());
        }
    }
    Ok(())
}

fn enter(
    set: &mut RuleSet,
    path: &Path,
    gathered: &Gathered,
    ready: Vec<(RuleFile, Shape, Imported)>,
) -> Result<()> {
    let head = ServiceHead {
        name: "Imported rules".to_owned(),
        docs: String::new(),
        hosts: Vec::new(),
        regions: Vec::new(),
        values: std::collections::BTreeMap::new(),
        credentials: std::collections::BTreeMap::new(),
        canaries: std::collections::BTreeMap::new(),
        rate: super::file::RateFile::default(),
    };
    let file = ServiceFile {
        service: head,
        rule: ready.iter().map(|(rule, ..)| rule.clone()).collect(),
        verify: None,
        owners: None,
        contain: None,
        revoke: None,
        weight: Vec::new(),
    };
    let (service, rules) = compile::imported(SERVICE, &path.display().to_string(), file, ready)?;
    let replaced = |id: &str| gathered.rules.iter().any(|rule| rule.rule.id == id);
    set.rules
        .retain(|known| !(known.is_imported() && replaced(known.id.rule())));
    set.services.push(service);
    set.rules.extend(rules);
    Ok(())
}

/// One rule in our form, with what only imported rules have.
fn convert(
    numbered: &Numbered,
    global: &[(Vec<String>, Arc<Allowlist>)],
) -> Result<(RuleFile, Shape, Imported)> {
    let rule = &numbered.rule;
    let regex = match (&rule.regex, &rule.path) {
        (Some(regex), _) => regex,
        (None, Some(_)) => {
            bail!("it looks for paths alone; unleak reports what stands in files: leave the rule out")
        }
        (None, None) => bail!("it has no regex: give it one, or leave it out"),
    };
    let pattern = go::translate(regex)?;
    super::pattern::prove(&pattern)?;
    let mut shape = Shape::of(&pattern, Vec::new())?;
    let secret = match rule.secret_group {
        None | Some(0) => SecretGroup::First,
        Some(group) if group <= shape.groups.len() => SecretGroup::Number(group),
        Some(group) => bail!(
            "secretGroup is {group}, and its regex has {} groups",
            shape.groups.len()
        ),
    };
    let (keywords, context) = words(rule, &shape)?;
    if shape.keywords != keywords {
        shape = Shape::of(&pattern, keywords.clone())?;
    }
    let mut allowlists: Vec<_> = global
        .iter()
        .filter(|(rules, _)| rules.is_empty() || rules.contains(&rule.id))
        .map(|(_, list)| Arc::clone(list))
        .collect();
    for (place, list) in rule.allowlist.iter().chain(&rule.allowlists).enumerate() {
        let name = name_of(list, place, &format!("of {SERVICE}/{}", rule.id));
        let made = allowlist(list, name).with_context(|| format!("its allowlist {}", place + 1))?;
        allowlists.push(Arc::new(made));
    }
    if allowlists.len() > MOST {
        bail!(
            "it has {} allowlists; at most {MOST} are read: join some",
            allowlists.len()
        );
    }
    let path = rule.path.as_deref().map(|path| {
        let made = go::translate(path).and_then(Pattern::new);
        made.context("its path")
    });
    let imported = Imported {
        secret,
        path: path.transpose()?,
        allowlists,
    };
    let file = RuleFile {
        id: rule.id.clone(),
        title: rule.description.clone().unwrap_or_else(|| rule.id.clone()),
        pattern,
        keywords,
        // Theirs must be above the figure, ours at least at it.
        entropy: rule.entropy.filter(|bits| *bits > 0.0).map(f64::next_up),
        confidence: Confidence::Medium,
        severity: Severity::High,
        context,
        ..RuleFile::default()
    };
    Ok((file, shape, imported))
}

/// What calls the rule, and which words must stand near. Theirs are looked for in a piece of the file before the pattern
/// is; where each match holds one of them anyway, what the match holds is the better sign.
fn words(rule: &ForeignRule, shape: &Shape) -> Result<(Vec<String>, Option<ContextFile>)> {
    let given: Vec<String> = rule
        .keywords
        .iter()
        .map(|word| word.to_lowercase())
        .filter(|word| !word.is_empty())
        .collect();
    let own: Vec<String> = match shape.keywords.iter().all(|word| word.len() >= 2) {
        true => shape.keywords.clone(),
        false => Vec::new(),
    };
    if own.is_empty() && given.is_empty() {
        bail!("no text of two characters stands in every match of its regex: give it keywords");
    }
    if own.is_empty() && given.iter().any(|word| word.len() < 2) {
        bail!("it has a keyword of one character: give it longer ones");
    }
    let held = !own.is_empty()
        && own
            .iter()
            .all(|own| given.iter().any(|word| own.contains(word.as_str())));
    if given.is_empty() || held {
        return Ok((own, None));
    }
    let context = ContextFile {
        words: given.clone(),
        within: NEAR,
        unless: Vec::new(),
        anywhere: true,
    };
    let keywords = if own.is_empty() { given } else { own };
    Ok((keywords, Some(context)))
}

fn name_of(list: &AllowFile, place: usize, of: &str) -> String {
    match &list.description {
        Some(text) => format!("the allowlist {text:?} {of}"),
        None => format!("allowlist {} {of}", place + 1),
    }
}

fn allowlist(file: &AllowFile, name: String) -> Result<Allowlist> {
    let all = match file.condition.as_deref().map(str::to_uppercase).as_deref() {
        None | Some("" | "OR" | "||") => false,
        Some("AND" | "&&") => true,
        Some(_) => bail!("condition is neither AND nor OR"),
    };
    let target = match file.regex_target.as_deref() {
        None | Some("" | "secret") => Target::Secret,
        Some("match") => Target::Match,
        Some("line") => Target::Line,
        Some(other) => bail!("regexTarget {other:?} is none of secret, match, line"),
    };
    let patterns = |texts: &[String]| {
        let made = texts.iter().map(|text| {
            let made = go::translate(text).and_then(Pattern::new);
            made.with_context(|| format!("{text:?}"))
        });
        made.collect::<Result<Vec<_>>>()
    };
    Ok(Allowlist {
        name,
        all,
        target,
        patterns: patterns(&file.regexes)?,
        words: file.stopwords.iter().map(|word| word.to_lowercase()).collect(),
        paths: patterns(&file.paths)?,
        commits: file.commits.iter().map(|commit| commit.to_lowercase()).collect(),
    })
}
