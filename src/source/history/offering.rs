//! Offers what is unpacked to the visitor, and passes over what is above suspicion.

use git2::{Oid, Repository};

use super::unpack::{Clean, Hand};
use crate::source::{Place, Tally, Visitor, nothing_before, offer, repository, text_of};

/// How to tell quickly that nothing can be found in a text.
///
/// The contract that makes a glance at new bytes as good as a look at everything: wherever something can be found in a
/// text, there is a piece of at most `reach` bytes in it that makes `suspects` true for every text that holds this
/// piece (at the same end, if the piece touches an end of the text). For matches that may be longer that piece is
/// their beginning alone. So `suspects` may say yes too often, but never no where a look would find something.
pub struct Suspicion<'a> {
    /// Longest such piece, what is looked at around it counted in, in bytes.
    pub reach: usize,
    /// Whether something may be found in this text.
    pub suspects: &'a (dyn Fn(&[u8]) -> bool + Sync),
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
    match text_of(head) {
        None => true,
        Some(text) => matches!(text, std::borrow::Cow::Owned(_)),
    }
}

impl Hand for Offering<'_> {
    fn outside(&self, id: Oid, largest: u64) -> Option<Vec<u8>> {
        let odb = self.repository.as_ref()?.odb().ok()?;
        let object = repository::blob(&odb, id, largest).ok()?;
        Some(object.data().to_vec())
    }

    fn take(&mut self, id: Oid, bytes: &[u8]) -> Clean {
        let clean = self.suspicion.is_some_and(|suspicion| {
            !is_other(&bytes[..bytes.len().min(super::unpack::HEAD)]) && !(suspicion.suspects)(bytes)
        });
        self.tally.step();
        self.tally.add_blob();
        if clean {
            self.tally.add_bytes(bytes.len());
        } else {
            offer(bytes, Place::Object(id), &nothing_before, self.tally, self.visit);
        }
        clean
    }

    fn reach(&self) -> Option<usize> {
        self.suspicion.map(|suspicion| suspicion.reach)
    }

    fn glance(&mut self, length: usize, head: &[u8], new: &[u8]) -> Clean {
        let clean = self
            .suspicion
            .is_some_and(|suspicion| !is_other(head) && !(suspicion.suspects)(new));
        if clean {
            self.tally.step();
            self.tally.add_blob();
            self.tally.add_bytes(length);
        }
        clean
    }
}
