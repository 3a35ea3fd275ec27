//! `unleak scan`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::ask::{self, Ask};
use super::exit::{Exit, Hinted};
use super::progress::Progress;
use super::{Context, output};
use crate::finding::{Confidence, Finding, RuleCard};
use crate::report::{self, Format, Learnt, Report};
use crate::scan::baseline::Baseline;
use crate::scan::{Marks, Parts, Scan};
use crate::secret::Fingerprint;
use crate::source::Limits;
use crate::source::range::Range;

/// Search files, folders and git histories for leaked tokens
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ScanArgs {
    /// Files, folders, repositories (working tree and whole history), or - for standard input [default: .]
    #[arg(value_name = "TARGET")]
    targets: Vec<PathBuf>,
    /// What is staged for the next commit
    #[arg(long, group = "part")]
    staged: bool,
    /// What the commits of A..B brought in
    #[arg(long, group = "part", value_name = "A..B")]
    range: Option<String>,
    /// What the commits since REV brought in: --range REV..HEAD
    #[arg(long, group = "part", value_name = "REV")]
    since: Option<String>,
    /// Files only, no git history
    #[arg(long, group = "part")]
    no_history: bool,
    /// git history only, no files
    #[arg(long, group = "part")]
    history_only: bool,
    /// Scan files that .gitignore names, too
    #[arg(long)]
    no_ignore: bool,
    /// Form of the report: text, json, jsonl, sarif
    #[arg(long, short, value_name = "FORMAT", default_value = "text", value_parser = clap::value_parser!(Format))]
    format: Format,
    /// Write the report to a file, whole or not at all
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Only these rules or services (github, github/personal-access-token)
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    only: Vec<String>,
    /// Not these rules or services
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    skip: Vec<String>,
    /// Least confidence of a finding; rules that --only names count always
    #[arg(long, value_enum, value_name = "LEAST", default_value = "medium")]
    confidence: Least,
    /// Do not count what this baseline knows
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write what was found to a baseline, joined with what it holds already
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Ask the services whether the tokens are alive
    #[arg(long)]
    verify: bool,
    /// With --verify: believe no answer that an earlier run was given
    #[arg(long, requires = "verify")]
    refresh: bool,
    /// Verify, find the owners, tell them, and revoke what the policy allows
    #[arg(long, conflicts_with = "verify")]
    respond: bool,
    /// Put the secrets themselves into text and JSON reports
    #[arg(long)]
    show_secrets: bool,
    /// What makes the exit code 1
    #[arg(long, value_enum, value_name = "WHAT", default_value = "any")]
    fail_on: FailOn,
    /// Say of everything that a rule's pattern matched and that is not reported, why
    #[arg(long)]
    explain: bool,
    /// List the inline marks of the scanned files, with those that hide nothing or give no reason
    #[arg(long)]
    list_marks: bool,
    /// Pass over inline marks and .gitleaksignore: for a hook that must not trust who wrote them
    #[arg(long)]
    no_ignore_marks: bool,
    /// Threads [default: one for each core]
    #[arg(long, short, value_name = "N")]
    jobs: Option<usize>,
    /// Largest file or blob that is read, in MiB; a larger one makes the scan incomplete
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    max_size: u64,
}

const EXAMPLES: &str = "Examples:\n  \
    unleak scan .                          this folder; in a repository its whole history too\n  \
    unleak scan --staged                   what the next commit would leak (pre-commit hook)\n  \
    unleak scan --range main..HEAD         what a branch brings in (pull request)\n  \
    unleak scan --verify --fail-on live .  ask the services, fail for tokens that are alive\n  \
    unleak scan --explain --no-history .   what was matched and not reported, and why\n  \
    unleak --rules .gitleaks.toml scan .   with the rules of gitleaks or betterleaks\n  \
    git log -p | unleak scan -             anything else";

/// How sure a finding must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Least {
    /// Hardly a false alarm
    High,
    /// A few
    Medium,
    /// Everything that may be a secret
    Low,
}

impl From<Least> for Confidence {
    fn from(least: Least) -> Self {
        match least {
            Least::High => Self::High,
            Least::Medium => Self::Medium,
            Least::Low => Self::Low,
        }
    }
}

/// What makes the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Any leak
    Any,
    /// A leak whose token is alive (with --verify)
    Live,
    /// Nothing
    Never,
}

/// Runs the scan and writes its report.
pub fn run(args: &ScanArgs, mut context: Context, out: &mut dyn Write) -> Result<Exit> {
    let started = Timestamp::now();
    if args.respond {
        context.config.policy.check(&context.rules)?;
    }
    context.rules.select(&args.only, &args.skip)?;
    context.rules.at_least(args.confidence.into(), &args.only);
    let baseline = args.baseline.as_deref().map(Baseline::load).transpose()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limits = Limits {
        jobs: args.jobs.unwrap_or(cores).max(1),
        largest: args.max_size.saturating_mul(1 << 20),
        ignored_too: args.no_ignore,
    };
    let mut scan = prepared(args, &context, limits)?;
    let tally = scan.tally();
    {
        let _progress = Progress::follow(scan.tally(), !context.quiet);
        look(args, &mut scan)?;
    }
    let (repository, marks, untold) = (scan.provenance(), scan.written_marks(), scan.unexplained());
    if untold > 0 {
        tracing::warn!(
            "{untold} more matches are not explained: there are too many; --only narrows the rules"
        );
    }
    let (refused, mut findings): (Vec<_>, Vec<_>) = scan.finish().into_iter().partition(Finding::is_refused);
    if let Some(baseline) = &baseline {
        baseline.apply(&mut findings);
    }
    if let Some(path) = &args.write_baseline {
        write_baseline(path, &findings)?;
    }
    let learnt = learn(args, &findings, &context)?;
    ask::weighed(&mut findings, &learnt, &context);
    let report = Report {
        rules: cards(&context, &findings, &refused),
        findings,
        refused: args.explain.then_some(refused),
        marks,
        coverage: tally.coverage(),
        learnt,
        repository,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        ended: Timestamp::now(),
    };
    write(args, &context, &report, out)?;
    Ok(verdict(args, &report))
}

fn prepared(args: &ScanArgs, context: &Context, limits: Limits) -> Result<Scan> {
    let key = context.config.fingerprint_key()?;
    let mut scan = Scan::new(&context.rules, key.clone(), limits);
    if args.explain {
        scan = scan.explaining(&context.rules, key);
    }
    if args.list_marks {
        scan = scan.listing_marks();
    }
    if args.no_ignore_marks {
        scan = scan.marks(Marks::PassedOver);
    }
    Ok(scan)
}

fn cards(context: &Context, findings: &[Finding], refused: &[Finding]) -> Vec<RuleCard> {
    let mut cards = context.rules.cards(findings);
    let more = context.rules.cards(refused);
    cards.extend(more);
    cards.sort_by(|a, b| a.id.cmp(&b.id));
    cards.dedup_by(|a, b| a.id == b.id);
    cards
}

/// Asks the services, if that was asked for. A fork's pull request must not make us send tokens of its choice.
fn learn(args: &ScanArgs, findings: &[Finding], context: &Context) -> Result<BTreeMap<Fingerprint, Learnt>> {
    let ask = match (args.respond, args.verify) {
        (true, _) => Ask::Respond,
        (_, true) => Ask::Verify {
            refresh: args.refresh,
        },
        _ => return Ok(BTreeMap::new()),
    };
    if context.config.environment().fork {
        tracing::warn!("a fork's pull request runs this: no service is asked and nothing is revoked");
        return Ok(BTreeMap::new());
    }
    let root = args.targets.first().cloned().or_else(|| Some(PathBuf::from(".")));
    let root = root.filter(|root| root.is_dir());
    super::wait(ask::run(ask, findings, context, root, &mut std::io::stderr()))
}

/// Scans everything that was asked for; an empty result is never silent.
fn look(args: &ScanArgs, scan: &mut Scan) -> Result<()> {
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
                .range(target, &range)
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
    if args.staged {
        for target in targets {
            // Nothing staged is a usual commit (--amend, --allow-empty) and no gap.
            scan.staged(target).map_err(|error| cannot(&error, NO_INDEX))?;
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

const NO_RANGE: &str =
    "in CI, fetch the whole history (fetch-depth: 0); `git rev-parse REV` tells whether git knows a revision";
const NO_INDEX: &str = "--staged reads git's index: run it in a repository in which `git status` works";

fn cannot(error: &anyhow::Error, hint: &str) -> anyhow::Error {
    Hinted::incomplete(format!("nothing was scanned: {error:#}"), hint)
}

fn write_baseline(path: &Path, findings: &[Finding]) -> Result<()> {
    let mut baseline = if path.exists() {
        Baseline::load(path)?
    } else {
        Baseline::fresh()?
    };
    baseline.add(findings);
    output::write_file(path, |file| Ok(file.write_all(baseline.to_text().as_bytes())?))
}

fn write(args: &ScanArgs, context: &Context, report: &Report, out: &mut dyn Write) -> Result<()> {
    let color = args.output.is_none() && output::color(context.config.environment().plain);
    let options = report::Options {
        color,
        show_secrets: args.show_secrets,
    };
    if args.format == Format::Sarif {
        // SARIF has no room for what is no result.
        report::write_explanation(report, &options, &mut std::io::stderr().lock())?;
    }
    match &args.output {
        Some(path) => output::write_file(path, |file| report::write(report, args.format, &options, file)),
        None => report::write(report, args.format, &options, out).context("cannot write the report"),
    }
}

fn verdict(args: &ScanArgs, report: &Report) -> Exit {
    let live = |finding: &Finding| {
        let learnt = report.learnt.get(&finding.fingerprint);
        learnt
            .and_then(|learnt| learnt.verdict.as_ref())
            .is_some_and(crate::leak::Verdict::is_live)
    };
    let fails = |finding: &&Finding| match args.fail_on {
        FailOn::Any => finding.counts(),
        FailOn::Live => finding.counts() && live(finding),
        FailOn::Never => false,
    };
    if !report.coverage.skipped.is_empty() {
        // An incomplete scan never passes for a complete one, whatever it found.
        return Exit::Incomplete;
    }
    if report.findings.iter().find(fails).is_some() {
        Exit::Leaks
    } else {
        Exit::Clean
    }
}
