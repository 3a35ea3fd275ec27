//! The matcher beside the automaton that the field uses, in one run: `cargo bench --bench matcher`.
//!
//! Prints GB/s and ratios; it asserts nothing, because a shared machine drifts.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and stops where it cannot go on"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;
use unleak::rule::RuleSet;
use unleak::scan::Scanner;
use unleak::secret::FingerprintKey;

/// Up to 32 MB of the files below the folder that is named (`cargo bench --bench matcher -- FOLDER`), else our own
/// sources, which speak of services far more than others do; as often as it takes to have 16 MB.
fn corpus() -> Vec<u8> {
    let mut text = Vec::new();
    let named = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let own = || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![named.map_or_else(own, std::path::PathBuf::from)];
    while let Some(folder) = folders.pop().filter(|_| text.len() < 32 << 20) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                text.extend(std::fs::read(entry.path()).unwrap());
            }
        }
    }
    let once = text.clone();
    while text.len() < 16 << 20 {
        text.extend_from_slice(&once);
    }
    text
}

/// The best of five runs.
fn best(mut run: impl FnMut()) -> Duration {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..5).map(|_| once(&mut run)).min().unwrap()
}

fn main() {
    let text = corpus();
    let rules = RuleSet::bundled().unwrap();
    let mut words: Vec<&str> = rules
        .rules
        .iter()
        .flat_map(|rule| &rule.keywords)
        .map(String::as_str)
        .collect();
    words.sort_unstable();
    words.dedup();
    println!(
        "{} rules, {} keywords, {} MB of source",
        rules.rules.len(),
        words.len(),
        text.len() >> 20
    );
    let speed = |name: &str, took: Duration| {
        println!(
            "{name:40} {:6.2} GB/s",
            text.len() as f64 / took.as_secs_f64() / 1e9
        );
        took
    };
    let build = best(|| drop(black_box(Scanner::new(&rules, FingerprintKey::new("bench")))));
    println!(
        "{:40} {:6.2} ms",
        "building the scanner",
        build.as_secs_f64() * 1e3
    );
    let scanner = Scanner::new(&rules, FingerprintKey::new("bench"));
    let ours = speed(
        "unleak: gate, patterns, judgement",
        best(|| drop(black_box(scanner.look(&text)))),
    );
    let automaton = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(&words)
        .unwrap();
    let theirs = speed(
        "aho-corasick, keywords alone",
        best(|| {
            black_box(automaton.find_overlapping_iter(&text).count());
        }),
    );
    println!("ratio {:.1}", theirs.as_secs_f64() / ours.as_secs_f64());
}
