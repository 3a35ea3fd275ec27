//! What is known about services, as data: rule files, loaded, compiled and proved.
//!
//! Rust knows here how a rule file is read, never anything of a single service.

pub mod allow;
mod built;
pub mod check;
pub mod checksum;
pub mod compile;
pub mod decode;
pub mod explain;
pub mod file;
pub mod import;
pub mod judge;
mod keywords;
pub mod lead;
mod pattern;
pub mod placeholder;
pub mod random;
pub mod search;
mod section;
mod service;
pub mod steps;
pub mod template;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use built::{Built, BuiltContext};
pub use compile::{Context as NearWords, Rule};
use file::Looks;
pub use lead::Lead;
pub use service::Service;
use steps::{Behind, Bytes};

use crate::finding::{Confidence, Finding, Refusal, RuleCard, RuleId, Severity};

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// Largest rule file that is read, in bytes.
const LARGEST_FILE: u64 = 2 << 20;

/// The text of a rule file or configuration; bounded, whatever stands at the path.
fn read(path: &Path) -> Result<String> {
    let shown = path.display();
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(|| format!("cannot read {shown}"))?;
    file.take(LARGEST_FILE + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {shown}"))?;
    if text.len() as u64 > LARGEST_FILE {
        bail!("{shown} has more than {LARGEST_FILE} bytes; no rule file needs that many");
    }
    Ok(text)
}

/// All services in use, with their rules.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// Services by file name.
    pub services: Vec<Arc<Service>>,
    /// Their rules, in the order of the files.
    pub rules: Vec<Arc<Rule>>,
    /// Findings of rules less sure than this are left out.
    pub least: Confidence,
    /// Rules that this run does not use, and why: `scan --explain` tells what they would have found.
    pub off: Vec<(Arc<Rule>, Refusal)>,
}

impl RuleSet {
    /// No rules.
    pub fn empty() -> Self {
        Self {
            services: Vec::new(),
            rules: Vec::new(),
            least: Confidence::Low,
            off: Vec::new(),
        }
    }

    /// The rule files that were built in.
    pub fn bundled() -> Result<Self> {
        let mut set = Self::empty();
        for (name, rules, text) in BUNDLED {
            built::add(name, rules, text, &mut set)?;
        }
        Ok(set)
    }

    /// Adds a rule file, a configuration of gitleaks or betterleaks (told apart by what is in it), or every `*.toml` of a
    /// folder; a service of the same name is replaced.
    pub fn load(&mut self, path: &Path) -> Result<()> {
        Self::files(path)?
            .iter()
            .try_for_each(|file| self.load_file(file))
    }

    /// Adds a configuration of gitleaks or betterleaks that a repository brings. A rule file of ours says whom to send
    /// tokens to, so a repository cannot bring one.
    ///
    /// # Errors
    /// Anything but such a configuration.
    pub fn load_foreign(&mut self, path: &Path) -> Result<()> {
        let text = read(path)?;
        if !import::is_foreign(&text) {
            bail!(
                "{} is no configuration of gitleaks or betterleaks; rule files of unleak are named by --rules alone",
                path.display()
            );
        }
        import::add(self, path, &text)
    }

    /// The file, or every `*.toml` of the folder, sorted; fails where there is none.
    pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
        let shown = path.display();
        let data = std::fs::metadata(path).with_context(|| format!("cannot read rules from {shown}"))?;
        if !data.is_dir() {
            return Ok(vec![path.to_owned()]);
        }
        let mut files: Vec<_> = std::fs::read_dir(path)
            .with_context(|| format!("cannot read rules from {shown}"))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()
            .with_context(|| format!("cannot read rules from {shown}"))?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
        files.sort();
        if files.is_empty() {
            bail!("{shown} holds no rule file (*.toml)");
        }
        Ok(files)
    }

    fn load_file(&mut self, path: &Path) -> Result<()> {
        let text = read(path)?;
        if import::is_foreign(&text) {
            return import::add(self, path, &text);
        }
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        self.add(name, &path.display().to_string(), &text)
    }

    /// Adds the rule file `text`; `name` becomes the service's name and `shown` is how errors call the file.
    pub fn add(&mut self, name: &str, shown: &str, text: &str) -> Result<()> {
        if name.is_empty()
            || !name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        {
            bail!(
                "{shown}: a rule file is named after its service, in lower-case letters, digits and hyphens"
            );
        }
        let file: file::ServiceFile = toml::from_str(text)
            .map_err(|error| anyhow::anyhow!("{shown}: {}", error.to_string().trim_end()))?;
        let (service, rules) = compile::compile(name, shown, file)?;
        self.services.retain(|known| known.name != service.name);
        self.rules.retain(|known| known.service.name != service.name);
        self.services.push(service);
        self.rules.extend(rules);
        Ok(())
    }

    /// The rule of this full id.
    pub fn find(&self, id: &RuleId) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| rule.id == *id)
    }

    /// Keeps the rules that `only` names (all, if it is empty) and `skip` does not. A name is a full id or a service.
    pub fn select(&mut self, only: &[String], skip: &[String]) -> Result<()> {
        let named = |rule: &Rule, name: &String| rule.id.as_str() == name || rule.service.name == *name;
        for name in only.iter().chain(skip) {
            if !self.rules.iter().any(|rule| named(rule, name)) {
                bail!("no rule or service is called {name:?}; `unleak rules list` shows them");
            }
        }
        self.rules
            .retain(|rule| only.is_empty() || only.iter().any(|name| named(rule, name)));
        let skipped = |rule: &mut Arc<Rule>| skip.iter().any(|name| named(rule, name));
        let off = self.rules.extract_if(.., skipped);
        let why = || Refusal::new("skip", "--skip leaves its rule out");
        self.off.extend(off.map(|rule| (rule, why())));
        Ok(())
    }

    /// Leaves out what is less sure than `least`, but for parts that other rules need and rules that `named` asks for.
    pub fn at_least(&mut self, least: Confidence, named: &[String]) {
        if !named.is_empty() {
            return;
        }
        self.least = least;
        let needed: BTreeSet<RuleId> = self
            .rules
            .iter()
            .flat_map(|rule| rule.part_rules().cloned())
            .collect();
        let weak = |rule: &mut Arc<Rule>| rule.confidence > least && !needed.contains(&rule.id);
        let off = self.rules.extract_if(.., weak);
        self.off.extend(off.map(|rule| {
            let why = rule.too_weak(least);
            (rule, why)
        }));
    }

    /// What a report of these findings needs to know of their rules.
    pub fn cards(&self, findings: &[Finding]) -> Vec<RuleCard> {
        let found: BTreeSet<&RuleId> = findings.iter().map(|finding| &finding.rule).collect();
        let off = self.off.iter().map(|(rule, _)| rule);
        let rules = self.rules.iter().chain(off);
        rules
            .filter(|rule| found.contains(&rule.id))
            .map(|rule| rule.card())
            .collect()
    }
}
