//! `unleak ledger`: the record of everything found, asked, told and done.

use std::io::Write;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{Context, Exit, subject};
use crate::store::{Chain, Line, Store};

/// Lines that are read at a time.
const PAGE: u32 = 1000;

/// Check and export the ledger: everything that was found, asked, told and done
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak ledger verify                        # exit code 1 if a line was changed, is missing, or was cut off
  unleak ledger export > ledger.jsonl         # one JSON object a line, oldest first
  unleak ledger export --after 1200 | jq .    # only lines after number 1200

Each line has the hash of the line before it; the last one is signed under the store's key.")]
pub struct LedgerArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read the whole ledger and say whether it is as it was written
    Verify,
    /// Write it out as JSON Lines
    Export {
        /// Only lines after this number
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        after: i64,
    },
}

/// Runs `unleak ledger`.
pub(super) async fn run(args: LedgerArgs, context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let store = subject::store(context).await?;
    let exit = match args.action {
        Action::Verify => {
            let chain = store.verify_chain().await?;
            writeln!(out, "{chain}")?;
            match chain {
                Chain::Whole { .. } => Exit::Clean,
                Chain::Broken { .. } => Exit::Leaks,
            }
        }
        Action::Export { after } => {
            export(&store, after, out).await?;
            Exit::Clean
        }
    };
    store.shut().await;
    Ok(exit)
}

async fn export(store: &Store, mut after: i64, out: &mut dyn Write) -> Result<()> {
    loop {
        let lines = store.ledger(after, PAGE).await?;
        let Some(last) = lines.last() else {
            return Ok(());
        };
        after = last.seq;
        for line in &lines {
            write_line(line, out)?;
        }
    }
}

/// `detail` as the object that it is, and as the text that was hashed, so that others can check the chain.
fn write_line(line: &Line, out: &mut dyn Write) -> Result<()> {
    let detail: serde_json::Value = serde_json::from_str(&line.detail).unwrap_or_default();
    let Line {
        seq,
        action,
        fingerprint,
        rule,
        actor,
        prev,
        hash,
        ..
    } = line;
    let object = json!({
        "seq": seq, "at": line.time(), "at_microseconds": line.at, "action": action, "fingerprint": fingerprint,
        "rule": rule, "actor": actor, "detail": detail, "detail_text": line.detail, "prev": prev, "hash": hash,
    });
    serde_json::to_writer(&mut *out, &object)?;
    writeln!(out)?;
    Ok(())
}
