//! Commits that one side has and the other has not, each against its parents: what every one of them brought in.
//!
//! Every commit is looked at, merges too (what stands in no parent was made in the merge), not only the net change.

use std::collections::HashSet;

use anyhow::{Context, Result, anyhow, bail};
use git2::{Oid, Repository, Sort};

use super::staged::{at, changed_only, holds_text, older};
use super::{Limits, Place, Tally, Visitor, history, nothing_before, offer, repository};
use crate::finding::{CommitInfo, ScanPath};

/// A range as the user wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Left of the dots; its history is left out.
    pub from: String,
    /// Right of the dots; `HEAD` if empty.
    pub to: String,
}

impl Range {
    /// Reads `A..B`, `A...B` (from the merge base) and `A..`.
    ///
    /// # Errors
    /// A text without `..`, or without a left side.
    pub fn parse(text: &str) -> Result<Self> {
        let (from, to) = text
            .split_once("..")
            .ok_or_else(|| anyhow!("a range is written A..B, got {text:?}"))?;
        let to = to.strip_prefix('.').unwrap_or(to);
        if from.is_empty() {
            bail!("a range needs a left side: A..B");
        }
        Ok(Self {
            from: from.to_owned(),
            to: if to.is_empty() {
                "HEAD".to_owned()
            } else {
                to.to_owned()
            },
        })
    }
}

/// Which commits are looked at: those that `tips` reach and `known` do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commits {
    /// The newest ones.
    pub tips: Vec<Oid>,
    /// Their history, and they themselves, are left out.
    pub known: Vec<Oid>,
    /// Trees and blobs that a ref names instead of a commit, with the ref's name: they are looked at whole.
    pub whole: Vec<(String, Oid)>,
}

impl Range {
    /// The commits of the range.
    ///
    /// # Errors
    /// A revision that this repository does not know.
    pub fn commits(&self, repository: &Repository) -> Result<Commits> {
        Ok(Commits {
            tips: vec![repository::commit(repository, &self.to)?.id()],
            known: vec![repository::commit(repository, &self.from)?.id()],
            whole: Vec::new(),
        })
    }
}

/// Scans what these commits brought in. Returns how many there are, objects that are no commits counted too.
///
/// # Errors
/// Commits that cannot be walked.
pub fn visit(
    repository: &Repository,
    commits: &Commits,
    limits: &Limits,
    tally: &Tally,
    visit: &Visitor<'_>,
) -> Result<usize> {
    let mut walk = repository.revwalk().context("cannot walk the history")?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)
        .context("cannot sort the history")?;
    let mut push = commits.tips.iter().map(|tip| walk.push(*tip));
    push.try_for_each(|done| done)
        .context("cannot walk the history")?;
    let mut hide = commits.known.iter().map(|known| walk.hide(*known));
    hide.try_for_each(|done| done)
        .context("cannot walk the history")?;
    let ids: Vec<Oid> = walk
        .collect::<Result<_, _>>()
        .context("a commit of the range is missing")?;
    tally.begin("scanning commits", ids.len());
    tally.add_commits(ids.len() as u64);
    let shallow = history::shallow_boundary(repository);
    let mut seen = HashSet::new();
    for &id in ids.iter().take_while(|_| tally.goes_on()) {
        if shallow.contains(&id) {
            tally.skip(format!("parents of commit {id}"), NOT_HERE);
        }
        one(repository, id, limits, tally, visit, &mut seen)?;
        tally.step();
    }
    for (name, id) in &commits.whole {
        whole(repository, name, *id, limits, tally, visit)?;
    }
    Ok(ids.len() + commits.whole.len())
}

const NOT_HERE: &str = "is not here; in a shallow clone run: git fetch --unshallow (in CI: fetch-depth: 0)";

/// Scans a blob, or every blob of a tree.
fn whole(
    repository: &Repository,
    name: &str,
    id: Oid,
    limits: &Limits,
    tally: &Tally,
    visit: &Visitor<'_>,
) -> Result<()> {
    let odb = repository.odb().context("cannot open the object database")?;
    let read = |id: Oid, path: &[u8]| {
        let path = ScanPath::new(path);
        match repository::blob(&odb, id, limits.largest) {
            Ok(object) => {
                tally.add_blob();
                offer(
                    object.data(),
                    Place::Named(&path, id),
                    &nothing_before,
                    tally,
                    visit,
                );
            }
            Err(unread) => tally.skip(format!("{path} (blob {id})"), unread.why()),
        }
    };
    let Ok(tree) = repository.find_tree(id) else {
        read(id, name.as_bytes());
        return Ok(());
    };
    tree.walk(git2::TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() == Some(git2::ObjectType::Blob) {
            read(entry.id(), &[folder.as_bytes(), entry.name_bytes()].concat());
        }
        git2::TreeWalkResult::Ok
    })
    .with_context(|| format!("the tree that {name} names cannot be read"))
}

fn one(
    repository: &Repository,
    id: Oid,
    limits: &Limits,
    tally: &Tally,
    visit: &Visitor<'_>,
    seen: &mut HashSet<(Oid, Vec<u8>)>,
) -> Result<()> {
    let commit = repository.find_commit(id)?;
    let info = repository::commit_info(&commit);
    for (what, text) in [
        ("commit message", commit.message_raw_bytes()),
        ("commit author", people(&commit).as_bytes()),
    ] {
        let path = ScanPath::new(what);
        offer(text, Place::Commit(&path, &info), &nothing_before, tally, visit);
    }
    let tree = match commit.tree() {
        Ok(tree) => tree,
        Err(error) => {
            tally.skip(
                format!("commit {id}"),
                format!("its tree cannot be read: {}", error.message()),
            );
            return Ok(());
        }
    };
    let mut parents = Vec::new();
    for parent in commit.parent_ids() {
        match repository.find_commit(parent).and_then(|parent| parent.tree()) {
            Ok(tree) => parents.push(tree),
            Err(_) => tally.skip(format!("parent {parent} of commit {id}"), NOT_HERE),
        }
    }
    let odb = repository.odb().context("cannot open the object database")?;
    let mut diff = repository.diff_tree_to_tree(parents.first(), Some(&tree), Some(&mut changed_only()))?;
    diff.find_similar(None).context("cannot look for renamed files")?;
    for delta in diff.deltas() {
        let new = delta.new_file();
        let path = new.path_bytes().unwrap_or_default();
        let others: Vec<Oid> = parents
            .iter()
            .skip(1)
            .filter_map(|parent| at(parent, path))
            .collect();
        let known = others.contains(&new.id()) || !seen.insert((new.id(), path.to_vec()));
        if !holds_text(delta.status(), new.mode()) || known {
            continue;
        }
        let before = || {
            let ids = others.iter().copied().chain([delta.old_file().id()]);
            ids.flat_map(|id| older(&odb, id, limits)).collect()
        };
        read(
            &odb,
            (new.id(), &ScanPath::new(path), &info),
            limits,
            tally,
            visit,
            &before,
        );
    }
    Ok(())
}

fn read(
    odb: &git2::Odb<'_>,
    (id, path, info): (Oid, &ScanPath, &CommitInfo),
    limits: &Limits,
    tally: &Tally,
    visit: &Visitor<'_>,
    before: &dyn Fn() -> Vec<Vec<u8>>,
) {
    match repository::blob(odb, id, limits.largest) {
        Ok(object) => {
            tally.add_blob();
            offer(object.data(), Place::Commit(path, info), before, tally, visit);
        }
        Err(unread) => tally.skip(format!("{path} (blob {id})"), unread.why()),
    }
}

/// Who wrote a commit and who committed it, as git has it.
fn people(commit: &git2::Commit<'_>) -> String {
    let line = |role: &str, who: git2::Signature<'_>| {
        let (name, email) = (
            String::from_utf8_lossy(who.name_bytes()),
            String::from_utf8_lossy(who.email_bytes()),
        );
        format!("{role} {name} <{email}>\n")
    };
    line("author", commit.author()) + &line("committer", commit.committer())
}

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn a_range_is_read_as_git_writes_it() {
        let range = |from: &str, to: &str| Range {
            from: from.to_owned(),
            to: to.to_owned(),
        };
        assert_eq!(Range::parse("main..HEAD").unwrap(), range("main", "HEAD"));
        assert_eq!(Range::parse("v1..").unwrap(), range("v1", "HEAD"));
        assert_eq!(Range::parse("a...b").unwrap(), range("a", "b"));
        assert!(Range::parse("main").is_err());
        assert!(Range::parse("..x").is_err());
    }
}
