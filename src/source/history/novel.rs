//! What is new in an object that is a delta: the bytes that do not stand in its base in the same surroundings.
//!
//! If a piece of at most `reach` bytes stands in the object and neither lies wholly in one copy out of the base nor
//! touches an end of the object, it crosses a seam; all that is within `reach` of a seam or an end, and every new byte,
//! is kept. Pieces that do not follow on each other are parted by a NUL. Must never keep less.

use super::delta::{Damaged, Delta, Operation};

/// Writes what is new into `out`, which is emptied first; at least `reach` bytes around every seam and at both ends.
pub(super) fn collect(
    delta: &Delta<'_>,
    base: &[u8],
    reach: usize,
    out: &mut Vec<u8>,
) -> Result<(), Damaged> {
    out.clear();
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
        match operation {
            Operation::Copy { .. } if bytes.len() > 2 * reach => {
                out.extend_from_slice(&bytes[..reach]);
                out.push(0);
                out.extend_from_slice(&bytes[bytes.len() - reach..]);
            }
            _ => out.extend_from_slice(bytes),
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
    use super::{Delta, collect, head};
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
            let (mut made, mut new, mut begin) = (Vec::new(), Vec::new(), Vec::new());
            parsed.apply(&base, &mut made).unwrap();
            collect(&parsed, &base, reach, &mut new).unwrap();
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
