//! Every opener of archives on any bytes: no panic, and never more than the bounds allow.
//!
//! `cargo +nightly fuzz run archive -- -max_total_time=600 -rss_limit_mb=1024`

#![no_main]

use libfuzzer_sys::fuzz_target;
use unleak::source::archive::{Bounds, Kind, Member, Taker, kind, open};

const LARGEST: u64 = 1 << 20;

/// How long the input is: what is not compressed may be as long.
struct Checker(u64);

impl Taker for Checker {
    fn member(&mut self, member: Member<'_>) {
        assert!(member.bytes.len() as u64 <= LARGEST.max(self.0));
    }

    fn skip(&mut self, _: &[u8], _: String) {}
}

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, bytes) = input;
    const KINDS: [Kind; 10] = [
        Kind::Gzip,
        Kind::Bzip2,
        Kind::Xz,
        Kind::Zstd,
        Kind::Zip,
        Kind::Tar,
        Kind::Ar,
        Kind::Cpio,
        Kind::Rpm,
        Kind::Pdf,
    ];
    let Some(kind) = kind(bytes).or_else(|| KINDS.get(usize::from(choice)).copied()) else {
        return;
    };
    let bounds = Bounds {
        depth: 3,
        entries: 100,
        bytes: 4 * LARGEST,
        largest: LARGEST,
    };
    open(bytes, kind, bounds, &mut Checker(bytes.len() as u64));
});
