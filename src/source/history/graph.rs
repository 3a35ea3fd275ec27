//! Commits and trees: which there are, and which commit first held a blob.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use git2::{ObjectType, Oid, Repository};

use super::parse;
use super::read::Reader;
use super::said::{Hearer, Said};
use crate::finding::{CommitInfo, ScanPath};
use crate::source::Tally;
use crate::source::repository::Unread;

/// Deepest nesting of folders that is followed; git's own tools give up far earlier.
pub(super) const DEEPEST: usize = 1000;

/// One commit, as little of it as the walk needs.
pub(super) struct Commit {
    pub(super) id: Oid,
    pub(super) tree: Oid,
    parents: Vec<Oid>,
    seconds: i64,
}

/// A blob that entered the history: the earliest commit that holds it at this path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// The blob.
    pub blob: Oid,
    /// Its path in that commit.
    pub path: ScanPath,
    /// The commit; nothing for a blob or tree that only a tag names.
    pub commit: Option<CommitInfo>,
    /// Place of the commit in the history, oldest first.
    pub order: usize,
}

/// All refs and `HEAD` (which may be detached, or stand on a branch of a linked worktree).
pub(super) fn ref_names(repository: &Repository) -> Result<Vec<String>> {
    let mut names = vec!["HEAD".to_owned()];
    for reference in repository.references().context("cannot list the refs")? {
        let reference = reference.context("cannot list the refs")?;
        names.push(String::from_utf8_lossy(reference.name_bytes()).into_owned());
    }
    Ok(names)
}

/// What a ref names in the end: a tag's tag's object.
pub(super) fn peel(reader: &mut Reader<'_>, id: Oid, said: &Hearer<'_>) -> Result<(ObjectType, Oid), Unread> {
    let mut at = id;
    for _ in 0..DEEPEST {
        let (kind, bytes) = reader.any(at)?;
        if kind != ObjectType::Tag {
            return Ok((kind, at));
        }
        said(Said::new(kind, at, &bytes));
        at = parse::tag(&bytes).ok_or_else(|| Unread::Lost(format!("tag {at} names nothing")))?;
    }
    Err(Unread::Lost("it names a tag of a tag without end".to_owned()))
}

/// Every commit that the tips reach; a missing one is reported and its ancestors are not known.
pub(super) fn walk(
    repository: &Repository,
    reader: &mut Reader<'_>,
    tips: Vec<Oid>,
    said: &Hearer<'_>,
    tally: &Tally,
) -> Vec<Commit> {
    let shallow = shallow_boundary(repository);
    let mut seen: HashSet<Oid> = HashSet::new();
    let mut stack = tips;
    let mut commits = Vec::new();
    while let Some(id) = stack.pop().filter(|_| tally.goes_on()) {
        if !seen.insert(id) {
            continue;
        }
        let bytes = reader.read(id, ObjectType::Commit);
        let head = bytes.and_then(|bytes| {
            said(Said::new(ObjectType::Commit, id, &bytes));
            parse::commit(&bytes).ok_or_else(|| Unread::Lost("it is not what git writes".to_owned()))
        });
        match head {
            Ok(head) => {
                let parents: Vec<Oid> = if shallow.contains(&id) {
                    Vec::new()
                } else {
                    head.parents
                };
                stack.extend(parents.iter().copied());
                commits.push(Commit {
                    id,
                    tree: head.tree,
                    parents,
                    seconds: head.seconds,
                });
                tally.step();
            }
            Err(unread) => tally.skip(format!("commit {id}"), unread.why()),
        }
    }
    commits
}

/// Commits whose parents a shallow clone does not have.
pub(in crate::source) fn shallow_boundary(repository: &Repository) -> HashSet<Oid> {
    let text = std::fs::read_to_string(repository.commondir().join("shallow")).unwrap_or_default();
    text.lines()
        .filter_map(|line| Oid::from_str(line.trim()).ok())
        .collect()
}

/// Sets of seen trees and blobs, split so that threads rarely wait for each other.
pub(super) struct Trees {
    trees: Vec<Mutex<HashSet<Oid>>>,
    blobs: Vec<Mutex<HashSet<Oid>>>,
    order: Mutex<Vec<Oid>>,
}

impl Default for Trees {
    fn default() -> Self {
        let shards = || (0..64).map(|_| Mutex::default()).collect();
        Self {
            trees: shards(),
            blobs: shards(),
            order: Mutex::default(),
        }
    }
}

impl Trees {
    /// Whether the id is new to the set.
    fn insert(shards: &[Mutex<HashSet<Oid>>], id: Oid) -> bool {
        let shard = usize::from(id.as_bytes()[0]) % shards.len();
        shards[shard]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id)
    }

    /// Goes through a tree and everything below it that no thread has gone through.
    pub(super) fn enter(&self, reader: &mut Reader<'_>, root: Oid, tally: &Tally) {
        let mut stack = vec![(root, 0)];
        let mut found = Vec::new();
        while let Some((id, depth)) = stack.pop().filter(|_| tally.goes_on()) {
            if !Self::insert(&self.trees, id) {
                continue;
            }
            if depth > DEEPEST {
                tally.skip(format!("tree {id}"), "nested too deep");
                continue;
            }
            let bytes = match reader.read(id, ObjectType::Tree) {
                Ok(bytes) => bytes,
                Err(unread) => {
                    tally.skip(format!("tree {id}"), unread.why());
                    continue;
                }
            };
            let Some(entries) = parse::tree(&bytes) else {
                tally.skip(format!("tree {id}"), "is not what git writes; see git fsck");
                continue;
            };
            for entry in entries {
                match entry.kind {
                    ObjectType::Tree => stack.push((entry.id, depth + 1)),
                    ObjectType::Blob if Self::insert(&self.blobs, entry.id) => found.push(entry.id),
                    _ => {}
                }
            }
        }
        self.order
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .append(&mut found);
    }

    /// The blobs, in the order in which they were met: neighbours are often neighbours in a pack too.
    pub(super) fn into_blobs(self) -> Vec<Oid> {
        self.order.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Indices of the commits, parents before children, and among those that are free the one with the earliest date:
/// a wrong clock can therefore never put a child before its parent.
pub(super) fn oldest_first(commits: &[Commit]) -> Vec<usize> {
    let place: HashMap<Oid, usize> = commits
        .iter()
        .enumerate()
        .map(|(i, commit)| (commit.id, i))
        .collect();
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); commits.len()];
    let mut waiting: Vec<usize> = vec![0; commits.len()];
    for (i, commit) in commits.iter().enumerate() {
        for parent in commit.parents.iter().filter_map(|parent| place.get(parent)) {
            children[*parent].push(i);
            waiting[i] += 1;
        }
    }
    let key = |i: usize| Reverse((commits[i].seconds, commits[i].id, i));
    let mut free: BinaryHeap<_> = (0..commits.len()).filter(|&i| waiting[i] == 0).map(key).collect();
    let mut sorted = Vec::with_capacity(commits.len());
    while let Some(Reverse((_, _, i))) = free.pop() {
        sorted.push(i);
        for &child in &children[i] {
            waiting[child] -= 1;
            if waiting[child] == 0 {
                free.push(key(child));
            }
        }
    }
    sorted
}
