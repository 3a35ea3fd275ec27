//! What a scan of a repository reaches beyond the files of its commits, and how a scan is ended early.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::tool::{Ran, Tool, other_token, token};

const HISTORY: [&str; 5] = ["scan", ".", "--history-only", "--format", "jsonl"];

fn places(ran: &Ran) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = ran
        .findings()
        .iter()
        .map(|finding| {
            (
                text(&finding["location"]["path"]),
                text(&finding["location"]["origin"]),
            )
        })
        .collect();
    all.sort();
    all
}

/// What the scan could not reach, as its report says it.
fn gaps(ran: &Ran) -> String {
    let last = ran.out.lines().last().unwrap();
    let coverage: Value = serde_json::from_str(last).unwrap();
    coverage["skipped"].to_string()
}

#[test]
fn messages_of_commits_and_tags_and_the_names_in_them_are_scanned() {
    let tool = Tool::repository();
    tool.write("a.txt", "a\n");
    let id = tool.commit(&format!("first\n\nrun it with {}", token()), "2020-01-01");
    tool.git(&["tag", "-a", "v1", "-m", &format!("made with {}", other_token())]);
    tool.git(&["config", "user.email", &format!("{}@example.com", other_token())]);
    tool.write("a.txt", "b\n");
    tool.git(&[
        "commit",
        "--quiet",
        "--all",
        "--message",
        "second",
        &format!("--author=Eve <{}@b.example>", token()),
    ]);
    let ran = tool.run(HISTORY);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let found = ran.findings();
    let of = |path: &str| {
        let at = found.iter().map(|finding| &finding["location"]);
        at.filter(|at| at["path"] == path).cloned().collect::<Vec<_>>()
    };
    let message = of("commit message");
    assert_eq!(message.len(), 1, "{}", ran.out);
    assert_eq!(
        (message[0]["commit"].as_str(), message[0]["line"].as_u64()),
        (Some(id.as_str()), Some(3))
    );
    assert_eq!(of("tag v1 message").len(), 1, "{}", ran.out);
    assert!(!of("commit author").is_empty(), "{}", ran.out);
    let ranged = tool.run(["scan", "--range", "HEAD~1..HEAD", "--format", "jsonl"]);
    assert_eq!(ranged.code, 1, "{}", ranged.out);
    assert!(
        places(&ranged).iter().all(|(path, _)| path == "commit author"),
        "{}",
        ranged.out
    );
}

#[test]
fn what_was_taken_back_by_force_is_found_on_request_and_called_unreachable() {
    for packed in [false, true] {
        let tool = Tool::repository();
        tool.write("a.txt", "a\n");
        tool.commit("first", "2020-01-01");
        tool.write("b.env", format!("TOKEN={}\n", token()));
        tool.commit("oops", "2020-01-02");
        let blob = tool.git(&["rev-parse", "HEAD:b.env"]);
        if packed {
            tool.git(&["repack", "-a", "-d", "--quiet"]);
        }
        tool.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
        assert_eq!(tool.run(HISTORY).code, 0, "it is no leak of any ref");
        let ran = tool.run(HISTORY.iter().copied().chain(["--unreachable"]));
        assert_eq!(ran.code, 1, "{}", ran.err);
        assert_eq!(
            places(&ran),
            [(format!("blob {}", blob.trim()), "unreachable".to_owned())]
        );
    }
}

#[test]
fn every_commit_and_path_that_brought_a_secret_in_is_given_on_request() {
    let tool = Tool::repository();
    let text = |line: &str| format!("{line}\nTOKEN={}\n", token());
    tool.write("a.env", text("one"));
    tool.commit("first", "2020-01-01");
    tool.write("a.env", text("two"));
    tool.commit("second", "2020-01-02");
    tool.write("b/c.env", text("three"));
    tool.commit("third", "2020-01-03");
    assert_eq!(tool.run(HISTORY).findings().len(), 2);
    let ran = tool.run(HISTORY.iter().copied().chain(["--occurrences"]));
    let mut commits: Vec<String> = ran
        .findings()
        .iter()
        .map(|finding| finding["location"]["commit"].as_str().unwrap().to_owned())
        .collect();
    commits.sort();
    commits.dedup();
    assert_eq!((ran.findings().len(), commits.len()), (3, 3), "{}", ran.out);
}

#[test]
fn an_interrupted_scan_reports_what_it_found_and_is_incomplete() {
    let tool = Tool::new();
    tool.write("later.env", other_token());
    let mut child = tool
        .command(env!("CARGO_BIN_EXE_unleak"))
        .args(["scan", "--no-history", "--format", "jsonl", "-", "."])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // More than a pipe holds: when it is taken, the scan is under way.
    let padding = "plain text\n".repeat(20_000);
    input
        .write_all(format!("{}\n{padding}", token()).as_bytes())
        .unwrap();
    tool.command("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    drop(input);
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert_eq!(places(&ran), [("-".to_owned(), "stdin".to_owned())]);
    assert!(gaps(&ran).contains("interrupted"), "{}", ran.out);
}

#[test]
fn a_scan_past_its_deadline_is_incomplete_and_says_so() {
    let tool = Tool::repository();
    for number in 0..400 {
        tool.write(
            &format!("{number}.txt"),
            format!("{number} {}", "words and more words\n".repeat(4000)),
        );
    }
    tool.commit("much", "2020-01-01");
    let ran = tool.run(HISTORY.iter().copied().chain(["--deadline", "1ms"]));
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(gaps(&ran).contains("--deadline"), "{}", ran.out);
    let wrong = tool.run(["scan", "--deadline", "soon"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("90s"), "{}", wrong.err);
}

#[test]
fn what_needs_more_memory_than_is_given_is_named() {
    let tool = Tool::new();
    tool.write("large.txt", "x".repeat(20 << 20));
    tool.write("small.env", token());
    let ran = tool.run([
        "scan",
        "--format",
        "jsonl",
        "--jobs",
        "1",
        "--max-memory",
        "32",
        ".",
    ]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert_eq!(places(&ran), [("small.env".to_owned(), "worktree".to_owned())]);
    assert!(gaps(&ran).contains("--max-memory"), "{}", ran.out);
}
