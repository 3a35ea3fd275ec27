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
use crate::verify::{Answers, Verifier, weigh};

/// Most leaks that are asked about at a time, so that a slow host keeps none of the others waiting; each host has its own,
/// far lower limit.
const AT_ONCE: usize = 256;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whether tokens are alive.
    Verify {
        /// No answer of an earlier run is believed.
        refresh: bool,
    },
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
        Ask::Verify { refresh } => verify(held, context, refresh).await,
        Ask::Respond => respond(held, context, root, steps).await,
    }
}

async fn verify(held: Vec<Held>, context: &Context, refresh: bool) -> Result<BTreeMap<Fingerprint, Learnt>> {
    let kept = context.config.answers();
    let answers_kept = kept.map(|(file, kept)| Answers::open(&file, kept, refresh));
    let verifier = Verifier::believing(context.caller()?, answers_kept.clone());
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
    if let Some(Err(error)) = answers_kept.map(|answers| answers.keep()) {
        tracing::info!("answers are not kept for the next run: {error:#}");
    }
    Ok(learnt)
}

/// Gives findings that are alive the severity of what they open.
pub(super) fn weighed(findings: &mut [Finding], learnt: &BTreeMap<Fingerprint, Learnt>, context: &Context) {
    for finding in findings.iter_mut() {
        let Some(known) = learnt.get(&finding.fingerprint) else {
            continue;
        };
        let live = known.verdict.as_ref().is_some_and(Verdict::is_live);
        if let Some(rule) = context
            .rules
            .find(&finding.rule)
            .filter(|rule| live && !rule.public)
        {
            finding.severity = weigh(rule, &known.identity).severity;
        }
    }
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
