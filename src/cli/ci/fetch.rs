//! Commits that a shallow checkout lacks: fetched step by step until the whole range is there, or refused.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use git2::{Oid, Repository};

use crate::cli::exit::Hinted;
use crate::config::runner::{Change, Span};

/// What is tried, one after the other: a range is seldom longer than fifty commits.
const DEPTHS: [&str; 3] = ["--deepen=50", "--deepen=500", "--unshallow"];

/// The commit of a revision: an id or name that git knows, else a branch of the remote.
pub(super) fn resolve(here: &Repository, revision: &str, remote: &str) -> Result<Oid> {
    let names = [revision.to_owned(), format!("refs/remotes/{remote}/{revision}")];
    let found = names.iter().rev().find_map(|name| {
        let object = here.revparse_single(name).ok()?;
        object.peel_to_commit().ok()
    });
    let found = found.with_context(|| format!("the commit {revision} is not in this checkout"))?;
    Ok(found.id())
}

/// Fetches what the change needs and this checkout has not.
pub(super) fn complete(here: &Repository, remote: &str, change: &Change, told: &mut dyn Write) -> Result<()> {
    let (wanted, must) = match &change.span {
        Span::Nothing => return Ok(()),
        Span::Whole => (Vec::new(), true),
        Span::Between { base, head } => (vec![base.as_str(), head.as_str()], change.has_commits),
        Span::New { head } => (vec![head.as_str()], true),
    };
    let mut lacking = lacks(here, remote, change, &wanted);
    if lacking.is_none() {
        return Ok(());
    }
    if here.find_remote(remote).is_err() {
        return refused(lacking, must, "there is no such remote to fetch from");
    }
    let shallow = here.is_shallow();
    let root = here.workdir().unwrap_or(here.path());
    let depths: &[&str] = if shallow { &DEPTHS } else { &[""] };
    let mut trouble = String::new();
    for depth in depths {
        if matches!(change.span, Span::Whole) && *depth != "--unshallow" {
            continue;
        }
        writeln!(
            told,
            "unleak: fetching from {remote}{}: {}",
            if depth.is_empty() { "" } else { " " },
            depth.trim_start_matches("--")
        )?;
        trouble = fetch(root, remote, depth, change, &wanted);
        // libgit2 remembers where a clone was shallow.
        let again = Repository::open(here.path()).context("cannot open the repository again")?;
        lacking = lacks(&again, remote, change, &wanted);
        if lacking.is_none() {
            return Ok(());
        }
    }
    refused(lacking, must, &trouble)
}

fn refused(lacking: Option<String>, must: bool, trouble: &str) -> Result<()> {
    let lacking = lacking.unwrap_or_default();
    if !must && !lacking.contains("shallow") {
        // What a forced push left behind: more is scanned instead.
        return Ok(());
    }
    let because = if trouble.is_empty() {
        String::new()
    } else {
        format!(" ({trouble})")
    };
    Err(Hinted::incomplete(
        format!("nothing was scanned: {lacking}, and it could not be fetched{because}"),
        "check out the whole history: fetch-depth: 0 of actions/checkout, GIT_DEPTH: 0 in GitLab, `git fetch --unshallow`",
    ))
}

/// What is missing, in words; nothing if the range is whole.
fn lacks(here: &Repository, remote: &str, change: &Change, wanted: &[&str]) -> Option<String> {
    let find = |revision: &str| resolve(here, revision, remote);
    if let Some(missing) = wanted.iter().find(|revision| find(revision).is_err()) {
        return Some(format!("the commit {missing} is not in this checkout"));
    }
    if !here.is_shallow() {
        return None;
    }
    let cut = "the checkout is shallow and the history it lacks is needed".to_owned();
    let range = match &change.span {
        Span::Between { base, head } => (find(head), find(base).ok()),
        Span::New { head } => (
            find(head),
            change.unlike.as_deref().and_then(|unlike| find(unlike).ok()),
        ),
        Span::Whole | Span::Nothing => return Some(cut),
    };
    let (Ok(head), base) = range else {
        return Some(cut);
    };
    reaches_the_cut(here, head, base).unwrap_or(true).then_some(cut)
}

/// Whether a commit of the range is one whose parents the checkout does not have.
fn reaches_the_cut(here: &Repository, head: Oid, base: Option<Oid>) -> Result<bool> {
    let cut =
        std::fs::read_to_string(here.commondir().join("shallow")).context("the list of shallow commits")?;
    let mut walk = here.revwalk()?;
    walk.push(head)?;
    if let Some(base) = base {
        walk.hide(base)?;
    }
    for id in walk {
        let id = id?.to_string();
        if cut.lines().any(|line| line.trim() == id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Runs `git fetch` for all that may hold the commits; gives what went wrong.
fn fetch(root: &Path, remote: &str, depth: &str, change: &Change, wanted: &[&str]) -> String {
    let ids = wanted
        .iter()
        .filter(|id| id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let ids: Vec<String> = ids.map(|id| (*id).to_owned()).collect();
    let refs: Vec<String> = change.refs.iter().map(|name| refspec(name, remote)).collect();
    // Not every server gives commits by id, and a branch may be gone: whichever works is enough.
    let mut tries = vec![[refs.clone(), ids.clone()].concat(), refs, ids];
    tries.retain(|names| !names.is_empty());
    tries.push(Vec::new());
    let mut trouble = String::new();
    for names in tries {
        match git(root, remote, depth, &names) {
            Ok(()) => return String::new(),
            Err(error) => trouble = format!("{error:#}"),
        }
    }
    trouble
}

/// A branch goes to where the remote's branches are, so that it has a name here.
fn refspec(name: &str, remote: &str) -> String {
    match name.strip_prefix("refs/heads/") {
        Some(branch) => format!("+refs/heads/{branch}:refs/remotes/{remote}/{branch}"),
        None => name.to_owned(),
    }
}

fn git(root: &Path, remote: &str, depth: &str, names: &[String]) -> Result<()> {
    let mut command = Command::new("git");
    command
        .args(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules"])
        .args(Some(depth).filter(|depth| !depth.is_empty()))
        .args(["--", remote])
        .args(names)
        .current_dir(root)
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null());
    let output = command.output().context("git cannot be run")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        bail!(
            "git fetch: {}",
            crate::cli::ci::remarks::plain(last.unwrap_or("failed"))
        );
    }
    Ok(())
}
