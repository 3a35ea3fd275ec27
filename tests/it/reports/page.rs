//! The page: whole in one file, and nothing of the scanned bytes can run in it. tests/tools/page looks at it in a browser.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use unleak::finding::Excerpt;
use unleak::report::{Format, Report};

use super::plain;
use crate::support::reports::{empty, finding, odd, secrets};
use crate::support::tool::{Tool, token};

fn page(report: &Report) -> String {
    plain(report, Format::Html)
}

/// What stands in the only element of this name.
fn inside<'p>(page: &'p str, open: &str, close: &str) -> &'p str {
    assert_eq!(page.matches(open).count(), 1, "{open}");
    page.split_once(open).unwrap().1.split_once(close).unwrap().0
}

#[test]
fn the_page_loads_nothing_and_allows_its_own_style_and_script_alone() {
    let page = page(&odd());
    let policy =
        inside(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\">").replace("&#39;", "'");
    for (open, close, directive) in [
        ("<style>", "</style>", "style-src"),
        ("<script>", "</script>", "script-src"),
    ] {
        let hash = STANDARD.encode(Sha256::digest(inside(&page, open, close)));
        assert!(
            policy.contains(&format!("{directive} 'sha256-{hash}'")),
            "{policy}"
        );
    }
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    for loads in [
        " src=", "<link", "<img", "<iframe", "@import", "url(", " style=", " onclick", "fetch(",
    ] {
        assert!(!page.contains(loads), "{loads}");
    }
}

#[test]
fn no_word_from_outside_becomes_markup() {
    let hostile = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";
    let mut report = empty();
    let [token, ..] = secrets();
    let mut found = finding("example/personal-access-token", &token, hostile.as_bytes(), 1);
    found.excerpt = Some(Excerpt {
        before: hostile.to_owned(),
        after: hostile.to_owned(),
    });
    found.decoded_via = Some(hostile.to_owned());
    report.findings = vec![found];
    report.rules[0].title = hostile.to_owned();
    report.rules[0].service = hostile.to_owned();
    report.rules[0].page = Some("javascript:alert(3)".to_owned());
    report.rules[0].docs = format!("https://example.com/{hostile}");
    report.repository = Some((format!("https://example.com/{hostile}"), hostile.to_owned()));
    let page = page(&report);
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(!page.contains("<img") && !page.contains("javascript:") && !page.contains("\"'>"));
}

#[test]
fn everything_is_on_the_page_without_javascript() {
    let page = page(&odd());
    for part in [
        "3 leaks in 4 places",
        "The scan is incomplete",
        "Example personal access token",
        "config/日本 {1}.env:3:9",
        "exp_…u2Ce",
        "https://example.com/settings/tokens",
        "Grace &#60;grace@example.com&#62;",
        "unleak:ignore",
        "no such ref; fetch it first",
        "Scanned 12 files",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<li class=\"leak ").count(), 4);
    assert_eq!(page.matches("<h1>").count(), 1);
}

#[test]
fn places_link_to_the_repository_where_its_host_is_known() {
    let tool = Tool::repository();
    tool.write("src/a b.env", format!("T={}\n", token()));
    let commit = tool.commit("add", "2026-01-02");
    tool.git(&["remote", "add", "origin", "git@github.com:acme/shop.git"]);
    let ran = tool.run(["scan", ".", "--format", "html"]);
    let link = format!("https://github.com/acme/shop/blob/{commit}/src/a%20b.env#L1");
    assert_eq!(ran.out.matches(&link).count(), 2, "working tree and history");
    assert!(
        ran.out
            .contains(&format!("https://github.com/acme/shop/commit/{commit}"))
    );
    tool.git(&[
        "remote",
        "set-url",
        "origin",
        "https://user:pw@git.example.com/acme/shop.git",
    ]);
    let ran = tool.run(["scan", ".", "--format", "html"]);
    assert!(
        !ran.out.contains("/blob/") && !ran.out.contains("user:pw"),
        "nobody knows its addresses"
    );
}

#[test]
fn a_clean_scan_says_so_and_a_folded_leak_has_all_its_places() {
    let clean = page(&empty());
    assert!(
        clean.contains("No leaks found") && clean.contains("Nothing to revoke") && !clean.contains("<form")
    );
    let mut report = empty();
    let [token, ..] = secrets();
    report.findings = (1..=30)
        .map(|line| finding("example/personal-access-token", &token, b"a.txt", line))
        .collect();
    let page = page(&report);
    assert_eq!(page.matches("<code class=\"path\">a.txt:").count(), 30);
    assert!(page.contains("26 more places"));
}
