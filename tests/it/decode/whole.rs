//! What decoding means to reports, options and git.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::tool::{Tool, token};

#[test]
fn the_name_before_an_encoded_value_is_its_context_and_a_mark_on_its_line_counts() {
    let tool = Tool::new();
    let encoded = STANDARD.encode(token());
    tool.write(
        "secret.yaml",
        format!("data:\n  token: {encoded} # gitleaks:allow\n"),
    );
    let ran = tool.run(["scan", ".", "--format", "jsonl"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    let found = ran.findings();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["suppression"]["mark"], "gitleaks:allow");
}

#[test]
fn what_stands_plainly_is_reported_once_and_nothing_is_decoded_with_no_decode() {
    let tool = Tool::new();
    let token = token();
    tool.write(
        "both.html",
        format!("a &amp; b <b>{token}</b> &quot;c&quot; \\u0041 %41\n"),
    );
    let found = tool.run(["scan", ".", "--format", "jsonl"]).findings();
    assert_eq!(found.len(), 1);
    assert!(found[0]["decoded_via"].is_null());
    tool.write("both.html", STANDARD.encode(&token));
    assert_eq!(tool.run(["scan", "."]).code, 1);
    assert_eq!(tool.run(["scan", ".", "--no-decode"]).code, 0);
}

#[test]
fn text_and_sarif_name_the_encoding() {
    let tool = Tool::new();
    tool.write("a.txt", STANDARD.encode(STANDARD.encode(token())));
    let text = tool.run(["scan", "."]).out;
    assert!(
        text.contains("a.txt:1:1") && text.contains("inside base64>base64"),
        "{text}"
    );
    let sarif = tool.run(["scan", ".", "--format", "sarif"]).out;
    assert!(
        sarif.contains("\"decodedVia\": \"base64>base64\"")
            || sarif.contains("\"decodedVia\":\"base64>base64\"")
    );
}

#[test]
fn the_history_is_decoded_on_request() {
    let tool = Tool::repository();
    tool.write("a.txt", format!("x {}\n", STANDARD.encode(token())));
    let commit = tool.commit("add", "2024-01-01");
    std::fs::remove_file(tool.path().join("a.txt")).unwrap();
    tool.commit("remove", "2024-01-02");
    assert_eq!(tool.run(["scan", "."]).code, 0);
    let ran = tool.run(["scan", ".", "--decode-history", "--format", "jsonl"]);
    let found = ran.findings();
    assert_eq!((ran.code, found.len()), (1, 1), "{}", ran.out);
    assert_eq!(found[0]["location"]["commit"], commit.as_str());
    assert_eq!(found[0]["decoded_via"], "base64");
    let range = tool.run(["scan", "--range", &format!("{commit}..HEAD"), "--format", "jsonl"]);
    assert_eq!(range.findings().len(), 0);
}

#[test]
fn staged_files_are_decoded_and_an_old_encoded_secret_is_not_new() {
    let tool = Tool::repository();
    let line = format!("token: {}\n", STANDARD.encode(token()));
    tool.write("a.txt", "nothing\n");
    tool.commit("first", "2024-01-01");
    tool.write("a.txt", &line);
    tool.git(&["add", "a.txt"]);
    let ran = tool.run(["scan", "--staged", "--format", "jsonl"]);
    assert_eq!(ran.findings().len(), 1, "{}", ran.out);
    assert_eq!(ran.findings()[0]["decoded_via"], "base64");
    tool.commit("second", "2024-01-02");
    tool.write("a.txt", format!("more\n{line}"));
    tool.git(&["add", "a.txt"]);
    assert_eq!(tool.run(["scan", "--staged"]).code, 0);
    let ran = tool.run_with_input(&["scan", "-", "--format", "jsonl"], line.as_bytes());
    assert_eq!(ran.findings()[0]["decoded_via"], "base64");
}
