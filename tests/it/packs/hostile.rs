//! Packs that are damaged or made to do harm: no panic, no endless loop, and never a gap that is not reported.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid};

use super::made::{self, Random};
use super::{LARGEST, Way, walk};
use crate::support::tool::Tool;

/// The only pack of a repository, without its ending.
fn only_pack(folder: &Path) -> PathBuf {
    let packs: Vec<PathBuf> = std::fs::read_dir(folder.join(".git/objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pack"))
        .collect();
    assert_eq!(packs.len(), 1);
    packs[0].with_extension("")
}

fn put(file: &Path, bytes: &[u8]) {
    if file.exists() {
        std::fs::remove_file(file).unwrap(); // a pack is written for reading only
    }
    std::fs::write(file, bytes).unwrap();
}

/// What is walked with a damaged file is as it was before, or a gap is reported; and it is not worse than git2's way.
fn damaged(tool: &Tool, file: &Path, change: &mut dyn FnMut(&mut Vec<u8>), what: &str) {
    let whole = std::fs::read(file).unwrap();
    let before = walk(&tool.path(), Way::OneByOne, LARGEST);
    let mut bytes = whole.clone();
    change(&mut bytes);
    put(file, &bytes);
    let (now, slow) = (
        walk(&tool.path(), Way::Packs, LARGEST),
        walk(&tool.path(), Way::OneByOne, LARGEST),
    );
    put(file, &whole);
    for (id, text) in &now.texts {
        assert!(before.texts.get(id) == Some(text), "{what}: {id} is another text");
    }
    let gap = now.texts.len() < before.texts.len();
    assert!(
        !gap || !now.coverage.skipped.is_empty(),
        "{what}: a gap in silence"
    );
    for id in slow.texts.keys() {
        assert!(now.texts.contains_key(id), "{what}: git2 can read {id}");
    }
}

fn small() -> Tool {
    let tool = Tool::repository();
    made::import(&tool, &mut Random::new(3), 12, true);
    tool.git(&["repack", "-qadf"]);
    tool
}

#[test]
fn a_pack_with_any_byte_changed_gives_the_same_texts_or_a_reported_gap() {
    let tool = small();
    for ending in ["pack", "idx"] {
        let file = only_pack(&tool.path()).with_extension(ending);
        let length = std::fs::metadata(&file).unwrap().len() as usize;
        for at in (0..length).step_by((length / 150).max(7)) {
            let bit = 1 << (at % 8);
            damaged(
                &tool,
                &file,
                &mut |bytes| bytes[at] ^= bit,
                &format!("{ending}, byte {at}"),
            );
        }
    }
}

#[test]
fn a_pack_cut_short_gives_what_is_left_and_a_reported_gap() {
    let tool = small();
    for ending in ["pack", "idx"] {
        let file = only_pack(&tool.path()).with_extension(ending);
        let length = std::fs::metadata(&file).unwrap().len() as usize;
        for keep in [
            0,
            1,
            11,
            12,
            31,
            32,
            length / 3,
            length / 2,
            length - 21,
            length - 1,
        ] {
            damaged(
                &tool,
                &file,
                &mut |bytes| bytes.truncate(keep),
                &format!("{ending} of {keep}"),
            );
            // Cut in the middle, with its checksum still behind.
            let cut = &mut |bytes: &mut Vec<u8>| {
                let trailer = bytes.split_off(length - 20);
                bytes.truncate(keep);
                bytes.extend(trailer);
            };
            damaged(&tool, &file, cut, &format!("{ending} of {keep} and its trailer"));
        }
    }
}

/// A pack and its index of these entries: id, what stands before the stream, content.
fn write_pack(folder: &Path, entries: &[(Oid, Vec<u8>, Vec<u8>)]) {
    let mut pack = [
        b"PACK".as_slice(),
        &[0, 0, 0, 2],
        &(entries.len() as u32).to_be_bytes(),
    ]
    .concat();
    let mut listed = Vec::new();
    for (id, head, content) in entries {
        let start = pack.len();
        pack.extend(head);
        let mut compressor = libdeflater::Compressor::default();
        let mut stream = vec![0; compressor.zlib_compress_bound(content.len())];
        let length = compressor.zlib_compress(content, &mut stream).unwrap();
        pack.extend(&stream[..length]);
        listed.push((*id, crc32fast::hash(&pack[start..]), start as u32));
    }
    listed.sort();
    let trailer = [42; 20];
    pack.extend(trailer);
    let mut index = vec![0xFF, b't', b'O', b'c', 0, 0, 0, 2];
    for byte in 0..=255 {
        let upto = listed.iter().filter(|(id, ..)| id.as_bytes()[0] <= byte).count();
        index.extend((upto as u32).to_be_bytes());
    }
    listed.iter().for_each(|(id, ..)| index.extend(id.as_bytes()));
    listed
        .iter()
        .for_each(|(_, sum, _)| index.extend(sum.to_be_bytes()));
    listed
        .iter()
        .for_each(|(.., start)| index.extend(start.to_be_bytes()));
    index.extend([trailer; 2].concat());
    let base = folder
        .join(".git/objects/pack")
        .join(format!("pack-{}", "1".repeat(40)));
    put(&base.with_extension("pack"), &pack);
    put(&base.with_extension("idx"), &index);
}

/// The head of an entry: kind and length.
fn head(kind: u8, mut length: u64) -> Vec<u8> {
    let mut bytes = vec![kind << 4 | (length & 15) as u8];
    length >>= 4;
    while length > 0 {
        *bytes.last_mut().unwrap() |= 0x80;
        bytes.push((length & 127) as u8);
        length >>= 7;
    }
    bytes
}

fn by_id(length: usize, base: Oid) -> Vec<u8> {
    [head(7, length as u64), base.as_bytes().to_vec()].concat()
}

/// A repository whose blobs `texts` and `other` are to come from a pack of the test's making.
struct Stripped {
    tool: Tool,
    ids: Vec<Oid>,
}

impl Stripped {
    fn new(texts: &[&[u8]]) -> Self {
        let tool = Tool::repository();
        for (i, text) in texts.iter().enumerate() {
            tool.write(&format!("{i}.txt"), text);
        }
        tool.write("other.txt", "always here\n");
        tool.commit("first", "2020-01-01");
        let ids: Vec<Oid> = texts
            .iter()
            .map(|text| Oid::hash_object(ObjectType::Blob, text).unwrap())
            .collect();
        let mut stripped = Self { tool, ids };
        for id in stripped.ids.clone() {
            stripped.strip(id);
        }
        stripped
    }

    fn strip(&mut self, id: Oid) {
        let (first, rest) = (&id.to_string()[..2], &id.to_string()[2..]);
        let file = self.tool.path().join(".git/objects").join(first).join(rest);
        std::fs::remove_file(file).unwrap();
    }

    /// Texts by place; and how many of them were reported as gaps.
    fn walked(&self) -> (Vec<Option<Vec<u8>>>, usize) {
        let walked = walk(&self.tool.path(), Way::Packs, LARGEST);
        assert!(walked.texts.values().any(|text| text == b"always here\n"));
        let texts = self
            .ids
            .iter()
            .map(|id| walked.texts.get(&id.to_string()).cloned());
        let named = |id: &&Oid| {
            let what = format!("blob {id}");
            walked.coverage.skipped.iter().any(|gap| gap.what == what)
        };
        (texts.collect(), self.ids.iter().filter(named).count())
    }
}

const BASE: &[u8] = b"hello world";
const MADE: &[u8] = b"world+hel";
/// Makes the second of the first.
const DELTA: &[u8] = &[11, 9, 0x91, 6, 5, 1, b'+', 0x90, 3];

#[test]
fn the_pack_writer_of_these_tests_writes_packs_that_are_read() {
    let stripped = Stripped::new(&[BASE, MADE]);
    let [base, made] = stripped.ids[..] else { panic!() };
    write_pack(
        &stripped.tool.path(),
        &[
            (made, by_id(DELTA.len(), base), DELTA.to_vec()),
            (base, head(3, BASE.len() as u64), BASE.to_vec()),
        ],
    );
    assert_eq!(
        stripped.walked(),
        (vec![Some(BASE.to_vec()), Some(MADE.to_vec())], 0)
    );
}

#[test]
fn a_base_outside_the_pack_is_fetched_from_where_it_is_and_missed_where_it_is_not() {
    let mut stripped = Stripped::new(&[MADE]);
    let base = Oid::hash_object(ObjectType::Blob, BASE).unwrap();
    write_pack(
        &stripped.tool.path(),
        &[(stripped.ids[0], by_id(DELTA.len(), base), DELTA.to_vec())],
    );
    assert_eq!(stripped.walked(), (vec![None], 1));
    let file = stripped.tool.write("base.txt", BASE);
    stripped.tool.git(&["hash-object", "-w", file.to_str().unwrap()]);
    assert_eq!(stripped.walked(), (vec![Some(MADE.to_vec())], 0));
    stripped.strip(base);
    assert_eq!(stripped.walked(), (vec![None], 1));
}

#[test]
fn deltas_that_go_round_in_a_circle_or_claim_too_much_are_reported() {
    let stripped = Stripped::new(&[BASE, MADE]);
    let [base, made] = stripped.ids[..] else { panic!() };
    let circle = [
        (made, by_id(DELTA.len(), base), DELTA.to_vec()),
        (base, by_id(DELTA.len(), made), DELTA.to_vec()),
    ];
    let own_tail = [(made, by_id(DELTA.len(), made), DELTA.to_vec())];
    let huge = [(base, head(3, 1 << 50), BASE.to_vec())];
    let longer = [(base, head(3, LARGEST - 1), BASE.to_vec())];
    let huge_result = vec![11, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0x91, 6, 5];
    let makes_much = [
        (base, head(3, 11), BASE.to_vec()),
        (made, by_id(huge_result.len(), base), huge_result),
    ];
    let beyond = vec![11, 9, 0x91, 6, 200];
    let copies_beyond = [
        (base, head(3, 11), BASE.to_vec()),
        (made, by_id(beyond.len(), base), beyond),
    ];
    let back_to_nothing = [(
        made,
        [head(6, 9), vec![0xFF, 0xFF, 0x7F]].concat(),
        DELTA.to_vec(),
    )];
    let a_tree = [(base, head(2, 11), BASE.to_vec())];
    let unknown = [(base, head(5, 11), BASE.to_vec())];
    let all: [(&str, &[_], usize); 9] = [
        ("circle", &circle, 2),
        ("own tail", &own_tail, 2),
        ("huge", &huge, 2),
        ("longer", &longer, 2),
        ("makes much", &makes_much, 1),
        ("copies beyond", &copies_beyond, 1),
        ("back to nothing", &back_to_nothing, 2),
        ("a tree", &a_tree, 2),
        ("unknown kind", &unknown, 2),
    ];
    for (what, entries, gaps) in all {
        write_pack(&stripped.tool.path(), entries);
        let (texts, reported) = stripped.walked();
        assert_eq!(reported, gaps, "{what}");
        let missing = texts.iter().filter(|text| text.is_none()).count();
        assert_eq!(missing, gaps, "{what}: {texts:?}");
    }
}

#[test]
fn a_chain_of_thousands_of_deltas_is_followed_to_its_end() {
    let length = 5000_u32;
    let last = format!("{BASE:?}{length}").into_bytes();
    let stripped = Stripped::new(&[&last]);
    let mut entries = Vec::new();
    let mut text = format!("{BASE:?}0").into_bytes();
    let mut id = Oid::hash_object(ObjectType::Blob, &text).unwrap();
    entries.push((id, head(3, text.len() as u64), text.clone()));
    for i in 1..=length {
        let next = format!("{BASE:?}{i}").into_bytes();
        let kept = format!("{BASE:?}").len() as u8;
        let mut delta = vec![text.len() as u8, next.len() as u8, 0x90, kept];
        delta.push(next.len() as u8 - kept);
        delta.extend(&next[usize::from(kept)..]);
        let next_id = Oid::hash_object(ObjectType::Blob, &next).unwrap();
        entries.push((next_id, by_id(delta.len(), id), delta));
        (text, id) = (next, next_id);
    }
    entries.reverse();
    write_pack(&stripped.tool.path(), &entries);
    assert_eq!(stripped.walked(), (vec![Some(last)], 0));
}
