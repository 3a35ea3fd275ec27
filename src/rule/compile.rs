//! The compiled form: a rule file checked for what a machine can check at once, ready for the scan.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, bail};
use regex::bytes::{Regex, RegexBuilder};

use super::checksum::Checksum;
use super::file::{
    ContainFile, ContextFile, DecodeFile, OwnersFile, RevokeFile, RuleFile, Section, ServiceFile,
    ServiceHead, VerifyFile,
};
use super::keywords;
use crate::finding::{Confidence, RuleCard, RuleId, Severity};

/// Largest compiled program of one pattern, in bytes.
const LARGEST_PROGRAM: usize = 4 << 20;

/// One service.
#[derive(Debug)]
pub struct Service {
    /// File name without ending: `github`.
    pub name: String,
    /// Where it was read from, for messages.
    pub shown: String,
    /// `[service]`.
    pub head: ServiceHead,
}

impl Service {
    /// Base URLs that the rule file names: its regions, else `https://` and its first host, else none.
    pub fn bases(&self) -> Vec<String> {
        if self.head.regions.is_empty() {
            return self
                .head
                .hosts
                .first()
                .map(|host| format!("https://{host}"))
                .into_iter()
                .collect();
        }
        self.head.regions.clone()
    }
}

/// Words near a match, in lower case.
#[derive(Clone, Debug)]
pub struct Context {
    /// One of these must stand near.
    pub words: Vec<String>,
    /// How near, in bytes.
    pub within: usize,
    /// None of these may stand right before, as a whole word.
    pub unless: Vec<String>,
}

impl Context {
    fn of(file: &ContextFile) -> Self {
        let lower = |words: &[String]| words.iter().map(|word| word.to_lowercase()).collect();
        Self {
            words: lower(&file.words),
            within: file.within,
            unless: lower(&file.unless),
        }
    }
}

/// One shape of token.
#[derive(Debug)]
pub struct Rule {
    /// Full id.
    pub id: RuleId,
    /// Its service.
    pub service: Arc<Service>,
    /// What it is called.
    pub title: String,
    /// The pattern's text.
    pub pattern: String,
    regex: OnceLock<Regex>,
    /// Literals of which one occurs in or near every match; matched without regard to case.
    pub keywords: Vec<String>,
    /// Longest possible match in bytes, if bounded.
    pub longest: Option<usize>,
    /// Literal that every secret of this rule begins with; may be shown.
    pub prefix: String,
    /// The checksum that a secret must pass.
    pub checksum: Option<Checksum>,
    /// Least entropy, bits per character.
    pub entropy: Option<f64>,
    /// Least number of digits.
    pub digits: usize,
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
    /// Self-description of the secret.
    pub decode: Option<DecodeFile>,
    /// Texts that must be found, joiner dropped.
    pub accepts: Vec<String>,
    /// Texts that must not.
    pub rejects: Vec<String>,
    /// How to ask whether it is alive.
    pub verify: Option<Arc<VerifyFile>>,
    /// How to find organisation owners.
    pub owners: Option<Arc<OwnersFile>>,
    /// What an organisation can do.
    pub contain: Option<Arc<ContainFile>>,
    /// How to revoke.
    pub revoke: Option<Arc<RevokeFile>>,
}

impl Rule {
    /// The compiled pattern, compiled on first use so that start-up does not pay for rules that see no candidate.
    pub fn regex(&self) -> &Regex {
        #[expect(
            clippy::expect_used,
            reason = "compile() built the same pattern's syntax tree; rules check builds it"
        )]
        self.regex
            .get_or_init(|| build(&self.pattern).expect("the pattern was checked on load"))
    }

    /// What a report needs to know.
    pub fn card(&self) -> RuleCard {
        RuleCard {
            id: self.id.clone(),
            title: self.title.clone(),
            service: self.service.head.name.clone(),
            docs: self.service.head.docs.clone(),
            page: self
                .revoke
                .as_ref()
                .and_then(|revoke| revoke.ways().find_map(|way| way.page.as_ref()))
                .and_then(|page| match self.service.bases().first() {
                    Some(base) => Some(page.replace("{base}", base)),
                    None => Some(page.clone()).filter(|page| !page.contains("{base}")),
                }),
            severity: self.severity,
            confidence: self.confidence,
        }
    }
}

/// Builds the pattern; bounded, so that a hostile rule file cannot take the memory.
pub(super) fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(LARGEST_PROGRAM)
        .build()
}

/// Gives a rule file its meaning.
pub(super) fn compile(name: &str, shown: &str, file: ServiceFile) -> Result<(Arc<Service>, Vec<Arc<Rule>>)> {
    let service = Arc::new(Service {
        name: name.to_owned(),
        shown: shown.to_owned(),
        head: file.service.clone(),
    });
    let ids: BTreeSet<&str> = file.rule.iter().map(|rule| rule.id.as_str()).collect();
    if ids.len() != file.rule.len() {
        bail!("{shown}: two rules have the same id");
    }
    let defaults = Defaults {
        verify: file.verify.map(Arc::new),
        owners: file.owners.map(Arc::new),
        contain: file.contain.map(Arc::new),
        revoke: file.revoke.map(Arc::new),
    };
    let mut rules = Vec::with_capacity(file.rule.len());
    for rule in &file.rule {
        let id = RuleId::new(name, &rule.id);
        if let Some(lost) = rule.needs.iter().find(|other| !ids.contains(other.as_str())) {
            bail!(
                "{shown}: rule {:?} needs {lost:?}, which this file does not have",
                rule.id
            );
        }
        rules.push(Arc::new(
            one(id, rule, &service, &defaults).with_context(|| format!("{shown}: rule {:?}", rule.id))?,
        ));
    }
    Ok((service, rules))
}

struct Defaults {
    verify: Option<Arc<VerifyFile>>,
    owners: Option<Arc<OwnersFile>>,
    contain: Option<Arc<ContainFile>>,
    revoke: Option<Arc<RevokeFile>>,
}

fn section<T: Clone>(own: Option<&Section<T>>, default: Option<&Arc<T>>, public: bool) -> Option<Arc<T>> {
    match own {
        _ if public => None,
        Some(Section::Own(own)) => Some(Arc::new(own.clone())),
        Some(Section::Off) => None,
        None => default.cloned(),
    }
}

fn one(id: RuleId, file: &RuleFile, service: &Arc<Service>, defaults: &Defaults) -> Result<Rule> {
    let shape = keywords::Shape::of(&file.pattern)?;
    if !shape.groups.iter().any(|group| group == "secret") {
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
    let context = file.context.as_ref().map(Context::of);
    let keywords = match (&file.keywords, &context) {
        (given, _) if !given.is_empty() => given.clone(),
        (_, Some(context)) => context.words.clone(),
        _ => shape.keywords,
    };
    if keywords.is_empty() || keywords.iter().any(|word| word.len() < 2) {
        bail!("no literal of two characters or more occurs in every match: give keywords or context");
    }
    let checksum = file.checksum.as_deref().map(Checksum::named).transpose()?;
    let plain = |texts: &[String]| texts.iter().map(|text| text.replace('·', "")).collect();
    Ok(Rule {
        id,
        service: Arc::clone(service),
        title: file.title.clone(),
        pattern: file.pattern.clone(),
        regex: OnceLock::new(),
        keywords,
        longest: shape.longest,
        prefix: shape.secret_prefix,
        checksum,
        entropy: file.entropy,
        digits: file.digits,
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
        decode: file.decode.clone(),
        accepts: plain(&file.accepts),
        rejects: plain(&file.rejects),
        verify: section(file.verify.as_ref(), defaults.verify.as_ref(), file.public),
        owners: section(file.owners.as_ref(), defaults.owners.as_ref(), file.public),
        contain: section(file.contain.as_ref(), defaults.contain.as_ref(), file.public),
        revoke: section(file.revoke.as_ref(), defaults.revoke.as_ref(), file.public),
    })
}
