//! git's whole history: every blob that any ref reaches, each distinct one once, on all cores. What stands in the packs
//! beside them is read as well, which is quicker than to tell it apart ([`History::is_unreachable`]).
//!
//! Commits and paths are looked up afterwards and for hits only ([`History::introductions`]): most blobs have none.
//! What is missing or damaged is reported and the rest is scanned. Blobs in packs are unpacked in the order in which
//! they are deltas of each other, each stream once; whatever cannot be had that way (loose objects, damaged packs,
//! packs that only a multi-pack-index lists) is read one by one through `git2`, which also says what is wrong with it.

mod census;
mod delta;
mod forest;
mod graph;
mod index;
mod inflate;
mod map;
mod novel;
mod offering;
mod pack;
mod packs;
mod parse;
mod read;
mod said;
mod search;
mod tree_map;
mod unpack;

use std::collections::HashSet;

use anyhow::Result;
use git2::{ObjectType, Oid, Repository};
use rayon::prelude::*;

pub use graph::Introduction;
pub(super) use graph::shallow_boundary;
pub use offering::{Sign, Suspicion};
pub use said::{Hearer, Said};

use super::repository::{self, Unread};
use super::{Limits, Place, Tally, Visitor, nothing_before, offer};
use census::Census;
use graph::{Commit, Trees};
use read::{Objects, Reader};

/// The history of one repository, its commits and blobs listed, not yet read.
pub struct History {
    objects: Objects,
    commits: Vec<Commit>,
    /// Trees and blobs that refs name without a commit (tags of trees, tags of blobs).
    loose_trees: Vec<Oid>,
    loose_blobs: HashSet<Oid>,
    blobs: Vec<Oid>,
    /// Whether there may be blobs among them that no ref reaches.
    beyond: bool,
}

impl History {
    /// Lists what is there and what all refs reach. Gaps (shallow boundaries, broken refs, missing objects) go to the tally.
    ///
    /// # Errors
    /// A repository whose refs cannot be listed.
    pub fn list(repository: &Repository, limits: &Limits, tally: &Tally) -> Result<Self> {
        Self::hear(repository, limits, tally, &|_| {})
    }

    /// The same, and tells what is said in every commit and tag on the way.
    ///
    /// # Errors
    /// A repository whose refs cannot be listed.
    pub fn hear(repository: &Repository, limits: &Limits, tally: &Tally, said: &Hearer<'_>) -> Result<Self> {
        tally.begin("walking commits", 0);
        let pool = pool(limits.jobs)?;
        let objects = {
            let (folder, below) = (repository.path(), repository.commondir().join("objects"));
            pool.install(|| Objects::open(folder, &below, limits, tally))
        };
        let mut reader = objects.reader();
        let mut tips = Tips::default();
        for name in graph::ref_names(repository)? {
            tips.add(repository, &mut reader, (&name, said), tally);
        }
        let commits = graph::walk(repository, &mut reader, tips.commits, said, tally);
        drop(reader);
        if repository.is_shallow() {
            tally.skip(
                "history before the shallow boundary",
                "this clone is shallow; run: git fetch --unshallow (in CI: fetch-depth: 0)",
            );
        }
        tally.add_commits(commits.len() as u64);
        let roots: Vec<Oid> = commits
            .iter()
            .map(|commit| commit.tree)
            .chain(tips.trees.iter().copied())
            .collect();
        let census = objects
            .are_own()
            .then(|| pool.install(|| Census::take(&objects, &roots, limits, tally)))
            .flatten();
        let beyond = census.is_some();
        let below = (commits.as_slice(), tips.trees.as_slice());
        let mut blobs = match census {
            Some(census) => pool.install(|| with_gaps(census, &objects, below, limits, tally)),
            None => pool.install(|| reached(&objects, &roots, tally)),
        };
        let known: HashSet<Oid> = blobs.iter().copied().collect();
        blobs.extend(tips.blobs.iter().copied().filter(|blob| !known.contains(blob)));
        Ok(Self {
            objects,
            commits,
            loose_trees: tips.trees,
            loose_blobs: tips.blobs.into_iter().collect(),
            blobs,
            beyond,
        })
    }

    /// Whether nothing is there: no commit, no blob.
    pub fn is_empty(&self) -> bool {
        self.commits.is_empty() && self.blobs.is_empty()
    }

    /// The blobs that are visited.
    pub fn blobs(&self) -> &[Oid] {
        &self.blobs
    }

    /// Whether no ref reaches a blob for which [`History::introductions`] names no place.
    pub fn is_unreachable(&self, blob: Oid) -> bool {
        self.beyond && !self.loose_blobs.contains(&blob)
    }

    /// Reads every blob once and hands it to the visitor as [`Place::Object`].
    ///
    /// # Errors
    /// Threads that cannot be started.
    pub fn visit(&self, limits: &Limits, tally: &Tally, visit: &Visitor<'_>) -> Result<()> {
        self.walk(None, limits, tally, visit)
    }

    /// Reads every blob once, and hands those to the visitor in which something may be found. In what is a delta of a
    /// blob without suspicion only the new bytes and their surroundings are looked at, so most blobs are never made.
    ///
    /// # Errors
    /// Threads that cannot be started.
    pub fn visit_suspects(
        &self,
        suspicion: &Suspicion<'_>,
        limits: &Limits,
        tally: &Tally,
        visit: &Visitor<'_>,
    ) -> Result<()> {
        self.walk(Some(suspicion), limits, tally, visit)
    }

    fn walk(
        &self,
        suspicion: Option<&Suspicion<'_>>,
        limits: &Limits,
        tally: &Tally,
        visit: &Visitor<'_>,
    ) -> Result<()> {
        tally.begin("scanning history", self.blobs.len());
        let left = pool(limits.jobs)?.install(|| {
            let hand = || offering::Offering {
                repository: self.objects.repository(),
                suspicion,
                tally,
                visit,
            };
            unpack::unpack(&self.objects.packs, &self.blobs, ObjectType::Blob, limits, &hand)
        });
        self.visit_one_by_one(&left, limits, tally, visit)
    }

    /// Reads these blobs through `git2`, each for itself: slower, and the judge of [`History::visit`] in tests.
    ///
    /// # Errors
    /// Threads that cannot be started.
    pub fn visit_one_by_one(
        &self,
        blobs: &[Oid],
        limits: &Limits,
        tally: &Tally,
        visit: &Visitor<'_>,
    ) -> Result<()> {
        pool(limits.jobs)?.install(|| {
            blobs.par_chunks(128).for_each_init(
                || self.objects.repository(),
                |repository, chunk| {
                    let odb = repository.as_ref().and_then(|repository| repository.odb().ok());
                    for &id in chunk.iter().take_while(|_| tally.goes_on()) {
                        match odb.as_ref().map(|odb| repository::blob(odb, id, limits.largest)) {
                            Some(Ok(object)) => {
                                tally.add_blob();
                                offer(object.data(), Place::Object(id), &nothing_before, tally, visit);
                            }
                            Some(Err(unread)) => tally.skip(format!("blob {id}"), unread.why()),
                            None => {
                                tally.skip(format!("blob {id}"), "the repository could not be opened again")
                            }
                        }
                        tally.step();
                    }
                },
            );
        });
        Ok(())
    }

    /// The commits that brought the blobs in, with the paths: for each blob and path the earliest commit by history.
    /// A blob that only a tag names has none.
    ///
    /// # Errors
    /// Threads that cannot be started.
    pub fn introductions(&self, blobs: &[Oid], limits: &Limits, tally: &Tally) -> Result<Vec<Introduction>> {
        let below = (self.commits.as_slice(), self.loose_trees.as_slice());
        pool(limits.jobs)?.install(|| Ok(search::introductions(&self.objects, below, blobs, limits, tally)))
    }
}

/// What refs point to, annotated tags resolved.
#[derive(Default)]
struct Tips {
    commits: Vec<Oid>,
    trees: Vec<Oid>,
    blobs: Vec<Oid>,
}

impl Tips {
    fn add(
        &mut self,
        repository: &Repository,
        reader: &mut Reader<'_>,
        (name, said): (&str, &Hearer<'_>),
        tally: &Tally,
    ) {
        let found = repository
            .find_reference(name)
            .and_then(|reference| reference.resolve());
        let named = match found.map(|reference| reference.target()) {
            Ok(Some(id)) => graph::peel(reader, id, said),
            Ok(None) => Err(Unread::Lost("it names nothing".to_owned())),
            // A branch that has no commit yet is no gap.
            Err(error) if name == "HEAD" && error.code() == git2::ErrorCode::NotFound => return,
            Err(error) => Err(Unread::Lost(error.message().to_owned())),
        };
        match named {
            Ok((ObjectType::Commit, id)) => self.commits.push(id),
            Ok((ObjectType::Tree, id)) => self.trees.push(id),
            Ok((ObjectType::Blob, id)) => self.blobs.push(id),
            Ok(_) => {}
            Err(unread) => tally.skip(format!("ref {name}"), format!("broken: {}", unread.why())),
        }
    }
}

/// What the census lists, and the missing blobs that are no leavings of git's but below a commit: they are gaps, which
/// reading them tells.
fn with_gaps(
    census: Census,
    objects: &Objects,
    below: (&[Commit], &[Oid]),
    limits: &Limits,
    tally: &Tally,
) -> Vec<Oid> {
    let mut blobs = census.blobs;
    if !census.missing.is_empty() {
        let mut gaps: Vec<Oid> = search::introductions(objects, below, &census.missing, limits, tally)
            .iter()
            .map(|introduction| introduction.blob)
            .collect();
        gaps.sort_unstable();
        gaps.dedup();
        blobs.extend(gaps);
    }
    blobs
}

/// The blobs below these trees; what is missing goes to the tally.
fn reached(objects: &Objects, roots: &[Oid], tally: &Tally) -> Vec<Oid> {
    tally.begin("walking trees", roots.len());
    let trees = Trees::default();
    roots.par_chunks(64).for_each_init(
        || objects.reader(),
        |reader, chunk| {
            for &root in chunk {
                trees.enter(reader, root, tally);
                tally.step();
            }
        },
    );
    trees.into_blobs()
}

fn pool(jobs: usize) -> Result<rayon::ThreadPool> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?)
}
