//! GitHub's annotations and job summary.

use unleak::finding::Skipped;
use unleak::report::Format;

use super::plain;
use crate::support::reports::{empty, finding, odd, secrets};
use crate::support::tool::{Tool, token};

#[test]
fn annotations_are_one_for_each_leak_and_no_foreign_byte_ends_one() {
    insta::assert_snapshot!(plain(&odd(), Format::Github), @r"
    ::error file=config/日本 {1}.env,line=3,endLine=3,col=9,endColumn=48,title=Example personal access token (live)::exp_…u2Ce: It works: Example answered 200 for [REDACTED]. It is in the git history since 2024-05-06.%0ARevoke it at https://example.com/settings/tokens, then replace it where it is used; deleting the text does not help.%0AAlso at old/\xff\x1b[2J.txt:40.
    ::error file=keys/a#b?.pem,line=1,endLine=3,title=Example {signing} key::…-END: Whoever reads it can use it until it is revoked or changed. Its shape does not prove that it is one (confidence medium).%0ARevoke or change it as told at https://docs.example.com/tokens, then replace it where it is used; deleting the text does not help.
    ::notice file=logs/[REDACTED].log,line=7,endLine=7,col=9,endColumn=45,title=Example {signing} key (dead)::…e1f0: Example says that it is dead: revoked (401 for [REDACTED]).%0ANothing to revoke; replace it where it is still used.
    ::notice file=web/index.html,line=2,endLine=2,col=9,endColumn=45,title=Metrics public key (public)::…7654: It is public by design; whoever has it can do no more than was meant.%0ANothing.
    ::error title=The scan is incomplete::Not scanned: 2. An incomplete scan is never a clean one.%0Aa\r\nb: cannot be read: [REDACTED]%0Arefs/heads/gone: no such ref; fetch it first
    3 leaks: 1 live, 1 dead, 1 unknown. Scanned 12 files, 8 blobs of 5 commits, 34.5 kB, 1 binary file passed over.
    ");
}

#[test]
fn a_path_cannot_begin_a_command_or_add_a_property() {
    let mut report = empty();
    let [token, ..] = secrets();
    let hostile = b"a,line=9::b\n::error::injected\r%0A.txt";
    report.findings = vec![finding("example/personal-access-token", &token, hostile, 1)];
    let text = plain(&report, Format::Github);
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(commands.len(), 1, "{text}");
    let properties = commands[0].split("::").nth(1).unwrap();
    assert_eq!(
        properties.matches("line=").count(),
        2,
        "its own and the path's, escaped: {properties}"
    );
    assert!(
        properties.starts_with("error file=a%2Cline=9%3A%3Ab\\x0a%3A%3Aerror"),
        "{properties}"
    );
}

#[test]
fn the_real_binary_annotates_the_line_and_ends_with_1() {
    let tool = Tool::new();
    tool.write("src/app.env", format!("A=1\nTOKEN={}\n", token()));
    let ran = tool.run(["scan", ".", "--format", "github"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.starts_with(
            "::error file=src/app.env,line=2,endLine=2,col=7,endColumn=47,title=GitHub personal"
        ),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains(&token()));
}

#[test]
fn the_job_summary_is_a_table_in_which_nothing_foreign_is_markup() {
    insta::assert_snapshot!(plain(&odd(), Format::Markdown), @r#"
    ## unleak: 3 leaks found, and not everything was scanned

    **1 live**, 1 dead, 1 unknown. 2 findings suppressed by a mark or the baseline. 1 public by design.

    | state | leak | where | next |
    |---|---|---|---|
    | **LIVE**<br>critical | Example personal access token<br><code>exp&#95;…u2Ce</code><br>example/personal-access-token | <code>config/日本 &#123;1&#125;.env&#58;3</code><br><code>old/&#92;xff&#92;x1b&#91;2J.txt&#58;40</code> in <code>57fa000662f5</code>, Ada&#92;u&#123;202e&#125; Lovelace, 2024-05-06 | Revoke it at <a href="https&#58;//example.com/settings/tokens">example.com/settings/tokens</a>&#44; then replace it where it is used; deleting the text does not help. |
    | found<br>high | Example &#123;signing&#125; key<br><code>…-END</code><br>example/signing-key | <code>keys/a&#35;b&#63;.pem&#58;1</code> | Revoke or change it as told at <a href="https&#58;//docs.example.com/tokens">docs.example.com/tokens</a>&#44; then replace it where it is used; deleting the text does not help. |
    | dead<br>high | Example &#123;signing&#125; key<br><code>…e1f0</code><br>example/signing-key | <code>logs/&#91;REDACTED&#93;.log&#58;7</code> | Nothing to revoke; replace it where it is still used. |

    Scanned 12 files, 8 blobs of 5 commits, 34.5 kB, 1 binary file passed over.

    **The scan is incomplete: 2 not scanned.**

    - <code>a&#92;r&#92;nb</code>: cannot be read&#58; &#91;REDACTED&#93;
    - <code>refs/heads/gone</code>: no such ref; fetch it first
    "#);
}

#[test]
fn a_scan_with_gaps_that_found_nothing_never_reads_as_clean() {
    let mut report = empty();
    report.coverage.skipped.clear();
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Github] {
        assert!(
            plain(&report, format).to_lowercase().contains("no leaks found"),
            "{format}"
        );
    }
    report.coverage.skipped.push(Skipped {
        what: "refs/heads/gone".to_owned(),
        why: "no such ref; fetch it first".to_owned(),
    });
    for format in [Format::Text, Format::Markdown, Format::Html, Format::Github] {
        let text = plain(&report, format).to_lowercase();
        assert!(
            !text.contains("no leaks found") && text.contains("not everything was"),
            "{format}: {text}"
        );
    }
}

#[test]
fn the_job_summary_links_lines_and_stays_below_githubs_limit() {
    let mut report = empty();
    let [token, ..] = secrets();
    let path = ["%<>".repeat(600).as_bytes(), b"/a b.txt"].concat();
    for line in 1..=1000 {
        let secret = format!("{token}{line}");
        report
            .findings
            .push(finding("example/personal-access-token", &secret, &path, line));
    }
    report.repository = Some(("git@github.com:acme/shop.git".to_owned(), "57fa0006".to_owned()));
    let text = plain(&report, Format::Markdown);
    assert!(text.len() < 1 << 20, "{}", text.len());
    let shown = text.matches("| found<br>").count();
    assert!(
        shown > 10 && text.contains(&format!("{} more leaks not shown here.", 1000 - shown)),
        "{shown}"
    );
    assert!(
        text.contains("github.com/acme/shop/blob/57fa0006/"),
        "{text:.3000}"
    );
}
