//! Which commit first held a blob, and at which path.

use std::collections::HashMap;
use std::rc::Rc;

use git2::{ObjectType, Oid};

use super::graph::{Commit, DEEPEST, Introduction, oldest_first};
use super::parse;
use super::read::{Objects, Reader};
use super::tree_map::{Held, TreeMap};
use crate::finding::ScanPath;
use crate::source::{Limits, Tally};

/// Blobs sought with their paths below one tree, by their numbers; shared, because most commits share most trees.
type Below = Rc<Vec<u32>>;

/// Finds, tree by tree, where the sought blobs are; every distinct tree is gone through once.
struct Search<'r, 'o> {
    reader: &'r mut Reader<'o>,
    map: Option<&'r TreeMap<'o>>,
    blobs: &'r [Oid],
    sought: &'r HashMap<Oid, u32>,
    names: HashMap<Vec<u8>, u32>,
    /// A blob and a path of it, by number.
    places: Vec<(Oid, Vec<u8>)>,
    /// What a name makes of a blob or of a place below it.
    joined: HashMap<(u32, Held), u32>,
    packed: HashMap<u32, Below>,
    read: HashMap<Oid, Below>,
    nothing: Below,
}

impl Search<'_, '_> {
    fn below(&mut self, id: Oid, depth: usize) -> Below {
        if let Some(number) = self.map.and_then(|map| map.number(id)) {
            return self.below_packed(number, depth);
        }
        if let Some(known) = self.read.get(&id) {
            return Rc::clone(known);
        }
        let mut all = Vec::new();
        let bytes = (depth <= DEEPEST)
            .then(|| self.reader.read(id, ObjectType::Tree).ok())
            .flatten();
        for entry in bytes
            .as_ref()
            .and_then(|bytes| parse::tree(bytes))
            .unwrap_or_default()
        {
            match entry.kind {
                ObjectType::Blob => {
                    if let Some(&place) = self.sought.get(&entry.id) {
                        let name = self.name(entry.name);
                        all.push(self.join(name, Held::Blob(place)));
                    }
                }
                ObjectType::Tree => {
                    let below = self.below(entry.id, depth + 1);
                    if !below.is_empty() {
                        let name = self.name(entry.name);
                        all.extend(below.iter().map(|&place| self.join(name, Held::Tree(place))));
                    }
                }
                _ => {}
            }
        }
        let below = self.shared(all);
        self.read.insert(id, Rc::clone(&below));
        below
    }

    fn below_packed(&mut self, tree: u32, depth: usize) -> Below {
        if let Some(known) = self.packed.get(&tree) {
            return Rc::clone(known);
        }
        let mut all = Vec::new();
        if let Some(map) = self.map.filter(|_| depth <= DEEPEST) {
            for (held, name) in map.held(tree) {
                match held {
                    Held::Blob(_) => all.push(self.join(name, held)),
                    Held::Tree(child) => {
                        let below = match map.other(child) {
                            Some(id) => self.below(id, depth + 1),
                            None => self.below_packed(child, depth + 1),
                        };
                        all.extend(below.iter().map(|&place| self.join(name, Held::Tree(place))));
                    }
                }
            }
        }
        let below = self.shared(all);
        self.packed.insert(tree, Rc::clone(&below));
        below
    }

    fn shared(&self, all: Vec<u32>) -> Below {
        if all.is_empty() {
            Rc::clone(&self.nothing)
        } else {
            Rc::new(all)
        }
    }

    fn name(&mut self, name: &[u8]) -> u32 {
        let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        match self.names.get(name) {
            Some(&known) => known,
            None => {
                self.names.insert(name.to_owned(), next);
                next
            }
        }
    }

    /// The number of a blob at a name, or of a place (`Held::Tree` holds its number) below a name.
    fn join(&mut self, name: u32, held: Held) -> u32 {
        if let Some(&known) = self.joined.get(&(name, held)) {
            return known;
        }
        let text = self.map.and_then(|map| map.names.get(name as usize));
        let text = text.cloned().unwrap_or_else(|| self.written(name));
        let place = match held {
            Held::Blob(place) => (self.blobs[place as usize], text),
            Held::Tree(below) => {
                let (blob, path) = &self.places[below as usize];
                (*blob, [&text, &b"/"[..], path].concat())
            }
        };
        let number = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        self.places.push(place);
        self.joined.insert((name, held), number);
        number
    }

    fn written(&self, name: u32) -> Vec<u8> {
        let mut names = self.names.iter();
        let found = names.find(|(_, number)| **number == name);
        found.map(|(text, _)| text.clone()).unwrap_or_default()
    }
}

/// For each sought blob and path the earliest commit that holds it.
pub(super) fn introductions(
    objects: &Objects,
    (commits, loose_trees): (&[Commit], &[Oid]),
    blobs: &[Oid],
    limits: &Limits,
    tally: &Tally,
) -> Vec<Introduction> {
    let sought: HashMap<Oid, u32> = blobs.iter().copied().zip(0_u32..).collect();
    let map = TreeMap::draw(objects, &sought, limits, tally);
    let names = map
        .as_ref()
        .map(|map| map.names.iter().cloned().zip(0_u32..).collect());
    let mut search = Search {
        reader: &mut objects.reader(),
        map: map.as_ref(),
        blobs,
        sought: &sought,
        names: names.unwrap_or_default(),
        places: Vec::new(),
        joined: HashMap::new(),
        packed: HashMap::new(),
        read: HashMap::new(),
        nothing: Rc::default(),
    };
    tally.begin("finding commits", commits.len());
    let mut seen: Vec<bool> = Vec::new();
    let mut found = Vec::new();
    let ordered = oldest_first(commits);
    let of_commits = ordered
        .iter()
        .enumerate()
        .map(|(order, &place)| (order, Some(&commits[place])));
    let of_tags = loose_trees.iter().map(|tree| (*tree, None));
    let roots = of_commits.map(|(order, commit)| {
        (
            commit.map_or(Oid::ZERO_SHA1, |c| c.tree),
            commit.map(|c| (order, c.id)),
        )
    });
    for (tree, commit) in roots.chain(of_tags).take_while(|_| tally.goes_on()) {
        tally.step();
        for &place in search.below(tree, 0).iter() {
            let place = place as usize;
            if seen.len() <= place {
                seen.resize(place + 1, false);
            }
            if std::mem::replace(&mut seen[place], true) {
                continue;
            }
            let (blob, path) = search.places[place].clone();
            let info = commit.and_then(|(_, id)| {
                let bytes = search.reader.read(id, ObjectType::Commit).ok()?;
                Some(parse::commit_info(id, &bytes))
            });
            found.push(Introduction {
                blob,
                path: ScanPath::new(path),
                commit: info,
                order: commit.map_or(usize::MAX, |(order, _)| order),
            });
        }
    }
    found
}
