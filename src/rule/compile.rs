//! The compiled form: a rule file checked for what a machine can check at once, ready for the scan.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, bail};
use regex::bytes::{Regex, RegexBuilder};

use super::checksum::Checksum;
use super::file::{
    ContainFile, ContextFile, DecodeFile, Looks, OwnersFile, RevokeFile, RuleFile, Section, ServiceFile,
    ServiceHead, VerifyFile,
};
use super::keywords;
use super::lead::Lead;
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
    text: &'static str,
    file: OnceLock<ServiceFile>,
}

impl Service {
    /// The rule file as written; one that was built in is read when first asked for.
    pub fn file(&self) -> &ServiceFile {
        #[expect(
            clippy::expect_used,
            reason = "rules check has read every file that is built in"
        )]
        self.file
            .get_or_init(|| toml::from_str(self.text).expect("a rule file that was built in can be read"))
    }

    /// `[service]`.
    pub fn head(&self) -> &ServiceHead {
        &self.file().service
    }

    /// Base URLs that the rule file names: its regions, else `https://` and its first host, else none.
    pub fn bases(&self) -> Vec<String> {
        let head = self.head();
        if head.regions.is_empty() {
            return head
                .hosts
                .first()
                .map(|host| format!("https://{host}"))
                .into_iter()
                .collect();
        }
        head.regions.clone()
    }

    /// A page of the rule file on the first of [`Service::bases`], for who does not know which instance it is about.
    fn page(&self, page: &str) -> Option<String> {
        match page.strip_prefix("{base}") {
            Some(path) => Some(format!("{}{path}", self.bases().first()?)),
            None => Some(page.to_owned()),
        }
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
    /// The pattern's text.
    pub pattern: String,
    regex: OnceLock<Regex>,
    /// Literals of which one occurs in or near every match; matched without regard to case.
    pub keywords: Vec<String>,
    /// Where the first keyword stands in a match.
    pub lead: Lead,
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
    /// How the value must look.
    pub looks: Option<Looks>,
    /// What is judged is the text whose base64 it is, if it is any.
    pub base64: bool,
    /// Words of placeholders, in lower case.
    pub unless_value: Vec<String>,
    /// Starts of the SHA-256 of values that documentation prints.
    pub published: Vec<String>,
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
    /// Self-description of the secret.
    pub decode: Option<DecodeFile>,
    place: usize,
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

    fn written(&self) -> &RuleFile {
        &self.service.file().rule[self.place]
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

    /// How to ask whether it is alive.
    pub fn verify(&self) -> Option<&VerifyFile> {
        self.section(
            self.written().verify.as_ref(),
            self.service.file().verify.as_ref(),
        )
    }

    /// How to find organisation owners.
    pub fn owners(&self) -> Option<&OwnersFile> {
        self.section(
            self.written().owners.as_ref(),
            self.service.file().owners.as_ref(),
        )
    }

    /// What an organisation can do.
    pub fn contain(&self) -> Option<&ContainFile> {
        self.section(
            self.written().contain.as_ref(),
            self.service.file().contain.as_ref(),
        )
    }

    /// How to revoke.
    pub fn revoke(&self) -> Option<&RevokeFile> {
        self.section(
            self.written().revoke.as_ref(),
            self.service.file().revoke.as_ref(),
        )
    }

    fn section<'a, T>(&self, own: Option<&'a Section<T>>, default: Option<&'a T>) -> Option<&'a T> {
        match own {
            _ if self.public => None,
            Some(Section::Own(own)) => Some(own),
            Some(Section::Off) => None,
            None => default,
        }
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

/// Builds the pattern; bounded, so that a hostile rule file cannot take the memory.
pub(super) fn build(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(LARGEST_PROGRAM)
        .build()
}

/// Gives a rule file its meaning.
pub(super) fn compile(name: &str, shown: &str, file: ServiceFile) -> Result<(Arc<Service>, Vec<Arc<Rule>>)> {
    let mut rules = Vec::with_capacity(file.rule.len());
    for rule in &file.rule {
        let context = rule.context.as_ref().map(|context| context.words.clone());
        let given = Some(rule.keywords.clone())
            .filter(|given| !given.is_empty())
            .or(context);
        let shape = keywords::Shape::of(&rule.pattern, given.unwrap_or_default())
            .with_context(|| format!("{shown}: rule {:?}", rule.id))?;
        rules.push((rule.clone(), shape));
    }
    let service = Service {
        name: name.to_owned(),
        shown: shown.to_owned(),
        text: "",
        file: OnceLock::from(file),
    };
    with_rules(service, rules)
}

/// The same for a file that was built in: its patterns were read then, its sections are read when first asked for.
pub(super) fn bundled(
    name: &str,
    shown: String,
    rules: Vec<(RuleFile, keywords::Shape)>,
    text: &'static str,
) -> Result<(Arc<Service>, Vec<Arc<Rule>>)> {
    let service = Service {
        name: name.to_owned(),
        shown,
        text,
        file: OnceLock::new(),
    };
    with_rules(service, rules)
}

fn with_rules(
    service: Service,
    written: Vec<(RuleFile, keywords::Shape)>,
) -> Result<(Arc<Service>, Vec<Arc<Rule>>)> {
    let service = Arc::new(service);
    let shown = &service.shown;
    let ids: BTreeSet<String> = written.iter().map(|(rule, _)| rule.id.clone()).collect();
    if ids.len() != written.len() {
        bail!("{shown}: two rules have the same id");
    }
    let mut rules = Vec::with_capacity(written.len());
    for (place, (rule, shape)) in written.into_iter().enumerate() {
        let id = rule.id.clone();
        if let Some(lost) = rule.needs.iter().find(|other| !ids.contains(other.as_str())) {
            bail!("{shown}: rule {id:?} needs {lost:?}, which this file does not have");
        }
        let compiled = one(place, rule, shape, &service).with_context(|| format!("{shown}: rule {id:?}"))?;
        rules.push(Arc::new(compiled));
    }
    Ok((service, rules))
}

fn one(place: usize, file: RuleFile, shape: keywords::Shape, service: &Arc<Service>) -> Result<Rule> {
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
    let keywords = shape.keywords;
    if keywords.is_empty() || keywords.iter().any(|word| word.len() < 2) {
        bail!("no literal of two characters or more occurs in every match: give keywords or context");
    }
    let checksum = file.checksum.as_deref().map(Checksum::named).transpose()?;
    Ok(Rule {
        id: RuleId::new(&service.name, &file.id),
        service: Arc::clone(service),
        pattern: file.pattern,
        regex: OnceLock::new(),
        keywords,
        lead: shape.lead,
        longest: shape.longest,
        prefix: shape.secret_prefix,
        checksum,
        entropy: file.entropy,
        digits: file.digits,
        looks: file.looks,
        published: file.published,
        yields: file.yields,
        base64: file.base64,
        unless_value: file
            .unless_value
            .iter()
            .map(|word| word.to_ascii_lowercase())
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
        decode: file.decode,
        place,
    })
}
