//! `unleak completions`, `unleak man` and `unleak config`: made from the same definitions as the program itself.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Command};
use clap_complete::Shell;

use super::exit::Exit;
use crate::config;

/// Print shell completions
#[derive(Args, Debug)]
#[command(
    after_help = "Example: unleak completions bash > ~/.local/share/bash-completion/completions/unleak"
)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Write man pages, one for each command
#[derive(Args, Debug)]
#[command(after_help = "Example: unleak man ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Folder to write them to
    folder: PathBuf,
}

/// Print the configuration reference: every key with its default
#[derive(Args, Debug)]
#[command(after_help = "Example: unleak config > ~/.config/unleak/config.toml")]
pub struct ConfigArgs {}

/// Prints completions.
pub fn completions(args: &CompletionsArgs, mut command: Command, out: &mut dyn Write) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command, "unleak", &mut text);
    out.write_all(&text)?;
    Ok(Exit::Clean)
}

/// Writes man pages.
pub fn man(args: &ManArgs, command: Command) -> Result<Exit> {
    std::fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(command, &args.folder))
        .with_context(|| format!("cannot write man pages to {}", args.folder.display()))?;
    Ok(Exit::Clean)
}

/// Prints the reference.
pub fn config(out: &mut dyn Write) -> Result<Exit> {
    out.write_all(config::REFERENCE.as_bytes())?;
    Ok(Exit::Clean)
}
