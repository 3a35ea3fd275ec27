//! The command line as a whole: help, completions, man pages, the configuration reference, and how errors end.

use clap::ValueEnum as _;
use unleak::config::{Config, REFERENCE};

use crate::support::tool::Tool;

#[test]
fn the_configuration_reference_is_accepted_as_it_is_and_with_every_example_switched_on() {
    let reference = Config::parse(REFERENCE, "reference").unwrap();
    let (said, real) = (reference.serve, Config::default().serve);
    assert_eq!(
        format!("{said:?}"),
        format!("{real:?}"),
        "its values are the defaults"
    );
    let switched_on: Vec<&str> = REFERENCE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.split(" = ").next().unwrap().bytes().all(is_key) => {
                rest
            }
            _ => line,
        })
        .collect();
    let text = switched_on.join("\n");
    assert!(text.lines().count() > 20 && text.contains("\n[services.gocd]"));
    Config::parse(&text, "reference").unwrap();
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b'_'
}

#[test]
fn an_unknown_key_in_the_configuration_is_named_with_its_file_and_line() {
    let tool = Tool::new();
    tool.write("a.txt", "x");
    tool.write("c.toml", "[serve]\nlisten = \"127.0.0.1:1\"\nlissten = 1\n");
    let ran = tool.run(["scan", "--config", "c.toml"]);
    assert_eq!(ran.code, 2);
    for part in ["c.toml", "line 3", "lissten"] {
        assert!(ran.err.contains(part), "{part} in {}", ran.err);
    }
}

#[test]
fn a_scanned_repository_cannot_configure_us() {
    let tool = Tool::new();
    tool.write("config.toml", "no = [toml");
    tool.write("unleak.toml", "no = [toml");
    tool.write(".config/unleak/config.toml", "no = [toml");
    assert_eq!(tool.run(["scan", "."]).code, 0);
}

#[test]
fn completions_man_pages_and_the_reference_are_printed() {
    let tool = Tool::new();
    for shell in clap_complete::Shell::value_variants() {
        let ran = tool.run(["completions", &shell.to_string()]);
        assert!(ran.code == 0 && ran.out.contains("unleak"), "{shell}");
    }
    assert_eq!(tool.run(["man", "pages"]).code, 0);
    let page = std::fs::read_to_string(tool.path().join("pages/unleak-scan.1")).unwrap();
    assert!(page.contains("staged"), "{page}");
    assert_eq!(tool.run(["config"]).out, REFERENCE);
}

#[test]
fn every_command_has_help_with_an_example_or_a_next_step() {
    let tool = Tool::new();
    for command in [
        "scan",
        "verify",
        "owners",
        "revoke",
        "rules",
        "demo",
        "serve",
        "token",
        "man",
        "completions",
    ] {
        let ran = tool.run([command, "--help"]);
        assert_eq!(ran.code, 0, "{command}");
        assert!(ran.out.contains("Usage: unleak"), "{command}");
        assert!(
            ran.out.to_lowercase().contains("example") || command == "demo",
            "{command}: {}",
            ran.out
        );
    }
    assert_eq!(tool.run::<&str>([]).code, 2);
    assert_eq!(tool.run(["nosuch"]).code, 2);
}

#[test]
fn a_pipe_that_is_closed_early_ends_quietly_and_not_with_0() {
    let tool = Tool::new();
    for i in 0..2000 {
        tool.write(&format!("{i}.env"), crate::support::tool::token());
    }
    let script = format!(
        "{} scan . --format jsonl | head -n 1 >/dev/null; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_unleak")
    );
    let output = tool.command("bash").args(["-c", &script]).output().unwrap();
    let code = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(code != "0", "{code}");
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(!err.contains("panicked") && !err.contains("error:"), "{err}");
}

#[test]
fn the_demo_ends_with_a_dead_token_and_leaves_its_report() {
    let tool = Tool::new();
    let ran = tool.run(["demo", "--folder", "demo"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for part in ["olivia@acme.example", "dead: revoked", "The leaked token is dead"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    let sarif = std::fs::read_to_string(tool.path().join("demo/report.sarif")).unwrap();
    assert!(sarif.contains("unleak/user-token"));
    // The leaked token itself, from the history that the demo made.
    let token = tool.git_in(
        &tool.path().join("demo/repository"),
        &["show", "HEAD~1:deploy.toml"],
    );
    let token = token
        .split('"')
        .find(|part| part.starts_with("unlu_"))
        .unwrap()
        .to_owned();
    assert!(!ran.out.contains(&token) && !ran.err.contains(&token) && !sarif.contains(&token));
}
