//! The index of a pack (`.idx`, version 2): which objects it holds, and where.
//!
//! Foreign bytes: what does not fit together is refused when it is opened, and every later look is bounded. Version 1,
//! which git has not written by itself since 2008, has no checksums and is left to git2; so is SHA-256, of which
//! libgit2 does not even open a repository.

use anyhow::{Result, ensure};
use git2::Oid;

use super::map::FileBytes;

const MAGIC: [u8; 4] = [0xFF, b't', b'O', b'c'];
const ID: usize = 20;
/// Magic and version.
const HEAD: usize = 8;
/// Where the ids begin: behind the table of first bytes.
const TABLES: usize = HEAD + 256 * 4;

/// An index, its parts found.
pub(super) struct Index {
    bytes: FileBytes,
    count: usize,
}

impl Index {
    /// Checks that the parts have the lengths that they must have.
    pub(super) fn new(bytes: FileBytes) -> Result<Self> {
        ensure!(
            bytes.starts_with(&MAGIC) && word(&bytes, 4) == Some(2),
            "the index is not of version 2"
        );
        let mut index = Self { bytes, count: 0 };
        let mut count = 0;
        for byte in 0..=255 {
            let upto = index.fanout(byte);
            ensure!(
                upto.is_some_and(|upto| upto >= count),
                "the index is cut short or its table of first bytes goes back"
            );
            count = upto.unwrap_or_default();
        }
        index.count = count;
        ensure!(
            index.bytes.len() >= TABLES + count * (ID + 4 + 4) + 2 * ID,
            "the index is shorter than its {count} objects need"
        );
        Ok(index)
    }

    /// How many objects there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The checksum of the pack that this index was made for.
    pub(super) fn pack_checksum(&self) -> &[u8] {
        let end = self.bytes.len() - ID;
        &self.bytes[end - ID..end]
    }

    /// How many ids begin with at most this byte.
    fn fanout(&self, byte: usize) -> Option<usize> {
        word(&self.bytes, HEAD + byte * 4).map(|count| count as usize)
    }

    fn id_bytes(&self, place: usize) -> &[u8] {
        let at = TABLES + place * ID;
        self.bytes.get(at..at + ID).unwrap_or_default()
    }

    /// The id at this place; ids are sorted.
    pub(super) fn id(&self, place: usize) -> Option<Oid> {
        Oid::from_bytes(self.id_bytes(place)).ok()
    }

    /// Where the object of this place begins in the pack.
    pub(super) fn offset(&self, place: usize) -> Option<u64> {
        if place >= self.count {
            return None;
        }
        let small = TABLES + self.count * (ID + 4);
        let offset = word(&self.bytes, small + place * 4)?;
        if offset & 0x8000_0000 == 0 {
            return Some(u64::from(offset));
        }
        let at = small + self.count * 4 + (offset & 0x7FFF_FFFF) as usize * 8;
        let bytes = self.bytes.get(at..at + 8)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }

    /// The checksum (CRC-32) of the object's bytes in the pack.
    pub(super) fn checksum(&self, place: usize) -> Option<u32> {
        word(&self.bytes, TABLES + self.count * ID + place * 4)
    }

    /// The place of an id.
    pub(super) fn find(&self, id: &[u8]) -> Option<usize> {
        let first = usize::from(*id.first()?);
        let mut low = if first == 0 { 0 } else { self.fanout(first - 1)? };
        let mut high = self.fanout(first)?;
        while low < high {
            let middle = low + (high - low) / 2;
            match self.id_bytes(middle).cmp(id) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }
}

/// Four bytes, highest first.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{FileBytes, ID, Index, TABLES};

    /// Version 2, with objects at these offsets whose ids all begin with 7; large offsets go to the third table.
    fn second_version(offsets: &[u64]) -> Vec<u8> {
        let mut bytes = vec![0xFF, b't', b'O', b'c', 0, 0, 0, 2];
        for byte in 0..256 {
            let count = if byte < 7 { 0 } else { offsets.len() as u32 };
            bytes.extend(count.to_be_bytes());
        }
        for i in 0..offsets.len() {
            let mut id = [7; ID];
            id[ID - 1] = i as u8;
            bytes.extend(id);
        }
        (0..offsets.len()).for_each(|i| bytes.extend((i as u32 + 100).to_be_bytes()));
        let mut large = Vec::new();
        for &offset in offsets {
            match u32::try_from(offset) {
                Ok(offset) if offset < 0x8000_0000 => bytes.extend(offset.to_be_bytes()),
                _ => {
                    bytes.extend((0x8000_0000 | (large.len() / 8) as u32).to_be_bytes());
                    large.extend(offset.to_be_bytes());
                }
            }
        }
        bytes.extend(large);
        bytes.extend([9; 2 * ID]);
        bytes
    }

    #[test]
    fn ids_offsets_and_checksums_are_found_also_beyond_two_gigabytes() {
        let index = Index::new(FileBytes::Read(second_version(&[12, 5 << 30, 77]))).unwrap();
        assert_eq!(index.len(), 3);
        for (place, offset) in [12, 5 << 30, 77].into_iter().enumerate() {
            assert_eq!(index.offset(place), Some(offset));
            assert_eq!(index.checksum(place), Some(place as u32 + 100));
            assert_eq!(index.find(index.id(place).unwrap().as_bytes()), Some(place));
        }
        assert_eq!(index.find(&[7; ID]), None);
        assert_eq!(index.find(&[0; ID]), None);
        assert_eq!(index.find(&[255; ID]), None);
        assert_eq!(index.offset(3), None);
    }

    #[test]
    fn an_index_cut_short_or_with_a_table_that_goes_back_is_refused() {
        let whole = second_version(&[12, 34]);
        for length in [0, 3, 7, 8, 100, TABLES, whole.len() - 1] {
            assert!(
                Index::new(FileBytes::Read(whole[..length].to_vec())).is_err(),
                "{length}"
            );
        }
        let mut back = whole.clone();
        back[8..12].copy_from_slice(&u32::MAX.to_be_bytes());
        assert!(Index::new(FileBytes::Read(back)).is_err());
        let mut version = whole;
        version[7] = 3;
        assert!(Index::new(FileBytes::Read(version)).is_err());
    }
}
