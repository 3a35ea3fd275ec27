//! `unleak store`: a copy of the store while it is in use.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::{Context, Exit, subject};

/// Back up the store of leaks
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak store backup /backup/leaks-$(date +%F).sqlite

To restore: stop `unleak serve`, put the copy in the place that store.url names (without the files beside it that end in \
-wal and -shm), see that the file of store.key_file is the one of that time, start, and run `unleak ledger verify`. \
What happened after the copy is not in it: every open leak is asked about again before anything is done. \
PostgreSQL is backed up with pg_dump or whatever your server has; the key file belongs into neither copy.")]
pub struct StoreArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write a whole copy of an SQLite store into a new file; servers go on meanwhile
    Backup {
        /// The new file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// Runs `unleak store`.
pub(super) async fn run(args: StoreArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let store = subject::store(context).await?;
    let Action::Backup { file } = args.action;
    store.back_up(&file).await?;
    writeln!(
        out,
        "{} is a copy of {}; the key is not in it",
        file.display(),
        store.shown()
    )?;
    store.shut().await;
    Ok(Exit::Clean)
}
