//! git's index against `HEAD`: what the next commit would bring.
//!
//! Content is read from the index, never from the working tree; `GIT_INDEX_FILE` is honoured, so that
//! `git commit -a` and `git commit PATH` are seen as they will be. A first commit has nothing before it; what a commit
//! that is being merged has already, is not new.

use anyhow::{Context, Result};
use git2::{Delta, DiffOptions, FileMode, Repository};

use super::{Limits, Place, Tally, Visitor, offer, repository};
use crate::finding::ScanPath;

/// Scans what is staged. Returns how many files are staged, deletions and submodules counted too. `merging` are commits
/// that become parents of the next commit beside `HEAD`, besides those of which the repository itself knows.
///
/// # Errors
/// An index that cannot be read, or a commit that is being merged and is not here.
pub fn visit(
    repository: &Repository,
    merging: &[String],
    limits: &Limits,
    tally: &Tally,
    visit: &Visitor<'_>,
) -> Result<usize> {
    tally.begin("scanning staged files", 0);
    let head = match repository.head() {
        Ok(head) => Some(head.peel_to_tree().context("HEAD has no tree")?),
        Err(error)
            if matches!(
                error.code(),
                git2::ErrorCode::UnbornBranch | git2::ErrorCode::NotFound
            ) =>
        {
            None
        }
        Err(error) => return Err(error).context("cannot read HEAD"),
    };
    let mut diff = repository
        .diff_tree_to_index(head.as_ref(), None, Some(&mut changed_only()))
        .context("cannot compare the index with HEAD")?;
    diff.find_similar(None).context("cannot look for renamed files")?;
    let odb = repository.odb().context("cannot open the object database")?;
    let parents = parents(repository, merging)?;
    let mut staged = 0;
    for delta in diff.deltas() {
        staged += 1;
        if !tally.goes_on() {
            continue;
        }
        let new = delta.new_file();
        if !holds_text(delta.status(), new.mode()) {
            continue;
        }
        let path = ScanPath::new(new.path_bytes().unwrap_or_default());
        let theirs: Vec<_> = parents
            .iter()
            .filter_map(|parent| at(parent, path.as_bytes()))
            .collect();
        if theirs.contains(&new.id()) {
            continue;
        }
        let before = || {
            let ids = theirs.iter().copied().chain([delta.old_file().id()]);
            ids.flat_map(|id| older(&odb, id, limits)).collect()
        };
        match repository::blob(&odb, new.id(), limits.largest) {
            Ok(object) => {
                tally.add_file();
                offer(object.data(), Place::Staged(&path), &before, tally, visit);
            }
            Err(unread) => tally.skip(path.to_string(), format!("staged content {}", unread.why())),
        }
        tally.step();
    }
    Ok(staged)
}

/// The trees of the commits that are being merged.
fn parents<'r>(repository: &'r Repository, merging: &[String]) -> Result<Vec<git2::Tree<'r>>> {
    let known = std::fs::read_to_string(repository.path().join("MERGE_HEAD")).unwrap_or_default();
    let known = known.lines().map(str::trim).filter(|line| !line.is_empty());
    let all = known.chain(merging.iter().map(String::as_str));
    all.map(|id| Ok(repository::commit(repository, id)?.tree()?))
        .collect()
}

/// The blob at this path of a tree.
pub(super) fn at(tree: &git2::Tree<'_>, path: &[u8]) -> Option<git2::Oid> {
    let path = std::path::Path::new(std::str::from_utf8(path).ok()?);
    tree.get_path(path).ok().map(|entry| entry.id())
}

/// Whether a change brings file content: not a deletion, not a submodule.
pub(super) fn holds_text(status: Delta, mode: FileMode) -> bool {
    !matches!(status, Delta::Deleted | Delta::Unmodified | Delta::Ignored) && mode != FileMode::Commit
}

/// Options for comparing trees: no text is compared, only object ids.
pub(super) fn changed_only() -> DiffOptions {
    let mut options = DiffOptions::new();
    options
        .skip_binary_check(true)
        .ignore_submodules(true)
        .include_typechange(true);
    options
}

/// The content that stood there before, if any.
pub(super) fn older(odb: &git2::Odb<'_>, id: git2::Oid, limits: &Limits) -> Vec<Vec<u8>> {
    if id.is_zero() {
        return Vec::new();
    }
    repository::blob(odb, id, limits.largest)
        .map(|object| object.data().to_vec())
        .into_iter()
        .collect()
}
