//! A report as text, JSON and JSON lines.

use unleak::report::{Format, Options};

use crate::support::reports::{empty, finding, odd, secrets, written};

const PLAIN: Options = Options {
    color: false,
    show_secrets: false,
};

fn json(format: Format, options: &Options) -> serde_json::Value {
    serde_json::from_str(&written(&odd(), format, options)).unwrap()
}

#[test]
fn no_format_holds_a_secret_or_a_part_of_one() {
    for format in Format::ALL {
        for color in [false, true] {
            let options = Options { color, ..PLAIN };
            let text = written(&odd(), format, &options);
            for secret in secrets() {
                let line = secret.lines().next().unwrap();
                for form in [&secret, line, &secret.replace('\n', "\\n")] {
                    assert!(!text.contains(form), "{format} holds a secret:\n{text}");
                }
            }
            assert!(
                !text.contains("part-of-old-one"),
                "{format} holds a part:\n{text}"
            );
        }
    }
}

#[test]
fn only_formats_that_stay_at_home_show_secrets_and_only_when_asked() {
    let options = Options {
        show_secrets: true,
        ..PLAIN
    };
    let [token, ..] = secrets();
    for format in Format::ALL {
        let shown = written(&odd(), format, &options).contains(&token);
        assert_eq!(shown, format.holds_secrets(), "{format}");
    }
    let whole = json(Format::Json, &options);
    let shown: Vec<&str> = whole["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["secret"].as_str().unwrap())
        .collect();
    for secret in secrets() {
        assert!(shown.contains(&secret.as_str()));
    }
}

#[test]
fn no_format_prints_what_could_move_the_cursor_or_turn_the_text() {
    for format in Format::ALL {
        let text = written(&odd(), format, &PLAIN);
        let bad = text
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
        assert_eq!(bad, None, "{format}:\n{text}");
    }
}

#[test]
fn no_format_depends_on_the_order_in_which_things_were_found() {
    for format in Format::ALL {
        let mut turned = odd();
        turned.findings.reverse();
        turned.coverage.skipped.reverse();
        turned.rules.reverse();
        assert_eq!(
            written(&odd(), format, &PLAIN),
            written(&turned, format, &PLAIN),
            "{format}"
        );
    }
}

#[test]
fn text_groups_the_places_by_leak_with_the_worst_first() {
    insta::assert_snapshot!(written(&odd(), Format::Text, &PLAIN), @r#"
    LIVE critical  Example personal access token  exp_…u2Ce
      example/personal-access-token  e0b9ac8c47fb4afc82229a350aa4b2ed
      config/日本 {1}.env:3:9
         3 | 日本 = "exp_…u2Ce"; // <b>\u{202e}&amp; `x` | *y*
      old/\xff\x1b[2J.txt:40:9  commit 57fa000662f5  Ada\u{202e} Lovelace <ada@example.com>  2024-05-06  inside base64
      why    It works: Example answered 200 for [REDACTED]. It is in the git history since 2024-05-06.
      whose  octo\u{7}; organisations acme; scopes repo, admin
      tell   Grace <grace@example.com> (owns an organisation that the token opens: acme)
      next   Revoke it at https://example.com/settings/tokens, then replace it where it is used; deleting the text does not help.

    FOUND high  Example {signing} key  …-END
      example/signing-key  0acc604ebc16874a9a5cbf39d4593d9d
      keys/a#b?.pem:1:9
      why    Whoever reads it can use it until it is revoked or changed. Its shape does not prove that it is one (confidence medium).
      next   Revoke or change it as told at https://docs.example.com/tokens, then replace it where it is used; deleting the text does not help.

    DEAD high  Example {signing} key  …e1f0
      example/signing-key  d11e50e7e5d0b52701f567ff58fad757
      logs/[REDACTED].log:7:9
         7 | [REDACTED] = …e1f0
      why    Example says that it is dead: revoked (401 for [REDACTED]).
      next   Nothing to revoke; replace it where it is still used.

    PUBLIC info  Metrics public key  …7654
      metrics/public-key  cd5bab18cfffc1bbe6aa000c7de06f33
      web/index.html:2:9
      why    It is public by design; whoever has it can do no more than was meant.
      next   Nothing.

    3 leaks in 4 places: 1 live, 1 dead, 1 unknown.
    By severity: 1 critical, 2 high.
    By service: Example 3.
    Revoke the live one first.
    Not counted: 2 findings suppressed by a mark, a baseline or a list; 1 finding public by design.
    Scanned 12 files, 8 blobs of 5 commits, 34.5 kB, 1 binary file passed over.
    The scan is incomplete; 2 not scanned:
      a\r\nb: cannot be read: [REDACTED]
      refs/heads/gone: no such ref; fetch it first
    "#);
}

#[test]
fn text_of_a_clean_scan_says_so() {
    insta::assert_snapshot!(written(&empty(), Format::Text, &PLAIN), @"
    No leaks found.
    Scanned 12 files, 8 blobs of 5 commits, 34.5 kB, 1 binary file passed over.
    ");
}

#[test]
fn text_is_coloured_only_on_demand() {
    let options = Options { color: true, ..PLAIN };
    let coloured = written(&odd(), Format::Text, &options);
    assert!(
        coloured.starts_with("\u{1b}[1;31mLIVE critical\u{1b}[0m"),
        "{coloured}"
    );
    let plain = coloured
        .split('\u{1b}')
        .map(|piece| piece.split_once('m').map_or(piece, |(_, text)| text))
        .collect::<String>();
    assert_eq!(plain, written(&odd(), Format::Text, &PLAIN));
}

#[test]
fn text_lists_ten_places_of_a_leak_and_counts_the_rest() {
    let mut report = empty();
    let [token, ..] = secrets();
    report.findings = (1..=23)
        .map(|line| finding("example/personal-access-token", &token, b"a.txt", line))
        .collect();
    let text = written(&report, Format::Text, &PLAIN);
    assert_eq!(text.matches("a.txt:").count(), 10);
    assert!(
        text.contains("  and 13 more places; --format json lists them all\n"),
        "{text}"
    );
    assert!(text.contains("1 leak in 23 places.\n"), "{text}");
    assert!(text.contains("--verify asks"), "{text}");
}

#[test]
fn json_has_the_fields_that_the_contract_names() {
    let text = written(&odd(), Format::Json, &PLAIN);
    let objects: Vec<&str> = text.split("\n    {\n").collect();
    assert_eq!(objects.len(), 1 + odd().findings.len());
    insta::assert_snapshot!(objects[1], @r#"
      "rule": "example/personal-access-token",
      "service": "example",
      "title": "Example personal access token",
      "severity": "critical",
      "confidence": "high",
      "fingerprint": "e0b9ac8c47fb4afc82229a350aa4b2ed",
      "redacted": "exp_…u2Ce",
      "location": {
        "path": "config/日本 {1}.env",
        "line": 3,
        "column": 9,
        "end_line": 3,
        "end_column": 48,
        "origin": "worktree",
        "commit": null,
        "author": null,
        "date": null
      },
      "excerpt": "日本 = \"exp_…u2Ce\"; // <b>\u202e&amp; `x` | *y*",
      "decoded_via": null,
      "suppression": null,
      "verdict": {
        "state": "live",
        "reason": "200 for [REDACTED]"
      },
      "identity": {
        "principal": "octo\u0007",
        "email": null,
        "organisations": [
          "acme"
        ],
        "scopes": [
          "repo",
          "admin"
        ]
      },
      "owners": [
        {
          "name": "Grace",
          "email": "grace@example.com",
          "reason": "organisation-owner",
          "organisation": "acme"
        }
      ]
    },
    "#);
}

#[test]
fn json_of_a_finding_in_history_names_its_commit() {
    let text = written(&odd(), Format::Json, &PLAIN);
    let (_, history) = text.split_once("old/").unwrap();
    let (location, _) = history.split_once("\n      },").unwrap();
    insta::assert_snapshot!(location, @r#"
    \\xff\\x1b[2J.txt",
            "line": 40,
            "column": 9,
            "end_line": 40,
            "end_column": 48,
            "origin": "history",
            "commit": "57fa000662f511321daa61e6769f190ea0e80771",
            "author": "Ada\u202e Lovelace <ada@example.com>",
            "date": "2024-05-06T07:08:09Z"
    "#);
}

#[test]
fn json_of_a_scan_tells_its_coverage_summary_and_tool() {
    let text = written(&odd(), Format::Json, &PLAIN);
    let (_, rest) = text.split_once("\n  ],\n").unwrap();
    insta::assert_snapshot!(rest, @r#"
      "coverage": {
        "files": 12,
        "bytes": 34567,
        "blobs": 8,
        "commits": 5,
        "binary": 1,
        "skipped": [
          {
            "what": "a\r\nb",
            "why": "cannot be read: [REDACTED]"
          },
          {
            "what": "refs/heads/gone",
            "why": "no such ref; fetch it first"
          }
        ]
      },
      "summary": {
        "findings": 7,
        "leaks": 3,
        "live": 1,
        "dead": 1,
        "unknown": 1,
        "suppressed": 2,
        "public": 1
      },
      "tool": {
        "name": "unleak",
        "version": "0.1.0",
        "started": "2026-01-02T03:04:05.678901234Z",
        "ended": "2026-01-02T03:04:06Z"
      }
    }
    "#);
}

#[test]
fn json_lines_are_the_same_findings_and_end_with_the_coverage() {
    let whole = json(Format::Json, &PLAIN);
    let lines: Vec<serde_json::Value> = written(&odd(), Format::Jsonl, &PLAIN)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, findings) = lines.split_last().unwrap();
    assert_eq!(findings.len(), whole["findings"].as_array().unwrap().len());
    for (line, finding) in findings.iter().zip(whole["findings"].as_array().unwrap()) {
        assert_eq!(line["type"], "finding");
        let mut line = line.clone();
        line.as_object_mut().unwrap().remove("type");
        assert_eq!(line, *finding);
    }
    assert_eq!(last["type"], "coverage");
    assert_eq!(last["files"], 12);
    assert_eq!(last["skipped"], whole["coverage"]["skipped"]);
    assert_eq!(last["summary"], whole["summary"]);
}

#[test]
fn json_of_a_clean_scan_still_has_everything() {
    insta::assert_snapshot!(written(&empty(), Format::Json, &PLAIN), @r#"
    {
      "findings": [],
      "coverage": {
        "files": 12,
        "bytes": 34567,
        "blobs": 8,
        "commits": 5,
        "binary": 1,
        "skipped": []
      },
      "summary": {
        "findings": 0,
        "leaks": 0,
        "live": 0,
        "dead": 0,
        "unknown": 0,
        "suppressed": 0,
        "public": 0
      },
      "tool": {
        "name": "unleak",
        "version": "0.1.0",
        "started": "2026-01-02T03:04:05.678901234Z",
        "ended": "2026-01-02T03:04:06Z"
      }
    }
    "#);
    assert_eq!(written(&empty(), Format::Jsonl, &PLAIN).lines().count(), 1);
}

#[test]
fn a_format_is_read_from_its_name_and_an_unknown_one_is_told_the_names() {
    for format in Format::ALL {
        assert_eq!(format.name().parse::<Format>().unwrap(), format);
    }
    insta::assert_snapshot!("xml".parse::<Format>().unwrap_err(), @r#"there is no report format "xml"; choose one of text, html, json, jsonl, sarif, github, markdown, gitlab, codequality"#);
}
