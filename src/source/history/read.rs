//! Reads single objects, commits and trees above all: out of the packs, else through `git2`.
//!
//! libgit2 follows what a pack claims without asking (an offset behind the end of the file ends the process, a circle
//! of deltas never ends), so it is only ever shown a folder without the packs that are not sound ([`Objects::open`]).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use git2::{ObjectType, Oid, Repository};

use super::delta::{Damaged, Delta};
use super::inflate::Inflater;
use super::pack::{Base, Kind, Pack};
use super::packs::{self, Shelter};
use crate::source::repository::Unread;
use crate::source::{Limits, Tally};

/// Most bytes of unpacked bases that one thread keeps, twice: the younger and the older half.
const CACHE: usize = 32 << 20;

/// The part of what a thread may hold that the cache takes, twice.
const CACHE_SHARE: usize = 4;

/// Largest commit, tree or tag, in bytes.
const LARGEST: usize = 256 << 20;

/// All objects of a repository.
pub(super) struct Objects {
    folder: PathBuf,
    pub(super) packs: Vec<Pack>,
    shelter: Option<Shelter>,
    below: PathBuf,
    own: bool,
    cache: usize,
}

impl Objects {
    /// Opens the packs below `objects` for the repository `folder`. One that is not sound is named, and libgit2 does not get to see it.
    pub(super) fn open(folder: &Path, objects: &Path, limits: &Limits, tally: &Tally) -> Self {
        let (packs, shelter, own) = packs::open(objects, tally);
        Self {
            below: objects.to_owned(),
            own,
            folder: folder.to_owned(),
            packs,
            shelter,
            cache: CACHE.min(limits.held / CACHE_SHARE),
        }
    }

    /// Whether all objects are this repository's own, in packs that are sound.
    pub(super) fn are_own(&self) -> bool {
        self.own
    }

    /// Whether git left objects out on purpose when it cloned (`git clone --filter`).
    pub(super) fn are_partial(&self) -> bool {
        let files = std::fs::read_dir(self.below.join("pack")).into_iter().flatten();
        let mut paths = files.flatten().map(|file| file.path());
        paths.any(|path| path.extension().is_some_and(|extension| extension == "promisor"))
    }

    /// The folder of the objects.
    pub(super) fn below(&self) -> &Path {
        &self.below
    }

    /// The repository, opened once more for another thread.
    pub(super) fn repository(&self) -> Option<Repository> {
        let repository = Repository::open(&self.folder).ok()?;
        match &self.shelter {
            None => {}
            Some(shelter) => repository.set_odb(&shelter.odb()?).ok()?,
        }
        Some(repository)
    }

    /// A reader for one thread.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            objects: self,
            repository: None,
            inflater: Inflater::default(),
            young: HashMap::new(),
            old: HashMap::new(),
            young_bytes: 0,
        }
    }
}

/// Pack and place.
type Key = (usize, u32);

/// An object as it was before it was compressed.
pub(super) type Object = (ObjectType, Rc<Vec<u8>>);

/// Reads objects on one thread.
pub(super) struct Reader<'o> {
    objects: &'o Objects,
    repository: Option<Option<Repository>>,
    inflater: Inflater,
    young: HashMap<Key, Object>,
    old: HashMap<Key, Object>,
    young_bytes: usize,
}

impl Reader<'_> {
    /// The content of an object of this type.
    pub(super) fn read(&mut self, id: Oid, kind: ObjectType) -> Result<Rc<Vec<u8>>, Unread> {
        let (found, bytes) = self.any(id)?;
        if found == kind {
            Ok(bytes)
        } else {
            Err(Unread::Lost(format!("it is a {found}, not a {kind}")))
        }
    }

    /// The content of an object.
    pub(super) fn any(&mut self, id: Oid) -> Result<Object, Unread> {
        for (number, pack) in self.objects.packs.iter().enumerate() {
            let unpacked = pack.place(id).map(|place| self.unpack(number, pack, place));
            if let Some(Ok(object)) = unpacked {
                return Ok(object);
            }
        }
        self.through_git2(id)
    }

    fn through_git2(&mut self, id: Oid) -> Result<Object, Unread> {
        let lost = |error: git2::Error| Unread::Lost(error.message().to_owned());
        let repository = self
            .repository
            .get_or_insert_with(|| self.objects.repository())
            .as_ref()
            .ok_or_else(|| Unread::Lost("the repository could not be opened again".to_owned()))?;
        let odb = repository.odb().map_err(lost)?;
        let (length, _) = odb.read_header(id).map_err(lost)?;
        if length > LARGEST {
            return Err(Unread::Large(length as u64));
        }
        let object = odb.read(id).map_err(lost)?;
        Ok((object.kind(), Rc::new(object.data().to_vec())))
    }

    fn unpack(&mut self, number: usize, pack: &Pack, place: u32) -> Result<Object, Damaged> {
        let mut chain = Vec::new();
        let mut at = place;
        let mut made = loop {
            if let Some(known) = self.known((number, at)) {
                break known;
            }
            match pack.at(at).kind {
                Kind::Whole(kind) => {
                    let mut bytes = Vec::new();
                    pack.inflate(at, LARGEST, &mut self.inflater, &mut bytes)?;
                    let object = (kind, Rc::new(bytes));
                    self.keep((number, at), &object);
                    break object;
                }
                // A sound chain is shorter than the pack.
                Kind::Delta(Base::Here(base)) if chain.len() < pack.len() => {
                    chain.push(at);
                    at = base;
                }
                _ => return Err(Damaged),
            }
        };
        let mut stream = Vec::new();
        while let Some(at) = chain.pop() {
            pack.inflate(at, LARGEST, &mut self.inflater, &mut stream)?;
            let delta = Delta::parse(&stream)?;
            if delta.length > LARGEST {
                return Err(Damaged);
            }
            let mut bytes = Vec::new();
            delta.apply(&made.1, &mut bytes)?;
            made = (made.0, Rc::new(bytes));
            self.keep((number, at), &made);
        }
        Ok(made)
    }

    fn known(&mut self, key: Key) -> Option<Object> {
        if let Some(known) = self.young.get(&key) {
            return Some(known.clone());
        }
        let object = self.old.remove(&key)?;
        self.keep(key, &object);
        Some(object)
    }

    fn keep(&mut self, key: Key, object: &Object) {
        if self.young_bytes > self.objects.cache {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += object.1.len() + size_of::<(Key, Object)>();
        self.young.insert(key, object.clone());
    }
}
