//! `scan --explain`, `--list-marks`, `--no-ignore-marks` and the peers' ignore files: what was passed over, and why.

use serde_json::Value;

use crate::support::tool::{Ran, Tool, other_token, token};

/// The values of `api_key = "…"` and `password = "…"` that stand in these tests; joined, so that no source holds one.
fn key() -> String {
    ["zvF38GixewJBk1pp", "zMtwNTJQGquQTmWU"].concat()
}

fn suppressed(ran: &Ran) -> Vec<Value> {
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    report["suppressed"].as_array().expect("a list").clone()
}

/// The reason and the sentence of the one suppressed match of this rule.
fn why(all: &[Value], rule: &str) -> (String, String) {
    let of_rule: Vec<_> = all.iter().filter(|one| one["rule"] == rule).collect();
    assert_eq!(of_rule.len(), 1, "{rule}: {all:#?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let suppression = &of_rule[0]["suppression"];
    let reason = if suppression["kind"] == "refused" {
        text(&suppression["reason"])
    } else {
        text(&suppression["kind"])
    };
    (reason, text(&of_rule[0]["why"]))
}

fn explained(text: &str, args: &[&str]) -> Vec<Value> {
    let tool = Tool::new();
    tool.write("a.txt", text);
    let ran = tool.run([&["scan", ".", "--explain", "--format", "json"], args].concat());
    assert!(matches!(ran.code, 0 | 1), "{}", ran.err);
    suppressed(&ran)
}

#[test]
fn a_match_that_was_passed_over_says_why_with_figures() {
    let wrong_sum = [&token()[..36], "0000"].concat();
    for (text, rule, reason, says) in [
        (
            "password = \"changeme\"".to_owned(),
            "generic/quoted-password",
            "placeholder",
            "holds \"changeme\"",
        ),
        (
            "api_key = \"${ACME_TOKEN}\"".to_owned(),
            "generic/quoted-secret",
            "placeholder",
            "template",
        ),
        (
            "api_key = \"reloadingcounter\"".to_owned(),
            "generic/quoted-secret",
            "looks",
            "bits a pair, random ones have",
        ),
        (
            wrong_sum,
            "github/personal-access-token",
            "checksum",
            "crc32-base62",
        ),
    ] {
        let (found, sentence) = why(&explained(&text, &[]), rule);
        assert_eq!(found, reason, "{sentence}");
        assert!(sentence.contains(says), "{sentence}");
    }
}

#[test]
fn a_rule_that_yields_says_to_which_and_one_that_is_switched_off_says_by_what() {
    let text = format!("github_token = \"{}\"", token());
    let (reason, sentence) = why(&explained(&text, &[]), "generic/quoted-secret");
    assert_eq!(reason, "yields");
    assert!(sentence.contains("github/personal-access-token"), "{sentence}");
    let all = explained(&text, &["--skip", "github"]);
    assert_eq!(why(&all, "github/personal-access-token").0, "skip");
    let all = explained(&format!("api_key = \"{}\"", key()), &["--confidence", "high"]);
    let (reason, sentence) = why(&all, "generic/quoted-secret");
    assert_eq!(reason, "confidence");
    assert!(
        sentence.contains("medium") && sentence.contains("high"),
        "{sentence}"
    );
}

#[test]
fn an_inline_mark_and_the_baseline_are_told_beside_the_rest() {
    let tool = Tool::new();
    tool.write("a.txt", format!("{} # unleak:ignore github a test\n", token()));
    tool.write("b.txt", other_token());
    let baseline = ["scan", ".", "--write-baseline", "known"];
    assert_eq!(tool.run(baseline).code, 1);
    let ran = tool.run([
        "scan",
        ".",
        "--baseline",
        "known",
        "--explain",
        "--format",
        "json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let kinds: Vec<_> = suppressed(&ran)
        .iter()
        .filter(|one| one["rule"] == "github/personal-access-token")
        .map(|one| one["suppression"]["kind"].clone())
        .collect();
    assert_eq!(kinds, ["inline", "baseline"]);
}

#[test]
fn what_is_passed_over_is_shown_in_every_format_and_never_in_clear() {
    let tool = Tool::new();
    let wrong_sum = ["unlu_", "q7Zx4kVw9Lm2vR8tBn5sYd3Hj6Pc1FgW", "0000"].concat();
    tool.write(&format!("{wrong_sum}.txt"), format!("x = '{wrong_sum}'\n"));
    for format in unleak::report::Format::ALL.map(unleak::report::Format::name) {
        let ran = tool.run(["scan", ".", "--explain", "--format", format]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let said = ran.out + &ran.err;
        assert!(
            said.contains("its checksum (crc32-base62) is wrong"),
            "{format}: {said}"
        );
        assert!(!said.contains(&wrong_sum), "{format}: {said}");
    }
    let quiet = tool.run(["scan", ".", "--format", "json"]);
    assert!(!quiet.out.contains("checksum"), "{}", quiet.out);
}

#[test]
fn explaining_changes_neither_the_findings_nor_the_exit_code_also_in_history() {
    let tool = Tool::repository();
    tool.write("a.txt", format!("{}\npassword = \"changeme\"\n", token()));
    tool.commit("one", "2026-01-02");
    tool.write("a.txt", "password = \"changeme\"\n");
    tool.commit("two", "2026-01-03");
    let plain = tool.run(["scan", ".", "--format", "jsonl"]);
    let told = tool.run(["scan", ".", "--format", "jsonl", "--explain"]);
    assert_eq!((plain.code, told.code), (1, 1));
    assert_eq!(plain.findings(), told.findings());
    let text = tool.run(["scan", ".", "--explain"]).out;
    let told = text.lines().filter(|line| line.contains("holds \"changeme\""));
    let in_history = told.filter(|line| line.contains("commit ")).count();
    assert!(in_history >= 1, "{text}");
}

#[test]
fn marks_that_hide_nothing_or_give_no_reason_are_listed() {
    let tool = Tool::new();
    tool.write(
        "a.txt",
        format!(
            "{} # gitleaks:allow\nnothing # unleak:ignore github/x old\n",
            token()
        ),
    );
    let ran = tool.run(["scan", ".", "--list-marks", "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.out).expect("JSON");
    let marks = report["marks"].as_array().expect("a list");
    assert_eq!(marks.len(), 2);
    assert_eq!(
        (&marks[0]["used"], &marks[0]["reason"]),
        (&true.into(), &"".into())
    );
    assert_eq!(
        (&marks[1]["used"], &marks[1]["rule"], &marks[1]["reason"]),
        (&false.into(), &"github/x".into(), &"old".into())
    );
    let text = tool.run(["scan", ".", "--list-marks"]).out;
    assert!(text.contains("1 that hide nothing, 1 without a reason"), "{text}");
}

#[test]
fn every_mark_of_a_peer_hides_the_finding_on_its_line() {
    for mark in [
        "gitleaks:allow",
        "betterleaks:allow",
        "trufflehog:ignore",
        "kingfisher:ignore",
        "pragma: allowlist secret",
    ] {
        let tool = Tool::new();
        tool.write("a.py", format!("x = '{}'  # {mark}\n", token()));
        let ran = tool.run(["scan", ".", "--format", "jsonl"]);
        assert_eq!(ran.code, 0, "{mark}");
        assert_eq!(ran.findings()[0]["suppression"]["mark"], mark);
        assert_eq!(tool.run(["scan", ".", "--no-ignore-marks"]).code, 1, "{mark}");
    }
}

#[test]
fn a_gitleaksignore_in_the_scanned_folder_hides_what_it_names_and_nothing_else() {
    let tool = Tool::repository();
    tool.write("src/a.txt", format!("\n{}\n", token()));
    let id = tool.commit("one", "2026-01-02");
    let code = |list: &str| {
        tool.write(".gitleaksignore", list);
        tool.run(["scan", ".", "--no-history"]).code
    };
    assert_eq!(code("src/a.txt:github-pat:2\n"), 0);
    assert_eq!(code("src/a.txt:github/personal-access-token:2"), 0);
    assert_eq!(
        code("src/a.txt:gitlab/personal-access-token:2"),
        1,
        "another rule of ours"
    );
    assert_eq!(code("src/a.txt:github-pat:1\nb.txt:github-pat:2"), 1);
    assert_eq!(
        code(&format!("{id}:src/a.txt:github-pat:2")),
        1,
        "no commit, no finding of it"
    );
    assert_eq!(tool.run(["scan", ".", "--history-only"]).code, 0);
    tool.write(".gitleaksignore", "# known\nsrc/a.txt:github-pat:2");
    let ran = tool.run(["scan", ".", "--format", "jsonl", "--no-history"]);
    let finding = &ran.findings()[0];
    assert_eq!(finding["suppression"]["kind"], "listed");
    assert_eq!(finding["suppression"]["line"], 2);
    assert!(ran.out.contains("\"suppressed\":1"), "{}", ran.out);
    assert_eq!(
        tool.run(["scan", ".", "--no-history", "--no-ignore-marks"]).code,
        1
    );
    let sarif = tool.run(["scan", ".", "--no-history", "--format", "sarif"]).out;
    assert!(sarif.contains(".gitleaksignore names it in line 2."), "{sarif}");
}
