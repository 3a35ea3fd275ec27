//! `unleak verify`.

use std::io::Write;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::json;

use super::Context;
use super::exit::Exit;
use super::subject::{Subject, SubjectArgs};
use crate::leak::{Identity, Verdict};
use crate::rule::Rule;
use crate::verify::{Answer, Verifier, Weight, weigh};

/// Ask a token's own service whether it is alive, whose it is, and what it opens
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Text for people, or one JSON object
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a command about one secret answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    Text,
    Json,
}

const EXAMPLES: &str = "Exit codes: 0 dead, 1 live, 3 nobody can tell\n\nExamples:\n  \
    unleak verify < token.txt\n  \
    pass show old-token | unleak verify --rule gocd/access-token\n  \
    unleak verify --format json < token.txt\n  \
    unleak verify 3f2a91        a leak of the store, by the beginning of its fingerprint";

/// Asks and prints.
pub async fn run(args: VerifyArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let subject = args.subject.find(context).await?;
    let verifier = Verifier::new(context.caller()?);
    let answer = verifier.verify(&subject.rule, &subject.held).await;
    let weight = weigh(&subject.rule, &answer.identity);
    if args.format == Format::Json {
        let leak = &subject.held.leak;
        let whole = json!({
            "fingerprint": leak.fingerprint, "rule": leak.rule, "redacted": leak.redacted,
            "verdict": answer.verdict, "identity": answer.identity,
            "severity": weight.severity, "because": weight.because,
        });
        writeln!(out, "{whole}")?;
    } else {
        text(&subject, &answer, out)?;
        if answer.verdict.is_live() {
            weighed(&subject.rule, &weight, &answer.identity, out)?;
        }
    }
    Ok(match answer.verdict {
        Verdict::Live { .. } => Exit::Leaks,
        Verdict::Dead { .. } => Exit::Clean,
        Verdict::Unknown { .. } => Exit::Incomplete,
    })
}

fn text(subject: &Subject, answer: &Answer, out: &mut dyn Write) -> Result<()> {
    writeln!(
        out,
        "{} {}  {}",
        subject.rule.title(),
        subject.held.leak.redacted,
        subject.held.leak.fingerprint
    )?;
    match &answer.verdict {
        Verdict::Live { reason } => writeln!(out, "live: {reason}")?,
        Verdict::Dead { why, reason } => writeln!(out, "dead, {why}: {reason}")?,
        Verdict::Unknown { reason } => writeln!(out, "unknown: {reason}")?,
    }
    identity(&answer.identity, out)
}

/// What is known of a token's owner, a line each.
pub(super) fn identity(identity: &Identity, out: &mut dyn Write) -> Result<()> {
    let joined = |list: &[String]| (!list.is_empty()).then(|| list.join(", "));
    for (name, value) in [
        ("owner", identity.principal.clone()),
        ("e-mail", identity.email.clone()),
        ("organisations", joined(&identity.organisations)),
        ("scopes", joined(&identity.scopes)),
        ("at", identity.base.clone()),
    ] {
        if let Some(value) = value {
            writeln!(out, "{name}: {}", value.escape_debug())?;
        }
    }
    Ok(())
}

/// How bad it is, why, and what it need not be able to do.
pub(super) fn weighed(rule: &Rule, weight: &Weight, identity: &Identity, out: &mut dyn Write) -> Result<()> {
    match &weight.because {
        Some(why) => writeln!(out, "severity: {}, because {why}", weight.severity)?,
        None => writeln!(out, "severity: {}", weight.severity)?,
    }
    if let Some(needed) = rule.needed().filter(|_| !identity.over_privileged.is_empty()) {
        let beyond = identity.over_privileged.join(", ");
        writeln!(
            out,
            "over-privileged: {}; it holds {} as well",
            needed.what,
            beyond.escape_debug()
        )?;
    }
    Ok(())
}
