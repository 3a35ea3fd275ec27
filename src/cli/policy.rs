//! `unleak policy`: what unleak may do, in sentences, and what it would do about the leaks that the store knows.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::Context;
use super::exit::Exit;
use super::responder::check_people;
use super::subject::store;
use crate::leak::Leak;
use crate::notify::Notifier;
use crate::policy::{self, Decision, Look};
use crate::respond;

/// Show what unleak may do, and what it would do about the leaks it knows; nothing is changed
#[derive(Args, Debug)]
pub struct PolicyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Explain(ExplainArgs),
    Try(TryArgs),
}

/// Print the policy in plain sentences, entry by entry, with what is never done
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  unleak policy explain\n  unleak --config new.toml policy explain    before it is used"
)]
struct ExplainArgs {}

/// List for every leak in the store what the present policy would decide, and why; nothing is asked, told or changed
#[derive(Args, Debug)]
#[command(
    after_help = "Whether a token is alive is what was last heard of it. Nothing leaves this machine.\n\nExamples:\n  \
    unleak policy try\n  unleak --config new.toml policy try --open    a new policy over the leaks that are open\n  \
    unleak policy try --json | jq 'select(.decision == \"act\")'"
)]
struct TryArgs {
    /// One JSON object a line instead of text
    #[arg(long)]
    json: bool,
    /// Only leaks about which something is left to do
    #[arg(long)]
    open: bool,
}

/// Prints; asks no service.
pub async fn run(args: PolicyArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    match args.what {
        What::Explain(_) => explain(context, out).await,
        What::Try(args) => try_out(&args, context, out).await,
    }
}

/// The policy, checked and in sentences.
pub(super) async fn explain(context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let policy = &context.config.policy;
    policy.check(&context.rules)?;
    check_people(policy, &Notifier::new(&context.config.notify_settings()?)?)?;
    let store = store(context).await?;
    let standing = respond::standing_of_all(&store).await?;
    store.shut().await;
    write!(out, "{}", policy::explain(policy, &standing))?;
    Ok(Exit::Clean)
}

async fn try_out(args: &TryArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let policy = &context.config.policy;
    policy.check(&context.rules)?;
    let store = store(context).await?;
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    // What would be done fills the limit for those that follow, as it would in truth.
    let mut acts = 0;
    for leak in store.all().await? {
        let mut standing = respond::standing(&store, &leak).await?;
        standing.recent += acts;
        let decision = policy::decide(&leak, policy, &standing);
        acts += usize::from(matches!(decision, Decision::Act(_)));
        *counts.entry(decision.name()).or_default() += 1;
        if args.open && matches!(decision, Decision::Record { .. }) {
            continue;
        }
        show(
            &leak,
            &decision,
            policy::next_look(&leak, policy, &standing),
            args.json,
            out,
        )?;
    }
    store.shut().await;
    if !args.json {
        let counts: Vec<String> = counts
            .iter()
            .map(|(name, count)| format!("{count} {name}"))
            .collect();
        let counts = if counts.is_empty() {
            "the store knows no leak".to_owned()
        } else {
            counts.join(", ")
        };
        writeln!(out, "{counts}; nothing was changed")?;
    }
    Ok(Exit::Clean)
}

/// One leak and what would be decided about it.
fn show(
    leak: &Leak,
    decision: &Decision,
    look: Option<Look>,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let action = match decision {
        Decision::Act(order) => Some(order.action()),
        Decision::Approve { action, .. } => Some(*action),
        _ => None,
    };
    if as_json {
        let line = json!({
            "fingerprint": leak.fingerprint, "rule": leak.rule, "redacted": leak.redacted,
            "severity": leak.severity, "verdict": leak.verdict, "decision": decision.name(),
            "action": action.map(|action| action.to_string()), "why": decision.why(),
            "next_look": look.as_ref().map(|look| look.at), "next_look_why": look.map(|look| look.why),
        });
        return Ok(writeln!(out, "{line}")?);
    }
    let action = action.map_or(String::new(), |action| format!(" {action}"));
    writeln!(
        out,
        "{} {} {} {}\n  {}{action}: {}",
        leak.fingerprint,
        leak.severity,
        leak.rule,
        leak.redacted.escape_debug(),
        decision.name(),
        decision.why().replace(char::is_control, " ")
    )?;
    if let Some(look) = look {
        writeln!(out, "  looked at again {:.0}: {}", look.at, look.why)?;
    }
    Ok(())
}
