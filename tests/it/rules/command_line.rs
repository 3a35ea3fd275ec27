//! `unleak rules list|show|check`.

use unleak::rule::judge;

use super::broken::SOUND;
use super::shipped;
use crate::support::tool::{Ran, Tool};

fn ran(args: &[&str]) -> Ran {
    Tool::new().run(args)
}

/// What a run that goes well prints.
fn said(args: &[&str]) -> String {
    let ran = ran(args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    ran.out
}

#[test]
fn a_folder_without_rule_files_and_a_missing_path_are_errors() {
    for (path, says) in [(".", "holds no rule file"), ("missing.toml", "missing.toml")] {
        let ran = ran(&["rules", "check", path]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}

#[test]
fn a_file_that_cannot_be_loaded_does_not_hide_the_problems_of_the_others() {
    let tool = Tool::new();
    tool.write("rules/broken.toml", "[service\n");
    tool.write(
        "rules/other.toml",
        SOUND.replacen("https://docs", "http://docs", 1),
    );
    let ran = tool.run(["rules", "check", "rules"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("broken.toml") && ran.err.contains("service.docs"),
        "{}",
        ran.err
    );
}

#[test]
fn rules_of_ones_own_are_listed_beside_the_built_in_ones() {
    let tool = Tool::new();
    tool.write("example.toml", SOUND);
    let ran = tool.run(["--rules", "example.toml", "rules", "list"]);
    assert!(
        ran.out.contains("\nexample/token ") && ran.out.contains("\ngithub/"),
        "{}",
        ran.out
    );
}

#[test]
fn the_list_shows_what_can_be_done_about_each_kind() {
    let text = said(&["rules", "list"]);
    let line = |id: &str| {
        text.lines()
            .find(|line| line.starts_with(&format!("{id} ")))
            .unwrap_or_else(|| panic!("{id} is not listed"))
    };
    assert!(line("github/personal-access-token").contains("verify owners contain revoke(secret, operator)"));
    assert!(line("sentry/user-auth-token").contains("contain revoke(page)"));
    assert!(line("posthog/project-token").ends_with("public by design"));
    assert!(line("gocd/access-token").contains("revoke(operator)"));
    let json: serde_json::Value =
        serde_json::from_str(&said(&["rules", "list", "--format", "json"])).expect("JSON");
    assert_eq!(json.as_array().expect("a list").len() + 1, text.lines().count());
    let listed = |id: &str| {
        json.as_array()
            .is_some_and(|all| all.iter().any(|rule| rule["id"] == id))
    };
    assert!(listed("github/personal-access-token") && !listed("github/none"));
}

#[test]
fn a_rule_is_shown_with_its_pattern_its_calls_and_its_page_but_no_example() {
    let text = said(&["rules", "show", "gocd/access-token"]);
    for holds in [
        "(?<secret>[a-f0-9]{40})",
        "POST {base}/go/api/admin/access_tokens/{token_id}/revoke",
        "https://docs.gocd.org/",
        "set services.gocd.bases",
    ] {
        assert!(text.contains(holds), "{holds:?} is not in\n{text}");
    }
    let json = said(&["rules", "show", "gocd/access-token", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["context"]["within"], 120);
    for rule in &shipped().rules {
        assert!(judge::first(rule, text.as_bytes()).is_none());
    }
}

#[test]
fn a_rule_that_is_not_there_is_an_error_with_the_next_step() {
    let ran = ran(&["rules", "show", "github/nothing"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("unleak rules list"), "{}", ran.err);
}

#[test]
fn the_example_of_the_readme_is_sound() {
    let readme = std::fs::read_to_string(super::folder().join("README.md")).expect("the README");
    let example = readme
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("an example");
    let tool = Tool::new();
    tool.write("example.toml", example);
    let ran = tool.run(["rules", "check", "example.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}

#[test]
fn the_table_of_services_is_what_the_files_say() {
    let page = include_str!("../../../rules/README.md");
    let table = said(&["rules", "list", "--format", "markdown"]);
    assert!(
        page.contains(table.trim_end()),
        "rules/README.md is behind the rule files: run tests/tools/services-table"
    );
}

#[test]
fn the_list_is_narrowed_by_service_severity_and_what_works() {
    let text = said(&[
        "rules",
        "list",
        "--service",
        "github,gocd",
        "--severity",
        "critical",
        "--can",
        "revoke",
    ]);
    let ids: Vec<_> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(ids.contains(&"github/personal-access-token"), "{text}");
    assert!(
        ids.iter()
            .all(|id| id.starts_with("github/") || id.starts_with("gocd/")),
        "{text}"
    );
    let ran = ran(&["rules", "list", "--service", "nobody"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("hint: "), "{}", ran.err);
}
