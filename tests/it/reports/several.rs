//! Several reports of one scan, each where it belongs.

use crate::support::tool::{Tool, token};

fn leaky() -> Tool {
    let tool = Tool::new();
    tool.write("src/app.env", format!("# settings\nTOKEN=\"{}\"\n", token()));
    tool
}

#[test]
fn one_scan_writes_several_reports_each_to_its_file_and_one_to_standard_output() {
    let tool = leaky();
    let ran = tool.run([
        "scan",
        ".",
        "--format",
        "html=out/leaks.html",
        "--format",
        "sarif=leaks.sarif",
        "--format",
        "text",
    ]);
    assert_eq!(ran.code, 2, "the folder is not there: {}", ran.err);
    assert!(ran.err.contains("out/leaks.html"), "{}", ran.err);
    let ran = tool.run([
        "scan",
        "src",
        "--format",
        "html=leaks.html",
        "--format",
        "sarif=leaks.sarif",
        "--format",
        "text",
    ]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("1 leak in 1 place"), "{}", ran.out);
    let read = |name: &str| std::fs::read_to_string(tool.path().join(name)).unwrap();
    assert!(read("leaks.html").starts_with("<!doctype html>"));
    assert!(read("leaks.sarif").contains("\"2.1.0\""));
    for said in [read("leaks.html"), read("leaks.sarif"), ran.out, ran.err] {
        assert!(!said.contains(&token()));
    }
}

#[test]
fn output_goes_to_the_report_that_names_no_file() {
    let tool = leaky();
    let ran = tool.run([
        "scan",
        "src",
        "--format",
        "json",
        "--format",
        "gitlab=gl.json",
        "--output",
        "all.json",
    ]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{}", ran.err);
    let read = |name: &str| std::fs::read_to_string(tool.path().join(name)).unwrap();
    assert!(read("all.json").contains("\"findings\"") && read("gl.json").contains("\"vulnerabilities\""));
}

#[test]
fn reports_that_would_go_to_one_place_are_wrong_use_before_anything_is_scanned() {
    let tool = leaky();
    for (args, says) in [
        (
            &["--format", "text", "--format", "json"][..],
            "two reports for standard output",
        ),
        (
            &["--format", "html=a", "--format", "json=a"],
            "two reports for one file",
        ),
        (
            &["--format", "html=a", "--output", "b"],
            "no report is left for --output b",
        ),
        (&["--format", "html="], "names no file"),
        (&["--format", "yaml=a"], "choose one of text, html, json"),
    ] {
        let ran = tool.run([&["scan", "src"][..], args].concat());
        assert_eq!(ran.code, 2, "{args:?}");
        assert!(ran.err.contains(says), "{args:?}: {}", ran.err);
        assert!(ran.out.is_empty() && !tool.path().join("a").exists(), "{args:?}");
    }
}

#[test]
fn the_same_scan_reads_the_same_twice() {
    let tool = Tool::repository();
    for at in 0..20 {
        tool.write(&format!("a/{at}.env"), format!("TOKEN={}\n", token()));
    }
    tool.commit("add", "2026-01-02");
    for format in ["text", "html", "github", "markdown", "codequality"] {
        let ran = [(); 2].map(|()| tool.run(["scan", ".", "--format", format]).out);
        let without_minute = |text: &str| -> String {
            text.lines()
                .filter(|line| !line.contains(" UTC</span>"))
                .collect::<Vec<_>>()
                .join("\n")
        };
        assert_eq!(without_minute(&ran[0]), without_minute(&ran[1]), "{format}");
    }
}

#[test]
fn no_colours_go_to_a_file_or_a_pipe() {
    let tool = leaky();
    let ran = tool.run(["scan", "src", "--format", "text=leaks.txt"]);
    let text = std::fs::read_to_string(tool.path().join("leaks.txt")).unwrap();
    assert!(!text.contains('\u{1b}') && !ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'));
}
