//! Which module may use which: design.md section 3, as a table.
//!
//! Read from the text of `src`: `crate::` paths (`unleak::` paths in `main.rs`), wherever they stand but in comments.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The words: every row but their own may use all of them.
const WORDS: &[&str] = &["secret", "finding", "leak", "trace"];

/// What the life of a leak and the doors may use.
const STAGES: &[&str] = &[
    "rule", "source", "scan", "call", "verify", "owner", "policy", "contain", "revoke", "notify", "report",
    "store",
];

/// A module and the groups of modules that it may use. Whatever stands on the right has a row further up, so a cycle
/// cannot be written down.
const LAYERS: &[(&str, &[&[&str]])] = &[
    // words
    ("secret", &[]),
    ("finding", &[&["secret"]]),
    ("leak", &[&["secret", "finding"]]),
    ("trace", &[&["secret"]]),
    // knowledge
    ("rule", &[WORDS]),
    // stages: between them only the arrows of design.md section 3
    ("source", &[WORDS, &["rule"]]),
    ("scan", &[WORDS, &["rule", "source"]]),
    ("call", &[WORDS, &["rule"]]),
    ("verify", &[WORDS, &["rule", "call"]]),
    ("owner", &[WORDS, &["rule", "call"]]),
    ("policy", &[WORDS, &["rule"]]),
    // Two arrows more than design.md has: an action is proved by asking again, and a plan to revoke names what an
    // organisation can do instead.
    ("contain", &[WORDS, &["rule", "call", "policy", "verify"]]),
    (
        "revoke",
        &[WORDS, &["rule", "call", "policy", "verify", "contain"]],
    ),
    ("database", &[]),
    ("notify", &[WORDS, &["rule"]]),
    ("report", &[WORDS, &["rule"]]),
    ("store", &[WORDS, &["rule", "database"]]),
    // the embedded service: used by the doors alone, and knows nothing of the scanner but the words
    ("token_service", &[WORDS, &["database"]]),
    // the life of one leak
    ("respond", &[WORDS, STAGES]),
    // doors
    ("config", &[WORDS, STAGES, &["respond", "token_service"]]),
    (
        "server",
        &[WORDS, STAGES, &["respond", "config", "token_service"]],
    ),
    (
        "cli",
        &[WORDS, STAGES, &["respond", "config", "token_service", "server"]],
    ),
    ("main", &[&["config", "cli"]]),
];

#[test]
fn every_arrow_between_modules_stands_in_the_table() {
    let problems = check(&sources());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_table_has_exactly_the_modules_of_the_library_and_no_cycle() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared: BTreeSet<&str> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let mut above: BTreeSet<&str> = BTreeSet::new();
    for (module, groups) in LAYERS {
        for used in groups.iter().flat_map(|group| group.iter()) {
            assert!(
                above.contains(used),
                "{module} may use {used}, which has no row above it"
            );
        }
        assert!(above.insert(module), "{module} has two rows");
    }
    above.remove("main");
    assert_eq!(declared, above, "src/lib.rs and LAYERS name different modules");
}

/// Files with one wrong arrow each, and what the checker says of it.
const PLANTED: &[(&str, &str, &str)] = &[
    (
        "src/verify.rs",
        "use crate::store::Store;",
        "verify must not use store",
    ),
    (
        "src/call/guard.rs",
        "fn f() { crate::policy::decide(); }",
        "call must not use policy",
    ),
    (
        "src/scan/mod.rs",
        "use crate::secret::Secret; use crate::report::Report;",
        "scan must not use report",
    ),
    (
        "src/rule/file.rs",
        "pub(in crate::cli) struct X;",
        "rule must not use cli",
    ),
    (
        "src/finding.rs",
        "type L = crate::leak::Leak;",
        "finding must not use leak",
    ),
    (
        "src/main.rs",
        "fn main() { unleak::store::open() }",
        "main must not use store",
    ),
    (
        "src/scan/a.rs",
        "use crate::{finding, secret};",
        "one path for each `use`",
    ),
    ("src/scan/a.rs", "use crate::*;", "one path for each `use`"),
    (
        "src/scan/a.rs",
        "use super::super::store::Store;",
        "`super::super` hides an arrow",
    ),
    (
        "src/verify.rs",
        "use super::store::Store;",
        "verify must not use store",
    ),
    (
        "src/verify/mod.rs",
        "use super::{call::X,\n    store::Store};",
        "verify must not use store",
    ),
    ("src/pager.rs", "fn f() {}", "pager is missing from LAYERS"),
    ("src/pager/mod.rs", "fn f() {}", "pager is missing from LAYERS"),
];

#[test]
fn a_planted_wrong_arrow_is_caught_wherever_it_hides() {
    for (file, text, expected) in PLANTED {
        let problems = check(&[(PathBuf::from(file), (*text).to_owned())]);
        assert!(
            problems.len() == 1 && problems[0].contains(expected),
            "{file}: {text}\ngave {problems:?}"
        );
    }
}

#[test]
fn an_allowed_arrow_a_comment_and_a_sibling_are_left_alone() {
    let fine = [
        (
            "src/verify.rs",
            "use crate::call::Caller;\nuse crate::leak::Verdict;",
        ),
        (
            "src/verify.rs",
            "//! See [`crate::store`].\n    // crate::cli\nfn f() {}",
        ),
        (
            "src/scan/matcher.rs",
            "use super::entropy;\nuse crate::source::Blob;",
        ),
        ("src/scan/matcher.rs", "mod tests { use super::report; }"),
        (
            "src/scan/mod.rs",
            "fn scan() {}\nmod tests { use super::{scan, Thing}; }",
        ),
        ("src/main.rs", "use unleak::cli;"),
        ("src/scan/a.rs", "use mycrate::store; fn subcrate::cli() {}"),
    ];
    for (file, text) in fine {
        let problems = check(&[(PathBuf::from(file), text.to_owned())]);
        assert!(problems.is_empty(), "{file}: {text}\ngave {problems:?}");
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file with its text; the path begins with `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    files.sort();
    files
}

/// What is wrong with these files, a line each.
fn check(files: &[(PathBuf, String)]) -> Vec<String> {
    let mut problems = Vec::new();
    for (path, text) in files {
        let shown = path.display();
        let first = path.iter().nth(1).unwrap().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        if matches!(path.to_str(), Some("src/lib.rs" | "src/build.rs")) {
            continue;
        }
        let Some((_, groups)) = LAYERS.iter().find(|(known, _)| *known == module) else {
            problems.push(format!(
                "{shown}: {module} is missing from LAYERS in tests/it/layers.rs"
            ));
            continue;
        };
        let code = without_comments(text);
        if code.contains("super::super") {
            problems.push(format!(
                "{shown}: `super::super` hides an arrow; write the path from `crate`"
            ));
            continue;
        }
        let own_crate = if module == "main" { "unleak::" } else { "crate::" };
        let mut used = names_after(&code, own_crate);
        // In the root file of a module `super::` is the crate itself.
        if path.ends_with(first) || path.ends_with(format!("{module}/mod.rs")) {
            let known = |name: &String| LAYERS.iter().any(|(module, _)| module == name);
            used.extend(names_after(&code, "super::").into_iter().filter(known));
        }
        for name in used {
            if name.is_empty() || name == "{" {
                problems.push(format!("{shown}: write one path for each `use` of the crate"));
            } else if name != module && !groups.iter().any(|group| group.contains(&name.as_str())) {
                problems.push(format!(
                    "{shown}: {module} must not use {name} (tests/it/layers.rs)"
                ));
            }
        }
    }
    problems
}

fn without_comments(text: &str) -> String {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.collect::<Vec<_>>().join("\n")
}

/// The names that follow a path's beginning. A list in braces gives its names for `super::`; for the crate itself it
/// gives the brace, and a wildcard gives an empty name.
fn names_after(code: &str, start: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(start) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(list) if start == "super::" => names.extend(listed(list)),
            Some(_) => drop(names.insert("{".to_owned())),
            None => drop(names.insert(identifier(rest))),
        }
    }
    names
}

/// The first names of `a::b, c::{d, e}}`, up to the brace that closes the list.
fn listed(list: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut items = vec![String::new()];
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            '{' => depth += 1,
            ',' if depth == 0 => items.push(String::new()),
            _ => {}
        }
        items.last_mut().unwrap().push(c);
    }
    items
        .iter()
        .map(|item| identifier(item.trim_start_matches([',', ' ', '\n'])))
        .collect()
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}
