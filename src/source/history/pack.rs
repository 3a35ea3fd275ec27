//! One pack: its entries in the order of the file, what each is a delta of, and its bytes.
//!
//! Foreign bytes: every offset is checked against the file. What an entry claims of its length is only believed up to
//! what the caller allows, and a chain of deltas that bites its own tail ends where it began.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use git2::{ObjectType, Oid};
use rayon::prelude::*;

use super::delta::Damaged;
use super::index::Index;
use super::inflate::Inflater;
use super::map::FileBytes;

/// Bytes of the head of a pack: `PACK`, version, count.
const HEAD: usize = 12;
/// Deflate makes at most so many bytes of one; an entry that claims more is not worth an allocation.
const MOST_RATIO: usize = 1032;
/// Bytes of the checksum at its end.
const TRAILER: usize = 20;

/// What an entry holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The object itself.
    Whole(ObjectType),
    /// A delta of an earlier entry or of one named by its id.
    Delta(Base),
    /// Nothing that git writes.
    Damaged,
}

/// What a delta is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// The entry at this place of the pack.
    Here(u32),
    /// An object that is not in this pack.
    Elsewhere(Oid),
}

/// An entry of a pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    start: u64,
    end: u64,
    /// Place in the index.
    listed: u32,
    /// Bytes from `start` to the compressed stream.
    head: u8,
    pub(super) kind: Kind,
    /// Length after inflating, as the entry says.
    pub(super) length: u64,
}

/// A pack and its index, opened.
pub(super) struct Pack {
    bytes: FileBytes,
    index: Index,
    /// By offset.
    entries: Vec<Entry>,
    /// From the place in the index to the place in `entries`.
    places: Vec<u32>,
}

impl Pack {
    /// Opens the pack that belongs to this index file.
    ///
    /// # Errors
    /// Files that cannot be read or do not belong together; git2 may still make something of them.
    pub(super) fn open(index: &Path) -> Result<Self> {
        let file = index.with_extension("pack");
        let index = FileBytes::open(index)
            .map_err(anyhow::Error::from)
            .and_then(Index::new)
            .with_context(|| format!("cannot read {}", index.display()))?;
        let bytes = FileBytes::open(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.display();
        ensure!(
            bytes.len() >= HEAD + TRAILER && bytes.starts_with(b"PACK"),
            "{name} is no pack"
        );
        ensure!(
            matches!(bytes[4..8], [0, 0, 0, 2 | 3]),
            "{name} has an unknown version"
        );
        ensure!(
            bytes.ends_with(index.pack_checksum()),
            "{name} is not the pack that its index was made for"
        );
        ensure!(u32::try_from(index.len()).is_ok(), "{name} has too many objects");
        let mut pack = Self {
            bytes,
            index,
            entries: Vec::new(),
            places: Vec::new(),
        };
        pack.list();
        Ok(pack)
    }

    /// Sorts the entries by offset and reads their heads.
    fn list(&mut self) {
        let last = (self.bytes.len() - TRAILER) as u64;
        let count = u32::try_from(self.index.len()).unwrap_or_default();
        let offset = |listed: u32| self.index.offset(listed as usize).unwrap_or(u64::MAX).min(last);
        let mut starts: Vec<(u64, u32)> = (0..count).into_par_iter().map(|i| (offset(i), i)).collect();
        starts.par_sort_unstable();
        let mut places = vec![0; starts.len()];
        for (place, &(_, listed)) in (0_u32..).zip(&starts) {
            places[listed as usize] = place;
        }
        self.places = places;
        let mut entries: Vec<Entry> = starts
            .par_iter()
            .map(|&(start, listed)| self.entry(start, listed, &starts))
            .collect();
        let mut end = last;
        for place in (0..entries.len()).rev() {
            entries[place].end = end;
            let before = place.checked_sub(1).map(|before| entries[before].start);
            if before != Some(entries[place].start) {
                end = entries[place].start;
            }
        }
        self.entries = entries;
    }

    /// Reads the head of the entry that begins at `start`.
    fn entry(&self, start: u64, listed: u32, starts: &[(u64, u32)]) -> Entry {
        let mut entry = Entry {
            start,
            end: start,
            listed,
            head: 0,
            kind: Kind::Damaged,
            length: 0,
        };
        let inside = HEAD as u64..(self.bytes.len() - TRAILER) as u64;
        let bytes = usize::try_from(start)
            .ok()
            .filter(|_| inside.contains(&start))
            .and_then(|at| self.bytes.get(at..));
        if let Some((head, kind, length)) = bytes.and_then(|bytes| self.head(start, bytes, starts)) {
            (entry.head, entry.kind, entry.length) = (head, kind, length);
        }
        entry
    }

    /// Length of the head, kind, length of the content.
    fn head(&self, start: u64, bytes: &[u8], starts: &[(u64, u32)]) -> Option<(u8, Kind, u64)> {
        let first = *bytes.first()?;
        let (mut at, mut byte) = (1, first);
        let (mut length, mut shift) = (u64::from(first & 0x0F), 4);
        while byte & 0x80 != 0 {
            byte = *bytes.get(at)?;
            if shift > 53 {
                return None;
            }
            length |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            at += 1;
        }
        let kind = match first >> 4 & 7 {
            1 => Kind::Whole(ObjectType::Commit),
            2 => Kind::Whole(ObjectType::Tree),
            3 => Kind::Whole(ObjectType::Blob),
            4 => Kind::Whole(ObjectType::Tag),
            6 => {
                let mut byte = *bytes.get(at)?;
                at += 1;
                let mut back = u64::from(byte & 0x7F);
                while byte & 0x80 != 0 {
                    byte = *bytes.get(at)?;
                    at += 1;
                    back = (back + 1).checked_mul(128)? | u64::from(byte & 0x7F);
                }
                let base = start.checked_sub(back).filter(|_| back > 0)?;
                let place = starts.binary_search_by_key(&base, |&(start, _)| start).ok()?;
                Kind::Delta(Base::Here(u32::try_from(place).ok()?))
            }
            7 => {
                let id = bytes.get(at..at + TRAILER)?;
                at += id.len();
                Kind::Delta(match self.index.find(id) {
                    Some(listed) => Base::Here(*self.places.get(listed)?),
                    None => Base::Elsewhere(Oid::from_bytes(id).ok()?),
                })
            }
            _ => return None,
        };
        Some((u8::try_from(at).ok()?, kind, length))
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The entry at this place.
    pub(super) fn at(&self, place: u32) -> &Entry {
        &self.entries[place as usize]
    }

    /// The place of an object.
    pub(super) fn place(&self, id: Oid) -> Option<u32> {
        self.index
            .find(id.as_bytes())
            .and_then(|listed| self.places.get(listed).copied())
    }

    /// The id of the object at this place.
    pub(super) fn id(&self, place: u32) -> Option<Oid> {
        self.index.id(self.at(place).listed as usize)
    }

    /// The compressed stream of an entry and what may follow it. The index's checksum over the entry is compared,
    /// so that no damaged byte is taken for content.
    fn stream(&self, entry: &Entry) -> Result<&[u8], Damaged> {
        let cut = |at: u64| usize::try_from(at).map_err(|_| Damaged);
        let whole = self
            .bytes
            .get(cut(entry.start)?..cut(entry.end)?)
            .ok_or(Damaged)?;
        if self
            .index
            .checksum(entry.listed as usize)
            .is_none_or(|sum| sum != crc32fast::hash(whole))
        {
            return Err(Damaged);
        }
        whole.get(usize::from(entry.head)..).ok_or(Damaged)
    }
    /// Inflates an entry of at most `largest` bytes into `out`: the object itself, or the delta.
    pub(super) fn inflate(
        &self,
        place: u32,
        largest: usize,
        inflater: &mut Inflater,
        out: &mut Vec<u8>,
    ) -> Result<(), Damaged> {
        let entry = self.at(place);
        let stream = self.stream(entry)?;
        let length = usize::try_from(entry.length).map_err(|_| Damaged)?;
        if length > largest.min(stream.len().saturating_mul(MOST_RATIO)) {
            return Err(Damaged);
        }
        out.resize(length, 0);
        inflater.fill(stream, out)
    }

    /// The type of every object, by place; nothing where a chain of deltas leads out of the pack, or nowhere.
    pub(super) fn kinds(&self) -> Vec<Option<ObjectType>> {
        let mut kinds = vec![None; self.entries.len()];
        let mut way = Vec::new();
        for start in 0..u32::try_from(self.entries.len()).unwrap_or(u32::MAX) {
            let (mut at, mut kind) = (start, None);
            // A chain that goes round in a circle is as long as the pack at most.
            while way.len() <= self.entries.len() {
                if kinds[at as usize].is_some() {
                    kind = kinds[at as usize];
                    break;
                }
                way.push(at);
                match self.at(at).kind {
                    Kind::Delta(Base::Here(base)) => at = base,
                    Kind::Whole(known) => {
                        kind = Some(known);
                        break;
                    }
                    Kind::Delta(Base::Elsewhere(_)) | Kind::Damaged => break,
                }
            }
            for place in way.drain(..) {
                kinds[place as usize] = kind;
            }
            if kind.is_none() {
                return kinds; // one is enough to know that the pack is not whole in itself
            }
        }
        kinds
    }

    /// Why nobody who trusts packs may be shown this one: an entry where none can be, or deltas that go round in a
    /// circle.
    pub(super) fn fault(&self) -> Option<String> {
        // For each entry the one whose chain passed it first.
        let mut passed: Vec<Option<u32>> = vec![None; self.entries.len()];
        for start in 0..u32::try_from(self.entries.len()).unwrap_or(u32::MAX) {
            let mut at = start;
            loop {
                let mark = &mut passed[at as usize];
                match *mark {
                    Some(by) if by == start => return Some("its deltas go round in a circle".to_owned()),
                    Some(_) => break,
                    None => *mark = Some(start),
                }
                match self.at(at).kind {
                    Kind::Delta(Base::Here(base)) => at = base,
                    Kind::Damaged => return Some(format!("no object begins at byte {}", self.at(at).start)),
                    Kind::Whole(_) | Kind::Delta(Base::Elsewhere(_)) => break,
                }
            }
        }
        None
    }
}
