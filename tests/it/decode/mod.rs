//! What a text says in another form is found at its exact place: one file for each form, one scan over all of them.

mod random; // random texts in random nestings
mod whole; // reports, options, git

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::support::tool::{Tool, token};

/// Where a token is expected: line, column, end column (0: on another line), and through what.
type Expected = (u64, u64, u64, Option<&'static str>);

struct Case {
    name: &'static str,
    bytes: Vec<u8>,
    at: Expected,
}

fn case(name: &'static str, bytes: impl Into<Vec<u8>>, at: Expected) -> Case {
    Case {
        name,
        bytes: bytes.into(),
        at,
    }
}

/// Scans all cases at once and compares every finding, whose secret must be the token.
fn check(cases: &[Case]) {
    let tool = Tool::new();
    for case in cases {
        tool.write(case.name, &case.bytes);
    }
    let ran = tool.run(["scan", ".", "--show-secrets", "--format", "jsonl"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for finding in ran.findings() {
        let at = &finding["location"];
        let end = match at["end_line"] == at["line"] {
            true => at["end_column"].as_u64().unwrap(),
            false => 0,
        };
        assert_eq!(finding["secret"], token(), "{finding}");
        found
            .entry(at["path"].as_str().unwrap().to_owned())
            .or_default()
            .push(format!(
                "{}:{}-{end} {}",
                at["line"],
                at["column"],
                finding["decoded_via"].as_str().unwrap_or("-"),
            ));
    }
    let expected: BTreeMap<String, Vec<String>> = cases
        .iter()
        .map(|case| {
            let (line, column, end, via) = case.at;
            let at = format!("{line}:{column}-{end} {}", via.unwrap_or("-"));
            (case.name.to_owned(), vec![at])
        })
        .collect();
    let wrong: Vec<_> = expected
        .iter()
        .filter(|(name, at)| found.get(*name) != Some(*at))
        .map(|(name, at)| format!("{name}: expected {at:?}, found {:?}", found.get(name)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

/// Every character by itself.
fn each(write: impl Fn(char) -> String) -> String {
    token().chars().map(write).collect()
}

fn wide(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

/// `text` in lines of this width, each indented.
fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let lines: Vec<String> = text
        .as_bytes()
        .chunks(width)
        .map(|line| format!("{indent}{}", String::from_utf8_lossy(line)))
        .collect();
    lines.join("\n")
}

#[test]
fn plain_texts_of_every_make_are_read() {
    let token = token();
    let long = format!("{} {token} {}", "x ".repeat(400_000), "y ".repeat(400_000));
    let large = format!("{}token {token}\n", "nothing here\n".repeat(480_000));
    let cell = format!("{{\"cells\":[{{\"source\":[\"t = \\\"{token}\\\"\\n\"]}}]}}");
    check(&[
        case("plain", format!("a\ntoken={token}\n"), (2, 7, 47, None)),
        case("crlf", format!("a\r\ntoken={token}\r\n"), (2, 7, 47, None)),
        case(
            "nbsp",
            format!("token\u{a0}=\u{a0}{token}\u{a0}"),
            (1, 9, 49, None),
        ),
        case("long line", long, (1, 800_002, 800_042, None)),
        case("large", large, (480_001, 7, 47, None)),
        case(".hidden", format!("token={token}"), (1, 7, 47, None)),
        case("book.ipynb", cell, (1, 29, 69, None)),
        case(
            "json in json",
            format!("{{\"a\":\"{{\\\"t\\\":\\\"{token}\\\"}}\"}}"),
            (1, 16, 56, None),
        ),
        case(
            "lone carriage returns",
            format!("a\rtoken={token}\r"),
            (1, 9, 49, None),
        ),
    ]);
}

#[test]
fn wide_texts_are_read_with_and_without_their_mark() {
    let text = format!("# settings\r\ntoken = {}\r\n", token());
    let marked = format!("\u{feff}{text}");
    check(&[
        case("le", wide(&text, u16::to_le_bytes), (2, 9, 49, Some("utf-16le"))),
        case("be", wide(&text, u16::to_be_bytes), (2, 9, 49, Some("utf-16be"))),
        case(
            "le marked",
            wide(&marked, u16::to_le_bytes),
            (2, 9, 49, Some("utf-16le")),
        ),
        case(
            "be marked",
            wide(&marked, u16::to_be_bytes),
            (2, 9, 49, Some("utf-16be")),
        ),
    ]);
}

#[test]
fn base64_is_read_in_all_its_forms_and_on_top_of_itself() {
    let token = token();
    let one = STANDARD.encode(&token);
    let two = STANDARD.encode(format!("token={one}"));
    let three = STANDARD.encode(format!("token={two}"));
    // 0xFF and friends need the symbols that differ; a letter beyond ASCII brings them in.
    let url = URL_SAFE_NO_PAD.encode(format!("ÿþ?>ÿ~~~ {token}"));
    assert!(url.contains(['-', '_']));
    let start = url.len() as u64 - (40_u64 * 8).div_ceil(6);
    let shell = STANDARD.encode(wide(&format!("echo {token}"), u16::to_le_bytes));
    let long = STANDARD.encode(format!("{} {token}", "padding ".repeat(8)));
    check(&[
        case("bare", format!("a: b\nkey: {one}\n"), (2, 6, 60, Some("base64"))),
        case(
            "no padding",
            format!("key: {}", one.trim_end_matches('=')),
            (1, 6, 60, Some("base64")),
        ),
        case(
            "url",
            format!("k={url}"),
            (1, 3 + start, 3 + url.len() as u64, Some("base64")),
        ),
        case(
            "wrapped",
            format!("key: |\n{}\n", wrapped(&one, 20, "    ")),
            (2, 5, 0, Some("base64")),
        ),
        case(
            "in a string",
            format!("\"k\": \"{}\\n{}\"", &one[..32], &one[32..]),
            (1, 7, 63, Some("base64")),
        ),
        case(
            "within lines",
            format!("{}\n", wrapped(&long, 64, "  ")),
            (2, 25, 0, Some("base64")),
        ),
        case("twice", format!("k={two}"), (1, 11, 83, Some("base64>base64"))),
        case(
            "thrice",
            format!("k={three}"),
            (1, 21, 118, Some("base64>base64>base64")),
        ),
        case(
            "of wide text",
            format!("-enc {shell}"),
            (1, 19, 126, Some("base64>utf-16")),
        ),
        case("prefixed", format!("id/{one}"), (1, 4, 58, Some("base64"))),
    ]);
}

#[test]
fn hexadecimal_and_percent_are_read() {
    let token = token();
    let hex = each(|c| format!("{:02x}", c as u32));
    let percent = each(|c| format!("%{:02X}", c as u32));
    check(&[
        case("hex", format!("k = {hex};"), (1, 5, 85, Some("hex"))),
        case(
            "hex upper",
            format!("k = 0x{};", hex.to_uppercase()),
            (1, 7, 87, Some("hex")),
        ),
        case("hex in lines", wrapped(&hex, 32, ""), (1, 1, 0, Some("hex"))),
        case(
            "percent",
            format!("?t={percent}&x=1"),
            (1, 4, 124, Some("percent")),
        ),
        case(
            "one percent",
            format!("?t={}&x=1", token.replace('_', "%5F")),
            (1, 4, 46, Some("percent")),
        ),
        case(
            "percent twice",
            format!("?t={}", token.replace('_', "%255F")),
            (1, 4, 48, Some("percent>percent")),
        ),
    ]);
}

#[test]
fn escapes_and_mixed_encodings_are_read() {
    let token = token();
    let unicode = each(|c| format!("\\u{:04x}", c as u32));
    let doubled = each(|c| format!("\\\\u{:04x}", c as u32));
    check(&[
        case(
            "unicode",
            format!("x\n\"{unicode}\""),
            (2, 2, 242, Some("escape")),
        ),
        case(
            "unicode doubled",
            format!("\"{doubled}\""),
            (1, 2, 282, Some("escape")),
        ),
        case(
            "braces",
            format!("'{}'", token.replace('_', "\\u{5f}")),
            (1, 2, 47, Some("escape")),
        ),
        case(
            "bytes",
            format!("b'{}'", each(|c| format!("\\x{:02x}", c as u32))),
            (1, 3, 163, Some("escape")),
        ),
        case(
            "octal",
            format!("$'{}'", each(|c| format!("\\{:03o}", c as u32))),
            (1, 3, 163, Some("escape")),
        ),
        case(
            "hex of base64",
            each_byte(&STANDARD.encode(&token)),
            (1, 1, 109, Some("hex>base64")),
        ),
        case(
            "percent in base64",
            percent_base64(&token),
            (1, 3, 57, Some("percent>base64")),
        ),
    ]);
}

fn each_byte(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 whose padding is percent-encoded, as in an address.
fn percent_base64(token: &str) -> String {
    let encoded = STANDARD.encode(token);
    assert!(encoded.ends_with("=="));
    format!("k={}", encoded.replace('=', "%3D"))
}

#[test]
fn entities_and_quoted_printable_are_read() {
    let token = token();
    let (head, tail) = token.split_at(20);
    let mail = format!("Content-Transfer-Encoding: quoted-printable\r\n\r\nToken=3D{head}=\r\n{tail}\r\n");
    let bare = format!("a =3D b {} {head}=\n{tail}\n", "x".repeat(46));
    check(&[
        case(
            "decimal",
            format!("<p>{}</p>", each(|c| format!("&#{};", c as u32))),
            (1, 4, decimal_end(), Some("html")),
        ),
        case(
            "hexadecimal",
            format!("<p>{}", each(|c| format!("&#x{:x};", c as u32))),
            (1, 4, 244, Some("html")),
        ),
        case(
            "named",
            format!("<p>{}</p>", token.replace('_', "&lowbar;")),
            (1, 4, 51, Some("html")),
        ),
        case(
            "twice",
            format!("<p>{}</p>", token.replace('_', "&amp;#95;")),
            (1, 4, 52, Some("html>html")),
        ),
        case("mail", mail, (3, 9, 0, Some("quoted-printable"))),
        case(
            "mail without its head",
            bare,
            (1, 56, 0, Some("quoted-printable")),
        ),
    ]);
}

fn decimal_end() -> u64 {
    4 + each(|c| format!("&#{};", c as u32)).len() as u64
}

#[test]
fn strings_in_pieces_are_put_together() {
    let token = token();
    let (a, b) = token.split_at(17);
    let (b, c) = b.split_at(9);
    let via = Some("concatenation");
    let joined = |joint: &str| format!("x = \"{a}{joint}{b}{joint}{c}\";\n");
    let end = |joint: &str| 6 + 40 + 2 * joint.len() as u64;
    let mut cases: Vec<Case> = Vec::new();
    for (name, joint) in [
        ("plus", "\" + \""),
        ("tight plus", "\"+\""),
        ("dot", "' . '"),
        ("ampersand", "\" & \""),
        ("two dots", "\" .. \""),
        ("diamond", "\" <> \""),
        ("bars", "' || '"),
        ("tilde", "\" ~ \""),
        ("two pluses", "\" ++ \""),
        ("nothing", "\" \""),
        ("shell", "\"''\""),
        ("method", "\".concat(\""),
        ("python", "\" f\""),
    ] {
        if name != "shell" {
            cases.push(case(name, joined(joint), (1, 6, end(joint), via)));
        }
    }
    for (name, joint) in [
        ("lines", "\" +\n    \""),
        ("leading operator", "'\r\n    . '"),
        ("basic", "\" & _\n  \""),
        ("python lines", "\"\n    \""),
        ("continued", "\" \\\n    \""),
        ("backslash", "\\\n"),
        ("backslash indented", "\\\n      "),
    ] {
        cases.push(case(name, joined(joint), (1, 6, 0, via)));
    }
    cases.push(case(
        "unlike quotes",
        format!("x=\"{a}\"'{b}'\"{c}\""),
        (1, 4, 48, via),
    ));
    let base64 = STANDARD.encode(&token);
    let (head, tail) = base64.split_at(32);
    let nested = format!("k = \"{head}\" +\n  \"{tail}\"");
    cases.push(case("of base64", nested, (1, 6, 0, Some("concatenation>base64"))));
    check(&cases);
}

#[test]
fn a_list_of_strings_is_not_put_together() {
    let tool = Tool::new();
    let token = token();
    let (a, b) = token.split_at(4);
    tool.write(
        "list.py",
        format!("x = [\"{a}\", \"{b}\"]\ny = ''\"{a}\", \"\"\"{b}\"\"\"\n"),
    );
    let ran = tool.run(["scan", "."]);
    assert_eq!(ran.code, 0, "{}", ran.out);
}
