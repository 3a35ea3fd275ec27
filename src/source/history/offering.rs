//! Offers what is unpacked to the visitor, and passes over what is above suspicion.

use git2::{Oid, Repository};

use super::unpack::{Glance, Glimpse, HEAD, Hand, Known};
use crate::source::{Form, Place, Tally, Visitor, nothing_before, offer, repository};

/// A place in a text at which something may be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sign {
    /// Where it stands.
    pub start: usize,
    /// The byte behind it.
    pub end: usize,
    /// What it is a sign of, for whoever made it.
    pub what: usize,
    /// Bytes before it on which it depends whether something is found.
    pub before: usize,
    /// Bytes behind it on which it depends.
    pub after: usize,
}

/// How to tell where in a text something may be found, and whether something is.
///
/// The contract that makes a look at new bytes as good as a look at everything: wherever something can be found in a
/// text, there is a piece of at most `reach` bytes in it that alone makes `signs` name a sign of it, in every text that
/// holds this piece (at the same end, if the piece touches an end of the text). For matches that may be longer that
/// piece is their beginning. And `holds` says yes of a sign wherever something is found, which depends on nothing but
/// the text that the sign names. Both may say yes too often, never no.
pub struct Suspicion<'a> {
    /// Longest such piece, what is looked at around it counted in, in bytes.
    pub reach: usize,
    /// The signs in a text, in any order.
    pub signs: &'a (dyn Fn(&[u8]) -> Vec<Sign> + Sync),
    /// Whether something may be found where this sign stands.
    pub holds: &'a (dyn Fn(&[u8], &Sign) -> bool + Sync),
}

/// One thread's way to the visitor.
pub(super) struct Offering<'a> {
    pub(super) repository: Option<Repository>,
    pub(super) suspicion: Option<&'a Suspicion<'a>>,
    pub(super) tally: &'a Tally,
    pub(super) visit: &'a Visitor<'a>,
}

/// Whether a blob is not looked at as it stands: binary, or UTF-16.
fn is_other(head: &[u8]) -> bool {
    Form::of(head) != Form::Text
}

impl Hand for Offering<'_> {
    fn outside(&self, id: Oid, largest: u64) -> Option<Vec<u8>> {
        let odb = self.repository.as_ref()?.odb().ok()?;
        let object = repository::blob(&odb, id, largest).ok()?;
        Some(object.data().to_vec())
    }

    fn take(&mut self, id: Oid, bytes: &[u8]) -> Known {
        self.tally.step();
        self.tally.add_blob();
        let other = is_other(&bytes[..bytes.len().min(HEAD)]);
        let known = self.suspicion.filter(|_| !other).and_then(|suspicion| {
            let mut signs = (suspicion.signs)(bytes);
            signs.sort_unstable();
            signs.dedup();
            let holds = signs.iter().any(|sign| (suspicion.holds)(bytes, sign));
            Some(signs).filter(|_| !holds)
        });
        if known.is_some() {
            self.tally.add_bytes(bytes.len());
        } else {
            offer(bytes, Place::Object(id), &nothing_before, self.tally, self.visit);
        }
        known
    }

    fn reach(&self) -> Option<usize> {
        self.suspicion.map(|suspicion| suspicion.reach)
    }

    fn glance(&self, blob: &Glimpse<'_>, base: &[Sign]) -> Option<Glance> {
        let suspicion = self.suspicion.filter(|_| !is_other(blob.head))?;
        let mut glance = Glance::default();
        for mut sign in (suspicion.signs)(&blob.novel.bytes) {
            let start = blob.novel.place(sign.start);
            (sign.start, sign.end) = (start, start + (sign.end - sign.start));
            glance.open.push(sign);
        }
        blob.novel
            .inherit(base, blob.base, blob.length, |sign, as_it_was| {
                if as_it_was {
                    glance.settled.push(sign);
                } else {
                    glance.open.push(sign);
                }
            });
        Some(glance)
    }

    fn pass(&self, length: usize) {
        self.tally.step();
        self.tally.add_blob();
        self.tally.add_bytes(length);
    }

    fn holds(&self, bytes: &[u8], open: &[Sign]) -> bool {
        self.suspicion
            .is_none_or(|suspicion| open.iter().any(|sign| (suspicion.holds)(bytes, sign)))
    }
}
