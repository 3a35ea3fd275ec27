//! `unleak tasks`: what is still to do about reported leaks, and what was given up.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::{Context, Exit, exit, subject};
use crate::owner::clean;
use crate::store::{Listed, TaskState};

/// Show what is still to do about reported leaks, and put again what was given up
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak tasks list                   # what waits, until when and why
  unleak tasks list --dead            # what was given up after [serve.worker] attempts, with the reason
  unleak tasks list --json | jq .why
  unleak tasks requeue                # all that was given up, after what stood in the way is gone
  unleak tasks requeue 3f9c2a         # the tasks of one leak, also if they only wait

`unleak serve` works on them; /metrics counts them as unleak_tasks.")]
pub struct TasksArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List tasks, those due first at the front
    List(ListArgs),
    /// Make tasks due now, as if they had never failed
    Requeue {
        /// Beginning of the fingerprints, four digits or more; left out: everything that was given up
        #[arg(value_name = "FINGERPRINT")]
        fingerprint: Option<String>,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only what was given up
    #[arg(long)]
    dead: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 1000)]
    limit: u32,
}

/// Runs `unleak tasks`.
pub(super) async fn run(args: TasksArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let store = subject::store(context)
        .await?
        .acting_as(&context.config.environment().user);
    match args.action {
        Action::List(list) => {
            let state = list.dead.then_some(TaskState::Dead);
            for task in store.tasks(state, list.limit).await? {
                if list.json {
                    serde_json::to_writer(&mut *out, &task)?;
                    writeln!(out)?;
                } else {
                    show(&task, out)?;
                }
            }
        }
        Action::Requeue { fingerprint } => {
            let beginning = fingerprint.unwrap_or_default();
            if !beginning.is_empty() && (beginning.len() < 4 || !is_hexadecimal(&beginning)) {
                return Err(exit::Hinted::usage(
                    "that is no beginning of a fingerprint",
                    "give four hexadecimal digits or more; `unleak tasks list` shows them",
                ));
            }
            let put = store.requeue_tasks(&beginning).await?;
            if put == 0 && !beginning.is_empty() {
                return Err(exit::Hinted::usage(
                    format!("no task of a leak {beginning}… waits or was given up"),
                    "`unleak tasks list` shows all",
                ));
            }
            writeln!(out, "{put} due now")?;
        }
    }
    store.shut().await;
    Ok(Exit::Clean)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn show(task: &Listed, out: &mut dyn Write) -> Result<()> {
    let Listed {
        fingerprint,
        rule,
        redacted,
        state,
        due,
        attempts,
        why,
    } = task;
    let short = fingerprint.get(..12).unwrap_or(fingerprint);
    let when = match state {
        TaskState::Due => format!("due {due:.0}"),
        TaskState::Running => format!("running until {due:.0}"),
        TaskState::Dead => format!("given up {due:.0}"),
    };
    write!(out, "{short}  {rule}  {}  {when}", clean(redacted))?;
    if *attempts > 0 {
        write!(out, "  {attempts} attempts")?;
    }
    if !why.is_empty() {
        write!(out, "\n    {}", clean(why))?;
    }
    writeln!(out)?;
    Ok(())
}
