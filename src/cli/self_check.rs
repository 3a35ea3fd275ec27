//! `unleak self-check`: what works here, and what stands in the way.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use clap::Args;

use super::exit::Exit;
use super::{Context, init};
use crate::config::project::{BASELINE, NAME, Project};
use crate::scan::baseline::Baseline;
use crate::source::repository;

/// Say what works here: git, rules, configuration, keys, and the hooks of this repository
#[derive(Args, Debug)]
#[command(
    after_help = "Example: unleak self-check\n\nNothing is sent anywhere. It ends with 3 if something stands in the way."
)]
pub struct SelfCheckArgs {}

/// The oldest git with which hooks in worktrees and `fetch --deepen` work as we use them.
const OLDEST_GIT: (u32, u32) = (2, 25);

/// How one thing stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    Note,
    Wrong,
}

struct Lines<'o> {
    out: &'o mut dyn Write,
    wrong: bool,
}

impl Lines<'_> {
    fn say(&mut self, state: State, what: &str, how: impl std::fmt::Display) -> Result<()> {
        let word = match state {
            State::Fine => "ok",
            State::Note => "note",
            State::Wrong => "WRONG",
        };
        self.wrong |= state == State::Wrong;
        writeln!(self.out, "{word:<6} {what:<14} {how}")?;
        Ok(())
    }
}

/// Checks, and says so line by line.
pub fn run(context: &Context, out: &mut dyn Write) -> Result<Exit> {
    let mut lines = Lines { out, wrong: false };
    lines.say(State::Fine, "unleak", env!("CARGO_PKG_VERSION"))?;
    git(&mut lines)?;
    let (rules, services) = (context.rules.rules.len(), context.rules.services.len());
    lines.say(
        State::Fine,
        "rules",
        format!("{rules} rules of {services} services"),
    )?;
    match context.config.file() {
        Some(file) => lines.say(State::Fine, "configuration", file.display())?,
        None => lines.say(
            State::Note,
            "configuration",
            "none; defaults are used (`unleak config` prints them)",
        )?,
    }
    match context.config.kept_key() {
        Ok(file) => lines.say(
            State::Fine,
            "fingerprints",
            format!("their key is {}", file.display()),
        )?,
        Err(error) => lines.say(
            State::Note,
            "fingerprints",
            format!("hold for one run only: {error:#}"),
        )?,
    }
    lines.say(
        State::Fine,
        "network",
        "not used; only --verify, --respond and the server ask anybody",
    )?;
    if context.config.policy.allow.is_empty() {
        lines.say(State::Fine, "policy", "tells people, revokes nothing")?;
    } else {
        let entries = context.config.policy.allow.len();
        lines.say(
            State::Note,
            "policy",
            format!("{entries} entries allow to revoke or contain"),
        )?;
    }
    here(&mut lines)?;
    Ok(if lines.wrong {
        Exit::Incomplete
    } else {
        Exit::Clean
    })
}

fn git(lines: &mut Lines<'_>) -> Result<()> {
    let said = Command::new("git").arg("--version").output();
    let said = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let Ok(said) = said else {
        return lines.say(
            State::Note,
            "git",
            "is not installed; repositories are read without it, shallow ones not completed",
        );
    };
    let mut numbers = said
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < OLDEST_GIT {
        let (major, minor) = OLDEST_GIT;
        return lines.say(
            State::Wrong,
            "git",
            format!("{said}; {major}.{minor} or newer is needed"),
        );
    }
    lines.say(State::Fine, "git", said)
}

fn here(lines: &mut Lines<'_>) -> Result<()> {
    let here = match repository::around(Path::new(".")) {
        Ok(here) => here,
        Err(error) => return lines.say(State::Note, "repository", format!("{error:#}")),
    };
    let root = here.workdir().unwrap_or(here.path()).to_owned();
    lines.say(State::Fine, "repository", root.display())?;
    if here.is_shallow() {
        lines.say(
            State::Note,
            "history",
            "is shallow: a scan of all of it ends with 3; git fetch --unshallow",
        )?;
    }
    match init::hooks_here(&here) {
        Ok(hooks) if hooks.is_empty() => {
            lines.say(
                State::Note,
                "hooks",
                "none of unleak's; `unleak init` writes them",
            )?;
        }
        Ok(hooks) => lines.say(State::Fine, "hooks", hooks.join(", "))?,
        Err(error) => lines.say(State::Wrong, "hooks", format!("{error:#}"))?,
    }
    match Project::of(&root).and_then(|project| project.words(&root)) {
        Ok(_) if root.join(NAME).is_file() => lines.say(State::Fine, NAME, "can be read")?,
        Ok(_) => {}
        Err(error) => lines.say(State::Wrong, NAME, format!("{error:#}"))?,
    }
    let baseline = root.join(BASELINE);
    if baseline.is_file() {
        match Baseline::load(&baseline) {
            Ok(baseline) => lines.say(State::Fine, "baseline", format!("knows {} leaks", baseline.len()))?,
            Err(error) => lines.say(State::Wrong, "baseline", format!("{error:#}"))?,
        }
    }
    Ok(())
}
