//! What the catalogue costs: `cargo bench --bench rules [-- FOLDER]`.
//!
//! Prints the CPU time of its loading (asked: below 10 ms) and of the scanner's making, and the time of a scan with all
//! rules against one with 50 of them (asked: at most 1.2 times). It asserts nothing, because a shared machine drifts.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it cannot go on"
)]

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use unleak::rule::RuleSet;
use unleak::scan::Scanner;
use unleak::secret::FingerprintKey;

/// Rules of the smaller set.
const FEW: usize = 50;

/// Most bytes that are scanned.
const MOST: usize = 32 << 20;

/// The files below the folder that is named, else our own sources.
fn corpus() -> Vec<Vec<u8>> {
    let named = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let own = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![named.map_or_else(own, PathBuf::from)];
    let (mut files, mut bytes) = (Vec::new(), 0);
    while let Some(folder) = folders.pop().filter(|_| bytes < MOST) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() && entry.file_name() != ".git" {
                folders.push(entry.path());
            } else if kind.is_file() {
                let file = std::fs::read(entry.path()).unwrap();
                bytes += file.len();
                files.push(file);
            }
        }
    }
    files
}

/// The best of so many runs; on one thread, so that it is CPU time as far as the machine allows.
fn best(runs: usize, mut run: impl FnMut()) -> Duration {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..runs).map(|_| once(&mut run)).min().unwrap()
}

fn main() {
    let key = || FingerprintKey::new("bench");
    let milliseconds = |took: Duration| took.as_secs_f64() * 1e3;
    let load = best(20, || drop(black_box(RuleSet::bundled().unwrap())));
    let all = RuleSet::bundled().unwrap();
    println!("{} rules of {} services", all.rules.len(), all.services.len());
    println!("{:40} {:8.2} ms", "loading the catalogue", milliseconds(load));
    let build = best(20, || drop(black_box(Scanner::new(&all, key()))));
    println!("{:40} {:8.2} ms", "making the scanner", milliseconds(build));

    let files = corpus();
    let bytes: usize = files.iter().map(Vec::len).sum();
    println!("{} files, {:.1} MB", files.len(), bytes as f64 / 1e6);
    let mut few = all.clone();
    // Every n-th, so that the smaller set is made as the whole is.
    let step = all.rules.len() / FEW;
    few.rules = all.rules.iter().step_by(step).take(FEW).cloned().collect();
    let scan = |rules: &RuleSet| {
        let scanner = Scanner::new(rules, key());
        best(5, || {
            for file in &files {
                black_box(scanner.look(file));
            }
        })
    };
    let (with_few, with_all) = (scan(&few), scan(&all));
    println!(
        "{:40} {:8.2} ms",
        format!("scan with {FEW} rules"),
        milliseconds(with_few)
    );
    println!("{:40} {:8.2} ms", "scan with all rules", milliseconds(with_all));
    println!(
        "{:40} {:8.2}",
        "ratio",
        with_all.as_secs_f64() / with_few.as_secs_f64()
    );
}
