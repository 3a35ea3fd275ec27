//! `unleak init`: hook, configuration and baseline of a repository, and `--remove`, which undoes exactly that.
//!
//! Nothing of the user's is overwritten: a hook that is there is run before ours, a file that is there gets marked lines,
//! and what cannot be edited safely is shown for a person to put in.

mod files;
mod frameworks;
mod git;
mod husky;
mod migrate;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use super::Context;
use super::exit::{Exit, Hinted};
use super::look::cannot;
use crate::source::repository;

/// Set a repository up: hooks that stop leaks, a configuration, and a baseline of what is there already
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct InitArgs {
    /// The repository
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// What runs the hooks
    #[arg(long, value_enum, value_name = "WHAT", default_value = "auto")]
    hooks: Hooks,
    /// Write no baseline, and do not look for what is there already
    #[arg(long)]
    no_baseline: bool,
    /// Carry over what another scanner was told: its configuration, ignores and baseline
    #[arg(long, value_enum, value_name = "TOOL", conflicts_with = "remove")]
    from: Option<migrate::From>,
    /// A file of that scanner, where it has not its usual name; may be repeated
    #[arg(long, value_name = "FILE", requires = "from")]
    from_file: Vec<PathBuf>,
    /// Undo what init did
    #[arg(long)]
    remove: bool,
}

const EXAMPLES: &str = "Examples:\n  \
    unleak init                       hooks as this repository has them, .unleak.toml, .unleak-baseline\n  \
    unleak init --hooks lefthook      into lefthook.yml, whatever else is there\n  \
    unleak init --from gitleaks       and what gitleaks was told, in unleak's files\n  \
    unleak init server.git            a pre-receive hook, in a bare repository\n  \
    unleak init --remove              undo it\n\n\
    An existing hook is kept and runs first. Running init again changes nothing.";

/// What runs the hooks of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Hooks {
    /// What is there: husky, lefthook, pre-commit, else git itself
    Auto,
    /// git's own hooks folder
    Git,
    /// .pre-commit-config.yaml
    PreCommit,
    /// lefthook.yml
    Lefthook,
    /// .husky
    Husky,
    /// No hook
    None,
}

/// What all steps need.
struct Place {
    repository: git2::Repository,
    /// The working tree; none of a bare repository.
    root: Option<PathBuf>,
}

/// One line about one thing that was done or not.
struct Done {
    verb: &'static str,
    what: String,
}

impl Done {
    fn new(verb: &'static str, what: impl Into<String>) -> Self {
        Self {
            verb,
            what: what.into(),
        }
    }
}

/// Sets up, or undoes.
pub fn run(args: &InitArgs, mut context: Context, out: &mut dyn Write) -> Result<Exit> {
    let repository = repository::around(&args.folder)
        .map_err(|error| cannot(&error, "run it in a repository; `git init` makes one"))?;
    let root = repository.workdir().map(Path::to_owned);
    let place = Place { repository, root };
    let mut done = Vec::new();
    if args.remove {
        remove(&place, &mut done)?;
        if done.is_empty() {
            done.push(Done::new("nothing", "was set up here by unleak init"));
        }
    } else {
        set_up(args, &place, &mut context, &mut done)?;
    }
    for Done { verb, what } in &done {
        writeln!(out, "{verb:<8} {what}")?;
    }
    Ok(Exit::Clean)
}

fn set_up(args: &InitArgs, place: &Place, context: &mut Context, done: &mut Vec<Done>) -> Result<()> {
    let Some(root) = &place.root else {
        return git::write(&place.repository, &["pre-receive"], done);
    };
    match args.hooks.found(root) {
        Hooks::None => {}
        Hooks::PreCommit => frameworks::pre_commit(root, done)?,
        Hooks::Lefthook => frameworks::lefthook(root, done)?,
        Hooks::Husky => husky::write(root, done)?,
        Hooks::Auto | Hooks::Git => git::write(&place.repository, &git::HOOKS, done)?,
    }
    if let Some(from) = args.from {
        migrate::run(from, root, &args.from_file, context, done)?;
        return files::write_attributes(root, done);
    }
    files::write_project(root, done)?;
    if !args.no_baseline {
        files::write_baseline(root, context, done)?;
    }
    Ok(())
}

fn remove(place: &Place, done: &mut Vec<Done>) -> Result<()> {
    git::remove(&place.repository, done)?;
    let Some(root) = &place.root else { return Ok(()) };
    frameworks::remove(root, done)?;
    husky::remove(root, done)?;
    files::remove(root, done)
}

impl Hooks {
    fn found(self, root: &Path) -> Self {
        if self != Self::Auto {
            return self;
        }
        if root.join(".husky").is_dir() {
            Self::Husky
        } else if frameworks::lefthook_file(root).is_some() {
            Self::Lefthook
        } else if root.join(frameworks::PRE_COMMIT).is_file() {
            Self::PreCommit
        } else {
            Self::Git
        }
    }
}

/// The hooks of a repository that call unleak: git's own, and the files of pre-commit, lefthook and husky.
///
/// # Errors
/// A place for hooks that init would not write to.
pub(super) fn hooks_here(repository: &git2::Repository) -> Result<Vec<String>> {
    let mut present = Vec::new();
    if let Some(root) = repository.workdir() {
        let files = frameworks::FILES.iter().chain(&husky::FILES);
        for file in files {
            if text_of(&root.join(file))?.is_some_and(|text| text.contains("unleak hook")) {
                present.push((*file).to_owned());
            }
        }
    }
    match git::present(repository) {
        Ok(own) => present.extend(own),
        // Hooks that run elsewhere are none of git's own place.
        Err(error) if present.is_empty() => return Err(error),
        Err(_) => {}
    }
    Ok(present)
}

/// What a file holds; none if it is not there.
fn text_of(file: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}

/// Writes a file that keeps the rights it has.
fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

fn delete(file: &Path) -> Result<()> {
    std::fs::remove_file(file).with_context(|| format!("cannot remove {}", file.display()))
}

/// Takes marked lines out of a file again, and the file away if it holds nothing else.
fn unedit(file: &Path, without: impl FnOnce(&str) -> String, done: &mut Vec<Done>) -> Result<()> {
    let Some(text) = text_of(file)? else { return Ok(()) };
    let rest = without(&text);
    if rest == text {
        return Ok(());
    }
    if rest.trim().is_empty() {
        delete(file)?;
        done.push(Done::new("removed", file.display().to_string()));
    } else {
        write(file, &rest)?;
        done.push(Done::new("restored", file.display().to_string()));
    }
    Ok(())
}

/// Makes a file one that can be run.
fn make_executable(file: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755))
            .with_context(|| format!("cannot make {} executable", file.display()))?;
    }
    let _ = file;
    Ok(())
}

/// What cannot be edited by a program without a risk, with what to put in.
fn by_hand(file: &Path, why: &str, snippet: &str) -> anyhow::Error {
    Hinted::usage(
        format!("{}: {why}; nothing was changed", file.display()),
        format!("put this in by hand:\n{snippet}"),
    )
}
