//! What is new in an object that is a delta: the bytes that do not stand in its base in the same surroundings.
//!
//! If a piece of at most `reach` bytes stands in the object and neither lies wholly in one copy out of the base nor
//! touches an end of the object, it crosses a seam; all that is within `reach` of a seam or an end, and every new byte,
//! is kept. Pieces that do not follow on each other are parted by a NUL. Must never keep less.

use super::delta::{Damaged, Delta, Operation};
use super::offering::Sign;

/// What is new in an object, and where what is not comes from.
#[derive(Debug, Default)]
pub(super) struct Novel {
    /// Pieces of the object, parted by NULs.
    pub(super) bytes: Vec<u8>,
    /// For each piece its beginning in `bytes` and in the object, ascending.
    pieces: Vec<(usize, usize)>,
    /// Copies out of the base, as the object has them.
    copies: Vec<Copied>,
}

/// A copy out of the base.
#[derive(Clone, Copy, Debug)]
struct Copied {
    from: usize,
    to: usize,
    length: usize,
}

impl Novel {
    /// Where a place of `bytes` stands in the object.
    pub(super) fn place(&self, at: usize) -> usize {
        let after = self.pieces.partition_point(|(new, _)| *new <= at);
        let (new, old) = after.checked_sub(1).map_or((0, 0), |i| self.pieces[i]);
        old + (at - new)
    }

    /// Calls `found` with every sign of the base that stands in the object still, and whether all that it depends on
    /// is as it was. `signs` are sorted.
    pub(super) fn inherit(
        &self,
        signs: &[Sign],
        base: usize,
        length: usize,
        mut found: impl FnMut(Sign, bool),
    ) {
        for copy in &self.copies {
            let end = copy.from + copy.length;
            let first = signs.partition_point(|sign| sign.start < copy.from);
            for sign in signs[first..].iter().take_while(|sign| sign.start < end) {
                if sign.end > end {
                    continue; // cut in two; if it is whole again, it is new
                }
                let begins = sign
                    .start
                    .checked_sub(sign.before)
                    .is_some_and(|at| at >= copy.from);
                let ends = sign.end.saturating_add(sign.after) <= end;
                let from_the_start = copy.from == 0 && copy.to == 0;
                let to_the_end = end == base && copy.to + copy.length == length;
                let moved = Sign {
                    start: sign.start - copy.from + copy.to,
                    end: sign.end - copy.from + copy.to,
                    ..*sign
                };
                found(moved, (begins || from_the_start) && (ends || to_the_end));
            }
        }
    }
}

/// Writes what is new into `out`, which is emptied first; at least `reach` bytes around every seam and at both ends.
pub(super) fn collect(
    delta: &Delta<'_>,
    base: &[u8],
    reach: usize,
    novel: &mut Novel,
) -> Result<(), Damaged> {
    let Novel {
        bytes: out,
        pieces,
        copies,
    } = novel;
    out.clear();
    pieces.clear();
    copies.clear();
    if base.len() != delta.base_length {
        return Err(Damaged);
    }
    let mut length = 0_usize;
    for operation in delta.operations() {
        let operation = operation?;
        let bytes = operation.bytes(base)?;
        length += bytes.len();
        if length > delta.length {
            return Err(Damaged);
        }
        let to = length - bytes.len();
        if let Operation::Copy { from, length } = operation {
            copies.push(Copied { from, to, length });
        }
        if matches!(operation, Operation::Copy { .. }) && bytes.len() > 2 * reach {
            pieces.push((out.len(), to));
            out.extend_from_slice(&bytes[..reach]);
            out.push(0);
            pieces.push((out.len(), length - reach));
            out.extend_from_slice(&bytes[bytes.len() - reach..]);
        } else {
            pieces.push((out.len(), to));
            out.extend_from_slice(bytes);
        }
    }
    if length == delta.length {
        Ok(())
    } else {
        Err(Damaged)
    }
}

/// Writes the first `most` bytes of what the delta makes into `out`, which is emptied first.
pub(super) fn head(delta: &Delta<'_>, base: &[u8], most: usize, out: &mut Vec<u8>) -> Result<(), Damaged> {
    out.clear();
    for operation in delta.operations() {
        let bytes = operation?.bytes(base)?;
        out.extend_from_slice(&bytes[..bytes.len().min(most - out.len())]);
        if out.len() == most {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Delta, Novel, collect, head};
    use memchr::memmem;
    use proptest::prelude::*;

    /// A delta of these copies (from, length) and inserts, for a base of 200 bytes.
    fn delta(steps: &[Result<(u8, u8), Vec<u8>>]) -> Vec<u8> {
        let mut operations = Vec::new();
        let mut length = 0;
        for step in steps {
            match step {
                Ok((from, count)) => {
                    operations.extend([0x91, *from, *count]);
                    length += usize::from(*count);
                }
                Err(new) => {
                    operations.push(new.len() as u8);
                    operations.extend(new);
                    length += new.len();
                }
            }
        }
        let size = [(length & 127) as u8 | 0x80, (length >> 7) as u8];
        [&[200 | 0x80, 1][..], &size, &operations].concat()
    }

    fn step() -> impl Strategy<Value = Result<(u8, u8), Vec<u8>>> {
        prop_oneof![
            (0_u8..200)
                .prop_flat_map(|from| (Just(from), 1..=200 - from))
                .prop_map(Ok),
            proptest::collection::vec(b'a'..b'd', 1..20).prop_map(Err),
        ]
    }

    proptest! {
        /// Three letters make every piece common, so that pieces stand in many places at once.
        #[test]
        fn a_piece_stands_in_the_base_or_in_what_is_new(
            base in proptest::collection::vec(b'a'..b'd', 200),
            steps in proptest::collection::vec(step(), 1..12),
            reach in 1_usize..12,
        ) {
            let bytes = delta(&steps);
            let parsed = Delta::parse(&bytes).unwrap();
            let (mut made, mut novel, mut begin) = (Vec::new(), Novel::default(), Vec::new());
            parsed.apply(&base, &mut made).unwrap();
            collect(&parsed, &base, reach, &mut novel).unwrap();
            for (at, &byte) in novel.bytes.iter().enumerate().filter(|(_, byte)| **byte != 0) {
                prop_assert_eq!(made[novel.place(at)], byte);
            }
            let new = novel.bytes;
            head(&parsed, &base, 30, &mut begin).unwrap();
            prop_assert_eq!(&begin, &made[..made.len().min(30)]);
            for piece in made.windows(reach.min(made.len())) {
                let known = memmem::find(&base, piece).is_some() || memmem::find(&new, piece).is_some();
                prop_assert!(known, "{:?} in {:?}, new {:?}", piece, made, new);
            }
            // What touches an end of the object touches an end of what is new.
            let edge = reach.min(made.len());
            prop_assert!(new.starts_with(&made[..edge]) && new.ends_with(&made[made.len() - edge..]));
            // Nothing is invented: between the NULs stand pieces of the object.
            for piece in new.split(|&byte| byte == 0) {
                prop_assert!(memmem::find(&made, piece).is_some());
            }
        }
    }
}
