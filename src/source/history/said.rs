//! What people wrote into commits and tags: messages, names and e-mails.

use git2::{ObjectType, Oid};

use super::parse;
use crate::finding::{Origin, ScanPath};

/// Called with what is said in every commit and tag.
pub type Hearer<'a> = dyn Fn(Said<'_>) + 'a;

/// A commit or a tag.
pub struct Said<'a> {
    kind: ObjectType,
    id: Oid,
    bytes: &'a [u8],
}

impl<'a> Said<'a> {
    /// Takes an object as it is.
    pub(super) fn new(kind: ObjectType, id: Oid, bytes: &'a [u8]) -> Self {
        Self { kind, id, bytes }
    }

    /// The texts in it, each with what stands for its path; signatures and ids are left out.
    pub fn texts(&self) -> [(ScanPath, Vec<u8>); 2] {
        let (head, message) = match memchr::memmem::find(self.bytes, b"\n\n") {
            Some(end) => (&self.bytes[..end], &self.bytes[end + 2..]),
            None => (self.bytes, &b""[..]),
        };
        let mut people = Vec::new();
        let mut name = None;
        for line in head.split(|&byte| byte == b'\n') {
            for role in [&b"author "[..], b"committer ", b"tagger "] {
                if line.starts_with(role) {
                    people.extend_from_slice(line);
                    people.push(b'\n');
                }
            }
            name = name.or(line.strip_prefix(b"tag "));
        }
        let of = match (self.kind, name) {
            (ObjectType::Tag, Some(name)) => [b"tag ", name].concat(),
            (ObjectType::Tag, None) => b"tag".to_vec(),
            _ => b"commit".to_vec(),
        };
        [
            (ScanPath::new([&of, &b" message"[..]].concat()), message.to_vec()),
            (ScanPath::new([&of, &b" author"[..]].concat()), people),
        ]
    }

    /// Who said it, and when.
    pub fn origin(&self) -> Origin {
        match self.kind {
            ObjectType::Commit => Origin::Commit(parse::commit_info(self.id, self.bytes)),
            _ => Origin::Object(self.id.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Said;
    use git2::{ObjectType, Oid};

    #[test]
    fn messages_and_people_are_told_apart_and_signatures_left_out() {
        let text = b"tree 1\nauthor A <a@b> 5 +0000\ncommitter C <c@d> 6 +0000\ngpgsig -----BEGIN\n x\n\nfirst\n\nlast\n";
        let id = Oid::from_bytes(&[7; 20]).unwrap();
        let [(path, message), (_, people)] = Said::new(ObjectType::Commit, id, text).texts();
        assert_eq!(
            (path.as_bytes(), message.as_slice()),
            (&b"commit message"[..], &b"first\n\nlast\n"[..])
        );
        assert_eq!(people, b"author A <a@b> 5 +0000\ncommitter C <c@d> 6 +0000\n");
        let text = b"object 1\ntype commit\ntag v1\ntagger T <t@u> 7 +0000\n\nnotes";
        let [(path, message), (_, people)] = Said::new(ObjectType::Tag, id, text).texts();
        assert_eq!(
            (path.as_bytes(), message.as_slice()),
            (&b"tag v1 message"[..], &b"notes"[..])
        );
        assert_eq!(people, b"tagger T <t@u> 7 +0000\n");
    }
}
