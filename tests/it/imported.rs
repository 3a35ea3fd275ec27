//! `--rules gitleaks.toml`: what means the same here, what is refused, and what a hostile file costs.

use crate::support::tool::{Ran, Tool};

const RULES: &str = r#"
title = "Acme"

[[rules]]
id = "acme-token"
description = "Acme token"
regex = '''(?i)\bacme[_-]?(?:token|key)\s*[:=]\s*['"]?([a-z0-9]{24})\b'''
keywords = ["acme"]
entropy = 3.0
tags = ["acme"]
"#;

fn secret() -> String {
    ["x7k2m9q4w8e1", "r5t3y6u0i2o9"].concat()
}

fn line() -> String {
    format!("acme_token = \"{}\"", secret())
}

/// A scan with these rules of a folder with these files.
fn scan(rules: &str, files: &[(&str, &str)], more: &[&str]) -> Ran {
    let tool = Tool::new();
    for (path, text) in files {
        tool.write(&format!("work/{path}"), text);
    }
    let rules = tool.write("their.toml", rules);
    let base = [
        "--rules",
        rules.to_str().unwrap(),
        "scan",
        "work",
        "--format",
        "jsonl",
    ];
    tool.run([&base, more].concat())
}

/// Paths of what the imported rules find.
fn found(rules: &str, files: &[(&str, &str)]) -> Vec<String> {
    let ran = scan(rules, files, &["--only", "imported", "--show-secrets"]);
    assert!(matches!(ran.code, 0 | 1), "{}", ran.err);
    let paths = ran.findings().into_iter().map(|finding| {
        assert_eq!(
            finding["secret"],
            secret().as_str(),
            "the group alone is the secret"
        );
        finding["location"]["path"]
            .as_str()
            .unwrap()
            .replacen("work/", "", 1)
    });
    paths.collect()
}

#[test]
fn a_rule_of_theirs_finds_with_its_group_its_entropy_and_its_keyword() {
    let ran = scan(RULES, &[("a.txt", &line())], &["--show-secrets"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let finding = &ran.findings()[0];
    assert_eq!(finding["rule"], "imported/acme-token");
    assert_eq!(
        (&finding["title"], &finding["confidence"]),
        (&"Acme token".into(), &"medium".into())
    );
    assert_eq!(finding["secret"], secret().as_str());
    let dull = format!("acme_token = \"{}\"", "ab".repeat(12));
    assert_eq!(found(RULES, &[("a.txt", &dull)]), [""; 0]);
}

#[test]
fn a_keyword_that_the_pattern_does_not_hold_must_stand_in_the_file() {
    let rules = "[[rules]]\nid = \"bare\"\nregex = '''\\b[a-z0-9]{24}\\b'''\nkeywords = [\"Gizmo\"]\n";
    let near = format!("GIZMOS\n{}{}\n", "\n".repeat(2000), secret());
    assert_eq!(found(rules, &[("a.txt", &near), ("b.txt", &secret())]), ["a.txt"]);
}

#[test]
fn allowlists_let_paths_commits_words_and_patterns_through_as_theirs_do() {
    let with = |list: &str| format!("{RULES}\n{list}\n");
    let files = [
        ("src/a.txt", line()),
        ("fixtures/b.txt", format!("{} # test only", line())),
        ("fixtures/c.txt", line()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    for (list, left) in [
        (
            "[[rules.allowlists]]\npaths = ['''fixtures/''']",
            vec!["src/a.txt"],
        ),
        (
            "[rules.allowlist]\nregexTarget = \"line\"\nregexes = ['''test only''']",
            vec!["fixtures/c.txt", "src/a.txt"],
        ),
        (
            "[[rules.allowlists]]\ncondition = \"AND\"\npaths = ['''^fixtures/''']\nregexTarget = \"line\"\nregexes = \
             ['''test only''']",
            vec!["fixtures/c.txt", "src/a.txt"],
        ),
        (
            "[[rules.allowlists]]\nregexTarget = \"match\"\nregexes = ['''^acme_token''']",
            vec![],
        ),
        (
            "[[rules.allowlists]]\nregexes = ['''^acme_token''']",
            vec!["fixtures/b.txt", "fixtures/c.txt", "src/a.txt"],
        ),
        ("[[rules.allowlists]]\nstopwords = [\"X7K2\"]", vec![]),
        (
            "[allowlist]\npaths = ['''src/.*\\.txt$''']",
            vec!["fixtures/b.txt", "fixtures/c.txt"],
        ),
        (
            "[[allowlists]]\ntargetRules = [\"other\"]\npaths = ['''.''']",
            vec!["fixtures/b.txt", "fixtures/c.txt", "src/a.txt"],
        ),
    ] {
        let mut paths = found(&with(list), &files);
        paths.sort();
        assert_eq!(paths, left, "{list}");
    }
}

#[test]
fn a_commit_that_is_allowed_hides_its_findings_in_history_alone() {
    let tool = Tool::repository();
    tool.write("a.txt", line());
    let id = tool.commit("one", "2026-01-02");
    let rules = tool.home().join("their.toml");
    std::fs::write(
        &rules,
        format!("{RULES}\n[[rules.allowlists]]\ncommits = [\"{id}\"]\n"),
    )
    .unwrap();
    let run = |part: &str| {
        let rules = rules.to_str().unwrap();
        tool.run(["--rules", rules, "scan", ".", "--only", "imported", part])
            .code
    };
    assert_eq!((run("--history-only"), run("--no-history")), (0, 1));
}

#[test]
fn global_allowlists_count_for_the_built_in_rules_where_the_default_is_extended() {
    let token = crate::support::tool::token();
    let files = [("vendor/a.txt", token.as_str())];
    let list = "[[allowlists]]\npaths = ['''(^|/)vendor/''']\n";
    assert_eq!(scan(list, &files, &[]).code, 1);
    let extended = format!("[extend]\nuseDefault = true\n{list}");
    assert_eq!(scan(&extended, &files, &[]).code, 0);
    let told = scan(&extended, &files, &["--explain"]).out;
    assert!(
        told.contains("allowlist 1 of the configuration lets its place through"),
        "{told}"
    );
}

#[test]
fn a_configuration_extends_another_and_changes_its_rules() {
    let tool = Tool::new();
    tool.write("base.toml", RULES);
    tool.write(
        "their.toml",
        "[extend]\npath = \"base.toml\"\n[[rules]]\nid = \"acme-token\"\n[[rules.allowlists]]\nstopwords = [\"x7k2\"]\n",
    );
    tool.write(
        "off.toml",
        "[extend]\npath = \"base.toml\"\ndisabledRules = [\"acme-token\"]\n",
    );
    tool.write("work/a.txt", line());
    let run = |rules: &str| tool.run(["--rules", rules, "scan", "work", "--explain", "--format", "jsonl"]);
    assert_eq!(run("base.toml").findings()[0]["rule"], "imported/acme-token");
    assert!(run("their.toml").out.contains("lets it through"));
    assert!(!run("off.toml").out.contains("imported/acme-token"));
    tool.write("loop.toml", "[extend]\npath = \"loop.toml\"\n");
    let ran = run("loop.toml");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("extend each other"), "{}", ran.err);
}

#[test]
fn what_has_no_equal_is_named_with_its_line_and_what_to_do() {
    for (rules, says) in [
        (
            "[[rules]]\nid = \"a\"\npath = '''\\.pem$'''\n",
            vec!["their.toml:1: rule \"a\"", "paths alone", "leave the rule out"],
        ),
        (
            "\n\n[[rules]]\nid = \"b\"\nregex = '''[a-f0-9]{40}'''\n",
            vec!["their.toml:3: rule \"b\"", "give it keywords"],
        ),
        (
            "[[rules]]\nid = \"c\"\nregex = '''ab(?=c)'''\n",
            vec!["rule \"c\"", "look-around"],
        ),
        (
            "[[rules]]\nid = \"d\"\nregex = '''abc'''\nsecretGroup = 2\n",
            vec!["rule \"d\"", "secretGroup is 2"],
        ),
        (
            "[[rules]]\nid = \"e\"\nregex = '''abc'''\nkeyword = [\"x\"]\n",
            vec!["line 4", "keyword"],
        ),
        (
            "[[allowlists]]\ncondition = \"XOR\"\n[[rules]]\nid = \"f\"\nregex = \"abc\"\n",
            vec!["allowlist 1", "AND"],
        ),
        (
            "[extend]\nurl = \"https://example.com/x.toml\"\n",
            vec!["extend.url", "nothing is fetched"],
        ),
        (
            "[[rules]]\nid = \"no good\"\nregex = \"abc\"\n",
            vec!["its id", "blanks"],
        ),
    ] {
        let ran = scan(rules, &[("a.txt", "abc")], &[]);
        assert_eq!(ran.code, 2, "{rules}");
        for part in says {
            assert!(ran.err.contains(part), "{part:?} is not in {}", ran.err);
        }
    }
}

#[test]
fn what_makes_us_report_more_is_a_warning() {
    let rules = format!(
        "{RULES}validate = '''x'''\nfilter = '''y'''\n[extend]\nuseDefault = true\ndisabledRules = [\"z\"]\n"
    );
    let ran = scan(&rules, &[("a.txt", &line())], &[]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    for part in ["validate", "filter", "disabledRules names z"] {
        assert!(ran.err.contains(part), "{part:?} is not in {}", ran.err);
    }
}

#[test]
fn a_hostile_rule_file_ends_with_an_error_and_not_with_the_memory() {
    let huge = "#".repeat(3 << 20);
    let many: String = (0..6000)
        .map(|i| format!("[[rules]]\nid = \"r{i}\"\nregex = \"tok{i}_[a-z]{{9}}\"\n"))
        .collect();
    let long = format!("[[rules]]\nid = \"a\"\nregex = '''x{}'''\n", "a".repeat(20_000));
    let own = r#"
[service]
name = "Hostile"
docs = "https://docs.example.com"
[[rule]]
id = "big"
title = "Big"
pattern = 'abc(?<secret>(([a-z]{1000}){1000}){1000})'
confidence = "low"
severity = "low"
"#;
    for (rules, says) in [
        (huge.as_str(), "no rule file needs that many"),
        (many.as_str(), "6000 rules; at most"),
        (
            "[[rules]]\nid = \"a\"\nregex = '''ab((c{1000}){1000}){1000}'''\n",
            "too large",
        ),
        (
            "[[rules]]\nid = \"a\"\nregex = '''ab(\\pL{1000}){10}'''\n",
            "too large",
        ),
        (long.as_str(), "at most"),
        (own, "too large"),
    ] {
        let ran = scan(rules, &[("a.txt", "abc")], &[]);
        assert_eq!(ran.code, 2, "{}", &rules[..60]);
        assert!(ran.err.contains(says), "{says:?} is not in {}", ran.err);
    }
}

#[cfg(unix)]
#[test]
fn a_device_that_never_ends_is_no_rule_file() {
    let tool = Tool::new();
    tool.write("a.txt", "nothing");
    let ran = tool.run(["--rules", "/dev/zero", "scan", "."]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}
