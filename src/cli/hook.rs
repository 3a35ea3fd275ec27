//! `unleak hook`: what git's hooks run. Silent where there is nothing to say; else the report and what to do now.
//!
//! It never lets a commit or push through because it could not look: that ends with 3, and git stops.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};

use super::exit::Exit;
use super::look::{cannot, look};
use super::scan::{self, ScanArgs};
use super::{Context, output};
use crate::config::Hooked;
use crate::config::project::Project;
use crate::report::{self, Format, Report};
use crate::scan::Scan;
use crate::source::range::Commits;
use crate::source::{push, repository};

/// Run as a hook of git: stop a commit or push that brings a leak
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct HookArgs {
    /// Which hook it is
    #[arg(value_enum, value_name = "HOOK", default_value = "auto")]
    moment: Moment,
    /// What git gives the hook: for pre-push the remote's name and address
    #[arg(value_name = "ARGUMENT")]
    given: Vec<OsString>,
    /// Pass over inline marks and .gitleaksignore: for a server that must not trust who wrote them
    #[arg(long)]
    no_ignore_marks: bool,
    /// Do not count what this baseline knows [default: .unleak-baseline of the repository]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Not these rules or services
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    skip: Vec<String>,
    /// Least confidence of a finding: high, medium or low
    #[arg(long, value_name = "LEAST")]
    confidence: Option<String>,
}

const EXAMPLES: &str = "Examples:\n  \
    unleak hook pre-commit                 in .git/hooks/pre-commit and pre-merge-commit\n  \
    unleak hook pre-push \"$@\"              in .git/hooks/pre-push, with the lines that git gives it\n  \
    unleak hook pre-receive                in hooks/pre-receive of a bare repository on a server\n\n\
    `unleak init` writes such hooks. A server's hook reads no .unleak.toml: whoever pushes could write it.";

/// Which hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Moment {
    /// As the pre-commit framework says; else pre-commit
    Auto,
    /// What is staged; pre-merge-commit is the same
    #[value(alias = "pre-merge-commit")]
    PreCommit,
    /// What a push is about to send
    PrePush,
    /// What a push has brought
    PreReceive,
}

/// Runs the hook. Everything is said to `err`: git shows what hooks say there in every case.
pub fn run(args: &HookArgs, mut context: Context, err: &mut dyn Write) -> Result<Exit> {
    let hooked = Hooked::of_process();
    let moment = match args.moment {
        Moment::Auto if hooked.remote.is_some() || hooked.to.is_some() => Moment::Auto,
        Moment::Auto => Moment::PreCommit,
        moment => moment,
    };
    let mut words = args.words();
    if moment != Moment::PreReceive {
        words.extend(project_words(args, &mut context)?);
    }
    let remote = args.given.first().and_then(|remote| remote.to_str());
    match moment {
        Moment::PreCommit => {
            words.push("--staged".into());
            let merging = hooked.merging.iter();
            words.extend(merging.map(|id| format!("--merging={id}").into()));
        }
        Moment::PrePush => words.push(format!("--push={}", remote.unwrap_or_default()).into()),
        Moment::PreReceive => words.push("--push".into()),
        Moment::Auto => {}
    }
    let typed = scan::typed(words)?;
    let report = scan::examine(&typed, &mut context, |typed, scan| match moment {
        Moment::Auto => framework_push(&hooked, scan),
        Moment::PreCommit => staged(&hooked, typed, scan),
        Moment::PrePush | Moment::PreReceive => look(typed, scan),
    })?;
    let exit = scan::verdict(&typed, &report);
    if exit != Exit::Clean {
        tell(&report, moment, &context, err)?;
    }
    Ok(exit)
}

impl HookArgs {
    fn words(&self) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        if self.no_ignore_marks {
            words.push("--no-ignore-marks".into());
        }
        if let Some(baseline) = &self.baseline {
            words.extend(["--baseline".into(), baseline.into()]);
        }
        words.extend(self.skip.iter().map(|rule| format!("--skip={rule}").into()));
        words.extend(
            self.confidence
                .iter()
                .map(|least| format!("--confidence={least}").into()),
        );
        words
    }
}

/// What the repository's own file says, where the arguments say nothing else.
fn project_words(args: &HookArgs, context: &mut Context) -> Result<Vec<OsString>> {
    let here = repository::around(".".as_ref()).map_err(|error| cannot(&error, NO_REPOSITORY))?;
    let Some(root) = here.workdir() else {
        return Ok(Vec::new());
    };
    let mut project = Project::of(root)?;
    for rules in &project.rules {
        context.rules.load_foreign(&root.join(rules))?;
    }
    if args.confidence.is_some() {
        project.confidence = None;
    }
    let mut words = project.words(root)?;
    if args.baseline.is_some() && words.first().is_some_and(|word| word == "--baseline") {
        words.drain(..2);
    }
    Ok(words)
}

const NO_REPOSITORY: &str = "a hook runs in a repository in which `git status` works";

/// What is staged. `pre-commit run --all-files` runs without a commit, and then a hook that looks at nothing staged would
/// pass whatever there is.
fn staged(hooked: &Hooked, typed: &ScanArgs, scan: &mut Scan) -> Result<()> {
    look(typed, scan)?;
    let coverage = scan.tally().coverage();
    let nothing = coverage.files + coverage.binary == 0;
    if hooked.framework && !hooked.committing && nothing {
        return look(&scan::typed(["--no-history"])?, scan);
    }
    Ok(())
}

/// What the framework says is pushed; it tells of the first ref alone.
fn framework_push(hooked: &Hooked, scan: &mut Scan) -> Result<()> {
    let choose = |here: &git2::Repository| {
        let to = hooked.to.as_deref().unwrap_or("HEAD");
        let mut commits = Commits {
            tips: vec![repository::commit(here, to)?.id()],
            ..Commits::default()
        };
        if let Some(remote) = &hooked.remote {
            commits.known = push::at_remote(here, remote)?;
        }
        if let Some(from) = &hooked.from {
            commits.known.push(repository::commit(here, from)?.id());
        }
        Ok(commits)
    };
    let scanned = scan.commits(".".as_ref(), choose);
    scanned.map(|_| ()).map_err(|error| cannot(&error, NO_REPOSITORY))
}

fn tell(report: &Report, moment: Moment, context: &Context, err: &mut dyn Write) -> Result<()> {
    let options = report::Options {
        color: output::color_on_error(context.config.environment().plain),
        show_secrets: false,
    };
    report::write(report, Format::Text, &options, err).context("cannot write the report")?;
    if report.summary().leaks > 0 {
        write!(err, "\n{}", advice(moment))?;
    } else {
        writeln!(err, "\nStopped, because not everything could be looked at.")?;
    }
    Ok(())
}

fn advice(moment: Moment) -> &'static str {
    match moment {
        Moment::PreCommit => {
            "The commit was stopped; nothing is published yet.\n  \
             take it out   out of the file, then `git add` it; read the token from the environment or a secret store\n  \
             false alarm   write `unleak:ignore RULE why` on its line\n  \
             known         unleak scan --staged --write-baseline .unleak-baseline\n  \
             this once     git commit --no-verify\n"
        }
        Moment::PrePush | Moment::Auto => {
            "The push was stopped; nothing is published yet.\n  \
             take it out   out of the commit that is named: git rebase -i COMMIT~ (a later commit that deletes it keeps it \
             in the history)\n  \
             false alarm   write `unleak:ignore RULE why` on its line, in that commit\n  \
             known         unleak scan --range COMMIT~..COMMIT --write-baseline .unleak-baseline\n  \
             this once     git push --no-verify\n"
        }
        Moment::PreReceive => {
            "The push was refused, and nothing of it is kept here.\n  \
             take it out   out of the commit that is named: git rebase -i COMMIT~, then push again\n  \
             a live token  revoke it: it has left your machine\n"
        }
    }
}
