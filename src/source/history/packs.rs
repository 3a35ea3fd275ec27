//! All packs that a repository reads from: its own and those of its alternates, and the folder that libgit2 sees.
//!
//! libgit2 trusts packs; a crafted one crashes it or never lets it go. Where a pack is not sound, or a
//! multi-pack-index could say otherwise than the indices do, libgit2 is given a folder of links to everything else.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::pack::Pack;
use crate::source::Tally;

/// Alternates of alternates are followed as far as git follows them.
const DEEPEST: usize = 5;

/// A folder of objects that libgit2 may read: links to loose objects and sound packs.
pub(super) struct Shelter {
    folders: Vec<tempfile::TempDir>,
}

impl Shelter {
    /// An object database of these folders alone.
    pub(super) fn odb(&self) -> Option<git2::Odb<'static>> {
        let odb = git2::Odb::new().ok()?;
        for folder in &self.folders {
            odb.add_disk_alternate(folder.path().to_str()?).ok()?;
        }
        Some(odb)
    }
}

/// Opens every pack below this `objects` folder and its alternates, in an order that depends on names only; says whether
/// all are sound and there are no alternates.
pub(super) fn open(objects: &Path, tally: &Tally) -> (Vec<Pack>, Option<Shelter>, bool) {
    let mut packs = Vec::new();
    let mut sound = Vec::new();
    let (mut hidden, mut damaged) = (false, false);
    let folders = folders(objects);
    for folder in &folders {
        for index in listed(&folder.join("pack")) {
            hidden |= index
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"multi-pack-index"));
            if index.extension().is_none_or(|extension| extension != "idx") {
                continue;
            }
            let why = match Pack::open(&index) {
                Ok(pack) => {
                    let why = pack.fault();
                    packs.push(pack);
                    why
                }
                Err(error) => Some(format!("{error:#}")),
            };
            match why {
                None => sound.push(index),
                Some(why) => {
                    damaged = true;
                    tally.skip(
                        format!("pack {}", index.display()),
                        format!(
                            "is damaged or unknown: {why}; what can be is read; see git fsck, git repack -ad"
                        ),
                    );
                }
            }
        }
    }
    let own = folders.len() <= 1 && !damaged;
    if !hidden && !damaged {
        return (packs, None, own);
    }
    let shelter = shelter(&folders, &sound).unwrap_or_else(|error| {
        tally.skip(
            "loose objects",
            format!("cannot be linked to a temporary folder: {error:#}"),
        );
        Shelter { folders: Vec::new() }
    });
    (packs, Some(shelter), own)
}

/// Links loose objects and sound packs into temporary folders.
fn shelter(folders: &[PathBuf], sound: &[PathBuf]) -> Result<Shelter> {
    let mut made = Vec::new();
    for folder in folders {
        let temporary = tempfile::tempdir()?;
        std::fs::create_dir(temporary.path().join("pack"))?;
        for path in listed(folder).iter().filter(|path| holds_loose(path)) {
            link(path, temporary.path())?;
        }
        let own = folder.join("pack");
        for index in sound.iter().filter(|index| index.parent() == Some(&own)) {
            link(index, &temporary.path().join("pack"))?;
            link(&index.with_extension("pack"), &temporary.path().join("pack"))?;
        }
        made.push(temporary);
    }
    Ok(Shelter { folders: made })
}

/// Whether the path is a folder of loose objects: two hexadecimal digits.
fn holds_loose(path: &Path) -> bool {
    let name = path.file_name().map(std::ffi::OsStr::as_encoded_bytes);
    name.is_some_and(|name| name.len() == 2 && name.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(unix)]
fn link(path: &Path, folder: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(path, folder.join(path.file_name().unwrap_or_default()))
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
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
