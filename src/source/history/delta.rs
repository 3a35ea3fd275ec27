//! git's deltas: an object written as copies out of its base and new bytes.
//!
//! Foreign bytes: every range is checked, and nothing larger than what the caller allows is ever built.

/// A delta whose head is read.
pub(super) struct Delta<'d> {
    /// Length of the base that it was made for.
    pub(super) base_length: usize,
    /// Length of what it makes.
    pub(super) length: usize,
    operations: &'d [u8],
}

/// One step of a delta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation<'d> {
    /// So many bytes of the base from there on.
    Copy { from: usize, length: usize },
    /// New bytes.
    Insert(&'d [u8]),
}

/// A delta that is cut short, or says what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

impl<'d> Delta<'d> {
    /// Reads the head.
    pub(super) fn parse(bytes: &'d [u8]) -> Result<Self, Damaged> {
        let mut at = 0;
        let base_length = length(bytes, &mut at)?;
        let length = length(bytes, &mut at)?;
        Ok(Self {
            base_length,
            length,
            operations: &bytes[at..],
        })
    }

    /// The steps; ends after the first damaged one.
    pub(super) fn operations(&self) -> Operations<'d> {
        Operations {
            rest: self.operations,
        }
    }

    /// Writes what the delta makes of `base` into `out`, which is emptied first. `out` never grows beyond
    /// `self.length`, which the caller has bounded.
    pub(super) fn apply(&self, base: &[u8], out: &mut Vec<u8>) -> Result<(), Damaged> {
        out.clear();
        if base.len() != self.base_length {
            return Err(Damaged);
        }
        for operation in self.operations() {
            let piece = operation?.bytes(base)?;
            if piece.len() > self.length - out.len() {
                return Err(Damaged);
            }
            out.extend_from_slice(piece);
        }
        if out.len() == self.length {
            Ok(())
        } else {
            Err(Damaged)
        }
    }
}

impl<'d> Operation<'d> {
    /// The bytes that this step adds.
    pub(super) fn bytes<'b>(self, base: &'b [u8]) -> Result<&'b [u8], Damaged>
    where
        'd: 'b,
    {
        match self {
            Self::Insert(bytes) => Ok(bytes),
            Self::Copy { from, length } => {
                let end = from.checked_add(length).ok_or(Damaged)?;
                base.get(from..end).ok_or(Damaged)
            }
        }
    }
}

/// Reads a length: seven bits a byte, lowest first.
fn length(bytes: &[u8], at: &mut usize) -> Result<usize, Damaged> {
    let (mut value, mut shift) = (0_u64, 0);
    loop {
        let byte = *bytes.get(*at).ok_or(Damaged)?;
        *at += 1;
        if shift > 56 {
            return Err(Damaged);
        }
        value |= u64::from(byte & 0x7F) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return usize::try_from(value).map_err(|_| Damaged);
        }
    }
}

/// The steps of a delta.
pub(super) struct Operations<'d> {
    rest: &'d [u8],
}

impl<'d> Operations<'d> {
    fn read(&mut self, first: u8) -> Result<Operation<'d>, Damaged> {
        if first & 0x80 == 0 {
            if first == 0 {
                return Err(Damaged); // reserved
            }
            let (new, rest) = self.rest.split_at_checked(usize::from(first)).ok_or(Damaged)?;
            self.rest = rest;
            return Ok(Operation::Insert(new));
        }
        let mut fields = [0_u8; 7];
        for (bit, field) in fields.iter_mut().enumerate() {
            if first & (1 << bit) != 0 {
                let (byte, rest) = self.rest.split_first().ok_or(Damaged)?;
                (*field, self.rest) = (*byte, rest);
            }
        }
        let [a, b, c, d, e, f, g] = fields;
        let length = u32::from_le_bytes([e, f, g, 0]) as usize;
        Ok(Operation::Copy {
            from: u32::from_le_bytes([a, b, c, d]) as usize,
            length: if length == 0 { 0x1_0000 } else { length },
        })
    }
}

impl<'d> Iterator for Operations<'d> {
    type Item = Result<Operation<'d>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        let operation = self.read(first);
        if operation.is_err() {
            self.rest = &[];
        }
        Some(operation)
    }
}

#[cfg(test)]
mod tests {
    use super::{Damaged, Delta};
    use proptest::prelude::*;

    fn apply(delta: &[u8], base: &[u8]) -> Result<Vec<u8>, Damaged> {
        let mut out = Vec::new();
        Delta::parse(delta)?.apply(base, &mut out)?;
        Ok(out)
    }

    #[test]
    fn copies_and_inserts_are_put_together() {
        // base 11 bytes, result 9: copy 6..11, insert "+", copy 0..3
        let delta = [11, 9, 0x91, 6, 5, 1, b'+', 0x90, 3];
        assert_eq!(
            apply(&delta, b"hello world").as_deref(),
            Ok(b"world+hel".as_slice())
        );
        let large = vec![7; 0x1_0000];
        assert_eq!(
            apply(&[0x80, 0x80, 4, 0x80, 0x80, 4, 0x80], &large),
            Ok(large.clone()),
            "no length means 64 KiB"
        );
    }

    #[test]
    fn whatever_reaches_beyond_the_base_the_delta_or_the_result_is_refused() {
        for damaged in [
            &[11, 9][..],                          // makes less than it says
            &[11, 2, 0x91, 6, 5],                  // makes more
            &[11, 5, 0x91, 7, 5],                  // copies beyond the base
            &[10, 5, 0x91, 6, 5],                  // another base
            &[11, 5, 0x9F, 255, 255, 255, 255, 5], // copies from far beyond
            &[11, 5, 0x91, 6],                     // cut in a copy
            &[11, 5, 5, b'a', b'b'],               // cut in an insert
            &[11, 1, 0, b'a'],                     // reserved
            &[11],
            &[0x80; 12],
            &[],
        ] {
            assert_eq!(apply(damaged, b"hello world"), Err(Damaged), "{damaged:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_applied_or_refused_and_nothing_grows_beyond_what_was_said(
            delta in proptest::collection::vec(any::<u8>(), 0..64),
            base in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            if let Ok(out) = apply(&delta, &base) {
                prop_assert_eq!(out.len(), Delta::parse(&delta).map(|delta| delta.length).unwrap_or(0));
            }
        }
    }
}
