//! What a scan looks at: targets, the index, a range, a push. An empty result is never silent.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::exit::Hinted;
use super::scan::ScanArgs;
use crate::scan::{Parts, Scan};
use crate::source::push::Push;
use crate::source::range::Range;

/// Scans everything that was asked for; an empty result is never silent.
pub(super) fn look(args: &ScanArgs, scan: &mut Scan) -> Result<()> {
    let tally = scan.tally();
    let here = [PathBuf::from(".")];
    let targets: &[PathBuf] = if args.targets.is_empty() {
        &here
    } else {
        &args.targets
    };
    if let Some(range) = range(args)? {
        for target in targets {
            let commits = scan
                .commits(target, |repository| range.commits(repository))
                .map_err(|error| cannot(&error, NO_RANGE))?;
            if commits == 0 {
                tally.skip(
                    format!("{}..{}", range.from, range.to),
                    "holds no commit: nothing was scanned",
                );
            }
        }
        return Ok(());
    }
    if let Some(remote) = &args.push {
        let push = push(&mut std::io::stdin())?;
        for target in targets {
            // A push that only deletes brings nothing, and is no gap.
            scan.commits(target, |repository| push.commits(repository, remote))
                .map_err(|error| cannot(&error, NO_PUSH))?;
        }
        return Ok(());
    }
    if args.staged {
        for target in targets {
            // Nothing staged is a usual commit (--amend, --allow-empty) and no gap.
            scan.staged(target, &args.merging)
                .map_err(|error| cannot(&error, NO_INDEX))?;
        }
        return Ok(());
    }
    let parts = match (args.no_history, args.history_only) {
        (true, _) => Parts::Files,
        (_, true) => Parts::History,
        _ => Parts::FilesAndHistory,
    };
    for target in targets {
        if target == Path::new("-") {
            scan.stdin(&mut std::io::stdin());
        } else {
            scan.target(target, &shown(target, targets.len()), parts);
        }
    }
    let coverage = tally.coverage();
    if coverage.files + coverage.blobs + coverage.binary == 0 && coverage.skipped.is_empty() {
        tally.skip(
            "everything",
            "there was nothing to scan; with --no-ignore files that .gitignore names are scanned too",
        );
    }
    Ok(())
}

/// How paths of a target begin in the report: relative to this folder where the target is below it, else by the
/// target's own name where there are several targets, else not at all. Never absolute: SARIF takes relative ones only.
fn shown(target: &Path, targets: usize) -> PathBuf {
    let below = || {
        let here = std::env::current_dir().and_then(std::fs::canonicalize).ok()?;
        Some(
            std::fs::canonicalize(target)
                .ok()?
                .strip_prefix(here)
                .ok()?
                .to_owned(),
        )
    };
    let own_name = || target.file_name().map(PathBuf::from).unwrap_or_default();
    match below() {
        Some(path) => path,
        None if targets > 1 || !target.is_dir() => own_name(),
        None => PathBuf::new(),
    }
}

fn range(args: &ScanArgs) -> Result<Option<Range>> {
    let since = args.since.as_ref().map(|revision| format!("{revision}.."));
    let text = args.range.as_ref().or(since.as_ref());
    text.map(|text| Range::parse(text)).transpose()
}

/// Largest list of pushed refs that is read, in bytes.
const LARGEST_PUSH: u64 = 64 << 20;

/// Reads the refs that git gives a hook.
fn push(input: &mut dyn Read) -> Result<Push> {
    let mut text = String::new();
    input
        .take(LARGEST_PUSH)
        .read_to_string(&mut text)
        .map_err(|error| cannot(&error.into(), NO_PUSH))?;
    Push::parse(&text).map_err(|error| cannot(&error, NO_PUSH))
}

const NO_PUSH: &str =
    "`--push` reads what git writes to a pre-push or pre-receive hook; `unleak init` makes such hooks";
pub(super) const NO_RANGE: &str =
    "in CI, fetch the whole history (fetch-depth: 0); `git rev-parse REV` tells whether git knows a revision";
const NO_INDEX: &str = "--staged reads git's index: run it in a repository in which `git status` works";

pub(super) fn cannot(error: &anyhow::Error, hint: &str) -> anyhow::Error {
    Hinted::incomplete(format!("nothing was scanned: {error:#}"), hint)
}
