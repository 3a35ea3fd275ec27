//! The bytes of a pack or its index: mapped into memory, or read if that fails.
//!
//! The only unsafe code of the crate stands here. A mapping is sound as long as nobody changes the file in place. git
//! never does: packs are written under another name, renamed, and at most unlinked, which leaves a mapping as it is.
//! Whoever may write into the folder and cuts a mapped file short can end this process (SIGBUS), as he can end git;
//! he cannot make it read another process's memory. Must never map a file that git changes in place (refs, the index
//! of the working tree).

use std::fs::File;
use std::io::{Read as _, Result};
use std::ops::Deref;
use std::path::Path;

/// A whole file.
#[derive(Debug)]
pub(super) enum FileBytes {
    Mapped(memmap2::Mmap),
    Read(Vec<u8>),
}

impl FileBytes {
    /// The file, mapped; read where it cannot be mapped (some network and virtual file systems).
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        #[expect(
            unsafe_code,
            reason = "a pack is too large to be copied; the module says why it stays as it is"
        )]
        // SAFETY: the file is one that git never changes in place; see the module.
        let mapped = unsafe { memmap2::Mmap::map(&file) };
        mapped.map(Self::Mapped).or_else(|_| Self::read(path))
    }

    /// The safe twin: the file, read.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        Ok(Self::Read(bytes))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Read(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FileBytes;

    #[test]
    fn a_mapped_file_and_a_read_one_hold_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        for length in [0_usize, 1, 4095, 4096, 4097, 100_000] {
            let path = folder.path().join(length.to_string());
            let bytes: Vec<u8> = (0..length).map(|i| (i * 31 % 251) as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            let (mapped, read) = (FileBytes::open(&path).unwrap(), FileBytes::read(&path).unwrap());
            assert!(
                matches!(mapped, FileBytes::Mapped(_)) || length == 0,
                "{length} bytes were not mapped"
            );
            assert_eq!((&*mapped, &*read), (bytes.as_slice(), bytes.as_slice()));
        }
        assert!(FileBytes::open(&folder.path().join("none")).is_err());
    }
}
