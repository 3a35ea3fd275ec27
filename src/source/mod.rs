//! Where bytes come from: files, git's index and history, standard input.
//!
//! A source hands every blob to a visitor exactly once, on several threads, and tells the [`Tally`] what it went
//! through and what it could not read. It never decides what a secret is, and it never stays silent about a gap.

pub mod archive;
pub mod decode;
pub mod history;
pub mod push;
pub mod range;
pub mod repository;
pub mod staged;
pub mod stdin;
mod tally;
pub mod worktree;

pub use tally::{Stage, Tally};

use std::borrow::Cow;

use crate::finding::{CommitInfo, ScanPath};
use decode::wide::{self, Order};

/// Bytes to be scanned, with their place.
pub struct Blob<'a> {
    /// The content, as text: UTF-16 has been turned into UTF-8. Empty where the content is binary.
    pub bytes: &'a [u8],
    /// The content as it is stored.
    pub raw: &'a [u8],
    /// What kind of content it is; binary is handed over only where it can be opened.
    pub form: Form,
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
    /// Whether objects of git that no ref reaches are scanned too, wherever they are.
    pub unreachable: bool,
    /// Most bytes that one thread keeps unpacked for what is still to come; a single object may take more.
    pub held: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            jobs: 1,
            largest: 256 << 20,
            ignored_too: false,
            unreachable: false,
            held: 512 << 20,
        }
    }
}

impl Limits {
    /// The same within so many bytes of memory for all threads. A file takes its bytes once as it stands and up to
    /// twice more while it is decoded; an object that is a delta takes those of its base, too.
    #[must_use]
    pub fn within(self, memory: u64) -> Self {
        let share = memory / self.jobs.max(1) as u64;
        let held = usize::try_from(share / 2).unwrap_or(usize::MAX);
        Self {
            largest: self.largest.min(share / 4),
            held: self.held.min(held),
            ..self
        }
    }
}

/// Bytes of the head of a file in which a NUL makes it binary, as git has it.
const BINARY_HEAD: usize = 8000;

/// What kind of content bytes are, by their head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text, in UTF-8 or anything like it.
    Text,
    /// UTF-16 behind a mark of so many bytes.
    Wide(Order, usize),
    /// Anything else.
    Binary,
}

impl Form {
    /// Looks at the head alone.
    pub fn of(bytes: &[u8]) -> Self {
        let head = &bytes[..bytes.len().min(BINARY_HEAD)];
        match wide::order(head) {
            Some((order, mark)) => Self::Wide(order, mark),
            None if memchr::memchr(0, head).is_some() => Self::Binary,
            None => Self::Text,
        }
    }

    /// The text in bytes of this form; nothing in binary ones.
    pub fn text(self, bytes: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Text => Cow::Borrowed(bytes),
            Self::Wide(order, mark) => Cow::Owned(wide::narrow(&bytes[mark..], order)),
            Self::Binary => Cow::Borrowed(&[]),
        }
    }

    /// The encoding's name, for what is not plain.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text | Self::Binary => "",
            Self::Wide(order, _) => order.name(),
        }
    }
}

/// Hands `bytes` to the visitor if they are text or can be opened; counts them either way.
fn offer(
    bytes: &[u8],
    place: Place<'_>,
    before: &dyn Fn() -> Vec<Vec<u8>>,
    tally: &Tally,
    visit: &Visitor<'_>,
) {
    tally.add_bytes(bytes.len());
    let form = Form::of(bytes);
    if form == Form::Binary && archive::kind(bytes).is_none() && !decode::is_stored(bytes) {
        return tally.add_binary();
    }
    visit(Blob {
        bytes: &form.text(bytes),
        raw: bytes,
        form,
        place,
        before,
    });
}

/// For sources that look at whole files.
fn nothing_before() -> Vec<Vec<u8>> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::Form;

    fn text(bytes: &[u8]) -> (Form, Vec<u8>) {
        let form = Form::of(bytes);
        (form, form.text(bytes).into_owned())
    }

    #[test]
    fn utf16_is_read_as_text_with_and_without_its_mark() {
        for (name, bytes) in [
            ("utf-16le", &b"\xFF\xFEa\0b\0"[..]),
            ("utf-16be", b"\xFE\xFF\0a\0b"),
        ] {
            let (form, narrow) = text(bytes);
            assert_eq!((form.name(), narrow.as_slice()), (name, &b"ab"[..]));
        }
        let (form, narrow) = text(b"k\0e\0y\0 \0=\0 \0v\0\r\0\n\0");
        assert_eq!(
            (form.name(), narrow.as_slice()),
            ("utf-16le", &b"key = v\r\n"[..])
        );
        let (form, narrow) = text(b"\0k\0e\0y\0 \0=\0 \0v\0");
        assert_eq!((form.name(), narrow.as_slice()), ("utf-16be", &b"key = v"[..]));
        assert_eq!(text(b"\xFF\xFE").1, b"");
    }

    #[test]
    fn a_nul_makes_a_file_binary() {
        assert_eq!(text(b"ab\0c"), (Form::Binary, Vec::new()));
        assert_eq!(text(b"plain"), (Form::Text, b"plain".to_vec()));
    }
}
