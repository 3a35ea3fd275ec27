//! Reads commits, trees and tags as git writes them. Foreign bytes: what does not fit is refused.

use git2::{ObjectType, Oid};
use jiff::Timestamp;

use crate::finding::CommitInfo;

/// An entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TreeEntry<'t> {
    pub(super) name: &'t [u8],
    pub(super) kind: ObjectType,
    pub(super) id: Oid,
}

/// The entries of a tree; an error if it ends in the middle of one.
pub(super) fn tree(bytes: &[u8]) -> Option<Vec<TreeEntry<'_>>> {
    let mut entries = Vec::with_capacity(bytes.len() / 32);
    each_entry(bytes, |entry| entries.push(entry))?;
    Some(entries)
}

/// Calls `found` with every entry of a tree; nothing if it ends in the middle of one.
pub(super) fn each_entry<'t>(mut bytes: &'t [u8], mut found: impl FnMut(TreeEntry<'t>)) -> Option<()> {
    while !bytes.is_empty() {
        let space = memchr::memchr(b' ', &bytes[..bytes.len().min(8)])?;
        let mut mode = 0_u32;
        for &digit in &bytes[..space] {
            mode = mode * 8 + u32::from(digit.checked_sub(b'0').filter(|&digit| digit < 8)?);
        }
        let rest = &bytes[space + 1..];
        let end = memchr::memchr(0, rest)?;
        let (id, after) = rest[end + 1..].split_at_checked(20)?;
        found(TreeEntry {
            name: &rest[..end],
            kind: match mode & 0o17_0000 {
                0o4_0000 => ObjectType::Tree,
                0o16_0000 => ObjectType::Commit,
                _ => ObjectType::Blob,
            },
            id: Oid::from_bytes(id).ok()?,
        });
        bytes = after;
    }
    Some(())
}

/// What the walk needs of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommitHead {
    pub(super) tree: Oid,
    pub(super) parents: Vec<Oid>,
    /// When it was committed, in seconds since 1970.
    pub(super) seconds: i64,
}

/// Reads the head of a commit.
pub(super) fn commit(bytes: &[u8]) -> Option<CommitHead> {
    let mut lines = head(bytes).peekable();
    let tree = id(lines.next()?.strip_prefix(b"tree ")?)?;
    let mut parents = Vec::new();
    while let Some(parent) = lines.peek().and_then(|line| line.strip_prefix(b"parent ")) {
        parents.push(id(parent)?);
        lines.next();
    }
    let committer = head(bytes).find_map(|line| line.strip_prefix(b"committer "));
    Some(CommitHead {
        tree,
        parents,
        seconds: committer.map_or(0, |line| signature(line).2),
    })
}

/// What is said of a commit.
pub(super) fn commit_info(id: Oid, bytes: &[u8]) -> CommitInfo {
    let author = head(bytes).find_map(|line| line.strip_prefix(b"author "));
    let (author, email, seconds) = signature(author.unwrap_or_default());
    CommitInfo {
        id: id.to_string(),
        author,
        email,
        date: Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH),
    }
}

/// What a tag names, and its type.
pub(super) fn tag(bytes: &[u8]) -> Option<Oid> {
    id(head(bytes).next()?.strip_prefix(b"object ")?)
}

/// The lines before the first empty one.
fn head(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(|&byte| byte == b'\n')
        .take_while(|line| !line.is_empty())
}

fn id(hex: &[u8]) -> Option<Oid> {
    let hex = std::str::from_utf8(hex).ok().filter(|hex| hex.len() == 40)?;
    Oid::from_str(hex).ok()
}

/// Name, e-mail, seconds: `Ada Author <ada@example.com> 1577966400 +0000`.
fn signature(line: &[u8]) -> (String, String, i64) {
    let text = String::from_utf8_lossy(line);
    let (name, rest) = text.split_once('<').unwrap_or((&text, ""));
    let (email, time) = rest.rsplit_once('>').unwrap_or((rest, ""));
    let seconds = time
        .split_whitespace()
        .next()
        .and_then(|seconds| seconds.parse().ok());
    (
        name.trim().to_owned(),
        email.trim().to_owned(),
        seconds.unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::{ObjectType, commit, commit_info, tag, tree};

    #[test]
    fn a_commit_is_read_without_its_message() {
        let id = "1".repeat(40);
        let text = format!(
            "tree {id}\nparent {id}\nparent {id}\nauthor Ada <a@b> 5 +0100\ncommitter C D <c@d> -7 +0000\n\nparent x"
        );
        let read = commit(text.as_bytes()).unwrap();
        assert_eq!(
            (read.tree.to_string(), read.parents.len(), read.seconds),
            (id, 2, -7)
        );
        let info = commit_info(read.tree, text.as_bytes());
        assert_eq!((info.author.as_str(), info.email.as_str()), ("Ada", "a@b"));
        assert_eq!(info.date.as_second(), 5);
        for broken in ["", "tree 11\n", "parent x", "tree zz"] {
            assert_eq!(commit(broken.as_bytes()), None);
        }
        assert_eq!(tag(b"object 1\n"), None);
    }

    #[test]
    fn a_tree_is_read_to_its_end_or_refused() {
        let id = [7; 20];
        let bytes = [
            b"40000 a\0".as_slice(),
            &id,
            b"100644 b c\0",
            &id,
            b"160000 m\0",
            &id,
        ]
        .concat();
        let entries = tree(&bytes).unwrap();
        let kinds: Vec<ObjectType> = entries.iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [ObjectType::Tree, ObjectType::Blob, ObjectType::Commit]);
        assert_eq!(entries[1].name, b"b c");
        for cut in 1..bytes.len() {
            let whole = [28, 59].contains(&cut);
            assert_eq!(tree(&bytes[..cut]).is_some(), whole, "{cut}");
        }
        assert_eq!(tree(b"99999 a\0"), None);
    }
}
