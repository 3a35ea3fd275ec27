//! Standard input, read to its end.

use std::io::Read;

use super::{Limits, Place, Tally, Visitor, nothing_before, offer};

/// Scans what `input` gives. Nothing at all, or more than the limit, is reported as not scanned.
pub fn visit(input: &mut dyn Read, limits: &Limits, tally: &Tally, visit: &Visitor<'_>) {
    tally.begin("reading standard input", 0);
    let mut bytes = Vec::new();
    if let Err(error) = input
        .take(limits.largest.saturating_add(1))
        .read_to_end(&mut bytes)
    {
        tally.skip("standard input", format!("cannot be read: {error}"));
    }
    if bytes.len() as u64 > limits.largest {
        bytes.truncate(usize::try_from(limits.largest).unwrap_or(usize::MAX));
        tally.skip(
            "standard input",
            format!(
                "only the first {} bytes were scanned; raise --max-size or --max-memory",
                limits.largest
            ),
        );
    }
    if !bytes.is_empty() {
        tally.add_file();
        offer(&bytes, Place::Stdin, &nothing_before, tally, visit);
    }
}
