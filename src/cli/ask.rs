//! What `unleak scan` does after the scan: `--verify` asks the services, `--respond` goes the whole way.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use futures_util::StreamExt as _;
use jiff::Timestamp;

use super::Context;
use super::responder::responder;
use crate::finding::{Finding, Severity};
use crate::leak::{self, Held, Leak, Verdict};
use crate::notify::Collect;
use crate::report::Learnt;
use crate::secret::Fingerprint;
use crate::verify::Verifier;

/// Most leaks that are asked about at a time; each host has its own, lower limit.
const AT_ONCE: usize = 16;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whether tokens are alive.
    Verify,
    /// The whole loop.
    Respond,
}

/// Asks and, for `--respond`, acts; steps go to `steps` as they are done.
pub(super) async fn run(
    ask: Ask,
    findings: &[Finding],
    context: &Context,
    root: Option<PathBuf>,
    steps: &mut dyn Write,
) -> Result<BTreeMap<Fingerprint, Learnt>> {
    let held: Vec<Held> = leak::gather(findings, Timestamp::now())
        .into_iter()
        .filter(|held| held.leak.severity != Severity::Info)
        .collect();
    match ask {
        Ask::Verify => verify(held, context).await,
        Ask::Respond => respond(held, context, root, steps).await,
    }
}

async fn verify(held: Vec<Held>, context: &Context) -> Result<BTreeMap<Fingerprint, Learnt>> {
    let verifier = Verifier::new(context.caller()?);
    let verifier = &verifier;
    let answers = futures_util::stream::iter(held).map(|held| async move {
        let learnt = match context.rules.find(&held.leak.rule) {
            Some(rule) => {
                let answer = verifier.verify(rule, &held).await;
                Learnt {
                    verdict: Some(answer.verdict),
                    identity: answer.identity,
                    owners: Vec::new(),
                }
            }
            None => Learnt::default(),
        };
        (held.leak.fingerprint, learnt)
    });
    let mut learnt = BTreeMap::new();
    let mut answers = answers.buffer_unordered(AT_ONCE);
    while let Some((fingerprint, new)) = answers.next().await {
        keep(&mut learnt, fingerprint, new);
    }
    Ok(learnt)
}

/// One after the other, so that a limit of the policy counts every one before the next is decided.
async fn respond(
    held: Vec<Held>,
    context: &Context,
    root: Option<PathBuf>,
    steps: &mut dyn Write,
) -> Result<BTreeMap<Fingerprint, Learnt>> {
    let mut responder = responder(context, root).await?;
    // Whoever owns fifty of them gets one message with fifty rows.
    responder.notifier = responder.notifier.collecting(Collect::Run);
    let mut learnt = BTreeMap::new();
    let leaks: Vec<_> = held
        .iter()
        .map(|held| (held.leak.fingerprint, held.leak.rule.clone()))
        .collect();
    for held in held {
        let Leak {
            rule,
            redacted,
            fingerprint,
            ..
        } = held.leak.clone();
        let response = responder.respond(held, &context.rules).await?;
        if !context.quiet {
            writeln!(steps, "{rule} {redacted} {fingerprint}")?;
            response
                .steps
                .iter()
                .try_for_each(|step| writeln!(steps, "  {step}"))?;
        }
        let Leak {
            verdict,
            identity,
            owners,
            ..
        } = response.leak;
        keep(
            &mut learnt,
            fingerprint,
            Learnt {
                verdict,
                identity,
                owners,
            },
        );
    }
    let told = responder.deliver_now(&leaks, &context.rules).await?;
    if !context.quiet {
        told.iter()
            .try_for_each(|told| writeln!(steps, "{}", told.said))?;
    }
    Ok(learnt)
}

/// One secret may be known to two rules; what one of them proved alive stays.
fn keep(learnt: &mut BTreeMap<Fingerprint, Learnt>, fingerprint: Fingerprint, new: Learnt) {
    let weight = |learnt: &Learnt| match &learnt.verdict {
        Some(Verdict::Live { .. }) => 3,
        Some(Verdict::Dead { .. }) => 2,
        Some(Verdict::Unknown { .. }) => 1,
        None => 0,
    };
    match learnt.get(&fingerprint) {
        Some(known) if weight(known) >= weight(&new) => {}
        _ => {
            learnt.insert(fingerprint, new);
        }
    }
}
