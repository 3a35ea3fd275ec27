//! SARIF: what GitHub and other readers rely on.

use serde_json::Value;
use unleak::finding::{Severity, Suppression};
use unleak::leak::Verdict;
use unleak::report::{Format, Learnt, Options, Report};

use crate::support::reports::{empty, finding, odd, secrets, written};

fn sarif(report: &Report) -> Value {
    let options = Options::default();
    serde_json::from_str(&written(report, Format::Sarif, &options)).unwrap()
}

/// The result whose path begins so.
fn result<'a>(sarif: &'a Value, path: &str) -> &'a Value {
    sarif["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|result| {
            let artifact = &result["locations"][0]["physicalLocation"]["artifactLocation"];
            artifact["uri"].as_str().unwrap().starts_with(path)
        })
        .unwrap_or_else(|| panic!("no result at {path} in {sarif:#}"))
}

#[test]
fn a_result_has_its_place_its_fingerprints_and_what_was_learnt() {
    let log = sarif(&odd());
    insta::assert_snapshot!(serde_json::to_string_pretty(result(&log, "config/")).unwrap(), @r#"
    {
      "baselineState": "new",
      "level": "error",
      "locations": [
        {
          "physicalLocation": {
            "artifactLocation": {
              "uri": "config/%E6%97%A5%E6%9C%AC%20%7B1%7D.env",
              "uriBaseId": "SRCROOT"
            },
            "region": {
              "endColumn": 50,
              "endLine": 3,
              "snippet": {
                "text": "[REDACTED]"
              },
              "startColumn": 11,
              "startLine": 3
            }
          }
        }
      ],
      "message": {
        "text": "Live Example personal access token 'exp_…u2Ce' found. Its service says that it works: revoke it now."
      },
      "partialFingerprints": {
        "primaryLocationLineHash": "c129715d7a2bc9a3:1",
        "secretHash/v1": "e0b9ac8c47fb4afc82229a350aa4b2ed"
      },
      "properties": {
        "confidence": "high",
        "origin": "worktree",
        "redacted": "exp_…u2Ce",
        "severity": "critical",
        "verdict": "live",
        "verdictReason": "200 for [REDACTED]"
      },
      "ruleId": "example/personal-access-token",
      "ruleIndex": 0,
      "suppressions": []
    }
    "#);
}

#[test]
fn a_rule_tells_what_it_is_and_what_to_do() {
    let log = sarif(&odd());
    insta::assert_snapshot!(
        serde_json::to_string_pretty(&log["runs"][0]["tool"]["driver"]["rules"][0]).unwrap(),
        @r#"
        {
          "defaultConfiguration": {
            "level": "error"
          },
          "fullDescription": {
            "text": "Found: Example personal access token. Whoever can read it can use it at Example until it is revoked there."
          },
          "help": {
            "markdown": "1. [Revoke it](<https://example.com/settings/tokens>) at [Example](<https://docs.example.com/tokens>).\n2. Replace it where it is used. Deleting the text is not enough: whoever has a copy of the history has the token.",
            "text": "Revoke it at Example (https://example.com/settings/tokens). Replace it where it is used. Deleting the text is not enough: whoever has a copy of the history has the token."
          },
          "helpUri": "https://docs.example.com/tokens",
          "id": "example/personal-access-token",
          "name": "ExamplePersonalAccessToken",
          "properties": {
            "precision": "high",
            "problem.severity": "error",
            "security-severity": "9.5",
            "tags": [
              "security",
              "secret",
              "external/cwe/cwe-798",
              "example"
            ]
          },
          "shortDescription": {
            "text": "Example personal access token in the clear."
          }
        }
        "#
    );
}

#[test]
fn only_rules_with_results_are_listed_and_every_result_points_at_its_own() {
    let log = sarif(&odd());
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "example/personal-access-token",
            "example/signing-key",
            "metrics/public-key"
        ]
    );
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(result["ruleId"], ids[index]);
    }
}

#[test]
fn paths_are_relative_and_percent_encoded() {
    let log = sarif(&odd());
    let uri = |path| {
        let artifact = &result(&log, path)["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(artifact["uriBaseId"], "SRCROOT");
        artifact["uri"].as_str().unwrap().to_owned()
    };
    assert_eq!(uri("config/"), "config/%E6%97%A5%E6%9C%AC%20%7B1%7D.env");
    assert_eq!(uri("old/"), "old/%FF%1B%5B2J.txt");
    assert_eq!(uri("keys/"), "keys/a%23b%3F.pem");
    assert_eq!(uri("logs/"), "logs/%5BREDACTED%5D.log");
    assert!(log["runs"][0]["originalUriBaseIds"]["SRCROOT"].is_object());
}

#[test]
fn a_path_from_the_root_is_a_file_uri_and_stdin_has_a_name() {
    let [token, ..] = secrets();
    let mut report = empty();
    report.findings = vec![
        finding("example/personal-access-token", &token, b"/tmp/a b", 1),
        finding("example/personal-access-token", &token, b"", 1),
        finding("example/personal-access-token", &token, b"./c:d", 1),
    ];
    let log = sarif(&report);
    for (path, base) in [
        ("file:///tmp/a%20b", Value::Null),
        ("stdin", "SRCROOT".into()),
        ("c%3Ad", "SRCROOT".into()),
    ] {
        let artifact = &result(&log, path)["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!((&artifact["uri"], &artifact["uriBaseId"]), (&path.into(), &base));
    }
}

#[test]
fn columns_count_utf16_units() {
    let log = sarif(&odd());
    assert_eq!(log["runs"][0]["columnKind"], "utf16CodeUnits");
    let region = &result(&log, "config/")["locations"][0]["physicalLocation"]["region"];
    assert_eq!(
        (&region["startColumn"], &region["endColumn"]),
        (&11.into(), &50.into())
    );
    let lines = &result(&log, "keys/")["locations"][0]["physicalLocation"]["region"];
    assert_eq!((&lines["startLine"], &lines["endLine"]), (&1.into(), &3.into()));
}

#[test]
fn the_level_follows_the_verdict_then_the_severity() {
    let [token, ..] = secrets();
    let level = |severity, verdict: Option<Verdict>| {
        let mut report = empty();
        let mut found = finding("example/personal-access-token", &token, b"a", 1);
        found.severity = severity;
        let learnt = Learnt {
            verdict,
            ..Learnt::default()
        };
        report.learnt.insert(found.fingerprint, learnt);
        report.findings.push(found);
        sarif(&report)["runs"][0]["results"][0]["level"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let live = || {
        Some(Verdict::Live {
            reason: "200".to_owned(),
        })
    };
    let dead = || {
        Some(Verdict::Dead {
            why: unleak::leak::DeadWhy::Expired,
            reason: "401".to_owned(),
        })
    };
    assert_eq!(level(Severity::Critical, None), "error");
    assert_eq!(level(Severity::Medium, None), "warning");
    assert_eq!(
        level(Severity::Medium, Some(Verdict::unknown("timeout"))),
        "warning"
    );
    assert_eq!(level(Severity::Low, None), "note");
    assert_eq!(level(Severity::Low, live()), "error");
    assert_eq!(level(Severity::Critical, dead()), "note");
    assert_eq!(level(Severity::Info, live()), "note");
}

#[test]
fn suppressed_results_say_where_and_why() {
    let log = sarif(&odd());
    insta::assert_snapshot!(
        serde_json::to_string(&result(&log, "tests/fixture.txt")["suppressions"]).unwrap(),
        @r#"[{"justification":"unleak:ignore: a sample, not [REDACTED]","kind":"inSource","status":"accepted"}]"#
    );
    insta::assert_snapshot!(
        serde_json::to_string(&result(&log, "tests/old.pem")["suppressions"]).unwrap(),
        @r#"[{"justification":"The fingerprint stands in the baseline.","kind":"external","status":"accepted"}]"#
    );
    assert_eq!(result(&log, "config/")["suppressions"], Value::Array(Vec::new()));
}

#[test]
fn what_was_not_scanned_is_notified_and_the_invocation_failed() {
    let invocation = &sarif(&odd())["runs"][0]["invocations"][0];
    insta::assert_snapshot!(serde_json::to_string_pretty(invocation).unwrap(), @r#"
    {
      "endTimeUtc": "2026-01-02T03:04:06.000Z",
      "executionSuccessful": false,
      "properties": {
        "binary": 1,
        "blobs": 8,
        "bytes": 34567,
        "commits": 5,
        "files": 12
      },
      "startTimeUtc": "2026-01-02T03:04:05.678Z",
      "toolExecutionNotifications": [
        {
          "descriptor": {
            "id": "unleak/not-scanned",
            "index": 0
          },
          "level": "error",
          "message": {
            "text": "Not scanned: a\\r\\nb: cannot be read: [REDACTED]"
          }
        },
        {
          "descriptor": {
            "id": "unleak/not-scanned",
            "index": 0
          },
          "level": "error",
          "message": {
            "text": "Not scanned: refs/heads/gone: no such ref; fetch it first"
          }
        }
      ]
    }
    "#);
    let clean = &sarif(&empty())["runs"][0]["invocations"][0];
    assert_eq!(clean["executionSuccessful"], true);
    assert_eq!(clean["toolExecutionNotifications"], Value::Array(Vec::new()));
}

#[test]
fn the_repository_is_named_without_its_credentials() {
    let provenance = |repository: &str, revision: &str| {
        let mut report = empty();
        report.repository = Some((repository.to_owned(), revision.to_owned()));
        let log = sarif(&report);
        let details = &log["runs"][0]["versionControlProvenance"][0];
        (details["repositoryUri"].clone(), details["revisionId"].clone())
    };
    let expect = |uri: &str, revision: Value| (Value::from(uri), revision);
    assert_eq!(
        provenance("https://user:password@example.com/o/r.git?x=1#y", "abc"),
        expect("https://example.com/o/r.git", "abc".into())
    );
    assert_eq!(
        provenance("git@example.com:o/r.git", ""),
        expect("ssh://example.com/o/r.git", Value::Null)
    );
    for local in ["/srv/git/r.git", "../r", "file:///srv/r", "C:\\r"] {
        assert_eq!(provenance(local, "abc"), (Value::Null, Value::Null), "{local}");
    }
}

#[test]
fn more_results_than_github_takes_are_cut_from_the_least_severe_and_the_cut_is_told() {
    let [token, ..] = secrets();
    let mut report = empty();
    let one = finding("example/personal-access-token", &token, b"a.txt", 1);
    for line in 1..=25_002 {
        let mut found = one.clone();
        found.location.line = line;
        if line == 1 || line == 7 {
            found.severity = Severity::Low;
        }
        report.findings.push(found);
    }
    let log = sarif(&report);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let line = |result: &Value| result["locations"][0]["physicalLocation"]["region"]["startLine"].as_u64();
    assert_eq!(results.len(), 25_000);
    assert_eq!((line(&results[0]), line(&results[5])), (Some(2), Some(8)));
    let notices = log["runs"][0]["invocations"][0]["toolExecutionNotifications"]
        .as_array()
        .unwrap();
    let texts: Vec<&str> = notices
        .iter()
        .map(|n| n["message"]["text"].as_str().unwrap())
        .collect();
    assert!(texts[0].starts_with("2 results were left out"), "{texts:?}");
    assert!(
        texts[1].starts_with("GitHub shows the 5000 most severe of these 25000"),
        "{texts:?}"
    );
}

#[test]
fn with_a_baseline_every_result_says_whether_it_is_new_and_without_one_none_does() {
    let states = |report: &Report| -> Vec<Value> {
        let log = sarif(report);
        let results = log["runs"][0]["results"].as_array().unwrap();
        results
            .iter()
            .map(|result| result["baselineState"].clone())
            .collect()
    };
    let mut report = odd();
    let known = states(&report);
    assert_eq!(known.iter().filter(|state| *state == "unchanged").count(), 1);
    assert_eq!(
        known.iter().filter(|state| *state == "new").count(),
        known.len() - 1
    );
    report
        .findings
        .retain(|finding| finding.suppression != Some(Suppression::Baseline));
    assert!(states(&report).iter().all(Value::is_null));
}
