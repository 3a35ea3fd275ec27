//! All packs that a repository reads from: its own and those of its alternates.
//!
//! What cannot be opened here is left out without a word: `git2` is asked for every object that no pack here gave, and
//! says what is wrong with it. Loose objects and packs that only a multi-pack-index lists are `git2`'s too.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::pack::Pack;

/// Alternates of alternates are followed as far as git follows them.
const DEEPEST: usize = 5;

/// Opens every pack below this `objects` folder and its alternates, in an order that depends on names only.
pub(super) fn open(objects: &Path) -> Vec<Pack> {
    let mut packs = Vec::new();
    for folder in folders(objects) {
        let mut indices: Vec<PathBuf> = std::fs::read_dir(folder.join("pack"))
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "idx"))
            .collect();
        indices.sort();
        for index in indices {
            match Pack::open(&index) {
                Ok(pack) => packs.push(pack),
                Err(error) => tracing::debug!("a pack is left to git2: {error:#}"),
            }
        }
    }
    packs
}

/// The folder and its alternates.
fn folders(objects: &Path) -> Vec<PathBuf> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut waiting = vec![(objects.to_owned(), 0)];
    while let Some((folder, depth)) = waiting.pop() {
        let Ok(real) = folder.canonicalize() else {
            continue;
        };
        if depth > DEEPEST || !seen.insert(real.clone()) {
            continue;
        }
        let list = std::fs::read_to_string(folder.join("info/alternates")).unwrap_or_default();
        let alternates = list
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        waiting.extend(alternates.map(|line| (folder.join(line), depth + 1)));
        found.push(real);
    }
    found
}
