//! Where bytes come from: files, git's index and history, standard input.
//!
//! A source hands every blob to a visitor exactly once, on several threads, and tells the [`Tally`] what it went
//! through and what it could not read. It never decides what a secret is, and it never stays silent about a gap.

pub mod history;
pub mod push;
pub mod range;
pub mod repository;
pub mod staged;
pub mod stdin;
mod tally;
pub mod worktree;

pub use tally::{Stage, Tally};

use crate::finding::{CommitInfo, ScanPath};

/// Bytes to be scanned, with their place.
pub struct Blob<'a> {
    /// The content, as text: UTF-16 has been turned into UTF-8.
    pub bytes: &'a [u8],
    /// Where they stand.
    pub place: Place<'a>,
    /// Earlier content of the same file, for sources that look at changes only: what stood there before is not new.
    pub before: &'a dyn Fn() -> Vec<Vec<u8>>,
}

/// Where a blob stands.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A file of a folder or working tree.
    File(&'a ScanPath),
    /// git's index.
    Staged(&'a ScanPath),
    /// Changed by this commit.
    Commit(&'a ScanPath, &'a CommitInfo),
    /// An object of git's history; [`history::History::introductions`] finds its commits and paths.
    Object(git2::Oid),
    /// An object that a pushed ref names, with the path that it has there.
    Named(&'a ScanPath, git2::Oid),
    /// Standard input.
    Stdin,
}

/// Called with every blob, from several threads.
pub type Visitor<'a> = dyn Fn(Blob<'_>) + Sync + 'a;

/// What every source needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads.
    pub jobs: usize,
    /// Largest file or blob that is read, in bytes; a larger one is reported as not scanned.
    pub largest: u64,
    /// Whether files that `.gitignore` names are scanned too.
    pub ignored_too: bool,
}

/// Bytes of the head of a file in which a NUL makes it binary, as git has it.
const BINARY_HEAD: usize = 8000;

/// The text in `bytes`: as it is, decoded if it is UTF-16 with a byte order mark, or nothing if it is binary.
fn text_of(bytes: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..]
            .chunks_exact(2)
            .map(|pair| unit([pair[0], pair[1]]))
            .collect();
        Some(std::borrow::Cow::Owned(
            String::from_utf16_lossy(&units).into_bytes(),
        ))
    };
    match bytes {
        [0xFF, 0xFE, ..] => wide(u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(u16::from_be_bytes),
        _ if memchr::memchr(0, &bytes[..bytes.len().min(BINARY_HEAD)]).is_some() => None,
        _ => Some(std::borrow::Cow::Borrowed(bytes)),
    }
}

/// Hands `bytes` to the visitor if they are text; counts them either way.
fn offer(
    bytes: &[u8],
    place: Place<'_>,
    before: &dyn Fn() -> Vec<Vec<u8>>,
    tally: &Tally,
    visit: &Visitor<'_>,
) {
    tally.add_bytes(bytes.len());
    match text_of(bytes) {
        Some(text) => visit(Blob {
            bytes: &text,
            place,
            before,
        }),
        None => tally.add_binary(),
    }
}

/// For sources that look at whole files.
fn nothing_before() -> Vec<Vec<u8>> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn utf16_is_read_as_text_and_a_nul_makes_a_file_binary() {
        assert_eq!(text_of(b"\xFF\xFEa\0b\0").as_deref(), Some(b"ab".as_slice()));
        assert_eq!(text_of(b"\xFE\xFF\0a\0b").as_deref(), Some(b"ab".as_slice()));
        assert_eq!(text_of(b"ab\0c"), None);
        assert_eq!(text_of(b"\xFF\xFE").as_deref(), Some(b"".as_slice()));
        assert_eq!(text_of(b"plain").as_deref(), Some(b"plain".as_slice()));
    }
}
