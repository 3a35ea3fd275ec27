//! `unleak ci`: the right commits for what the CI system runs, and the results where that system shows them.
//!
//! It never calls an empty or failed scan clean. In a fork's change it asks no service, uses no token, and takes settings and
//! baseline from the base; marks on the lines themselves count, because whoever reviews the change sees them.

mod annotate;
mod fetch;
mod remarks;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use anyhow::{Context as _, Result, anyhow};
use clap::Args;

use super::exit::{Exit, Hinted};
use super::look::{cannot, look};
use super::scan::{self, FailOn, ScanArgs};
use super::{Context, output};
use crate::config::project::{BASELINE, NAME, Project};
use crate::config::runner::{Runner, Span, System};
use crate::notify::review::{Remark, Review};
use crate::report::{self, Format, Report};
use crate::scan::Scan;
use crate::source::range::Commits;
use crate::source::repository;

/// Scan what a CI run is for: a pull request, a push, a merge queue, or everything
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct CiArgs {
    /// Scan what HEAD (or --head) has and this revision has not, whatever the CI system says
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// With --base: the newest commit [default: HEAD]
    #[arg(long, value_name = "REV", requires = "base")]
    head: Option<String>,
    /// Write a report to a file: sarif=unleak.sarif, gitlab=gl-secret-detection-report.json; may be repeated
    #[arg(long, value_name = "FORMAT=FILE")]
    report: Vec<String>,
    /// Remark on each leak at its line of the pull request (GitHub; GITHUB_TOKEN with pull-requests: write)
    #[arg(long)]
    comment: bool,
    /// Ask the services whether the tokens are alive; never done for a fork
    #[arg(long)]
    verify: bool,
    /// What makes the exit code 1
    #[arg(long, value_enum, value_name = "WHAT", default_value = "any")]
    fail_on: FailOn,
    /// Do not count what this baseline knows [default: .unleak-baseline of the repository]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Do not print the secrets as masks (GitHub), which keep later steps from showing them in the log
    #[arg(long)]
    no_mask: bool,
    /// Do not fetch commits that a shallow checkout lacks; stop instead
    #[arg(long)]
    no_fetch: bool,
    /// The remote to fetch from
    #[arg(long, value_name = "NAME", default_value = "origin")]
    remote: String,
}

const EXAMPLES: &str = "Examples:\n  \
    unleak ci                                              as the CI system says\n  \
    unleak ci --report sarif=unleak.sarif --comment        GitHub, with code scanning and remarks\n  \
    unleak ci --report gitlab=gl-secret-detection-report.json\n  \
    unleak ci --base origin/main                           any other system\n\n\
    GitHub Actions, GitLab, Jenkins, Buildkite, Azure Pipelines and Bitbucket Pipelines are known by their environment;\n\
    elsewhere everything is scanned. The baseline, and .unleak.toml, are the repository's own: for a fork those of the base.";

/// Runs as CI.
pub fn run(args: &CiArgs, mut context: Context, out: &mut dyn Write) -> Result<Exit> {
    let reports = reports(&args.report)?;
    let mut runner = Runner::of_process().map_err(|error| cannot(&error, NO_EVENT))?;
    let here = repository::around(".".as_ref()).map_err(|error| cannot(&error, NO_CHECKOUT))?;
    if let Some(base) = &args.base {
        // As a person means it: a branch of this repository before one of the remote.
        let named = |name: &str| match repository::commit(&here, name) {
            Ok(commit) => commit.id().to_string(),
            Err(_) => name.to_owned(),
        };
        runner.change.span = Span::Between {
            base: named(base),
            head: named(args.head.as_deref().unwrap_or("HEAD")),
        };
        runner.change.has_commits = true;
    }
    refuse_checked_out(&runner, &here)?;
    if !args.no_fetch {
        fetch::complete(&here, &args.remote, &runner.change, &mut std::io::stderr())?;
    }
    drop(here);
    // Opened again: what was fetched since is seen.
    let here = repository::around(".".as_ref()).map_err(|error| cannot(&error, NO_CHECKOUT))?;
    let own = Own::of(&runner, &here, &args.remote)?;
    for rules in &own.project.rules {
        context.rules.load_foreign(&own.root.join(rules))?;
    }
    let mut words = own.project.words(&own.root)?;
    if let Some(baseline) = &args.baseline {
        words.retain(|word| word != "--baseline");
        words.retain(|word| !Path::new(word).starts_with(&own.root));
        words.extend(["--baseline".into(), baseline.into()]);
    }
    words.push(format!("--fail-on={}", name_of(args.fail_on)).into());
    if args.verify && !runner.fork && !runner.guarded {
        words.push("--verify".into());
    } else if args.verify {
        tracing::warn!("{} comes from a fork: no service is asked", runner.change.what);
    }
    let typed = scan::typed(words)?;
    let remote = args.remote.clone();
    let report = scan::examine(&typed, &mut context, |typed, scan| {
        see(&runner, &remote, typed, scan)
    })?;
    let exit = scan::verdict(&typed, &report);
    publish(args, &runner, &report, out)?;
    write_reports(&reports, &report)?;
    out.flush()?;
    if args.comment {
        remark(&runner, &report)?;
    }
    Ok(exit)
}

const NO_EVENT: &str = "`unleak ci --base REV` scans the commits since REV without asking the CI system";
const NO_CHECKOUT: &str = "check the repository out first (GitHub: actions/checkout with fetch-depth: 0)";

fn name_of(fail_on: FailOn) -> &'static str {
    match fail_on {
        FailOn::Any => "any",
        FailOn::Live => "live",
        FailOn::Never => "never",
    }
}

fn reports(given: &[String]) -> Result<Vec<(Format, PathBuf)>> {
    let one = |text: &String| {
        let (format, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or_else(|| anyhow!("--report is written FORMAT=FILE, got {text:?}"))?;
        Ok((Format::from_str(format)?, PathBuf::from(file)))
    };
    given.iter().map(one).collect()
}

/// With `pull_request_target` a workflow has the repository's rights. Who checks the pull request's commit out then lets
/// whoever wrote it use them, in this step or the next.
fn refuse_checked_out(runner: &Runner, here: &git2::Repository) -> Result<()> {
    let Span::Between { head, .. } = &runner.change.span else {
        return Ok(());
    };
    let checked_out = here.head().ok().and_then(|head| head.peel_to_commit().ok());
    let theirs = checked_out.is_some_and(|commit| {
        commit.id().to_string() == *head || commit.parent_ids().any(|parent| parent.to_string() == *head)
    });
    if runner.guarded && theirs {
        return Err(Hinted::usage(
            "pull_request_target with the pull request's own commit checked out: its author could use this workflow's rights",
            "use the event pull_request, or leave out `ref` of actions/checkout: unleak fetches the commits and reads them \
             without checking them out",
        ));
    }
    Ok(())
}

/// What the repository says of its own scan, and where its files are.
struct Own {
    project: Project,
    root: PathBuf,
    /// Holds the files of the base, as long as they are needed.
    _folder: Option<tempfile::TempDir>,
}

impl Own {
    fn of(runner: &Runner, here: &git2::Repository, remote: &str) -> Result<Self> {
        if !runner.fork && !runner.guarded {
            let root = here.workdir().unwrap_or(here.path()).to_owned();
            let project = Project::of(&root)?;
            return Ok(Self {
                project,
                root,
                _folder: None,
            });
        }
        // Whoever wrote the commits could hide a leak by their own file: the base's counts.
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let root = folder.path().to_owned();
        let base = match &runner.change.span {
            Span::Between { base, .. } => Some(fetch::resolve(here, base, remote)?),
            _ => None,
        };
        let file = |path: &Path| -> Option<Vec<u8>> {
            let tree = here.find_commit(base?).ok()?.tree().ok()?;
            let blob = here.find_blob(tree.get_path(path).ok()?.id()).ok()?;
            Some(blob.content().to_vec())
        };
        let project = match file(Path::new(NAME)) {
            Some(text) => Project::parse(&String::from_utf8_lossy(&text))?,
            None => Project::default(),
        };
        let baseline = project.baseline.clone().unwrap_or_else(|| BASELINE.into());
        for path in project.rules.iter().chain([&baseline]) {
            if let Some(text) = file(path) {
                let place = root.join(path);
                std::fs::create_dir_all(place.parent().unwrap_or(&root))
                    .and_then(|()| std::fs::write(&place, text))
                    .context("cannot write to a temporary folder")?;
            }
        }
        Ok(Self {
            project,
            root,
            _folder: Some(folder),
        })
    }
}

/// Scans what the change is.
fn see(runner: &Runner, remote: &str, typed: &ScanArgs, scan: &mut Scan) -> Result<()> {
    let change = &runner.change;
    let (base, head) = match &change.span {
        Span::Whole => return look(typed, scan),
        Span::Nothing => return Ok(()),
        Span::Between { base, head } => (Some(base), head),
        Span::New { head } => (None, head),
    };
    let choose = |here: &git2::Repository| {
        let mut commits = Commits {
            tips: vec![fetch::resolve(here, head, remote)?],
            ..Commits::default()
        };
        let known = match base.map(|base| fetch::resolve(here, base, remote)) {
            Some(Err(error)) if change.has_commits => return Err(error),
            Some(Ok(base)) => Some(base),
            // A new branch; or a forced push that took its former commit out of reach: more is looked at, not less.
            _ => {
                let unlike = change.unlike.as_deref();
                unlike.and_then(|unlike| fetch::resolve(here, unlike, remote).ok())
            }
        };
        commits.known.extend(known);
        Ok(commits)
    };
    let commits = scan
        .commits(".".as_ref(), choose)
        .map_err(|error| cannot(&error, super::look::NO_RANGE))?;
    if commits == 0 && change.has_commits {
        scan.tally().skip(
            change.what.clone(),
            "has no commit that its base has not: nothing was scanned",
        );
    }
    Ok(())
}

/// Masks, the report for people, annotations, the summary, and the outputs of the step.
fn publish(args: &CiArgs, runner: &Runner, report: &Report, out: &mut dyn Write) -> Result<()> {
    let commands = runner.system == System::GitHub;
    if commands && !args.no_mask {
        annotate::masks(report, out)?;
    }
    writeln!(
        out,
        "unleak {}: {}",
        report.version,
        remarks::plain(&runner.change.what)
    )?;
    let options = report::Options {
        color: output::color(false),
        show_secrets: false,
    };
    if commands {
        annotate::quoted(out, |out| report::write(report, Format::Text, &options, out))?;
        report::write(report, Format::Github, &options, out)?;
    } else {
        report::write(report, Format::Text, &options, out).context("cannot write the report")?;
    }
    let Some(github) = &runner.github else {
        return Ok(());
    };
    if let Some(file) = &github.summary {
        annotate::summary(file, &runner.change.what, report)?;
    }
    if let Some(file) = &github.outputs {
        let figures = report.summary();
        let sarif = args.report.iter().find_map(|one| one.strip_prefix("sarif="));
        let outputs = [
            ("count", figures.leaks.to_string()),
            ("live", figures.live.to_string()),
            ("complete", report.coverage.skipped.is_empty().to_string()),
            ("sarif", sarif.unwrap_or_default().to_owned()),
        ];
        annotate::outputs(file, &outputs)?;
    }
    Ok(())
}

fn write_reports(reports: &[(Format, PathBuf)], report: &Report) -> Result<()> {
    for (format, file) in reports {
        let options = report::Options::default();
        output::write_file(file, |out| report::write(report, *format, &options, out))?;
    }
    Ok(())
}

/// Remarks at the lines of a pull request. What stops them is told, and changes nothing else.
fn remark(runner: &Runner, report: &Report) -> Result<()> {
    let Some((github, pull)) = runner
        .github
        .as_ref()
        .and_then(|github| Some((github, github.pull?)))
    else {
        tracing::warn!("--comment: this run is for no pull request of GitHub");
        return Ok(());
    };
    let Some(token) = &github.token else {
        tracing::warn!("--comment: no GITHUB_TOKEN that may write; a fork's pull request has none");
        return Ok(());
    };
    let review = Review::new(&github.api, &github.repository, pull, token)?;
    let remarks: Vec<Remark> = remarks::remarks(report);
    if let Err(error) = super::wait(review.write(&remarks)) {
        tracing::warn!("not every leak has its remark in the pull request: {error:#}");
    }
    Ok(())
}
