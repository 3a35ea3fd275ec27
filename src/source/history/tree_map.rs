//! Which trees of the packs hold the sought blobs, and which hold each other.
//!
//! Reading tree by tree from the commits down cost a quarter of a whole scan of git's own history; here the trees are
//! unpacked in the order in which they are deltas of each other, each once, on all cores, and what they hold is kept as
//! numbers. Must never leave a tree out: where one cannot be unpacked there is no map.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Oid};

use super::pack::Pack;
use super::parse;
use super::read::Objects;
use super::unpack::{self, Hand, Known};
use crate::source::{Limits, Tally};

/// Slots of what a thread met lately.
const RECENT: usize = 1 << 14;

/// What a tree holds at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Held {
    /// A tree, by its number in the map.
    Tree(u32),
    /// One of the sought blobs, by its place among them.
    Blob(u32),
}

/// An entry of a tree: the tree's number, what it holds, and the number of the name.
type Entry = (u32, Held, u32);

/// The trees of all packs.
pub(super) struct TreeMap<'o> {
    packs: &'o [Pack],
    /// For each pack the number of its first object.
    first: Vec<u32>,
    /// Sorted.
    entries: Vec<Entry>,
    /// Trees that are in no pack; their numbers follow those of the packs.
    others: Vec<Oid>,
    /// Names by their number.
    pub(super) names: Vec<Vec<u8>>,
}

impl<'o> TreeMap<'o> {
    /// Unpacks all trees; nothing if one of them cannot be.
    pub(super) fn draw(
        objects: &'o Objects,
        sought: &HashMap<Oid, u32>,
        limits: &Limits,
        tally: &Tally,
    ) -> Option<Self> {
        let packs = &objects.packs;
        let (mut first, mut count) = (Vec::new(), 0_u32);
        for pack in packs {
            first.push(count);
            count = count.checked_add(u32::try_from(pack.len()).ok()?)?;
        }
        let kinds: Vec<Vec<Option<ObjectType>>> = packs.iter().map(Pack::kinds).collect();
        if kinds.iter().flatten().any(Option::is_none) {
            return None;
        }
        let trees = unpack::of_kind(packs, &kinds, ObjectType::Tree);
        let mut heads = vec![0_u64; 1 << 10];
        for id in sought.keys() {
            let head = head(*id);
            heads[head >> 6] |= 1 << (head & 63);
        }
        let shared = Shared {
            packs,
            first: &first,
            count,
            sought,
            heads: &heads,
            drawn: Mutex::default(),
        };
        tally.begin("finding commits", trees.len());
        let hand = || Drawer {
            shared: &shared,
            tally,
            recent: vec![(Oid::ZERO_SHA1, 0, 0); RECENT],
            names: HashMap::new(),
            entries: Vec::new(),
            whole: true,
        };
        let lost = unpack::unpack(packs, &trees, ObjectType::Tree, limits, &hand);
        let drawn = shared.drawn.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !lost.is_empty() || drawn.broken || !tally.goes_on() {
            return None;
        }
        let mut entries = drawn.entries;
        entries.sort_unstable();
        Some(Self {
            packs,
            first,
            entries,
            others: drawn.others,
            names: drawn.names.list,
        })
    }

    /// The number of a tree that is in a pack.
    pub(super) fn number(&self, id: Oid) -> Option<u32> {
        number(self.packs, &self.first, id)
    }

    /// The id of a tree that is in no pack; nothing for one that is.
    pub(super) fn other(&self, number: u32) -> Option<Oid> {
        let count = match (self.first.last(), self.packs.last()) {
            (Some(first), Some(pack)) => *first as usize + pack.len(),
            _ => 0,
        };
        self.others.get((number as usize).checked_sub(count)?).copied()
    }

    /// What a tree holds, with the numbers of the names.
    pub(super) fn held(&self, tree: u32) -> impl Iterator<Item = (Held, u32)> {
        let start = self.entries.partition_point(|(parent, ..)| *parent < tree);
        let of = self.entries[start..]
            .iter()
            .take_while(move |(parent, ..)| *parent == tree);
        of.map(|&(_, held, name)| (held, name))
    }
}

fn number(packs: &[Pack], first: &[u32], id: Oid) -> Option<u32> {
    let mut places = packs.iter().zip(first);
    places.find_map(|(pack, first)| Some(first + pack.place(id)?))
}

/// The first bits of an id.
fn head(id: Oid) -> usize {
    let bytes = id.as_bytes();
    usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// Names that have numbers.
#[derive(Default)]
struct Names {
    list: Vec<Vec<u8>>,
    known: HashMap<Vec<u8>, u32>,
}

impl Names {
    fn number(&mut self, name: &[u8]) -> u32 {
        if let Some(&known) = self.known.get(name) {
            return known;
        }
        let number = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(name.to_owned());
        self.known.insert(name.to_owned(), number);
        number
    }
}

/// What all threads draw.
#[derive(Default)]
struct Drawn {
    entries: Vec<Entry>,
    names: Names,
    others: Vec<Oid>,
    broken: bool,
}

struct Shared<'a> {
    packs: &'a [Pack],
    first: &'a [u32],
    count: u32,
    sought: &'a HashMap<Oid, u32>,
    heads: &'a [u64],
    drawn: Mutex<Drawn>,
}

impl Shared<'_> {
    fn drawn(&self) -> std::sync::MutexGuard<'_, Drawn> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of any tree; one that is in no pack gets one.
    fn number(&self, id: Oid) -> u32 {
        number(self.packs, self.first, id).unwrap_or_else(|| {
            let mut drawn = self.drawn();
            let known = drawn.others.iter().position(|other| *other == id);
            let place = known.unwrap_or(drawn.others.len());
            if known.is_none() {
                drawn.others.push(id);
            }
            self.count
                .saturating_add(u32::try_from(place).unwrap_or(u32::MAX))
        })
    }
}

/// One thread's work.
struct Drawer<'a> {
    shared: &'a Shared<'a>,
    tally: &'a Tally,
    /// Trees met lately, with their numbers and those of their names.
    recent: Vec<(Oid, u32, u32)>,
    names: HashMap<Vec<u8>, u32>,
    entries: Vec<Entry>,
    whole: bool,
}

impl Drawer<'_> {
    fn name(&mut self, name: &[u8]) -> u32 {
        if let Some(&known) = self.names.get(name) {
            return known;
        }
        let number = self.shared.drawn().names.number(name);
        self.names.insert(name.to_owned(), number);
        number
    }

    fn tree(&mut self, id: Oid) -> u32 {
        let slot = head(id) % RECENT;
        let (known, number, _) = self.recent[slot];
        if known == id {
            return number;
        }
        let number = self.shared.number(id);
        self.recent[slot] = (id, number, 0);
        number
    }
}

impl Hand for Drawer<'_> {
    fn take(&mut self, id: Oid, bytes: &[u8]) -> Known {
        self.tally.step();
        let shared = self.shared;
        let parent = self.shared.number(id);
        let read = parse::each_entry(bytes, |entry| {
            let held = match entry.kind {
                ObjectType::Tree => Held::Tree(self.tree(entry.id)),
                ObjectType::Blob => {
                    let head = head(entry.id);
                    if shared.heads[head >> 6] >> (head & 63) & 1 == 0 {
                        return;
                    }
                    match shared.sought.get(&entry.id) {
                        Some(&place) => Held::Blob(place),
                        None => return,
                    }
                }
                _ => return,
            };
            let name = self.name(entry.name);
            self.entries.push((parent, held, name));
        });
        self.whole &= read.is_some();
        None
    }

    fn goes_on(&self) -> bool {
        self.tally.goes_on() && self.whole
    }
}

impl Drop for Drawer<'_> {
    fn drop(&mut self) {
        let mut drawn = self.shared.drawn();
        drawn.entries.append(&mut self.entries);
        drawn.broken |= !self.whole;
    }
}
