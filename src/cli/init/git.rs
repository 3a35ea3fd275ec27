//! git's own hooks: a script of ours, which runs the hook that was there before.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use git2::{ConfigLevel, Repository};

use super::{Done, delete, make_executable, text_of, write as write_file};
use crate::cli::exit::Hinted;

/// The hooks of a repository with files. `git merge` runs its own instead of pre-commit.
pub(super) const HOOKS: [&str; 3] = ["pre-commit", "pre-merge-commit", "pre-push"];

const ALL: [&str; 4] = ["pre-commit", "pre-merge-commit", "pre-push", "pre-receive"];

const MARK: &str = "# unleak init: made by `unleak init`, taken away by `unleak init --remove`";

/// What the name of a hook that was there before ends with.
const BEFORE: &str = ".before-unleak";

/// Writes hooks.
pub(super) fn write(repository: &Repository, hooks: &[&str], done: &mut Vec<Done>) -> Result<()> {
    let folder = folder(repository)?;
    for hook in hooks {
        let file = folder.join(hook);
        let text = script(hook)?;
        let old = text_of(&file)?;
        if old.as_deref() == Some(text.as_str()) {
            done.push(Done::new("kept", file.display().to_string()));
            continue;
        }
        let ours = old.as_ref().is_some_and(|old| old.contains(MARK));
        if old.is_some() && !ours {
            let before = before(&file);
            if before.exists() {
                return Err(Hinted::usage(
                    format!("{} and {} are both there", file.display(), before.display()),
                    "join them into one, and run init again",
                ));
            }
            std::fs::rename(&file, &before).with_context(|| format!("cannot rename {}", file.display()))?;
            done.push(Done::new(
                "chained",
                format!("{}, which runs first", before.display()),
            ));
        }
        write_file(&file, &text)?;
        make_executable(&file)?;
        done.push(Done::new("wrote", file.display().to_string()));
    }
    Ok(())
}

/// Takes our hooks away and puts those from before back.
pub(super) fn remove(repository: &Repository, done: &mut Vec<Done>) -> Result<()> {
    let Ok(folder) = folder(repository) else {
        return Ok(());
    };
    for hook in ALL {
        let file = folder.join(hook);
        if !text_of(&file)?.is_some_and(|text| text.contains(MARK)) {
            continue;
        }
        let before = before(&file);
        if before.exists() {
            std::fs::rename(&before, &file).with_context(|| format!("cannot rename {}", before.display()))?;
            done.push(Done::new("restored", file.display().to_string()));
        } else {
            delete(&file)?;
            done.push(Done::new("removed", file.display().to_string()));
        }
    }
    Ok(())
}

/// The hooks of this repository that call unleak, ours or not.
pub(super) fn present(repository: &Repository) -> Result<Vec<String>> {
    let folder = folder(repository)?;
    let mut present = Vec::new();
    for hook in ALL {
        if text_of(&folder.join(hook))?.is_some_and(|text| text.contains("unleak")) {
            present.push(hook.to_owned());
        }
    }
    Ok(present)
}

fn before(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(BEFORE);
    PathBuf::from(name)
}

/// Where git looks for this repository's hooks: `core.hooksPath`, else the folder that all its worktrees share.
fn folder(repository: &Repository) -> Result<PathBuf> {
    let mut config = repository.config().context("cannot read git's configuration")?;
    let config = config.snapshot().context("cannot read git's configuration")?;
    let Ok(entry) = config.get_entry("core.hookspath") else {
        return Ok(repository.commondir().join("hooks"));
    };
    let path = config.get_path("core.hookspath").context("core.hooksPath")?;
    if !matches!(
        entry.level(),
        ConfigLevel::Local | ConfigLevel::Worktree | ConfigLevel::App
    ) {
        return Err(Hinted::usage(
            format!(
                "core.hooksPath is {} for all repositories, not for this one alone",
                path.display()
            ),
            "add `unleak hook pre-commit` and `unleak hook pre-push \"$@\"` to the hooks there, or give this repository its \
             own: git config --local core.hooksPath .git/hooks",
        ));
    }
    let root = repository.workdir().unwrap_or(repository.path());
    Ok(root.join(path))
}

fn script(hook: &str) -> Result<String> {
    let program = std::env::current_exe().context("cannot tell where unleak is")?;
    let program = program.display().to_string().replace('\'', r"'\''");
    let stop = match hook {
        "pre-push" => "this push was not checked. Install it, or once: git push --no-verify",
        "pre-receive" => "this push was not checked, and is refused.",
        _ => "this commit was not checked. Install it, or once: git commit --no-verify",
    };
    let reads = matches!(hook, "pre-push" | "pre-receive");
    let (given, lines) = if reads {
        ("lines=$(cat)\n", "printf '%s\\n' \"$lines\" | ")
    } else {
        ("", "")
    };
    let arguments = if hook == "pre-push" { " \"$@\"" } else { "" };
    Ok(format!(
        "#!/bin/sh\n{MARK}\n{given}if [ -x \"$0{BEFORE}\" ]; then\n\t{lines}\"$0{BEFORE}\" \"$@\" || exit $?\nfi\n\
         unleak=unleak\ncommand -v unleak >/dev/null 2>&1 || unleak='{program}'\n\
         if ! command -v \"$unleak\" >/dev/null 2>&1; then\n\techo 'unleak is not installed here: {stop}' >&2\n\texit 1\nfi\n\
         {lines}\"$unleak\" hook {hook}{arguments}\n"
    ))
}
