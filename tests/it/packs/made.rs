//! Histories made up from a seed: edits, insertions, moves, renames, binary files, UTF-16, planted tokens.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use crate::support::tool::{Tool, other_token, token};

/// Numbers that look random and are the same for the same seed.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound.max(1)
    }

    pub(super) fn line(&mut self) -> String {
        let words = 1 + self.below(12);
        let mut line = String::new();
        for _ in 0..words {
            let _ = write!(line, "{:x} ", self.below(1 << 24));
        }
        line
    }
}

/// One made-up change of a file's lines.
fn change(lines: &mut Vec<String>, random: &mut Random) {
    let at = random.below(lines.len() + 1);
    match random.below(13) {
        0..=3 => {
            let line = random.line();
            lines.insert(at, line);
        }
        4 | 5 if at < lines.len() => lines[at] = random.line(),
        6 if at < lines.len() => drop(lines.remove(at)),
        7 => {
            let middle = lines.len() / 2;
            lines.rotate_left(middle); // what was copied before is copied from elsewhere
        }
        8 => lines.insert(at, format!("TOKEN={}", token())),
        9 => lines.insert(at, format!("x {} y", other_token())),
        10 => lines.insert(at, token()[..4 + random.below(30)].to_owned()),
        // A token whose halves come together only now.
        11 => {
            let half = |line: &&mut String| line.len() >= 4 && token().starts_with(line.as_str());
            if let Some(line) = lines.iter_mut().find(half) {
                *line = token();
            }
        }
        _ if at < lines.len() => {
            let cut = random.below(lines[at].len());
            if lines[at].is_char_boundary(cut) {
                lines[at].truncate(cut);
            }
        }
        _ => {}
    }
}

fn encoded(lines: &[String], how: usize) -> Vec<u8> {
    let text = lines.join("\n");
    match how {
        0 => text
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .fold(vec![0xFF, 0xFE], |mut all, byte| {
                all.push(byte);
                all
            }),
        1 => [b"\0\x01\x02".as_slice(), text.as_bytes()].concat(),
        _ => text.into_bytes(),
    }
}

/// Commits that change a few of some files each; in one pack if `packed`, else loose. Goes on from `main`.
pub(super) fn import(tool: &Tool, random: &mut Random, commits: usize, packed: bool) {
    import_with(tool, random, commits, packed, &change);
}

/// The same, with other changes.
pub(super) fn import_with(
    tool: &Tool,
    random: &mut Random,
    commits: usize,
    packed: bool,
    change: &dyn Fn(&mut Vec<String>, &mut Random),
) {
    let limit = format!("fastimport.unpackLimit={}", if packed { 1 } else { 100_000 });
    let mut child = tool
        .command("git")
        .args(["-c", &limit, "fast-import", "--quiet", "--force", "--depth=50"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut files: Vec<Vec<String>> = (0..5)
        .map(|_| (0..random.below(120)).map(|_| random.line()).collect())
        .collect();
    let mut stream = Vec::new();
    for commit in 0..commits {
        let seconds = 1_600_000_000 + commit * 60;
        let _ = writeln!(
            stream,
            "commit refs/heads/main\ncommitter A <a@example.com> {seconds} +0000\ndata 1\nx"
        );
        if commit == 0 && tool.path().join(".git/refs/heads/main").exists() {
            stream.extend(b"from refs/heads/main^0\n");
        }
        for _ in 0..1 + random.below(3) {
            let file = random.below(files.len());
            for _ in 0..1 + random.below(4) {
                change(&mut files[file], random);
            }
            let how = if file < 2 {
                file
            } else if random.below(15) == 0 {
                random.below(2)
            } else {
                2
            };
            let bytes = encoded(&files[file], how);
            let folder = if random.below(9) == 0 { "moved" } else { "kept" };
            let _ = writeln!(
                stream,
                "M 100644 inline {folder}/{file}.txt\ndata {}",
                bytes.len()
            );
            stream.extend(bytes);
            stream.push(b'\n');
        }
    }
    stream.extend(b"done\n");
    child.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(child.wait().unwrap().success());
}
