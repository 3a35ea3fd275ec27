//! `unleak rules`: what is known about which service, and the proof that it holds. It asks nobody.

mod list;
mod show;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};

use crate::cli::exit::Exit;
use crate::rule::RuleSet;
use crate::rule::check::{Problem, check};

/// Lists, shows and proves the rules.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  unleak rules list\n  unleak rules list --service github,gitlab --can revoke\n  \
                        unleak rules show github/personal-access-token\n  \
                        unleak rules check rules/example.toml"
)]
pub struct RulesArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What `unleak rules` does.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Lists every rule and what can be done about a token of its kind
    List(list::ListArgs),
    /// Shows everything that is known about one rule
    Show {
        /// The rule's full id, as `rules list` shows it
        rule: String,
        /// How to write it
        #[arg(long, value_enum, default_value_t)]
        format: Shape,
    },
    /// Proves the rules in use, or a rule file or a folder of them; ends with 2 if anything is wrong
    Check {
        /// A rule file, or a folder of them
        path: Option<PathBuf>,
    },
}

/// Output of `rules show`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Runs it. Problems go to `err`, everything else to `out`; fails if `out` cannot be written, or the rule or the path
/// is not there.
pub fn run(args: &RulesArgs, rules: &RuleSet, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit> {
    match &args.action {
        Action::List(args) => list::list(args, rules, out)?,
        Action::Show { rule, format } => show::show(rules, rule, *format, out)?,
        Action::Check { path } => return prove(rules, path.as_deref(), out, err),
    }
    Ok(Exit::Clean)
}

fn prove(rules: &RuleSet, path: Option<&Path>, out: &mut dyn Write, err: &mut dyn Write) -> Result<Exit> {
    let (problems, counted) = match path {
        None => (check(rules), counted(rules)),
        Some(path) => proved_at(path)?,
    };
    for problem in &problems {
        writeln!(err, "{problem}")?;
    }
    let (files, rules) = counted;
    if problems.is_empty() {
        writeln!(out, "{rules} rules in {files} files proved")?;
        return Ok(Exit::Clean);
    }
    writeln!(
        err,
        "{} problems in {rules} rules of {files} files",
        problems.len()
    )?;
    Ok(Exit::Usage)
}

fn counted(rules: &RuleSet) -> (usize, usize) {
    (rules.services.len(), rules.rules.len())
}

/// Problems of a file or of every file of a folder; a file that cannot even be loaded does not hide the others.
fn proved_at(path: &Path) -> Result<(Vec<Problem>, (usize, usize))> {
    let mut set = RuleSet::empty();
    let mut problems = Vec::new();
    let files = RuleSet::files(path).with_context(|| "nothing was proved")?;
    for file in &files {
        if let Err(error) = set.load(file) {
            problems.push(Problem::unreadable(&file.display().to_string(), &error));
        }
    }
    problems.extend(check(&set));
    Ok((problems, (files.len(), set.rules.len())))
}
