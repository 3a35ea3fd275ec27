//! `unleak revoke`: shows the plan, asks, revokes or contains, and proves it.

use std::io::{BufRead as _, IsTerminal as _, Write};

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::json;

use super::Context;
use super::exit::{Exit, Hinted};
use super::responder::responder;
use super::subject::SubjectArgs;
use super::verify::{self, Format};
use crate::leak::{Leak, Revocation, Verdict};
use crate::policy::{self, Action};
use crate::respond::Response;
use crate::revoke::Plan;

/// Revoke one leaked token, after showing the plan and asking; proved by asking its service again
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct RevokeArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Instead of revoking, cut the token off from the organisation, where that is all it can do
    #[arg(long)]
    contain: bool,
    /// Text for people, or one JSON object for each step of the way
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Do not ask; for scripts
    #[arg(long, short)]
    yes: bool,
}

const EXAMPLES: &str = "Without --yes and without a terminal only the plan is printed.\n\n\
    Exit codes: 0 dead (or contained) and proved, 3 anything else\n\nExamples:\n  \
    unleak revoke < token.txt\n  \
    unleak revoke 3f2a91 --yes\n  \
    unleak revoke 3f2a91 --contain\n  \
    unleak revoke --format json < token.txt     the plan alone, for a program";

/// Plans, asks, acts.
pub async fn run(args: RevokeArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    context.config.policy.check(&context.rules)?;
    let subject = args.subject.find(context).await?;
    let responder = responder(context, None).await?;
    let (held, response) = responder.examine(subject.held, &context.rules).await?;
    let json = args.format == Format::Json;
    if !json {
        steps(&response, out)?;
        verify::identity(&held.leak.identity, out)?;
    }
    if let Some(Verdict::Dead { why, .. }) = &response.leak.verdict {
        match json {
            true => write_json(&response, out)?,
            false => writeln!(out, "nothing to do: it is dead ({why})")?,
        }
        return Ok(Exit::Clean);
    }
    let plan = responder.plan(&held, &context.rules)?;
    match json {
        true => writeln!(
            out,
            "{}",
            json!({ "plan": plan, "verdict": response.leak.verdict })
        )?,
        false => writeln!(out, "\nplan: {plan}\n")?,
    }
    let action = if args.contain {
        Action::Contain
    } else {
        Action::Revoke
    };
    is_open(&plan, action)?;
    let for_ever = if args.contain { "" } else { " for ever" };
    let question = format!("{action} {}{for_ever}?", held.leak.redacted);
    match (args.yes, json) {
        (true, _) => {}
        (false, true) => return Ok(Exit::Incomplete),
        (false, false) if agreed(out, &question)? => {}
        (false, false) => {
            writeln!(out, "nothing was done; --yes does it without asking")?;
            return Ok(Exit::Incomplete);
        }
    }
    let by = context.config.environment().user.clone();
    let standing = responder.standing(&held.leak).await?;
    let order = policy::confirmed(&held.leak, &context.config.policy, action, &by, &standing)
        .map_err(|refusal| Hinted::incomplete(refusal.to_string(), "nothing was sent"))?;
    let response = responder.carry_out(order, held, &context.rules).await?;
    match json {
        true => write_json(&response, out)?,
        false => steps(&response, out)?,
    }
    Ok(ended(&response.leak, action))
}

/// 0 only for what is done and proved.
pub(super) fn ended(leak: &Leak, action: Action) -> Exit {
    let state = match action {
        Action::Contain => &leak.containment,
        Action::Revoke => &leak.revocation,
    };
    let done =
        matches!(state, Some(Revocation::Done { .. })) || leak.verdict.as_ref().is_some_and(Verdict::is_dead);
    if done { Exit::Clean } else { Exit::Incomplete }
}

/// An error with the page for a person where no way is open to us.
fn is_open(plan: &Plan, action: Action) -> Result<()> {
    let open = match action {
        Action::Contain => plan.can_contain(),
        Action::Revoke => plan.can_revoke(),
    };
    if open {
        return Ok(());
    }
    let page = plan.page().map(|page| format!("by hand: {page}"));
    Err(Hinted::incomplete(
        format!("no way to {action} is open to us: nothing was sent"),
        page.unwrap_or_else(|| "the plan says what each way needs".to_owned()),
    ))
}

fn steps(response: &Response, out: &mut dyn Write) -> Result<()> {
    response
        .steps
        .iter()
        .try_for_each(|step| writeln!(out, "{step}"))?;
    Ok(())
}

/// How it ended, for a program.
fn write_json(response: &Response, out: &mut dyn Write) -> Result<()> {
    let leak = &response.leak;
    let whole = json!({
        "fingerprint": leak.fingerprint, "rule": leak.rule, "redacted": leak.redacted, "verdict": leak.verdict,
        "revocation": leak.revocation, "containment": leak.containment, "steps": response.steps,
    });
    writeln!(out, "{whole}")?;
    Ok(())
}

/// Asks at the terminal; without one nobody agrees. The secret may have come on standard input, so the terminal
/// itself is asked.
pub(super) fn agreed(out: &mut dyn Write, question: &str) -> Result<bool> {
    if !std::io::stdout().is_terminal() {
        return Ok(false);
    }
    let Ok(terminal) = std::fs::File::open("/dev/tty") else {
        return Ok(false);
    };
    write!(out, "{question} Type yes: ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::BufReader::new(terminal)
        .read_line(&mut answer)
        .context("cannot read the answer")?;
    Ok(answer.trim() == "yes")
}
