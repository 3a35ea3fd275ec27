//! `unleak approve`: a person's yes to what the policy lets wait, and the action once enough people have said it.

use std::io::Write;

use anyhow::Result;
use clap::Args;

use super::exit::{Exit, Hinted};
use super::responder::responder;
use super::revoke::{agreed, ended};
use super::subject::{Subject, SubjectArgs};
use super::{Context, verify};
use crate::policy::{self, Action, Decision};

/// Say yes to what the policy lets wait for a person; done once enough people have
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ApproveArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Do not ask; for scripts
    #[arg(long, short)]
    yes: bool,
}

const EXAMPLES: &str = "Your name, as the system knows you, goes into the ledger. What the policy does not let wait is \
    not done: `unleak revoke` does it. Without --yes and without a terminal only the plan is printed.\n\n\
    Exit codes: 0 done and proved, or written down while others are still wanted; 3 anything else\n\nExamples:\n  \
    unleak approve 3f2a91\n  unleak approve 3f2a91 --yes";

/// Shows what waits, asks, writes the yes down, and acts if that was the last one that was wanted.
pub async fn run(args: ApproveArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let policy = &context.config.policy;
    policy.check(&context.rules)?;
    let Subject { held, .. } = args.subject.find(context).await?;
    let by = context.config.environment().user.clone();
    let mut responder = responder(context, None).await?;
    responder.store = responder.store.acting_as(&by);
    let (held, response) = responder.examine(held, &context.rules).await?;
    for step in &response.steps {
        writeln!(out, "{step}")?;
    }
    verify::identity(&held.leak.identity, out)?;
    let standing = responder.standing(&held.leak).await?;
    let (action, why) = waiting(policy::decide(&held.leak, policy, &standing))?;
    writeln!(
        out,
        "\nwaits: {why}\nplan: {}\n",
        responder.plan(&held, &context.rules)?
    )?;
    if standing
        .approved
        .iter()
        .any(|(what, who)| *what == action && *who == by)
    {
        return Err(Hinted::incomplete(
            format!("{by} has said yes already"),
            "somebody else must say it, too: the same command under another name",
        ));
    }
    if !args.yes && !agreed(out, &format!("{action} {}?", held.leak.redacted))? {
        writeln!(out, "nothing was done; --yes says yes without asking")?;
        return Ok(Exit::Incomplete);
    }
    let (fingerprint, rule) = (held.leak.fingerprint, &held.leak.rule);
    responder
        .store
        .approve(fingerprint, rule, &action.to_string())
        .await?;
    writeln!(out, "approved by {}", by.escape_debug())?;
    let standing = responder.standing(&held.leak).await?;
    let order = match policy::decide(&held.leak, policy, &standing) {
        Decision::Act(order) => order,
        other => {
            writeln!(out, "nothing was sent: {}", other.why())?;
            return Ok(Exit::Clean);
        }
    };
    let response = responder.carry_out(order, held, &context.rules).await?;
    for step in &response.steps {
        writeln!(out, "{step}")?;
    }
    Ok(ended(&response.leak, action))
}

/// What waits for a yes, and why.
fn waiting(decision: Decision) -> Result<(Action, String)> {
    match decision {
        Decision::Approve { action, why } => Ok((action, why)),
        // It waited, and whoever approved last was cut off before it was done.
        Decision::Act(order) => Ok((order.action(), order.why().to_owned())),
        other => Err(Hinted::incomplete(
            format!("nothing waits for a yes: {}", other.why()),
            "`unleak policy explain` says what the policy allows; `unleak revoke` revokes by hand",
        )),
    }
}
