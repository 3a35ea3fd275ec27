//! Every decoder on any bytes: no panic, no endless loop, and every way back leads into the original.
//!
//! `cargo +nightly fuzz run decode -- -max_total_time=600`

#![no_main]

use libfuzzer_sys::fuzz_target;
use unleak::source::Form;
use unleak::source::decode::{Bounds, Decoded, Seen, stored, visit, visit_below};

fn check(decoded: &Decoded<'_>, original: usize) {
    let length = decoded.bytes.len();
    for range in [0..length, 0..length / 2, length / 3..length, length..length] {
        let back = decoded.original(&range);
        assert!(back.start <= back.end && back.end <= original);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let bounds = Bounds {
        depth: 4,
        bytes: 1 << 20,
    };
    let mut see = |seen: Seen<'_>| {
        if let Seen::Text(decoded) = seen {
            check(decoded, bytes.len());
        }
    };
    let _ = visit(bytes, bounds, &mut see);
    if let Some(stored) = stored(bytes) {
        check(&stored, bytes.len());
        let _ = visit_below(&stored, bounds, &mut see);
    }
    Form::of(bytes).text(bytes);
});
