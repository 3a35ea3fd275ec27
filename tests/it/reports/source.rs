//! The line of the source in a report: with every secret cut out, whoever finds it there.

use crate::support::tool::{Tool, other_token, token};

fn text(tool: &Tool) -> String {
    let ran = tool.run(["scan", "."]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    ran.out
}

#[test]
fn text_shows_the_line_with_the_secret_masked() {
    let tool = Tool::new();
    tool.write(
        "app.env",
        format!("A=1\n\tTOKEN = \"{}\"  # for the build\n", token()),
    );
    let fingerprints = regex::Regex::new("[0-9a-f]{32}").unwrap();
    insta::assert_snapshot!(fingerprints.replace_all(&text(&tool), "[fingerprint]"), @r#"
    FOUND critical  GitHub personal access token (classic)  ghp_…T4V4
      github/personal-access-token  [fingerprint]
      app.env:2:11
         2 | TOKEN = "ghp_…T4V4"  # for the build
      why    Whoever reads it can use it at GitHub until it is revoked there.
      next   Revoke it at https://github.com/settings/tokens, then replace it where it is used; deleting the text does not help.

    1 leak in 1 place.
    Nobody was asked whether it is alive; --verify asks.
    Scanned 1 file, 73 bytes.
    "#);
}

#[test]
fn no_other_secret_of_the_line_is_shown() {
    let tool = Tool::new();
    let random = ["hT7qPz4v", "Lm2xKd9wQe5R", "b8Nc"].concat();
    let login = ["s3cr3t", "pw"].concat();
    let (one, two) = (token(), other_token());
    tool.write(
        "app.sh",
        format!("run --a {one} --b {two} --password hunter22 --key {random} https://bob:{login}@db/x\n"),
    );
    for format in ["text", "json", "html", "markdown", "github", "gitlab"] {
        let ran = tool.run(["scan", ".", "--format", format]);
        assert_eq!(ran.code, 1);
        for secret in [&one[4..], &two[4..], "hunter22", &random, login.as_str()] {
            assert!(!ran.out.contains(secret), "{format} shows {secret}:\n{}", ran.out);
        }
    }
    assert!(
        text(&tool).contains("run --a ghp_…T4V4 --b … --password … --key …"),
        "{}",
        text(&tool)
    );
}

#[test]
fn a_line_of_a_megabyte_is_cut_and_a_private_key_shows_nothing_of_itself() {
    let tool = Tool::new();
    let words = "var x = 1; ".repeat(100_000);
    tool.write("min.js", format!("{words}t='{}';{words}", token()));
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(12);
    let (begin, end) = (
        ["-----BEGIN ", "PRIVATE KEY-----"].concat(),
        ["-----END ", "PRIVATE KEY-----"].concat(),
    );
    tool.write("key.pem", format!("{begin}\n{body}{end}\n"));
    let text = text(&tool);
    assert!(text.lines().all(|line| line.chars().count() < 400), "{text}");
    assert!(!text.contains("MIIEvQ"), "{text}");
}

#[test]
fn gaps_of_one_reason_stand_together() {
    let tool = Tool::new();
    tool.write("a.txt", "nothing");
    let ran = tool.run(["scan", "a.txt", "gone/one", "gone/two", "gone/three"]);
    assert_eq!(ran.code, 3);
    insta::assert_snapshot!(ran.out, @"
    No leaks in what was scanned, and not everything was.
    Scanned 1 file, 7 bytes.
    The scan is incomplete; 3 not scanned:
      does not exist (3):
        gone/one
        gone/three
        gone/two
    ");
}
