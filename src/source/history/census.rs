//! What a repository holds, whether a ref reaches it or not: every blob of its packs, and its loose ones.
//!
//! Reading every tree from the commits down costs as much as git itself takes. Here the trees of each pack are unpacked
//! in the order in which they are deltas of each other, each once, and only asked what they name: whether all of it is
//! here. Where a tree is not, and where objects are borrowed from another repository (whose other blobs are none of
//! ours), the caller goes down from the commits after all. Must never call a repository complete that is not.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Oid};

use super::graph::DEEPEST;
use super::pack::Pack;
use super::parse;
use super::read::{Objects, Reader};
use super::unpack::{self, Hand, Known};
use crate::source::{Limits, Tally};

/// Slots of what a thread met lately; trees name mostly what their neighbours name.
const RECENT: usize = 1 << 15;

/// Every blob of the repository.
pub(super) struct Census {
    pub(super) blobs: Vec<Oid>,
    /// Blobs that some tree names and that a partial clone left out; whether a ref reaches the tree is open.
    pub(super) missing: Vec<Oid>,
}

/// Missing blobs of which the way from a ref is sought; with more, going down from the commits is as quick.
const MOST_MISSING: usize = 10_000;

/// What the trees name.
#[derive(Default)]
struct Named {
    /// Trees that are in no pack.
    trees: HashSet<Oid>,
    /// Blobs that are in no pack.
    blobs: HashSet<Oid>,
}

impl Census {
    /// Lists the blobs; nothing where a tree is missing, very many blobs are, or
    /// any that git did not leave out on purpose. `roots` are the trees of the commits.
    pub(super) fn take(objects: &Objects, roots: &[Oid], limits: &Limits, tally: &Tally) -> Option<Self> {
        let packs = &objects.packs;
        let kinds: Vec<Vec<Option<ObjectType>>> = packs.iter().map(Pack::kinds).collect();
        if kinds.iter().flatten().any(Option::is_none) {
            return None; // a chain that leads out of its pack, or nowhere
        }
        let trees = unpack::of_kind(packs, &kinds, ObjectType::Tree);
        tally.begin("walking trees", trees.len());
        let named = Mutex::new(Named::default());
        let hand = || Walker {
            packs,
            tally,
            recent: vec![Oid::ZERO_SHA1; RECENT],
            named: Named::default(),
            all: &named,
            whole: true,
        };
        let lost = unpack::unpack(packs, &trees, ObjectType::Tree, limits, &hand);
        let named = named.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !lost.is_empty() || !tally.goes_on() {
            return None;
        }
        let mut outside = Outside {
            objects,
            loose: loose(objects.below())?,
            reader: objects.reader(),
            trees: HashSet::new(),
            blobs: named.blobs,
        };
        let away = |id: &Oid| !is_packed(packs, *id);
        let tops = roots.iter().copied().filter(away).chain(named.trees);
        for tree in tops.collect::<Vec<_>>() {
            outside.enter(tree)?;
        }
        let mut blobs = unpack::of_kind(packs, &kinds, ObjectType::Blob);
        let (more, missing) = outside.into_blobs(limits.unreachable)?;
        blobs.extend(more);
        Some(Self { blobs, missing })
    }
}

fn is_packed(packs: &[Pack], id: Oid) -> bool {
    packs.iter().any(|pack| pack.place(id).is_some())
}

/// Every loose object of the folder, or nothing if it cannot be listed.
fn loose(folder: &Path) -> Option<HashSet<Oid>> {
    let mut ids = HashSet::new();
    for entry in std::fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        let name = entry.file_name();
        let Some(head) = name.to_str().filter(|name| name.len() == 2) else {
            continue;
        };
        if !head.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            continue;
        }
        for object in std::fs::read_dir(entry.path()).ok()? {
            let rest = object.ok()?.file_name();
            let whole = format!("{head}{}", rest.to_string_lossy());
            // Temporary files of a git that runs have other names.
            ids.extend(Oid::from_str(&whole).ok().filter(|_| whole.len() == 40));
        }
    }
    Some(ids)
}

/// Asks the trees of one thread what they name.
struct Walker<'a> {
    packs: &'a [Pack],
    tally: &'a Tally,
    recent: Vec<Oid>,
    named: Named,
    all: &'a Mutex<Named>,
    whole: bool,
}

impl Walker<'_> {
    /// Whether the id was not met lately.
    fn is_news(&mut self, id: Oid) -> bool {
        let bytes = id.as_bytes();
        let slot = usize::from(u16::from_le_bytes([bytes[0], bytes[1]])) % RECENT;
        std::mem::replace(&mut self.recent[slot], id) != id
    }
}

impl Hand for Walker<'_> {
    fn take(&mut self, _: Oid, bytes: &[u8]) -> Known {
        self.tally.step();
        let packs = self.packs;
        self.whole &= parse::each_entry(bytes, |entry| {
            if self.is_news(entry.id) && !is_packed(packs, entry.id) {
                match entry.kind {
                    ObjectType::Tree => self.named.trees.insert(entry.id),
                    ObjectType::Blob => self.named.blobs.insert(entry.id),
                    _ => false,
                };
            }
        })
        .is_some();
        None
    }

    fn goes_on(&self) -> bool {
        self.tally.goes_on() && self.whole
    }
}

impl Drop for Walker<'_> {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.trees.extend(&self.named.trees);
        all.blobs.extend(&self.named.blobs);
        if !self.whole {
            // Nothing has this id: the census ends without a result.
            all.trees.insert(Oid::ZERO_SHA1);
        }
    }
}

/// What is in no pack.
struct Outside<'o> {
    objects: &'o Objects,
    loose: HashSet<Oid>,
    reader: Reader<'o>,
    trees: HashSet<Oid>,
    blobs: HashSet<Oid>,
}

impl Outside<'_> {
    /// Goes through a tree that is in no pack, and those below it; nothing if one cannot be read.
    fn enter(&mut self, tree: Oid) -> Option<()> {
        let mut stack = vec![(tree, 0)];
        while let Some((id, depth)) = stack.pop() {
            if !self.trees.insert(id) {
                continue;
            }
            if depth > DEEPEST {
                return None;
            }
            let bytes = self.reader.read(id, ObjectType::Tree).ok()?;
            parse::each_entry(&bytes, |entry| {
                if !is_packed(&self.objects.packs, entry.id) {
                    match entry.kind {
                        ObjectType::Tree => stack.push((entry.id, depth + 1)),
                        ObjectType::Blob => {
                            self.blobs.insert(entry.id);
                        }
                        _ => {}
                    }
                }
            })?;
        }
        Some(())
    }

    /// Every blob that is in no pack, with those that nothing names if they are asked for, and those that are missing;
    /// nothing if these are very many.
    fn into_blobs(self, strays: bool) -> Option<(Vec<Oid>, Vec<Oid>)> {
        let repository = self.objects.repository()?;
        let odb = repository.odb().ok()?;
        let here = |id: &Oid| self.loose.contains(id) || odb.exists(*id);
        let (mut blobs, mut missing): (Vec<Oid>, Vec<Oid>) = self.blobs.iter().partition(|id| here(id));
        // In a whole repository a missing object is damage, of which the packs may be a part.
        let is_known = missing.is_empty() || self.objects.are_partial();
        if !is_known || missing.len() > MOST_MISSING {
            return None;
        }
        missing.sort_unstable();
        let packs = &self.objects.packs;
        let strays = self.loose.iter().filter(|id| {
            strays
                && !self.blobs.contains(id)
                && !self.trees.contains(id)
                && !is_packed(packs, **id)
                && odb
                    .read_header(**id)
                    .is_ok_and(|(_, kind)| kind == ObjectType::Blob)
        });
        blobs.extend(strays);
        blobs.sort_unstable();
        Some((blobs, missing))
    }
}
