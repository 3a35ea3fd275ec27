//! Archives, compressed files, documents, databases and bytecode: what is in them is found, however deep; what hurts
//! or is broken is said and passed over.

mod bombs; // what is made to hurt, and what is damaged
mod made; // archives made here

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::tool::{Ran, Tool, token};
use made::{ar, bzip2, cpio, gzip, pdf, pyc, rpm, sqlite, tar, xz, zip, zstd};

/// `path:line:column via` of every finding; every secret must be the token.
fn found(ran: &Ran) -> Vec<String> {
    let show = |finding: serde_json::Value| {
        let at = &finding["location"];
        assert_eq!(finding["secret"], token(), "{finding}");
        format!(
            "{}:{}:{} {}",
            at["path"].as_str().unwrap(),
            at["line"],
            at["column"],
            finding["decoded_via"].as_str().unwrap_or("-")
        )
    };
    ran.findings().into_iter().map(show).collect()
}

const SCAN: [&str; 5] = ["scan", ".", "--show-secrets", "--format", "jsonl"];

/// Writes each file, scans all, and compares what is found in each.
fn check(cases: &[(&str, Vec<u8>, &str)]) {
    let tool = Tool::new();
    for (name, bytes, _) in cases {
        tool.write(name, bytes);
    }
    let ran = tool.run(SCAN);
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in found(&ran) {
        let file = line.split(['!', ':']).next().unwrap().to_owned();
        all.entry(file).or_default().push(line);
    }
    let wrong: Vec<String> = cases
        .iter()
        .filter(|(name, _, expected)| {
            let expected = format!("{name}{expected}");
            all.get(*name).is_none_or(|lines| *lines != [expected])
        })
        .map(|(name, _, expected)| format!("{name}: expected {expected}, found {:?}", all.get(*name)))
        .collect();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), ran.out);
    assert_eq!(ran.code, 1, "{}", ran.out);
}

fn text() -> Vec<u8> {
    format!("a=1\ntoken={}\n", token()).into_bytes()
}

#[test]
fn compressed_files_are_read_by_content_not_by_name() {
    let text = text();
    let wide: Vec<u8> = String::from_utf8_lossy(&text)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let encoded = format!("\ntoken={}", STANDARD.encode(token()));
    let two_streams = [gzip(b"first\n"), gzip(&text)].concat();
    check(&[
        ("a.gz", gzip(&text), ":2:7 gzip"),
        ("b.bz2", bzip2(&text), ":2:7 bzip2"),
        ("c.xz", xz(&text), ":2:7 xz"),
        ("d.zst", zstd(&text), ":2:7 zstd"),
        ("e.dat", gzip(&text), ":2:7 gzip"),
        ("f.gz", gzip(&gzip(&text)), ":2:7 gzip>gzip"),
        ("g.gz", gzip(&wide), ":2:7 gzip>utf-16le"),
        ("h.gz", gzip(encoded.as_bytes()), ":2:7 gzip>base64"),
        ("i.gz", two_streams, ":3:7 gzip"),
        (
            "j.txt",
            format!("x\nk={}", STANDARD.encode(gzip(&text))).into_bytes(),
            ":2:3 base64>gzip",
        ),
        (
            "k.txt",
            format!("k={}", STANDARD.encode(zip(&[("a", &text)]))).into_bytes(),
            ":1:3 base64>zip",
        ),
    ]);
}

#[test]
fn members_are_named_behind_a_mark_however_deep() {
    let text = text();
    let one = zip(&[("readme", b"hello"), ("conf/app.env", &text)]);
    let tgz = gzip(&tar(&[("etc/app.env", &text)]));
    let long = "d/".repeat(80) + "app.env";
    let long_expected: &'static str = Box::leak(format!("!{long}:2:7 tar").into_boxed_str());
    check(&[
        ("a.zip", one.clone(), "!conf/app.env:2:7 zip"),
        ("b.bin", one.clone(), "!conf/app.env:2:7 zip"),
        (
            "c.zip",
            zip(&[("inner.jar", &one)]),
            "!inner.jar!conf/app.env:2:7 zip>zip",
        ),
        (
            "d.tar",
            tar(&[("x", b"1"), ("app.env", &text)]),
            "!app.env:2:7 tar",
        ),
        ("e.tgz", tgz.clone(), "!etc/app.env:2:7 gzip>tar"),
        (
            "f.zip",
            zip(&[("e.tgz", &tgz)]),
            "!e.tgz!etc/app.env:2:7 zip>gzip>tar",
        ),
        ("g.tar", tar(&[(&long, &text)]), long_expected),
        ("h.a", ar(&[("app.env/", &text)]), "!app.env:2:7 ar"),
        (
            "i.cpio",
            cpio(&[("x", b"123"), ("app.env", &text)]),
            "!app.env:2:7 cpio",
        ),
        (
            "j.rpm",
            rpm(&[("./etc/app.env", &text)]),
            "!./etc/app.env:2:7 rpm>gzip>cpio",
        ),
        ("k.tar.xz", xz(&tar(&[("app.env", &text)])), "!app.env:2:7 xz>tar"),
    ]);
}

#[test]
fn packages_and_images_are_opened() {
    let text = text();
    let data = tar(&[("./opt/app.env", &text)]);
    let deb = ar(&[
        ("debian-binary", b"2.0\n"),
        ("control.tar.xz", &xz(&tar(&[("./control", b"Package: a\n")]))),
        ("data.tar.zst", &zstd(&data)),
    ]);
    let layer = tar(&[("app/.env", &text)]);
    let docker = tar(&[("manifest.json", b"[]"), ("0123/layer.tar", &layer)]);
    let oci = tar(&[("oci-layout", b"{}"), ("blobs/sha256/ab", &gzip(&layer))]);
    let wheel = zip(&[("pkg/settings.py", &text), ("pkg/__init__.py", b"")]);
    check(&[
        ("a.deb", deb, "!data.tar.zst!opt/app.env:2:7 ar>zstd>tar"),
        ("docker.tar", docker, "!0123/layer.tar!app/.env:2:7 tar>tar"),
        ("oci.tar", oci, "!blobs/sha256/ab!app/.env:2:7 tar>gzip>tar"),
        ("p.whl", wheel, "!pkg/settings.py:2:7 zip"),
    ]);
}

#[test]
fn documents_are_read_even_where_an_editor_cut_a_word() {
    let token = token();
    let (a, b) = token.split_at(13);
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    let word = format!(
        "{head}<w:document><w:p><w:r><w:t>token {a}</w:t></w:r><w:r><w:rPr><w:b/></w:rPr>\
         <w:t xml:space=\"preserve\">{b}</w:t></w:r></w:p></w:document>"
    );
    let sheet = format!("{head}<sst><si><t>{token}</t></si></sst>");
    let open = format!("{head}<text:p>{a}<text:span text:style-name=\"T1\">{b}</text:span></text:p>");
    let column = |text: &str| text.find(a).unwrap() + 1;
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let in_word = leak(format!("!word/document.xml:1:{} zip>office", column(&word)));
    let in_sheet = leak(format!("!xl/sharedStrings.xml:1:{} zip", column(&sheet)));
    let in_open = leak(format!("!content.xml:1:{} zip>office", column(&open)));
    let drawn = format!("BT /F1 12 Tf 72 712 Td (Token: ) Tj 0 -14 Td [({a}) -12 ({b})] TJ ET");
    let metadata = format!("<x>{token}</x>{}", "<y>filler</y>".repeat(50));
    check(&[
        ("a.docx", zip(&[("word/document.xml", word.as_bytes())]), in_word),
        (
            "b.xlsx",
            zip(&[("xl/sharedStrings.xml", sheet.as_bytes())]),
            in_sheet,
        ),
        ("c.odt", zip(&[("content.xml", open.as_bytes())]), in_open),
        ("d.pdf", pdf(&drawn, "nothing"), ":3:1 pdf"),
        ("e.pdf", pdf("BT (x) Tj ET", &metadata), ":3:4 pdf"),
    ]);
}

#[test]
fn databases_and_bytecode_are_read_value_by_value() {
    let token = token();
    let long = format!("{} {token} {}", "x ".repeat(2030), "y ".repeat(5000));
    let tool = Tool::new();
    // In the file a row's values follow on each other without a gap, and so does a length before a constant.
    tool.write("rows.db", sqlite(&[("name", "value"), ("githubtoken", &token)]));
    tool.write("long.db", sqlite(&[("note", &long)]));
    tool.write("module.pyc", pyc(&["name", &token, "other"]));
    let class = [
        &b"\xCA\xFE\xBA\xBE\0\0\0\x34\0\x02\x01\0\x28"[..],
        token.as_bytes(),
        b"\x01\0\x04Code",
    ]
    .concat();
    tool.write("A.class", class);
    let lines = found(&tool.run(SCAN));
    let names: Vec<(&str, &str)> = lines
        .iter()
        .map(|line| (line.split(':').next().unwrap(), line.rsplit(' ').next().unwrap()))
        .collect();
    assert_eq!(
        names,
        [
            ("A.class", "class"),
            ("long.db", "sqlite"),
            ("module.pyc", "pyc"),
            ("rows.db", "sqlite")
        ],
        "{lines:?}"
    );
    assert_eq!(tool.run(["scan", ".", "--no-archives"]).code, 0);
}

#[test]
fn a_single_archive_and_standard_input_name_their_members() {
    let tool = Tool::new();
    let bytes = zip(&[("app.env", &text())]);
    let file = tool.write("sub/a.zip", &bytes);
    let args = |target: &str| ["scan", target, "--show-secrets", "--format", "jsonl"].map(str::to_owned);
    assert_eq!(found(&tool.run(args("sub/a.zip"))), ["sub/a.zip!app.env:2:7 zip"]);
    assert_eq!(
        found(&tool.run(args(&file.display().to_string()))),
        ["sub/a.zip!app.env:2:7 zip"]
    );
    let ran = tool.run_with_input(&["scan", "-", "--show-secrets", "--format", "jsonl"], &bytes);
    assert_eq!(found(&ran), ["-!app.env:2:7 zip"]);
    let sarif = tool.run(["scan", ".", "--format", "sarif"]).out;
    assert!(sarif.contains("sub/a.zip%21app.env"), "{sarif}");
}

#[test]
fn archives_are_opened_in_staged_files_and_ranges_and_in_the_history_on_request() {
    let tool = Tool::repository();
    tool.write("a.txt", "nothing");
    let first = tool.commit("first", "2024-01-01");
    tool.write("a.zip", zip(&[("app.env", &text())]));
    tool.git(&["add", "a.zip"]);
    let expected = ["a.zip!app.env:2:7 zip"];
    let run = |args: &[&str]| {
        let args = [args, &["--show-secrets", "--format", "jsonl"]].concat();
        found(&tool.run(args))
    };
    assert_eq!(run(&["scan", "--staged"]), expected);
    tool.commit("second", "2024-01-02");
    assert_eq!(run(&["scan", "--range", &format!("{first}..HEAD")]), expected);
    assert_eq!(run(&["scan", ".", "--history-only"]), [] as [&str; 0]);
    assert_eq!(
        run(&["scan", ".", "--history-only", "--decode-history"]),
        expected
    );
    tool.write("a.zip", zip(&[("app.env", &text()), ("more", b"more")]));
    tool.git(&["add", "a.zip"]);
    assert_eq!(
        run(&["scan", "--staged"]),
        [] as [&str; 0],
        "it stood there before"
    );
}
