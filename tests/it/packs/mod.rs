//! The walk over packs against git2's reading of every blob for itself: the same blobs, the same bytes, each once.

mod findings;
mod hostile;
mod made;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use unleak::finding::Coverage;
use unleak::source::history::{History, Sign, Suspicion};
use unleak::source::{Blob, Limits, Place, Tally};

use crate::support::tool::{Tool, other_token, token};
use made::Random;

/// What a walk gave: the text of every blob, and what it says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Walked {
    texts: BTreeMap<String, Vec<u8>>,
    coverage: Coverage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Packs,
    OneByOne,
    /// Blobs that hold one of two tokens, or these bytes.
    Suspects(&'static str),
}

fn is_suspect(text: &[u8], word: &str) -> bool {
    signs(text, word).iter().any(|sign| holds(text, sign))
}

/// What begins like a token, and the word.
fn signs(text: &[u8], word: &str) -> Vec<Sign> {
    let mut signs = Vec::new();
    for (what, sought) in [&token()[..4], &other_token()[..4], word].into_iter().enumerate() {
        for start in memchr::memmem::find_iter(text, sought.as_bytes()) {
            let after = if what < 2 { 60 } else { 0 };
            signs.push(Sign {
                start,
                end: start + sought.len(),
                what,
                before: 0,
                after,
            });
        }
    }
    signs
}

/// The word, or the whole token.
fn holds(text: &[u8], sign: &Sign) -> bool {
    match sign.what {
        0 => text[sign.start..].starts_with(token().as_bytes()),
        1 => text[sign.start..].starts_with(other_token().as_bytes()),
        _ => true,
    }
}

const LARGEST: u64 = 64 << 20;

fn walk(folder: &Path, way: Way, largest: u64) -> Walked {
    let repository = git2::Repository::open(folder).unwrap();
    let limits = Limits {
        jobs: 2,
        largest,
        ignored_too: false,
    };
    let tally = Tally::default();
    let history = History::list(&repository, &limits, &tally).unwrap();
    let texts: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::default();
    let visit = |blob: Blob<'_>| {
        let Place::Object(id) = blob.place else {
            panic!("no object: {:?}", blob.place)
        };
        let before = texts.lock().unwrap().insert(id.to_string(), blob.bytes.to_vec());
        assert!(before.is_none(), "{id} came twice");
    };
    match way {
        Way::Packs => history.visit(&limits, &tally, &visit),
        Way::Suspects(word) => {
            let suspicion = Suspicion {
                reach: 12,
                signs: &|text| signs(text, word),
                holds: &holds,
            };
            history.visit_suspects(&suspicion, &limits, &tally, &visit)
        }
        Way::OneByOne => history.visit_one_by_one(history.blobs(), &limits, &tally, &visit),
    }
    .unwrap();
    Walked {
        texts: texts.into_inner().unwrap(),
        coverage: tally.coverage(),
    }
}

/// Both ways give the same; returns it.
fn same(folder: &Path, what: &str) -> Walked {
    let (packs, slow) = (
        walk(folder, Way::Packs, LARGEST),
        walk(folder, Way::OneByOne, LARGEST),
    );
    assert_eq!(packs.coverage, slow.coverage, "{what}");
    assert!(packs == slow, "{what}: the texts differ");
    for word in ["abc", "77", "TOKEN="] {
        let suspects = walk(folder, Way::Suspects(word), LARGEST);
        assert_eq!(suspects.coverage, slow.coverage, "{what}");
        for (id, text) in &suspects.texts {
            assert!(slow.texts.get(id) == Some(text), "{what}: {id} is another text");
        }
        for (id, text) in &slow.texts {
            let passed_over = !suspects.texts.contains_key(id);
            assert!(
                !(passed_over && is_suspect(text, word)),
                "{what}: {id} was passed over"
            );
        }
    }
    packs
}

/// Nearly everything is passed over where nearly nothing is suspect: else the walk is right and no faster.
#[test]
fn what_is_above_suspicion_is_passed_over() {
    let tool = Tool::repository();
    made::import(&tool, &mut Random::new(9), 60, true);
    tool.git(&["repack", "-qadf"]);
    let all = walk(&tool.path(), Way::OneByOne, LARGEST).texts;
    let suspects = walk(&tool.path(), Way::Suspects("no such word"), LARGEST).texts;
    // UTF-16 is decoded before it is looked at, so it is never passed over: one of the five files.
    let more = suspects
        .values()
        .filter(|text| !is_suspect(text, "no such word"))
        .count();
    assert!(more < all.len() / 3, "{more} of {} for nothing", all.len());
    assert!(more < suspects.len() && suspects.len() < all.len());
}

/// Every arrangement of objects that git makes by itself.
const ARRANGED: &[(&str, &[&str])] = &[
    ("as it came", &[]),
    ("deep", &["repack", "-qadf", "--depth=50", "--window=50"]),
    ("deepest", &["repack", "-qadf", "--depth=4095", "--window=8"]),
    (
        "bases by id",
        &["-c", "repack.useDeltaBaseOffset=false", "repack", "-qadf"],
    ),
    ("no deltas", &["repack", "-qadf", "--depth=0"]),
    ("collected", &["gc", "-q"]),
    (
        "several packs",
        &["-c", "pack.packSizeLimit=1m", "repack", "-qad"],
    ),
    ("multi-pack-index", &["multi-pack-index", "write"]),
];

#[test]
fn however_git_arranges_its_objects_every_blob_is_read_once_and_whole() {
    for seed in 0..4 {
        let mut random = Random::new(seed);
        let tool = Tool::repository();
        made::import(&tool, &mut random, 12, false);
        made::import(&tool, &mut random, 40, true);
        let first = same(&tool.path(), "two packs");
        assert!(first.texts.len() > 40 && first.coverage.skipped.is_empty());
        for (what, git) in ARRANGED {
            if !git.is_empty() {
                tool.git(git);
            }
            let now = same(&tool.path(), &format!("seed {seed}, {what}"));
            assert!(now == first, "seed {seed}, {what}");
        }
        made::import(&tool, &mut random, 3, false);
        same(&tool.path(), &format!("seed {seed}, loose objects beside a pack"));
        tool.git(&["repack", "-qd"]);
        same(&tool.path(), &format!("seed {seed}, several packs"));
        tool.git(&["repack", "-qd", "--write-midx"]);
        same(&tool.path(), &format!("seed {seed}, objects in several packs"));
    }
}

#[test]
fn objects_of_alternates_and_of_linked_working_trees_are_read() {
    let tool = Tool::repository();
    let mut random = Random::new(77);
    made::import(&tool, &mut random, 30, true);
    tool.git(&["repack", "-qad"]);
    tool.git(&["reset", "-q", "--hard"]);
    let all = same(&tool.path(), "alone").texts;
    let shared = tool.home().join("shared");
    tool.git(&["clone", "-q", "--shared", ".", shared.to_str().unwrap()]);
    let again = tool.home().join("again");
    tool.git(&[
        "clone",
        "-q",
        "--shared",
        shared.to_str().unwrap(),
        again.to_str().unwrap(),
    ]);
    std::fs::write(again.join("new.txt"), "only here\n").unwrap();
    tool.git_in(&again, &["add", "."]);
    tool.git_in(&again, &["commit", "-qm", "x"]);
    tool.git_in(&again, &["repack", "-qdl"]);
    let walked = same(&again, "alternates of alternates");
    assert_eq!(walked.texts.len(), all.len() + 1);
    let linked = tool.home().join("linked");
    tool.git(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap()]);
    assert_eq!(same(&linked, "linked working tree").texts, all);
}

#[test]
fn what_no_ref_reaches_is_not_read_though_it_stands_in_the_pack() {
    let tool = Tool::repository();
    tool.write("a.txt", "here\n");
    tool.commit("first", "2020-01-01");
    tool.git(&["checkout", "-q", "-b", "gone"]);
    tool.write("a.txt", format!("here\n{}\n", token()));
    tool.commit("second", "2020-01-02");
    tool.git(&["repack", "-qad"]);
    tool.git(&["checkout", "-q", "main"]);
    assert_eq!(same(&tool.path(), "before").texts.len(), 2);
    tool.git(&["branch", "-qD", "gone"]);
    assert_eq!(same(&tool.path(), "after").texts.len(), 1);
}

#[test]
fn a_blob_beyond_the_limit_is_named_and_what_is_made_from_it_is_still_read() {
    let tool = Tool::repository();
    let mut random = Random::new(5);
    let lines: Vec<String> = (0..3000).map(|_| random.line()).collect();
    tool.write("a.txt", lines.join("\n"));
    tool.commit("large", "2020-01-01");
    tool.write("a.txt", lines[..1000].join("\n"));
    tool.commit("small", "2020-01-02");
    tool.git(&["repack", "-qadf"]);
    let large = lines.join("\n").len() as u64;
    let (packs, slow) = (
        walk(&tool.path(), Way::Packs, large - 1),
        walk(&tool.path(), Way::OneByOne, large - 1),
    );
    assert!(packs == slow);
    assert_eq!(packs.texts.len(), 1);
    assert!(packs.coverage.skipped[0].why.contains("--max-size"));
}

#[test]
fn an_index_of_the_first_version_is_named_and_the_scan_is_incomplete() {
    let tool = Tool::repository();
    tool.write("a.txt", "a\n");
    tool.commit("first", "2020-01-01");
    tool.git(&["-c", "pack.indexVersion=1", "repack", "-qadf"]);
    let skipped = walk(&tool.path(), Way::Packs, LARGEST).coverage.skipped;
    assert!(
        skipped.iter().any(|gap| gap.why.contains("not of version 2")),
        "{skipped:?}"
    );
}

#[test]
fn a_repository_of_sha256_ids_is_no_clean_scan() {
    let tool = Tool::new();
    tool.git(&["init", "-q", "--object-format=sha256"]);
    tool.write("a.env", token());
    tool.commit("first", "2020-01-01");
    let ran = tool.run(["scan", ".", "--history-only"]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.out.contains("sha256"), "{}", ran.out);
}
