//! What is made to hurt, and what is damaged: it is said, the scan is incomplete, and the rest is scanned.

use super::made::{gzip, tar, xz, zip};
use super::{SCAN, found, text};
use crate::support::tool::{Ran, Tool};

/// A scan of these files, each next to one that holds a token plainly, which must be found in any case.
fn scan(files: &[(&str, Vec<u8>)]) -> (Tool, Ran) {
    let tool = Tool::new();
    for (name, bytes) in files {
        tool.write(name, bytes);
    }
    tool.write("zz.env", text());
    let ran = tool.run(SCAN);
    assert!(found(&ran).contains(&"zz.env:2:7 -".to_owned()), "{}", ran.out);
    (tool, ran)
}

fn skipped(ran: &Ran) -> Vec<(String, String)> {
    let lines = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let coverage = lines.filter_map(|line| {
        line.get("coverage")
            .cloned()
            .or_else(|| line.get("skipped").map(|_| line.clone()))
    });
    coverage
        .flat_map(|coverage| coverage["skipped"].as_array().cloned().unwrap_or_default())
        .map(|gap| {
            (
                gap["what"].as_str().unwrap().to_owned(),
                gap["why"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[test]
fn a_bomb_of_zeros_is_cut_off_and_a_small_one_is_simply_read() {
    let zeros = vec![0_u8; 80 << 20];
    let harmless = gzip(&[&zeros[..8 << 20], b"\n", &text()].concat());
    let (_tool, ran) = scan(&[("bomb.gz", gzip(&zeros)), ("small.gz", harmless)]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    let gaps = skipped(&ran);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(
        gaps[0].0 == "bomb.gz" && gaps[0].1.contains("200 times"),
        "{gaps:?}"
    );
}

#[test]
fn archives_inside_each_other_end_at_a_depth_and_say_so() {
    let mut nested = zip(&[("app.env", &text())]);
    for _ in 0..7 {
        nested = zip(&[("a.zip", &nested)]);
    }
    let deeper = zip(&[("a.zip", &zip(&[("a.zip", &nested)]))]);
    let (_tool, ran) = scan(&[("deep.zip", nested), ("deeper.zip", deeper)]);
    assert_eq!(ran.code, 3);
    let lines = found(&ran);
    assert!(
        lines.iter().any(|line| line.starts_with("deep.zip!a.zip!")),
        "{lines:?}"
    );
    let gaps = skipped(&ran);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(
        gaps[0].0.starts_with("deeper.zip!a.zip") && gaps[0].1.contains("8 deep"),
        "{gaps:?}"
    );
}

#[test]
fn an_archive_of_very_many_members_is_left_at_some_point() {
    let names: Vec<String> = (0..60_000).map(|number| format!("{number}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    let (_tool, ran) = scan(&[("many.tgz", gzip(&tar(&files)))]);
    assert_eq!(ran.code, 3);
    let gaps = skipped(&ran);
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].1.contains("more members"), "{gaps:?}");
}

#[test]
fn a_member_over_the_limit_names_the_option() {
    let large = vec![b'a'; (1 << 20) + 1];
    let tool = Tool::new();
    tool.write("a.zip", zip(&[("large.txt", &large), ("app.env", &text())]));
    let ran = tool.run([&SCAN[..], &["--max-size", "1"]].concat());
    assert_eq!(ran.code, 3);
    assert_eq!(found(&ran), ["a.zip!app.env:2:7 zip"]);
    let gaps = skipped(&ran);
    assert!(
        gaps[0].0 == "a.zip!large.txt" && gaps[0].1.contains("--max-size"),
        "{gaps:?}"
    );
}

#[test]
fn what_is_cut_off_or_damaged_is_read_as_far_as_it_goes() {
    let filler: Vec<u8> = (0..20_000_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_string().into_bytes())
        .collect();
    let text = [&text(), &filler[..]].concat();
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() * 3 / 4].to_vec();
    let mut corrupt = gzip(&text);
    let middle = corrupt.len() / 2;
    corrupt[middle..middle + 64].fill(0xFF);
    let (_tool, ran) = scan(&[
        ("a.gz", cut(gzip(&text))),
        ("b.zip", cut(zip(&[("app.env", &text)]))),
        ("c.tar", cut(tar(&[("app.env", &text)]))),
        ("d.gz", corrupt),
        ("e.xz", cut(xz(&filler))),
        ("f.zip", b"PK\x03\x04 this is not a zip file".to_vec()),
    ]);
    assert_eq!(ran.code, 3);
    let lines = found(&ran);
    for expected in [
        "a.gz:2:7 gzip",
        "b.zip!app.env:2:7 zip",
        "c.tar!app.env:2:7 tar",
        "d.gz:2:7 gzip",
    ] {
        assert!(lines.contains(&expected.to_owned()), "{expected}: {lines:?}");
    }
    let gaps = skipped(&ran);
    for name in ["a.gz", "b.zip", "c.tar!app.env", "d.gz", "e.xz", "f.zip"] {
        let gap = gaps.iter().find(|(what, _)| what == name);
        assert!(
            gap.is_some_and(|(_, why)| why.contains("damaged or cut off")),
            "{name}: {gaps:?}"
        );
    }
}
