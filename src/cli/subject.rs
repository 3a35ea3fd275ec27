//! Which leak a command is about: one secret from standard input, or a leak of the store by its fingerprint.
//!
//! A secret is never taken from an argument, where every process of the machine could read it.

use std::io::{IsTerminal as _, Read as _};
use std::sync::Arc;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::Context;
use super::exit::Hinted;
use crate::finding::{Finding, Location, Origin, Parts, RuleId, ScanPath};
use crate::leak::{self, Held};
use crate::rule::Rule;
use crate::scan::Scan;
use crate::secret::Secret;
use crate::source::Limits;
use crate::store::Store;

/// Longest input that is taken for a secret with what surrounds it, in bytes.
const LONGEST: u64 = 1 << 20;

/// What the command is about.
#[derive(Args, Debug)]
pub(super) struct SubjectArgs {
    /// Fingerprint of a leak in the store, or its beginning; left out or -: one secret is read from standard input
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: Option<String>,
    /// The rule that knows the secret, where its shape alone does not tell (gocd/access-token)
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
}

/// The leak with its rule.
pub(super) struct Subject {
    pub(super) held: Held,
    pub(super) rule: Arc<Rule>,
}

/// Opens the store that the configuration names.
pub(super) async fn store(context: &Context) -> Result<Store> {
    let (url, keys) = context.config.store()?;
    Store::open(&url, keys).await
}

impl SubjectArgs {
    /// Finds the leak. The store is only opened if it is asked for by fingerprint.
    pub(super) async fn find(&self, context: &Context) -> Result<Subject> {
        let held = match self.fingerprint.as_deref().filter(|text| *text != "-") {
            // It may be the secret itself, so it is not said back.
            Some(text) if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                return Err(Hinted::usage(
                    "the argument is no fingerprint, which is hexadecimal",
                    "a secret goes to standard input; as an argument every process of this machine can read it",
                ));
            }
            Some(beginning) => stored(beginning, &store(context).await?).await?,
            None => self.typed(context)?,
        };
        let rule = context.rules.find(&held.leak.rule).cloned().ok_or_else(|| {
            Hinted::usage(
                format!("its rule {} is not among the rules in use", held.leak.rule),
                "name its rule file with --rules",
            )
        })?;
        Ok(Subject { held, rule })
    }

    fn typed(&self, context: &Context) -> Result<Held> {
        let mut stdin = std::io::stdin();
        if stdin.is_terminal() {
            tracing::warn!("reading the secret from the terminal; end with Ctrl-D");
        }
        let mut text = Zeroizing::new(Vec::new());
        stdin.by_ref().take(LONGEST).read_to_end(&mut text)?;
        let text = text.trim_ascii();
        if text.is_empty() {
            return Err(Hinted::usage(
                "no secret came on standard input",
                "for example: unleak verify < token.txt",
            ));
        }
        let mut findings = self.recognised(text, context)?;
        findings.sort_by_key(|finding| finding.confidence);
        findings.dedup_by_key(|finding| (finding.fingerprint, finding.rule.clone()));
        if findings.is_empty()
            && let Some(rule) = &self.rule
        {
            findings.push(told(text, rule, context)?);
        }
        let mut held = leak::gather(&findings, Timestamp::now());
        match held.len() {
            1 => Ok(held.swap_remove(0)),
            0 => Err(Hinted::usage(
                "no rule knows a secret in this input",
                "if you know what it is, name it: --rule SERVICE/RULE (`unleak rules list` shows them)",
            )),
            several => Err(Hinted::usage(
                format!("the input holds {several} secrets"),
                "give one at a time, or choose with --rule",
            )),
        }
    }

    fn recognised(&self, text: &[u8], context: &Context) -> Result<Vec<Finding>> {
        let mut rules = context.rules.clone();
        let wanted: Vec<String> = self.rule.iter().cloned().collect();
        let parts = rules
            .rules
            .iter()
            .filter(|rule| wanted.contains(&rule.id.to_string()));
        let parts = parts.flat_map(|rule| rule.part_rules().map(ToString::to_string));
        let with_parts: Vec<String> = wanted.iter().cloned().chain(parts).collect();
        rules.select(&with_parts, &[])?;
        let limits = Limits {
            jobs: 1,
            largest: LONGEST,
            ignored_too: true,
            ..Limits::default()
        };
        let mut scan = Scan::new(&rules, context.config.fingerprint_key()?, limits);
        scan.stdin(&mut &*text);
        let mut findings = scan.finish();
        match &self.rule {
            Some(rule) => findings
                .retain(|finding| finding.rule.as_str() == rule || finding.rule.service() == rule.as_str()),
            None => without_parts(&mut findings),
        }
        Ok(findings)
    }
}

/// Leaves out what is a part of another secret of the same input: the id beside its key.
fn without_parts(findings: &mut Vec<Finding>) {
    let parts: Vec<Secret> = findings
        .iter()
        .flat_map(|finding| finding.parts.values().cloned())
        .collect();
    findings.retain(|finding| !finding.parts.is_empty() || !parts.contains(&finding.secret));
}

async fn stored(beginning: &str, store: &Store) -> Result<Held> {
    let mut found = store.find(beginning).await?;
    let leak = match found.len() {
        1 => found.swap_remove(0),
        0 => {
            return Err(Hinted::usage(
                format!("the store knows no leak {beginning}"),
                "`unleak scan --respond` records leaks; a secret itself goes to standard input",
            ));
        }
        several => {
            return Err(Hinted::usage(
                format!("{several} leaks begin with {beginning}"),
                "give more of the fingerprint",
            ));
        }
    };
    store.unseal(leak.fingerprint, &leak.rule).await?.ok_or_else(|| {
        Hinted::usage(
            format!("leak {} is closed and its secret wiped", leak.fingerprint),
            "if you hold the secret, give it on standard input",
        )
    })
}

/// The whole input as a secret of the rule that the user named.
fn told(text: &[u8], rule: &str, context: &Context) -> Result<Finding> {
    let rule = context
        .rules
        .rules
        .iter()
        .find(|known| known.id.as_str() == rule)
        .ok_or_else(|| {
            Hinted::usage(
                format!("no rule {rule} fits this input"),
                "name one rule as SERVICE/RULE, not a service",
            )
        })?;
    if text
        .iter()
        .any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
    {
        return Err(Hinted::usage(
            "the input is not one secret of that rule",
            "give the secret alone",
        ));
    }
    if rule.checksum.is_some_and(|checksum| !checksum.holds(text)) {
        return Err(Hinted::usage(
            format!(
                "it fails the checksum that every {} carries: it is cut off or mistyped",
                rule.title()
            ),
            "nothing was sent; give the whole secret",
        ));
    }
    let secret = Secret::new(text);
    Ok(Finding {
        rule: RuleId::clone(&rule.id),
        parts: Parts::new(),
        facts: std::collections::BTreeMap::new(),
        fingerprint: context.config.fingerprint_key()?.fingerprint(&secret),
        redacted: secret.redacted(&rule.prefix),
        severity: rule.severity,
        confidence: rule.confidence,
        location: Location {
            path: ScanPath::new("-"),
            line: 1,
            column: 1,
            end_line: 1,
            end_column: 1 + text.len(),
            column_utf16: 1,
            end_column_utf16: 1 + text.len(),
            origin: Origin::Stdin,
        },
        secret,
        decoded_via: None,
        line_hash: None,
        excerpt: None,
        suppression: None,
    })
}
