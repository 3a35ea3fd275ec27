//! `unleak stop` and `unleak resume`: the switch that every order looks at before it is carried out.

use std::io::Write;

use anyhow::Result;
use clap::Args;

use super::Context;
use super::exit::Exit;
use super::subject::store;

/// Stop every revocation and containment at once, in all processes that share the store
#[derive(Args, Debug)]
#[command(
    after_help = "Leaks are still recorded, verified and told. A request that has left already cannot be called \
    back.\n\nExamples:\n  unleak stop --why \"deploy keys of the build farm are being revoked\"\n  unleak resume"
)]
pub struct StopArgs {
    /// Why, for whoever finds it stopped
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
}

/// Let revocations and containments go on after `unleak stop`
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  unleak policy try --open    what would be done\n  unleak resume")]
pub struct ResumeArgs {}

/// Throws the switch.
pub async fn stop(args: StopArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let store = store(context)
        .await?
        .acting_as(&context.config.environment().user);
    let stopped = store.stop(&args.why).await?;
    store.shut().await;
    writeln!(out, "{stopped}; `unleak resume` lets it go on")?;
    Ok(Exit::Clean)
}

/// Puts it back.
pub async fn resume(_: ResumeArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let store = store(context)
        .await?
        .acting_as(&context.config.environment().user);
    let was_stopped = store.resume().await?;
    store.shut().await;
    let said = if was_stopped {
        "revocations and containments go on"
    } else {
        "nothing had stopped them"
    };
    writeln!(out, "{said}")?;
    Ok(Exit::Clean)
}
