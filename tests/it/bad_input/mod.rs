//! Wrong configuration, broken repositories, services that misbehave: each ends with a clear message that says the next
//! step, the right exit code, and never a panic.

mod repositories;
mod services;

use std::path::Path;
use std::process::Stdio;

use crate::support::tool::{Ran, Tool, other_token, token};

/// A run that ends so, and says all of these.
fn ends(ran: &Ran, code: i32, says: &[&str]) {
    let said = format!("{}{}", ran.out, ran.err);
    assert_eq!(ran.code, code, "{said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(!said.contains(&token()), "{said}");
    for text in says {
        assert!(said.contains(text), "{text:?} is not in: {said}");
    }
}

/// A folder with a file that holds the token.
fn leaky() -> Tool {
    let tool = Tool::new();
    tool.write("app.env", format!("TOKEN={}\n", token()));
    tool
}

#[test]
fn a_broken_rule_file_is_named_with_line_and_field() {
    let tool = leaky();
    let rules =
        "[service]\nname = \"X\"\ndocs = \"https://x.example\"\n[[rule]]\nid = \"a\"\npatern = \"x\"\n";
    tool.write("rules/x.toml", rules);
    let ran = tool.run(["--rules", "rules", "scan", "app.env"]);
    ends(
        &ran,
        2,
        &["rules/x.toml", "line 6", "unknown field `patern`", "`pattern`"],
    );
    let broken = rules.replace(
        "patern = \"x\"",
        "pattern = \"(\"\ntitle = \"A\"\nconfidence = \"high\"\nseverity = \"high\"",
    );
    tool.write("rules/x.toml", broken);
    let ran = tool.run(["--rules", "rules/x.toml", "scan", "app.env"]);
    ends(&ran, 2, &["rules/x.toml", "pattern", "unclosed group"]);
    ends(
        &tool.run(["--rules", "none.toml", "scan", "app.env"]),
        2,
        &["none.toml", "No such file"],
    );
}

#[test]
fn a_configuration_with_an_unknown_key_is_named_with_line_and_field() {
    let tool = leaky();
    for (text, says) in [
        ("\nbad = 1\n", &["c.toml", "line 2", "unknown field `bad`"][..]),
        (
            "[services.github]\nbasez = []\n",
            &["c.toml", "line 2", "unknown field `basez`", "`bases`"],
        ),
        (
            "[policy]\nlimit_per_hour = \"many\"\n",
            &["c.toml", "line 2", "expected usize"],
        ),
        (
            "[notify.email]\nhost = \"h\"\n",
            &["c.toml", "missing field `from`"],
        ),
        ("]", &["c.toml", "line 1"]),
    ] {
        tool.write("c.toml", text);
        ends(&tool.run(["--config", "c.toml", "scan", "app.env"]), 2, says);
    }
    ends(
        &tool.run(["--config", "none.toml", "scan", "app.env"]),
        2,
        &["cannot read none.toml"],
    );
}

#[test]
fn a_misspelt_service_sends_no_token_to_the_public_one() {
    let tool = leaky();
    tool.write(
        "c.toml",
        "[services.githup]\nbases = [\"https://github.example.com/api/v3\"]\n",
    );
    let ran = tool.run(["--config", "c.toml", "scan", "app.env", "--verify"]);
    ends(
        &ran,
        2,
        &[
            "services.githup",
            "no service is called that",
            "unleak rules list",
        ],
    );
    // With another selection of rules the same configuration stays right.
    tool.write("c.toml", "[services.gitlab]\nbases = [\"https://gitlab.example.com\"]\n[services.github]\nbases = [\"http://127.0.0.1:1\"]\n[[policy.allow]]\nname = \"a\"\naction = \"revoke\"\nrule = \"gitlab/personal-access-token\"\n");
    for how in ["--verify", "--respond"] {
        let ran = tool.run(["--config", "c.toml", "scan", "app.env", how, "--only", "github"]);
        ends(&ran, 1, &["no connection"]);
    }
}

#[test]
fn without_a_home_a_scan_still_works_and_what_needs_a_store_says_what_to_set() {
    let tool = leaky();
    let file = tool.write("file", "no folder");
    let run = |home: Option<&Path>, args: &[&str]| {
        let mut command = tool.command(env!("CARGO_BIN_EXE_unleak"));
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        Ran::of(&command.args(args).output().unwrap())
    };
    for home in [None, Some(file.as_path()), Some(Path::new("/proc/none"))] {
        ends(&run(home, &["scan", "app.env"]), 1, &["app.env:1:7"]);
        ends(
            &run(home, &["scan", "app.env", "--respond"]),
            2,
            &["set ", "UNLEAK_STATE"],
        );
        ends(&run(home, &["verify", "3f2a91"]), 2, &["set ", "UNLEAK_STATE"]);
    }
}

#[test]
fn a_store_that_is_none_or_has_another_key_says_so() {
    let tool = leaky();
    let work = tool.path();
    let config = |store: &str, key: &str| {
        let text = format!(
            "[services.github]\nbases = [\"http://127.0.0.1:1\"]\n[store]\nurl = \"sqlite://{0}/{store}\"\nkey_file = \"{0}/{key}\"\n",
            work.display()
        );
        tool.write("c.toml", text);
    };
    let respond = || tool.run(["--config", "c.toml", "scan", "app.env", "--respond"]);
    tool.write(
        "text",
        "this is a text and no database at all, however long it may be\n",
    );
    config("text", "key");
    ends(&respond(), 2, &["is not a database", "name another file"]);
    config("store", "key");
    ends(&respond(), 1, &["recorded as a new leak"]);
    tool.write("other", [7_u8; 32]);
    config("store", "other");
    ends(&respond(), 2, &["made with another store key", "give that key"]);
    tool.write("short", "abc");
    config("store", "short");
    ends(&respond(), 2, &["is not a key file", "put the right one back"]);
    config("none/none/../../app.env/store", "key");
    ends(&respond(), 2, &["cannot make", "store"]);
}

#[test]
fn a_closed_pipe_ends_the_scan_quietly_and_never_as_clean() {
    let tool = Tool::new();
    tool.write("app.env", format!("TOKEN={}\n", token()));
    for format in unleak::report::Format::ALL.map(unleak::report::Format::name) {
        let mut child = tool
            .command(env!("CARGO_BIN_EXE_unleak"))
            .args(["scan", ".", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{format}: {said}");
        assert!(
            !said.contains("panicked") && !said.contains("error"),
            "{format}: {said}"
        );
    }
}

#[test]
fn input_that_is_no_secret_is_wrong_use_with_the_next_step() {
    let tool = leaky();
    let mut many = token().into_bytes();
    many.extend(b"\n");
    many.extend(other_token().bytes());
    for (input, says) in [
        (&b""[..], "no secret came on standard input"),
        (b"hello", "no rule knows a secret"),
        (&[0xff, 0xfe, 0x00], "no rule knows a secret"),
        (&many, "the input holds 2 secrets"),
    ] {
        for command in ["verify", "owners", "revoke"] {
            ends(&tool.run_with_input(&[command], input), 2, &[says, "hint: "]);
        }
    }
}
