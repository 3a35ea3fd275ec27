//! Which entries of a pack have to be unpacked for the wanted objects, as trees: every delta hangs below its base.
//!
//! Reads heads only. Must end on every chain that a pack can claim, loops among them.

use git2::{ObjectType, Oid};

use super::pack::{Base, Kind, Pack};

/// No entry.
const NONE: u32 = u32::MAX;
/// An entry on the chain that is being followed.
const ON_THE_WAY: u32 = u32::MAX - 1;
/// An entry whose chain ends in nothing, in itself, or in what is of another type.
const LOST: u32 = u32::MAX - 2;

/// The trees of one pack.
pub(super) struct Forest {
    wanted: Vec<bool>,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    /// Tops of the trees.
    pub(super) roots: Vec<Root>,
}

/// The top of a tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    pub(super) place: u32,
    /// Bytes to be inflated in the whole tree.
    pub(super) weight: u64,
    /// If it is a delta too: the base, which is not in this pack.
    pub(super) outside: Option<Oid>,
}

impl Forest {
    /// The trees that hold the wanted entries, which are of this type; those that lead nowhere are handed to `lost`.
    pub(super) fn new(pack: &Pack, places: &[u32], kind: ObjectType, lost: &mut dyn FnMut(u32)) -> Self {
        let count = pack.len();
        let mut forest = Self {
            wanted: vec![false; count],
            first_child: vec![NONE; count],
            next_sibling: vec![NONE; count],
            roots: Vec::new(),
        };
        let mut root_of = vec![NONE; count];
        let mut way = Vec::new();
        for &place in places {
            forest.wanted[place as usize] = true;
            let root = follow(pack, place, kind, &mut root_of, &mut way);
            if root == LOST {
                lost(place);
            }
        }
        let mut weights = vec![0_u64; count];
        for (place, &root) in (0_u32..).zip(&root_of) {
            if root == NONE || root == LOST {
                continue;
            }
            let entry = pack.at(place);
            let weight = &mut weights[root as usize];
            *weight = weight.saturating_add(entry.length);
            if let Kind::Delta(Base::Here(base)) = entry.kind {
                forest.next_sibling[place as usize] = forest.first_child[base as usize];
                forest.first_child[base as usize] = place;
            }
        }
        for (place, &root) in (0_u32..).zip(&root_of) {
            if root == place {
                let outside = match pack.at(place).kind {
                    Kind::Delta(Base::Elsewhere(id)) => Some(id),
                    _ => None,
                };
                let weight = weights[place as usize];
                forest.roots.push(Root {
                    place,
                    weight,
                    outside,
                });
            }
        }
        forest
    }

    /// Whether the entry itself is wanted, not only as a base.
    pub(super) fn is_wanted(&self, place: u32) -> bool {
        self.wanted[place as usize]
    }

    /// Whether nothing that is needed hangs below the entry.
    pub(super) fn is_leaf(&self, place: u32) -> bool {
        self.first_child[place as usize] == NONE
    }

    /// What hangs right below the entry.
    pub(super) fn children(&self, place: u32) -> impl Iterator<Item = u32> {
        let next = |at: u32| (at != NONE).then_some(at);
        std::iter::successors(next(self.first_child[place as usize]), move |&child| {
            next(self.next_sibling[child as usize])
        })
    }
}

/// The root of an entry's chain; remembers it for everything on the way.
fn follow(pack: &Pack, place: u32, kind: ObjectType, root_of: &mut [u32], way: &mut Vec<u32>) -> u32 {
    way.clear();
    let mut at = place;
    let root = loop {
        match root_of[at as usize] {
            NONE => {}
            ON_THE_WAY => break LOST,
            known => break known,
        }
        root_of[at as usize] = ON_THE_WAY;
        way.push(at);
        match pack.at(at).kind {
            Kind::Delta(Base::Here(base)) => at = base,
            Kind::Whole(known) if known == kind => break at,
            Kind::Delta(Base::Elsewhere(_)) => break at,
            Kind::Whole(_) | Kind::Damaged => break LOST,
        }
    };
    for &place in way.iter() {
        root_of[place as usize] = root;
    }
    root
}
