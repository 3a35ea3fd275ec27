//! `unleak init --from`: what another scanner was told, carried over; what cannot be is said.

use crate::support::tool::{Ran, Tool, other_token, token};

/// A repository with two leaks: one that the other scanner knows, and one that it does not.
fn repository() -> Tool {
    let tool = Tool::repository();
    tool.write("known.env", format!("A=1\nT={}\n", token()));
    tool.write("new.env", format!("T={}\n", other_token()));
    tool.write("docs/example.env", format!("T={}\n", other_token()));
    tool.commit("leaks", "2024-01-01");
    tool
}

fn init(tool: &Tool, from: &str) -> Ran {
    let ran = tool.run(["init", "--hooks", "none", "--from", from]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    ran
}

/// The paths of what `unleak ci` still counts, by the files that init wrote.
fn counted(tool: &Tool) -> Vec<String> {
    let ran = tool.run(["ci", "--report", "json=report.json"]);
    let report = std::fs::read_to_string(tool.path().join("report.json"));
    let report: serde_json::Value = serde_json::from_str(&report.expect(&ran.err)).unwrap();
    std::fs::remove_file(tool.path().join("report.json")).unwrap();
    let findings = report["findings"].as_array().unwrap().iter();
    let counted = findings.filter(|finding| finding["suppression"].is_null());
    let mut paths: Vec<String> = counted
        .map(|finding| finding["location"]["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    paths.dedup();
    paths
}

#[test]
fn a_baseline_of_detect_secrets_with_its_patterns_becomes_ours() {
    let tool = repository();
    let sha1 = tool
        .command("sh")
        .args(["-c", &format!("printf %s {} | sha1sum", token())])
        .output()
        .unwrap();
    let sha1 = String::from_utf8(sha1.stdout).unwrap()[..40].to_owned();
    let found = |path: &str, hash: &str, line: usize| serde_json::json!([{ "type": "x", "filename": path, "hashed_secret": hash, "is_verified": false, "line_number": line }]);
    let mut results = serde_json::Map::new();
    // Its line moved since; its hash is the same.
    results.insert("known.env".to_owned(), found("known.env", &sha1, 77));
    results.insert("gone.env".to_owned(), found("gone.env", &"0".repeat(40), 3));
    let baseline = serde_json::json!({
        "version": "1.5.0",
        "plugins_used": [{ "name": "GitHubTokenDetector" }, { "name": "Mine", "path": "file://mine.py" }],
        "filters_used": [
            { "path": "detect_secrets.filters.allowlist.is_line_allowlisted" },
            { "path": "detect_secrets.filters.regex.should_exclude_file", "pattern": ["^docs/.*", "(?<=x)y"] },
            { "path": "detect_secrets.filters.gibberish.should_exclude_secret", "limit": 3.7 },
        ],
        "results": results,
    });
    tool.write(".secrets.baseline", baseline.to_string());
    let ran = init(&tool, "detect-secrets");
    for part in [
        "read     .secrets.baseline",
        "with 1 leaks that were known",
        "the plugin Mine",
        "the filter gibberish",
        "(?<=x)y",
        "1 of 2 known findings",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    assert_eq!(counted(&tool), ["new.env"]);
    assert!(!ran.out.contains(&token()));
    let ran = tool.run(["init", "--remove"]);
    assert_eq!(ran.code, 0);
    assert_eq!(tool.git(&["status", "--porcelain"]), "?? .secrets.baseline");
}

#[test]
fn a_configuration_of_gitleaks_is_used_as_it_is_and_its_report_becomes_a_baseline() {
    let tool = repository();
    tool.write(
        ".gitleaks.toml",
        "[extend]\nuseDefault = true\n[[allowlists]]\npaths = ['''^docs/''']\n\
         [[rules]]\nid = \"ours\"\ndescription = \"Ours\"\nregex = '''ours_[a-f0-9]{20}'''\nkeywords = [\"ours_\"]\n",
    );
    tool.write("ours.env", format!("T=ours_{}\n", "0123456789abcdef0123"));
    tool.write(
        "gitleaks-baseline.json",
        serde_json::json!([
            { "RuleID": "github-pat", "Secret": "REDACTED", "File": "known.env", "StartLine": 2, "Commit": "" },
        ])
        .to_string(),
    );
    tool.commit("more", "2024-01-02");
    let ran = init(&tool, "gitleaks");
    assert!(ran.out.contains("with 1 leaks that were known"), "{}", ran.out);
    assert_eq!(counted(&tool), ["new.env", "ours.env"]);
}

#[test]
fn what_a_configuration_of_gitleaks_says_and_we_cannot_do_is_named() {
    let tool = repository();
    tool.write(
        ".gitleaks.toml",
        "[[rules]]\nid = \"path-only\"\npath = '''\\.pem$'''\n",
    );
    tool.write(".gitleaksignore", "known.env:github-pat:2\n");
    let ran = init(&tool, "gitleaks");
    assert!(
        ran.out.contains("path-only") && ran.out.contains("not "),
        "{}",
        ran.out
    );
    assert!(ran.out.contains(".gitleaksignore, which stays"), "{}", ran.out);
}

#[test]
fn trufflehogs_excluded_paths_and_kingfishers_configuration_and_baselines_are_read() {
    let tool = repository();
    tool.write(".trufflehogignore", "# comment\n^docs/\nknown\\.env$\n");
    tool.write(
        ".trufflehog.yml",
        "detectors:\n  - name: HogTokenDetector\n    keywords: [hog]\n",
    );
    let ran = init(&tool, "trufflehog");
    assert!(ran.out.contains("HogTokenDetector"), "{}", ran.out);
    assert_eq!(counted(&tool), ["new.env"]);

    for baseline in [
        "version: 2\nrepositories:\n- id: git://example.com/a\n  findings:\n  - path: known.env\n    fingerprint: '1'\n    line: 2\n",
        "ExactFindings:\n  matches:\n  - filepath: known.env\n    fingerprint: '1'\n    linenum: 2\n",
    ] {
        let tool = repository();
        tool.write(
            "kingfisher.yaml",
            "filters:\n  exclude:\n    - docs/\nrules:\n  disabled: [kingfisher.aws.1]\n",
        );
        tool.write("baseline-file.yml", baseline);
        let ran = init(&tool, "kingfisher");
        assert!(ran.out.contains("kingfisher.aws.1"), "{}", ran.out);
        assert_eq!(counted(&tool), ["new.env"]);
    }
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_an_error_and_nothing_is_written() {
    for (from, name, text) in [
        ("detect-secrets", ".secrets.baseline", "{"),
        ("gitleaks", "gitleaks-baseline.json", "{}"),
        ("kingfisher", "baseline-file.yml", "repositories: 7\n"),
        ("kingfisher", "kingfisher.yaml", "a: &a [*a, *a]\n b"),
    ] {
        let tool = repository();
        tool.write(name, text);
        let ran = tool.run(["init", "--hooks", "none", "--from", from]);
        assert!(
            ran.code == 2 && ran.err.contains(name),
            "{from}: {} {}",
            ran.code,
            ran.err
        );
        assert!(!tool.path().join(".unleak.toml").exists());
    }
    let ran = init(&repository(), "trufflehog");
    assert!(ran.out.contains("--from-file"), "{}", ran.out);
}
