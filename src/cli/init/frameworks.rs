//! The YAML files of pre-commit and lefthook. Lines are put in with a mark at their end, so that a person's comments and
//! layout stay as they are; a file whose layout is another than the usual is left alone and what to put in is shown.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Done, by_hand, text_of, unedit, write};

pub(super) const PRE_COMMIT: &str = ".pre-commit-config.yaml";

/// The files that may hold our lines.
pub(super) const FILES: [&str; 5] = [PRE_COMMIT, LEFTHOOK[0], LEFTHOOK[1], LEFTHOOK[2], LEFTHOOK[3]];

const LEFTHOOK: [&str; 4] = ["lefthook.yml", "lefthook.yaml", ".lefthook.yml", ".lefthook.yaml"];

const MARK: &str = "  # unleak init";

const REPO: &str = "- repo: local\n  hooks:\n    - id: unleak\n      name: unleak\n      entry: unleak hook\n      \
                    language: system\n      pass_filenames: false\n      always_run: true\n      \
                    stages: [pre-commit, pre-merge-commit, pre-push, manual]";

/// Puts a local hook into pre-commit's configuration.
pub(super) fn pre_commit(root: &Path, done: &mut Vec<Done>) -> Result<()> {
    let file = root.join(PRE_COMMIT);
    let text = text_of(&file)?;
    let made = with_repo(text.as_deref().unwrap_or("repos:  # unleak init\n"));
    settle(&file, text, made, REPO, done)?;
    done.push(Done::new(
        "next",
        "pre-commit install --hook-type pre-commit --hook-type pre-merge-commit --hook-type pre-push",
    ));
    Ok(())
}

/// Puts commands into lefthook's configuration.
pub(super) fn lefthook(root: &Path, done: &mut Vec<Done>) -> Result<()> {
    let file = lefthook_file(root).unwrap_or_else(|| root.join(LEFTHOOK[0]));
    let text = text_of(&file)?;
    let mut made = Some(text.clone().unwrap_or_default());
    for (hook, lines) in COMMANDS {
        made = made.and_then(|text| with_command(&text, hook, lines));
    }
    let snippet: Vec<String> = COMMANDS
        .iter()
        .map(|(hook, lines)| format!("{hook}:\n  commands:\n{}", indented("unleak:", lines, "    ")))
        .collect();
    settle(&file, text, made, &snippet.join(""), done)?;
    done.push(Done::new("next", "lefthook install"));
    Ok(())
}

/// lefthook's configuration, if it is one that can be edited.
pub(super) fn lefthook_file(root: &Path) -> Option<PathBuf> {
    LEFTHOOK
        .iter()
        .map(|name| root.join(name))
        .find(|file| file.is_file())
}

/// Takes our lines out again.
pub(super) fn remove(root: &Path, done: &mut Vec<Done>) -> Result<()> {
    unedit(&root.join(PRE_COMMIT), without, done)?;
    LEFTHOOK
        .iter()
        .try_for_each(|name| unedit(&root.join(name), without, done))
}

fn settle(
    file: &Path,
    old: Option<String>,
    made: Option<String>,
    snippet: &str,
    done: &mut Vec<Done>,
) -> Result<()> {
    if old.as_ref().is_some_and(|old| old.contains(MARK)) {
        done.push(Done::new("kept", file.display().to_string()));
        return Ok(());
    }
    let made =
        made.ok_or_else(|| by_hand(file, "its layout is not one that can be edited safely", snippet))?;
    write(file, &made)?;
    done.push(Done::new("wrote", file.display().to_string()));
    Ok(())
}

fn without(text: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| !line.trim_end().ends_with(MARK.trim_start()))
        .collect()
}

fn indent_of(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches(' ').len()]
}

/// Whether a line is a key of a block mapping, with nothing behind it but a comment.
fn is_key(line: &str, key: &str) -> bool {
    let rest = line
        .trim()
        .strip_prefix(key)
        .and_then(|rest| rest.strip_prefix(':'));
    rest.is_some_and(|rest| rest.trim_start().is_empty() || rest.trim_start().starts_with('#'))
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

/// Marked lines below an indentation.
fn marked(lines: &str, indent: &str) -> String {
    lines
        .lines()
        .map(|line| format!("{indent}{line}{MARK}\n"))
        .collect()
}

fn with_repo(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let at = lines
        .iter()
        .position(|line| !line.starts_with(' ') && is_key(line, "repos"))?;
    if !lines[at].ends_with('\n') {
        return None;
    }
    let item = lines[at + 1..].iter().find(|line| !is_blank(line));
    let indent = match item {
        Some(line) if line.trim_start().starts_with("- ") => indent_of(line),
        // A list without an item: the next key follows.
        Some(line) if !line.starts_with(' ') => "  ",
        Some(_) => return None,
        None => "  ",
    };
    let (before, behind) = lines.split_at(at + 1);
    Some([before.concat(), marked(REPO, indent), behind.concat()].concat())
}

const COMMANDS: [(&str, &[&str]); 3] = [
    ("pre-commit", &["run: unleak hook pre-commit"]),
    ("pre-merge-commit", &["run: unleak hook pre-commit"]),
    // Without use_stdin lefthook gives it nothing, and waits.
    (
        "pre-push",
        &["run: unleak hook pre-push {1} {2}", "use_stdin: true"],
    ),
];

/// `unleak:` and these lines below it, or one item of a list.
fn indented(head: &str, lines: &[&str], indent: &str) -> String {
    let mut text = format!("{indent}{head}\n");
    for line in lines {
        text.push_str(&format!("{indent}  {line}\n"));
    }
    text
}

fn with_command(text: &str, hook: &str, lines: &[&str]) -> Option<String> {
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let top = |line: &&str| !line.starts_with([' ', '#', '\n', '\r']);
    if all.iter().any(|line| line.contains('\t')) {
        return None;
    }
    let Some(at) = all.iter().position(|line| top(line) && is_key(line, hook)) else {
        // `pre-commit: {…}` on one line is that hook, too.
        if all.iter().any(|line| line.starts_with(&format!("{hook}:"))) {
            return None;
        }
        let block = format!("{hook}:\n  commands:\n{}", indented("unleak:", lines, "    "));
        let head = usize::from(all.first().is_some_and(|line| line.starts_with("---")));
        let (before, behind) = all.split_at(head);
        return Some([before.concat(), marked(&block, ""), behind.concat()].concat());
    };
    let end = all[at + 1..]
        .iter()
        .position(top)
        .map_or(all.len(), |behind| at + 1 + behind);
    let body = &all[at + 1..end];
    let child = body
        .iter()
        .find(|line| !is_blank(line))
        .map(|line| indent_of(line))?;
    let list = |key: &str| {
        body.iter()
            .position(|line| indent_of(line) == child && is_key(line, key))
            .map(|found| at + 1 + found)
    };
    let (place, block) = if let Some(place) = list("commands") {
        let deeper = deeper(&all, place, end, child);
        (place, indented("unleak:", lines, &deeper))
    } else if let Some(place) = list("jobs") {
        let deeper = deeper(&all, place, end, child);
        (place, indented("- name: unleak", lines, &deeper))
    } else if body
        .iter()
        .any(|line| indent_of(line) == child && line.trim().starts_with("commands:"))
    {
        return None;
    } else {
        (
            at,
            format!(
                "{child}commands:\n{}",
                indented("unleak:", lines, &format!("{child}  "))
            ),
        )
    };
    if !all[place].ends_with('\n') {
        return None;
    }
    let (before, behind) = all.split_at(place + 1);
    Some(
        [
            before.concat(),
            marked(block.trim_end_matches('\n'), ""),
            behind.concat(),
        ]
        .concat(),
    )
}

/// The indentation of what stands below a key.
fn deeper(all: &[&str], key: usize, end: usize, child: &str) -> String {
    let first = all[key + 1..end].iter().find(|line| !is_blank(line));
    first
        .map(|line| indent_of(line))
        .filter(|indent| indent.len() >= child.len())
        .map_or_else(|| format!("{child}  "), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, with_command, with_repo, without};

    #[test]
    fn what_is_put_in_comes_out_again_and_the_rest_stays_as_it_was() {
        for text in [
            "repos:\n- repo: https://example.com/x\n  rev: v1\n  hooks:\n  - id: x",
            "# ours\nrepos: # all\n\n    # first\n    - repo: local\n      hooks: []\nci:\n  skip: [x]\n",
            "fail_fast: true\nrepos:\n",
        ] {
            let made = with_repo(text).unwrap();
            assert!(made.contains("entry: unleak hook"), "{made}");
            assert_eq!(without(&made), text);
        }
        for text in [
            "",
            "---\nskip_output: [meta]",
            "pre-commit:\n  parallel: true\n  commands:\n    lint:\n      run: x\n\npre-push:\n  jobs:\n    - run: y\n",
            "pre-commit:\n    scripts:\n        \"a.sh\":\n            runner: sh\n",
        ] {
            let made = COMMANDS
                .iter()
                .try_fold(text.to_owned(), |text, (hook, lines)| {
                    with_command(&text, hook, lines)
                })
                .unwrap();
            assert_eq!(made.matches("unleak hook").count(), 3, "{made}");
            assert_eq!(without(&made), text);
        }
    }

    #[test]
    fn a_layout_that_is_not_understood_is_left_alone() {
        assert_eq!(with_repo("repos: []\n"), None);
        assert_eq!(with_repo("repos: [{repo: local}]\n"), None);
        assert_eq!(with_repo("ci: {}\n"), None);
        assert_eq!(
            with_command("pre-commit: {commands: {}}\n", "pre-commit", &["run: x"]),
            None
        );
        assert_eq!(
            with_command("pre-commit:\n  commands: {}\n", "pre-commit", &["run: x"]),
            None
        );
    }
}
