//! The repository's own files: `.unleak.toml`, the baseline, and how git joins two baselines.

use std::path::Path;

use anyhow::Result;

use super::migrate::ALLOWED;
use super::{Done, delete, text_of, unedit, write};
use crate::cli::look::look;
use crate::cli::{Context, scan};
use crate::config::project::{BASELINE, NAME};

/// What `.unleak.toml` holds at first.
const PROJECT: &str = "\
# How unleak's hooks and `unleak ci` scan this repository; made by `unleak init`. Nothing in it can send a token anywhere.
# What it hides is reported as suppressed.

# exclude = [\"tests/fixtures/\"]        # paths whose findings do not count: patterns as .gitignore has them
# skip = [\"generic/password\"]          # rules or services that are not used; `unleak rules list` shows them
# confidence = \"high\"                  # least confidence of a finding: high, medium or low
# rules = [\".gitleaks.toml\"]           # configurations of gitleaks or betterleaks whose rules are used as well
# baseline = \".unleak-baseline\"        # leaks that are known and do not count
";

/// git joins the lines of two branches, which is all that a baseline needs.
const ATTRIBUTES: &str =
    "# unleak init: the baselines of two branches are joined line by line\n.unleak-baseline merge=union\n";

/// Writes `.unleak.toml`, unless there is one.
pub(super) fn write_project(root: &Path, done: &mut Vec<Done>) -> Result<()> {
    let file = root.join(NAME);
    if file.exists() {
        done.push(Done::new("kept", file.display().to_string()));
        return Ok(());
    }
    write(&file, PROJECT)?;
    done.push(Done::new("wrote", file.display().to_string()));
    Ok(())
}

/// Has git join baselines line by line.
pub(super) fn write_attributes(root: &Path, done: &mut Vec<Done>) -> Result<()> {
    let attributes = root.join(".gitattributes");
    let text = text_of(&attributes)?.unwrap_or_default();
    if !text.contains(ATTRIBUTES) {
        write(&attributes, &format!("{ATTRIBUTES}{text}"))?;
        done.push(Done::new("wrote", attributes.display().to_string()));
    }
    Ok(())
}

/// Looks at files and history and writes what is there to the baseline, unless there is one.
pub(super) fn write_baseline(root: &Path, context: &mut Context, done: &mut Vec<Done>) -> Result<()> {
    write_attributes(root, done)?;
    let file = root.join(BASELINE);
    if file.exists() {
        done.push(Done::new("kept", file.display().to_string()));
        return Ok(());
    }
    let typed = scan::typed(["--write-baseline".as_ref(), file.as_os_str(), root.as_os_str()])?;
    let report = scan::examine(&typed, context, look)?;
    let leaks = report.summary().leaks;
    let (are, s) = if leaks == 1 { ("is", "") } else { ("are", "s") };
    done.push(Done::new("wrote", file.display().to_string()));
    if leaks > 0 {
        done.push(Done::new(
            "found",
            format!("{leaks} leak{s} that {are} here already; the baseline knows them, `unleak scan` shows them: revoke them"),
        ));
    }
    let gaps = report.coverage.skipped.iter();
    // A repository without a commit is what init is for.
    let gaps = gaps.filter(|gap| !gap.why.contains("no commit yet") && !gap.why.contains("nothing to scan"));
    done.extend(gaps.map(|gap| Done::new("gap", format!("{}: {}", gap.what, gap.why))));
    Ok(())
}

/// Takes away what init wrote; a file that somebody has changed since stays.
pub(super) fn remove(root: &Path, done: &mut Vec<Done>) -> Result<()> {
    let project = root.join(NAME);
    match text_of(&project)? {
        Some(text) if text == PROJECT || text.contains("made by `unleak init --from`") => {
            delete(&project)?;
            done.push(Done::new("removed", project.display().to_string()));
        }
        Some(_) => done.push(Done::new(
            "kept",
            format!("{}, which was changed since", project.display()),
        )),
        None => {}
    }
    let allowed = root.join(ALLOWED);
    if text_of(&allowed)?.is_some_and(|text| text.contains("`unleak init --from` made")) {
        delete(&allowed)?;
        done.push(Done::new("removed", allowed.display().to_string()));
    }
    let baseline = root.join(BASELINE);
    if text_of(&baseline)?.is_some_and(|text| text.starts_with("# unleak baseline")) {
        delete(&baseline)?;
        done.push(Done::new("removed", baseline.display().to_string()));
    }
    unedit(
        &root.join(".gitattributes"),
        |text| text.replace(ATTRIBUTES, ""),
        done,
    )
}
