//! What is found by looking at what is new in each blob, against what is found by looking at every byte of every blob.
//!
//! Histories are made up of the shipped rules' own examples: planted whole, in halves that come together later, beside
//! and away from the words that they need, moved, cut, marked to be ignored.

use std::collections::BTreeSet;
use std::path::Path;

use unleak::rule::RuleSet;
use unleak::scan::{Parts, Scan};
use unleak::secret::FingerprintKey;
use unleak::source::Limits;

use super::made::{self, Random};
use crate::support::tool::Tool;

const LIMITS: Limits = Limits {
    jobs: 2,
    largest: 64 << 20,
    ignored_too: false,
};

/// Everything that is said of every finding.
fn found(folder: &Path, rules: &RuleSet, every_byte: bool) -> BTreeSet<String> {
    let mut scan = Scan::new(rules, FingerprintKey::new("a test"), LIMITS);
    if every_byte {
        scan = scan.every_byte();
    }
    let tally = scan.tally();
    scan.target(folder, Path::new(""), Parts::History);
    let findings = scan.finish();
    let coverage = tally.coverage();
    assert!(coverage.skipped.is_empty(), "{:?}", coverage.skipped);
    let said = findings.into_iter().map(|finding| {
        let (secret, line_hash) = (finding.secret.expose().to_vec(), finding.line_hash);
        format!(
            "{} {} {:?} {:?} {:?} {line_hash:?} {:?}",
            finding.rule,
            String::from_utf8_lossy(&secret),
            finding.location,
            finding.facts,
            finding.parts.len(),
            finding.suppression,
        )
    });
    said.collect()
}

/// Both ways find the same; how many there were.
fn same(folder: &Path, rules: &RuleSet, what: &str) -> usize {
    let (quick, slow) = (found(folder, rules, false), found(folder, rules, true));
    let lost: Vec<_> = slow.difference(&quick).collect();
    let invented: Vec<_> = quick.difference(&slow).collect();
    assert!(
        lost.is_empty() && invented.is_empty(),
        "{what}: lost {lost:#?}\ninvented {invented:#?}"
    );
    slow.len()
}

/// A change of a file that plants examples or parts of them.
fn change(examples: &[String], words: &[String], lines: &mut Vec<String>, random: &mut Random) {
    let at = random.below(lines.len() + 1);
    let example = &examples[random.below(examples.len())];
    let cut = (0..=random.below(example.len().max(1)))
        .rev()
        .find(|&at| example.is_char_boundary(at))
        .unwrap_or(0);
    match random.below(16) {
        0..=2 => lines.insert(at, random.line()),
        3..=5 => lines.insert(at, example.clone()),
        6 => lines.insert(at, format!("{} {example}", random.line())),
        7 => lines.insert(at, format!("{example} # gitleaks:allow")),
        // A beginning, to which the rest comes with a later change, if it does.
        8 => lines.insert(at, format!("~{example}~{}", &example[..cut])),
        9 => {
            if let Some(line) = lines.iter_mut().find(|line| line.starts_with('~')) {
                let parts: Vec<&str> = line.split('~').collect();
                *line = parts[1].to_owned();
            }
        }
        10 => lines.insert(at, words[random.below(words.len())].clone()),
        11 if at < lines.len() => drop(lines.remove(at)),
        12 => {
            let middle = lines.len() / 2;
            lines.rotate_left(middle);
        }
        13 if at < lines.len() => {
            let line = lines[at].clone();
            lines.push(line);
        }
        14 if at < lines.len() => lines[at].insert_str(0, &words[random.below(words.len())]),
        _ if at < lines.len() => {
            let cut = random.below(lines[at].len() + 1);
            if lines[at].is_char_boundary(cut) {
                lines[at].truncate(cut);
            }
        }
        _ => {}
    }
}

#[test]
fn looking_at_what_is_new_finds_what_looking_at_everything_finds() {
    let rules = RuleSet::bundled().unwrap();
    let examples: Vec<String> = rules.rules.iter().flat_map(|rule| rule.accepts()).collect();
    let words: Vec<String> = rules
        .rules
        .iter()
        .flat_map(|rule| rule.keywords.clone())
        .collect();
    let mut total = 0;
    let mut random = Random::new(100);
    let tool = Tool::repository();
    let change = |lines: &mut Vec<String>, random: &mut Random| change(&examples, &words, lines, random);
    made::import_with(&tool, &mut random, 30, false, &change);
    made::import_with(&tool, &mut random, 60, true, &change);
    total += same(&tool.path(), &rules, "as it came");
    for git in [
        &["repack", "-qadf", "--depth=50", "--window=50"][..],
        &["repack", "-qadf", "--depth=4095", "--window=250"],
        &[
            "-c",
            "repack.useDeltaBaseOffset=false",
            "repack",
            "-qadf",
            "--depth=60",
        ],
    ] {
        tool.git(git);
        total += same(&tool.path(), &rules, &format!("{git:?}"));
    }
    made::import_with(&tool, &mut random, 20, true, &change);
    total += same(&tool.path(), &rules, "two packs");
    assert!(total > 150, "only {total} findings: the test says little");
}
