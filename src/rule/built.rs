//! The form in which `build.rs` writes the rules of this repository into the program: constants, so that a start reads
//! and parses nothing.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use anyhow::Result;

use super::RuleSet;
use super::checksum::Checksum;
use super::compile::{Context, Rule, SecretGroup};
use super::file::Looks;
use super::lead::Lead;
use super::search::Search;
use super::service::Service;
use super::steps::{Behind, Bytes};
use crate::finding::{Confidence, RuleId, Severity};

/// What the scan needs of a rule; the fields are those of [`super::Rule`].
#[derive(Clone, Copy)]
pub(super) struct Built {
    pub(super) id: &'static str,
    pub(super) pattern: &'static str,
    pub(super) keywords: &'static [&'static str],
    pub(super) lead: Lead,
    pub(super) next: Bytes,
    pub(super) behind: Behind,
    pub(super) longest: Option<usize>,
    pub(super) prefix: &'static str,
    pub(super) checksum: Option<&'static str>,
    pub(super) entropy: Option<f64>,
    pub(super) digits: usize,
    pub(super) looks: Option<Looks>,
    pub(super) base64: bool,
    pub(super) unless_value: &'static [&'static str],
    pub(super) published: &'static [&'static str],
    pub(super) yields: bool,
    pub(super) confidence: Confidence,
    pub(super) severity: Severity,
    pub(super) public: bool,
    pub(super) context: Option<BuiltContext>,
    pub(super) needs: &'static [&'static str],
    pub(super) near: &'static [(&'static str, &'static [&'static str])],
    pub(super) facts: &'static [&'static str],
    pub(super) decode: bool,
}

/// Words near a match.
#[derive(Clone, Copy)]
pub(super) struct BuiltContext {
    pub(super) words: &'static [&'static str],
    pub(super) within: usize,
    pub(super) unless: &'static [&'static str],
}

impl Built {
    /// What a rule has whose file says nothing of a field.
    pub(super) const EMPTY: Self = Self {
        id: "",
        pattern: "",
        keywords: &[],
        lead: Lead::Missing,
        next: Bytes::ALL,
        behind: Behind::Unasked,
        longest: None,
        prefix: "",
        checksum: None,
        entropy: None,
        digits: 0,
        looks: None,
        base64: false,
        unless_value: &[],
        published: &[],
        yields: false,
        confidence: Confidence::Low,
        severity: Severity::Low,
        public: false,
        context: None,
        needs: &[],
        near: &[],
        facts: &[],
        decode: false,
    };
}

impl Context {
    fn built(built: &BuiltContext) -> Self {
        Self {
            words: borrowed(built.words),
            within: built.within,
            unless: borrowed(built.unless),
            anywhere: false,
        }
    }
}

fn borrowed(words: &'static [&'static str]) -> Vec<Cow<'static, str>> {
    words.iter().copied().map(Cow::Borrowed).collect()
}

/// Adds a file that was built in: its patterns were read then, its sections are read when first asked for.
pub(super) fn add(name: &str, rules: &'static [Built], text: &'static str, set: &mut RuleSet) -> Result<()> {
    let service = Arc::new(Service {
        name: name.to_owned(),
        shown: format!("rules/{name}.toml (built in)"),
        imported: false,
        text,
        file: OnceLock::new(),
    });
    for (place, rule) in rules.iter().enumerate() {
        set.rules.push(Arc::new(from_constant(place, rule, &service)?));
    }
    set.services.push(service);
    Ok(())
}

fn from_constant(place: usize, built: &Built, service: &Arc<Service>) -> Result<Rule> {
    Ok(Rule {
        id: RuleId::new(&service.name, built.id),
        service: Arc::clone(service),
        pattern: Cow::Borrowed(built.pattern),
        search: Search::default(),
        keywords: built.keywords.iter().map(|&word| word.to_owned()).collect(),
        lead: built.lead,
        next: built.next,
        behind: built.behind,
        longest: built.longest,
        prefix: Cow::Borrowed(built.prefix),
        checksum: built.checksum.map(Checksum::named).transpose()?,
        entropy: built.entropy,
        digits: built.digits,
        looks: built.looks,
        base64: built.base64,
        unless_value: borrowed(built.unless_value),
        published: borrowed(built.published),
        yields: built.yields,
        confidence: built.confidence,
        severity: if built.public {
            Severity::Info
        } else {
            built.severity
        },
        public: built.public,
        context: built.context.as_ref().map(Context::built),
        needs: built
            .needs
            .iter()
            .map(|other| RuleId::new(&service.name, other))
            .collect(),
        near: built
            .near
            .iter()
            .map(|(name, rules)| {
                let rules = rules.iter().map(|other| RuleId::new(&service.name, other));
                ((*name).to_owned(), rules.collect())
            })
            .collect(),
        facts: borrowed(built.facts),
        decodes: built.decode,
        secret: SecretGroup::Named,
        path: None,
        allowlists: Vec::new(),
        place,
    })
}
