//! GitLab's secret detection report (schema 15.0.7) and code quality report.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::Value;
use unleak::report::{Format, Options, Report};

use super::plain;
use crate::support::reports::{empty, finding, odd, secrets, written};
use crate::support::tool::{Tool, token};

fn parsed(report: &Report, format: Format) -> Value {
    serde_json::from_str(&plain(report, format)).unwrap()
}

fn is(value: &Value, pattern: &str) -> bool {
    let pattern = Regex::new(pattern).unwrap();
    value.as_str().is_some_and(|text| pattern.is_match(text))
}

/// What the schema demands, written down from it; empty if all of it is there.
fn breaches(report: &Value) -> Vec<String> {
    let scan = &report["scan"];
    let mut checks = vec![
        ("version", is(&report["version"], r"^\d+\.\d+\.\d+$")),
        ("type", scan["type"] == "secret_detection"),
        ("status", is(&scan["status"], "^(success|failure)$")),
    ];
    for time in ["start_time", "end_time"] {
        checks.push((time, is(&scan[time], r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$")));
    }
    for tool in [&scan["analyzer"], &scan["scanner"]] {
        for field in ["id", "name", "version"] {
            checks.push((field, is(&tool[field], ".")));
        }
        checks.push(("vendor", is(&tool["vendor"]["name"], ".")));
        checks.push(("url", tool["url"].is_null() || is(&tool["url"], "^https?://.+")));
    }
    for message in scan["messages"].as_array().unwrap() {
        let holds = is(&message["level"], "^(info|warn|fatal)$") && is(&message["value"], ".");
        checks.push(("message", holds));
    }
    for one in report["vulnerabilities"].as_array().unwrap() {
        checks.extend(of_vulnerability(one));
    }
    let broken = checks.into_iter().filter(|(_, holds)| !holds);
    broken.map(|(what, _)| what.to_owned()).collect()
}

fn of_vulnerability(one: &Value) -> Vec<(&'static str, bool)> {
    let id = "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";
    let severities = "^(Info|Unknown|Low|Medium|High|Critical)$";
    let at = &one["location"];
    let identifiers = one["identifiers"].as_array().unwrap();
    let mut checks = vec![
        ("id", is(&one["id"], id)),
        ("name", one["name"].as_str().unwrap().chars().count() <= 255),
        ("solution", one["solution"].as_str().unwrap().len() <= 7000),
        ("severity", is(&one["severity"], severities)),
        ("commit", is(&at["commit"]["sha"], ".")),
        ("location", at["start_line"].is_u64() && at["file"].is_string()),
        ("identifiers", !identifiers.is_empty()),
    ];
    for identifier in identifiers {
        for field in ["type", "name", "value"] {
            checks.push((field, is(&identifier[field], ".")));
        }
        let url = &identifier["url"];
        checks.push(("identifier url", url.is_null() || is(url, "^(https?|ftp)://.+")));
    }
    for link in one["links"].as_array().unwrap() {
        checks.push(("link", is(&link["url"], "^(https?|ftp)://.+")));
    }
    for detail in one["details"].as_object().unwrap().values() {
        let holds = detail["type"] == "text" && is(&detail["name"], ".") && detail["value"].is_string();
        checks.push(("detail", holds));
    }
    checks
}

#[test]
fn the_secret_detection_report_keeps_to_gitlabs_schema() {
    for report in [odd(), empty()] {
        assert_eq!(breaches(&parsed(&report, Format::Gitlab)), Vec::<String>::new());
    }
}

#[test]
fn an_incomplete_scan_is_a_failed_one_with_its_gaps_as_messages() {
    let scan = &parsed(&odd(), Format::Gitlab)["scan"];
    assert_eq!(scan["status"], "failure");
    let first = scan["messages"][0]["value"].as_str().unwrap();
    assert_eq!(first, "Not scanned: a\\r\\nb: cannot be read: [REDACTED]");
    assert_eq!(parsed(&empty(), Format::Gitlab)["scan"]["status"], "success");
}

#[test]
fn a_vulnerability_names_rule_place_commit_state_and_what_to_do() {
    let report = parsed(&odd(), Format::Gitlab);
    let all = report["vulnerabilities"].as_array().unwrap();
    assert_eq!(all.len(), 5, "what is suppressed is left out");
    let one = &all[1];
    let details: Vec<String> = one["details"]
        .as_object()
        .unwrap()
        .values()
        .map(|detail| format!("{}: {}", detail["name"], detail["value"]))
        .collect();
    let told = [
        one["name"].to_string(),
        one["description"].to_string(),
        one["solution"].to_string(),
        one["identifiers"].to_string(),
        one["links"].to_string(),
        one["location"].to_string(),
        details.join("\n"),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    "Example personal access token"
    "Example personal access token `exp_…u2Ce` in the clear. It works: Example answered 200 for [REDACTED]. It is in the git history since 2024-05-06."
    "Revoke it at https://example.com/settings/tokens, then replace it where it is used; deleting the text does not help."
    [{"name":"unleak rule example/personal-access-token","type":"unleak_rule","url":"https://docs.example.com/tokens","value":"example_personal_access_token"},{"name":"CWE-798","type":"cwe","url":"https://cwe.mitre.org/data/definitions/798.html","value":"798"}]
    [{"name":"Where to revoke it","url":"https://example.com/settings/tokens"},{"name":"What it is","url":"https://docs.example.com/tokens"}]
    {"commit":{"author":"Ada\\u{202e} Lovelace <ada@example.com>","date":"2024-05-06T07:08:09Z","sha":"57fa000662f511321daa61e6769f190ea0e80771"},"end_line":40,"file":"old/\\xff\\x1b[2J.txt","start_line":40}
    "Confidence": "high"
    "Decoded from": "base64"
    "Fingerprint": "e0b9ac8c47fb4afc82229a350aa4b2ed"
    "Found in": "history"
    "Redacted": "exp_…u2Ce"
    "State": "live"
    "Tell": "Grace <grace@example.com> (owns an organisation that the token opens: acme)"
    "Whose": "octo\\u{7}; organisations acme; scopes repo, admin"
    "#);
    assert_eq!(
        all[0]["location"]["commit"]["sha"], "0000000",
        "no commit is known"
    );
    let severities: Vec<&str> = all.iter().map(|one| one["severity"].as_str().unwrap()).collect();
    assert_eq!(severities, ["Critical", "Critical", "High", "Info", "Info"]);
}

#[test]
fn the_token_is_there_for_gitlabs_revocation_only_where_secrets_are_asked_for() {
    let [token, ..] = secrets();
    let options = Options {
        show_secrets: true,
        ..Options::default()
    };
    let shown: Value = serde_json::from_str(&written(&odd(), Format::Gitlab, &options)).unwrap();
    assert_eq!(shown["vulnerabilities"][0]["raw_source_code_extract"], token);
    let plain = parsed(&odd(), Format::Gitlab);
    assert!(
        plain["vulnerabilities"][0]
            .get("raw_source_code_extract")
            .is_none()
    );
}

#[test]
fn ids_are_the_same_in_every_run_and_no_two_the_same_in_one() {
    let ids = |report: &Value| -> Vec<String> {
        let all = report["vulnerabilities"].as_array().unwrap().iter();
        all.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = ids(&parsed(&odd(), Format::Gitlab));
    assert_eq!(first, ids(&parsed(&odd(), Format::Gitlab)));
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), first.len());
}

#[test]
fn the_real_binary_names_the_type_that_our_receiver_is_asked_for() {
    let tool = Tool::repository();
    tool.write("a.env", token());
    let commit = tool.commit("add", "2026-01-02");
    let ran = tool.run(["scan", ".", "--format", "gitlab=gl.json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let text = std::fs::read_to_string(tool.path().join("gl.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(breaches(&report), Vec::<String>::new());
    let one = &report["vulnerabilities"][0];
    assert_eq!(one["identifiers"][0]["type"], "unleak_rule");
    assert_eq!(one["identifiers"][0]["value"], "github_personal_access_token");
    let shas: Vec<&Value> = report["vulnerabilities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["location"]["commit"]["sha"])
        .collect();
    assert!(shas.iter().any(|sha| **sha == commit.as_str()), "{shas:?}");
    assert!(!text.contains(&token()));
}

#[test]
fn code_quality_has_what_gitlab_reads_and_a_moved_line_is_no_new_issue() {
    let issues = parsed(&odd(), Format::Codequality);
    insta::assert_snapshot!(serde_json::to_string_pretty(&issues[0]).unwrap(), @r#"
    {
      "check_name": "example/personal-access-token",
      "description": "Example personal access token exp_…u2Ce: It works: Example answered 200 for [REDACTED]. It is in the git history since 2024-05-06. Revoke it at https://example.com/settings/tokens, then replace it where it is used; deleting the text does not help.",
      "fingerprint": "22c79d9c740fc7bc3353cf4362b24f6a",
      "location": {
        "lines": {
          "begin": 3,
          "end": 3
        },
        "path": "config/日本 {1}.env"
      },
      "severity": "blocker"
    }
    "#);
    let severities: Vec<&str> = issues
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["severity"].as_str().unwrap())
        .collect();
    assert_eq!(severities, ["blocker", "blocker", "critical", "info", "info"]);
    assert_eq!(parsed(&empty(), Format::Codequality), serde_json::json!([]));

    let [token, ..] = secrets();
    let prints = |lines: &[usize]| -> Vec<Value> {
        let mut report = empty();
        report.findings = lines
            .iter()
            .map(|line| finding("example/personal-access-token", &token, b"a.txt", *line))
            .collect();
        let issues = parsed(&report, Format::Codequality);
        issues
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["fingerprint"].clone())
            .collect()
    };
    assert_eq!(prints(&[1, 5]), prints(&[2, 9]));
    assert_ne!(
        prints(&[1, 5])[0],
        prints(&[1, 5])[1],
        "the same token twice in one file"
    );
}
