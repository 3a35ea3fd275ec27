//! Reads a configuration and those that it extends, and lays them on top of each other.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use super::file::{AllowFile, ConfigFile, ForeignRule};
use crate::rule::read;

/// How many configurations may extend each other.
const DEEPEST: usize = 4;

/// A rule with its place.
#[derive(Debug)]
pub(super) struct Numbered {
    pub(super) rule: ForeignRule,
    file: String,
    line: usize,
}

impl Numbered {
    /// File, line and rule, for messages.
    pub(super) fn shown(&self) -> String {
        format!("{}:{}: rule {:?}", self.file, self.line, self.rule.id)
    }
}

/// Everything that holds after extension.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) rules: Vec<Numbered>,
    pub(super) allowlists: Vec<AllowFile>,
    /// gitleaks' own rules were asked for: ours stand for them.
    pub(super) use_default: bool,
}

/// Reads `text`, which stands in `path`, and what it extends.
pub(super) fn gather(path: &Path, text: &str) -> Result<Gathered> {
    let mut gathered = Gathered::default();
    layer(path, text, &mut gathered, 0)?;
    Ok(gathered)
}

fn layer(path: &Path, text: &str, gathered: &mut Gathered, depth: usize) -> Result<()> {
    let shown = path.display();
    let file: ConfigFile =
        toml::from_str(text).map_err(|error| anyhow!("{shown}: {}", error.to_string().trim_end()))?;
    if file.extend.url.is_some() {
        bail!(
            "{shown}: extend.url: nothing is fetched; save that configuration beside this one and name it in extend.path"
        );
    }
    if let Some(base) = &file.extend.path {
        if depth + 1 >= DEEPEST {
            bail!("{shown}: extend.path: configurations extend each other more than {DEEPEST} deep");
        }
        let base = located(path, base);
        let text = read(&base)?;
        layer(&base, &text, gathered, depth + 1)?;
    }
    gathered.use_default |= file.extend.use_default;
    disable(&file.extend.disabled_rules, gathered, &shown.to_string());
    if file.prefilter.is_some() || file.filter.is_some() {
        tracing::warn!(
            "{shown}: prefilter and filter are expressions of betterleaks and are not evaluated: more is reported"
        );
    }
    gathered
        .allowlists
        .extend(file.allowlist.into_iter().chain(file.allowlists));
    for spanned in file.rules {
        let line = 1 + text[..spanned.span().start.min(text.len())].matches('\n').count();
        let numbered = Numbered {
            rule: spanned.into_inner(),
            file: shown.to_string(),
            line,
        };
        put(numbered, gathered)?;
    }
    Ok(())
}

/// The extended file: from where we were started, as gitleaks has it, else beside the file that names it.
fn located(from: &Path, base: &str) -> PathBuf {
    let base = PathBuf::from(base);
    let beside = from.parent().map(|folder| folder.join(&base));
    match beside {
        Some(beside) if !base.exists() => beside,
        _ => base,
    }
}

fn disable(ids: &[String], gathered: &mut Gathered, shown: &str) {
    let mut unknown = Vec::new();
    for id in ids {
        let before = gathered.rules.len();
        gathered.rules.retain(|known| known.rule.id != *id);
        if gathered.rules.len() == before {
            unknown.push(id.as_str());
        }
    }
    if !unknown.is_empty() {
        tracing::warn!(
            "{shown}: disabledRules names {}, which unleak does not have under that name; --skip leaves a rule of unleak out",
            unknown.join(", ")
        );
    }
}

/// Adds a rule, or lays it over the one of the same id.
fn put(numbered: Numbered, gathered: &mut Gathered) -> Result<()> {
    let rule = &numbered.rule;
    if rule.id.is_empty()
        || rule.id.len() > 100
        || rule.id.chars().any(|c| c.is_whitespace() || c.is_control())
    {
        bail!(
            "{}: its id is empty, longer than 100 characters, or holds blanks",
            numbered.shown()
        );
    }
    let known = gathered.rules.iter_mut().find(|known| known.rule.id == rule.id);
    if known.is_none() && rule.regex.is_none() && rule.path.is_none() && gathered.use_default {
        tracing::warn!(
            "{}: it changes a rule of gitleaks' own, which unleak does not have under that name: left out, and more may be reported",
            numbered.shown()
        );
        return Ok(());
    }
    if rule.skip_report {
        tracing::warn!(
            "{}: skipReport: it is never reported, and left out",
            numbered.shown()
        );
        return Ok(());
    }
    let without = [
        ("required", !rule.required.is_empty()),
        ("prefilter", rule.prefilter.is_some()),
        ("filter", rule.filter.is_some()),
    ];
    for (field, _) in without.iter().filter(|(_, given)| *given) {
        tracing::warn!(
            "{}: {field} has no equal here and is passed over: more is reported",
            numbered.shown()
        );
    }
    if rule.validate.is_some() {
        tracing::warn!(
            "{}: validate is passed over: imported rules are not verified; a rule file of unleak can be (rules/README.md)",
            numbered.shown()
        );
    }
    match known {
        Some(known) => lay_over(known, numbered),
        None => gathered.rules.push(numbered),
    }
    Ok(())
}

/// What the later rule gives replaces what the earlier one has; lists are joined.
fn lay_over(known: &mut Numbered, later: Numbered) {
    let (rule, later) = (&mut known.rule, later.rule);
    rule.description = later.description.or(rule.description.take());
    rule.regex = later.regex.or(rule.regex.take());
    rule.path = later.path.or(rule.path.take());
    rule.entropy = later.entropy.or(rule.entropy);
    rule.secret_group = later.secret_group.or(rule.secret_group);
    rule.keywords.extend(later.keywords);
    rule.tags.extend(later.tags);
    rule.allowlists
        .extend(later.allowlist.into_iter().chain(later.allowlists));
}
