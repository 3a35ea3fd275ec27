//! The compiled form: a rule file checked for what a machine can check at once, ready for the scan.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use super::allow::{Allowlist, Target};
use super::checksum::Checksum;
use super::file::{ContextFile, DecodeFile, Looks, RuleFile, ServiceFile};
use super::keywords;
use super::lead::Lead;
use super::pattern::{self, Pattern};
use super::search::{Captures, Match, Search};
use super::service::Service;
use super::steps::{Behind, Bytes};
use crate::finding::{Confidence, Refusal, RuleCard, RuleId, Severity};
use anyhow::{Context as _, Result, bail};

/// Words near a match, in lower case.
#[derive(Clone, Debug)]
pub struct Context {
    /// One of these must stand near, if there are any.
    pub words: Vec<Cow<'static, str>>,
    /// How near, in bytes.
    pub within: usize,
    /// None of these may stand right before, as a whole word.
    pub unless: Vec<Cow<'static, str>>,
    /// Short words count in the middle of others, too.
    pub anywhere: bool,
}

impl Context {
    fn of(file: &ContextFile) -> Self {
        let lower = |words: &[String]| words.iter().map(|word| word.to_lowercase().into()).collect();
        Self {
            words: lower(&file.words),
            within: file.within,
            unless: lower(&file.unless),
            anywhere: file.anywhere,
        }
    }
}

/// Which part of a match is the secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum SecretGroup {
    /// The group `secret`.
    #[default]
    Named,
    /// The group of this number.
    Number(usize),
    /// The first group that holds something, else the whole match.
    First,
}

/// What only rules from another tool's configuration have.
#[derive(Debug, Default)]
pub(super) struct Imported {
    pub(super) secret: SecretGroup,
    pub(super) path: Option<Pattern>,
    pub(super) allowlists: Vec<Arc<Allowlist>>,
}

/// One shape of token.
#[derive(Debug)]
pub struct Rule {
    /// Full id.
    pub id: RuleId,
    /// Its service.
    pub service: Arc<Service>,
    /// The pattern's text.
    pub pattern: Cow<'static, str>,
    pub(super) search: Search,
    /// Literals of which one occurs in or near every match; matched without regard to case.
    pub keywords: Vec<String>,
    /// Where the first keyword stands in a match.
    pub lead: Lead,
    /// Bytes that may stand behind the first keyword of a match; all where nobody asked.
    pub next: Bytes,
    /// What may, where that was worked out when the rule was built in.
    pub(crate) behind: Behind,
    /// Longest possible match in bytes, if bounded.
    pub longest: Option<usize>,
    /// Literal that every secret of this rule begins with; may be shown.
    pub prefix: Cow<'static, str>,
    /// The checksum that a secret must pass.
    pub checksum: Option<Checksum>,
    /// Least entropy, bits per character.
    pub entropy: Option<f64>,
    /// Least number of digits.
    pub digits: usize,
    /// How the value must look.
    pub looks: Option<Looks>,
    /// What is judged is the text whose base64 it is, if it is any.
    pub base64: bool,
    /// Words of placeholders, in lower case.
    pub unless_value: Vec<Cow<'static, str>>,
    /// Starts of the SHA-256 of values that documentation prints.
    pub published: Vec<Cow<'static, str>>,
    /// Every other rule goes before it.
    pub yields: bool,
    /// How sure a match is.
    pub confidence: Confidence,
    /// How bad; `Info` where public by design.
    pub severity: Severity,
    /// Public by design.
    pub public: bool,
    /// Words that must stand near.
    pub context: Option<Context>,
    /// Other parts, by full id.
    pub needs: Vec<RuleId>,
    /// Parts that are taken where they stand near: name, and the rules of which one is it.
    pub near: Vec<(String, Vec<RuleId>)>,
    /// Groups whose text is a fact.
    pub facts: Vec<Cow<'static, str>>,
    /// Whether the secret describes itself.
    pub(super) decodes: bool,
    /// Which part of a match is the secret.
    pub(super) secret: SecretGroup,
    /// Where matches count, if not everywhere.
    pub(super) path: Option<Pattern>,
    /// Which matches do not.
    pub(super) allowlists: Vec<Arc<Allowlist>>,
    pub(super) place: usize,
}

impl Rule {
    /// The first match that begins at `at` or later. The pattern is compiled on first use, so that start-up does not pay
    /// for rules that see no candidate.
    pub fn captures_at<'h>(&self, hay: &'h [u8], at: usize) -> Option<Captures<'h>> {
        self.search.captures_at(&self.pattern, hay, at)
    }

    pub(super) fn written(&self) -> &RuleFile {
        &self.service.file().rule[self.place]
    }

    /// The secret in a match.
    pub fn secret_of<'h>(&self, captures: &Captures<'h>) -> Option<Match<'h>> {
        match self.secret {
            SecretGroup::Named => captures.name("secret"),
            SecretGroup::Number(number) => captures.get(number),
            SecretGroup::First => {
                let mut groups = (1..captures.len()).filter_map(|number| captures.get(number));
                groups
                    .find(|group| !group.range().is_empty())
                    .or_else(|| captures.get(0))
            }
        }
    }

    /// Whether it comes from another tool's configuration.
    pub fn is_imported(&self) -> bool {
        self.service.imported
    }

    /// Whether its allowlists ask about the lines of a match.
    pub(crate) fn asks_lines(&self) -> bool {
        self.allowlists.iter().any(|list| list.target == Target::Line)
    }

    /// Self-description of the secret.
    pub fn decode(&self) -> Option<&DecodeFile> {
        self.written().decode.as_ref().filter(|_| self.decodes)
    }

    /// What it is called.
    pub fn title(&self) -> &str {
        &self.written().title
    }

    /// Why it may be called often.
    pub fn costly(&self) -> Option<&str> {
        self.written().costly.as_deref()
    }

    /// Texts that must be found, joiner dropped.
    pub fn accepts(&self) -> Vec<String> {
        plain(&self.written().accepts)
    }

    /// Texts that must not, joiner dropped.
    pub fn rejects(&self) -> Vec<String> {
        plain(&self.written().rejects)
    }

    /// Every rule whose matches are parts of this one's.
    pub fn part_rules(&self) -> impl Iterator<Item = &RuleId> {
        self.needs
            .iter()
            .chain(self.near.iter().flat_map(|(_, rules)| rules))
    }

    /// Why a match of a rule that is less sure than `least` does not count.
    pub fn too_weak(&self, least: Confidence) -> Refusal {
        Refusal::new(
            "confidence",
            format!(
                "its rule's confidence is {}; --confidence asks for {least} at least",
                self.confidence
            ),
        )
    }

    /// What a report needs to know.
    pub fn card(&self) -> RuleCard {
        let head = self.service.head();
        RuleCard {
            id: self.id.clone(),
            title: self.title().to_owned(),
            service: head.name.clone(),
            docs: head.docs.clone(),
            page: self
                .revoke()
                .and_then(|revoke| revoke.ways().find_map(|way| way.page.as_ref()))
                .and_then(|page| self.service.page(page)),
            severity: self.severity,
            confidence: self.confidence,
        }
    }
}

/// Joins what was split so that no repository holds token-shaped text.
fn plain(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.replace('·', "")).collect()
}

/// Gives a rule file its meaning.
pub(super) fn compile(name: &str, shown: &str, file: ServiceFile) -> Result<(Arc<Service>, Vec<Arc<Rule>>)> {
    let mut rules = Vec::with_capacity(file.rule.len());
    for rule in &file.rule {
        pattern::prove(&rule.pattern).with_context(|| format!("{shown}: rule {:?}", rule.id))?;
        let shape = keywords::Shape::of(&rule.pattern, calling(rule))
            .with_context(|| format!("{shown}: rule {:?}", rule.id))?;
        rules.push((rule.clone(), shape));
    }
    let ready = rules
        .into_iter()
        .map(|(rule, shape)| (rule, shape, Imported::default()));
    with_rules(service_of(name, shown, file, false), ready.collect())
}

/// The same for rules of another tool's configuration.
pub(super) fn imported(
    name: &str,
    shown: &str,
    file: ServiceFile,
    rules: Vec<(RuleFile, keywords::Shape, Imported)>,
) -> Result<(Arc<Service>, Vec<Arc<Rule>>)> {
    with_rules(service_of(name, shown, file, true), rules)
}

fn service_of(name: &str, shown: &str, file: ServiceFile, imported: bool) -> Service {
    Service {
        name: name.to_owned(),
        shown: shown.to_owned(),
        imported,
        text: "",
        file: OnceLock::from(file),
    }
}

fn with_rules(
    service: Service,
    written: Vec<(RuleFile, keywords::Shape, Imported)>,
) -> Result<(Arc<Service>, Vec<Arc<Rule>>)> {
    let service = Arc::new(service);
    let shown = &service.shown;
    let ids: BTreeSet<String> = written.iter().map(|(rule, ..)| rule.id.clone()).collect();
    if ids.len() != written.len() {
        bail!("{shown}: two rules have the same id");
    }
    let mut rules = Vec::with_capacity(written.len());
    for (place, (rule, shape, imported)) in written.into_iter().enumerate() {
        let id = rule.id.clone();
        let mut parts = rule.needs.iter().chain(rule.near.values().flatten());
        if let Some(lost) = parts.find(|other| !ids.contains(other.as_str())) {
            bail!("{shown}: rule {id:?} needs {lost:?}, which this file does not have");
        }
        let compiled =
            one(place, rule, shape, imported, &service).with_context(|| format!("{shown}: rule {id:?}"))?;
        rules.push(Arc::new(compiled));
    }
    Ok((service, rules))
}

/// What calls a rule: the keywords that its file gives, else the words of its context; else what its pattern promises.
fn calling(rule: &RuleFile) -> Vec<String> {
    match &rule.context {
        Some(context) if rule.keywords.is_empty() => context.words.clone(),
        _ => rule.keywords.clone(),
    }
}

/// The groups that a rule speaks of must be in its pattern.
fn groups(file: &RuleFile, shape: &keywords::Shape, secret: SecretGroup) -> Result<()> {
    if secret == SecretGroup::Named && !shape.groups.iter().any(|group| group == "secret") {
        bail!("the pattern has no group (?<secret>…)");
    }
    if let Some(decode) = file
        .decode
        .as_ref()
        .filter(|decode| !shape.groups.contains(&decode.group))
    {
        bail!(
            "decode.group names {:?}, which the pattern does not have",
            decode.group
        );
    }
    if let Some(lost) = file.facts.iter().find(|group| !shape.groups.contains(group)) {
        bail!("facts names {lost:?}, a group that the pattern does not have");
    }
    Ok(())
}

/// Parts that are taken where they stand near, by full id.
fn near(service: &Service, written: &BTreeMap<String, Vec<String>>) -> Vec<(String, Vec<RuleId>)> {
    let full = |rules: &Vec<String>| {
        rules
            .iter()
            .map(|other| RuleId::new(&service.name, other))
            .collect()
    };
    written
        .iter()
        .map(|(name, rules)| (name.clone(), full(rules)))
        .collect()
}

fn one(
    place: usize,
    file: RuleFile,
    shape: keywords::Shape,
    imported: Imported,
    service: &Arc<Service>,
) -> Result<Rule> {
    groups(&file, &shape, imported.secret)?;
    let context = file.context.as_ref().map(Context::of);
    let keywords = shape.keywords;
    if keywords.is_empty() || keywords.iter().any(|word| word.len() < 2) {
        bail!("no literal of two characters or more occurs in every match: give keywords or context");
    }
    let checksum = file.checksum.as_deref().map(Checksum::named).transpose()?;
    Ok(Rule {
        id: RuleId::new(&service.name, &file.id),
        service: Arc::clone(service),
        pattern: file.pattern.into(),
        search: Search::default(),
        keywords,
        lead: shape.lead,
        next: shape.next,
        behind: Behind::Unasked,
        longest: shape.longest,
        prefix: shape.secret_prefix.into(),
        checksum,
        entropy: file.entropy,
        digits: file.digits,
        looks: file.looks,
        published: file.published.into_iter().map(Cow::Owned).collect(),
        yields: file.yields,
        base64: file.base64,
        unless_value: file
            .unless_value
            .iter()
            .map(|word| word.to_ascii_lowercase().into())
            .collect(),
        confidence: file.confidence,
        severity: if file.public {
            Severity::Info
        } else {
            file.severity
        },
        public: file.public,
        context,
        needs: file
            .needs
            .iter()
            .map(|other| RuleId::new(&service.name, other))
            .collect(),
        near: near(service, &file.near),
        facts: file.facts.into_iter().map(Cow::Owned).collect(),
        decodes: file.decode.is_some(),
        secret: imported.secret,
        path: imported.path,
        allowlists: imported.allowlists,
        place,
    })
}
