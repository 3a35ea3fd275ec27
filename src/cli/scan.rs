//! `unleak scan`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, ValueEnum};
use jiff::Timestamp;

use super::ask::{self, Ask};
use super::baseline::BaselineArgs;
use super::exit::{Exit, Hinted};
use super::halt::Halt;
use super::look::look;
use super::progress::Progress;
use super::report_to::{Receiver, without_password};
use super::wanted::{Outputs, Wanted};
use super::{Context, output};
use crate::finding::{Confidence, Finding, RuleCard};
use crate::report::{self, Learnt, Report};
use crate::scan::exclude::Exclude;
use crate::scan::{Marks, Scan, Unwrapping};
use crate::secret::Fingerprint;
use crate::source::Limits;

/// Search files, folders and git histories for leaked tokens
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ScanArgs {
    /// Files, folders, repositories (working tree and whole history), or - for standard input [default: .]
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<PathBuf>,
    /// What is staged for the next commit
    #[arg(long, group = "part")]
    pub(super) staged: bool,
    /// What the commits of A..B brought in
    #[arg(long, group = "part", value_name = "A..B")]
    pub(super) range: Option<String>,
    /// What the commits since REV brought in: --range REV..HEAD
    #[arg(long, group = "part", value_name = "REV")]
    pub(super) since: Option<String>,
    /// What a push brings: the lines that git gives its pre-push and pre-receive hooks are read from standard input; what
    /// REMOTE has is not new
    #[arg(long, group = "part", value_name = "REMOTE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(super) push: Option<String>,
    /// A commit that is being merged into what is staged
    #[arg(long, hide = true, value_name = "REV")]
    pub(super) merging: Vec<String>,
    /// Files only, no git history
    #[arg(long, group = "part")]
    pub(super) no_history: bool,
    /// git history only, no files
    #[arg(long, group = "part")]
    pub(super) history_only: bool,
    /// Scan files that .gitignore names, too
    #[arg(long)]
    no_ignore: bool,
    /// Look at plain text only: no base64, escapes, entities, joined strings
    #[arg(long)]
    no_decode: bool,
    /// Do not open archives, compressed files, documents, databases, bytecode
    #[arg(long)]
    no_archives: bool,
    /// Decode and open what is in the git history, too: several times slower
    #[arg(long)]
    decode_history: bool,
    /// Form of the report, and the file it goes to: text, html, json, jsonl, sarif, github, markdown, gitlab, codequality;
    /// may be repeated [default: text]
    #[arg(long, short, value_name = "FORMAT[=FILE]")]
    format: Vec<Wanted>,
    /// Write the report to a file, whole or not at all; for the --format that names none
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
    /// Do not count what stands in these paths: patterns as .gitignore has them
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    #[command(flatten)]
    known: BaselineArgs,
    /// Ask the services whether the tokens are alive
    #[arg(long)]
    pub(super) verify: bool,
    /// With --verify: believe no answer that an earlier run was given
    #[arg(long, requires = "verify")]
    refresh: bool,
    /// Verify, find the owners, tell them, and revoke what the policy allows
    #[arg(long, conflicts_with = "verify")]
    respond: bool,
    /// Report the findings, with the tokens, to this receiver (https://…/reports of `unleak serve`), signed with the key
    /// of reports.sign_with
    #[arg(long, value_name = "URL")]
    report_to: Option<String>,
    /// Put the secrets themselves into text and JSON reports
    #[arg(long)]
    show_secrets: bool,
    /// What makes the exit code 1
    #[arg(long, value_enum, value_name = "WHAT", default_value = "any")]
    pub(super) fail_on: FailOn,
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
    /// Memory for what is being read and unpacked, in MiB, packs that are mapped not counted; what needs more makes the
    /// scan incomplete
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(16..))]
    max_memory: Option<u64>,
    /// End after this time (90s, 10m, 1h30m) with what was found by then; the scan is incomplete
    #[arg(long, value_name = "TIME", value_parser = super::halt::duration)]
    deadline: Option<Duration>,
    /// Of what stands in the history, every commit and path that brought it in, not only the first
    #[arg(long)]
    occurrences: bool,
    /// In the history, what no ref reaches any more, too: taken back by force, or staged and never committed
    #[arg(long)]
    unreachable: bool,
}

const EXAMPLES: &str = "Examples:\n  \
    unleak scan .                          this folder; in a repository its whole history too\n  \
    unleak scan --staged                   what the next commit would leak (pre-commit hook)\n  \
    unleak scan --push=origin < LINES      what a push brings (pre-push and pre-receive hooks)\n  \
    unleak scan --range main..HEAD         what a branch brings in (pull request)\n  \
    unleak scan --verify --fail-on live .  ask the services, fail for tokens that are alive\n  \
    unleak scan --occurrences --deadline 5m .   all commits that brought it in; end in time\n  \
    unleak scan --format html=leaks.html --format text   a page to send on, and the text here\n  \
    unleak scan --format github --format markdown=summary.md   annotations and a job summary\n  \
    unleak scan --explain --no-history .   what was matched and not reported, and why\n  \
    unleak --rules .gitleaks.toml scan .   with the rules of gitleaks or betterleaks\n  \
    unleak scan --report-to https://leaks.example.com/reports .   hand what was found to a receiver\n  \
    git log -p | unleak scan -             anything else";

#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Typed {
    #[command(flatten)]
    args: ScanArgs,
}

/// The arguments that these words stand for, as if somebody had typed them behind `unleak scan`.
pub(super) fn typed<W: Into<OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<ScanArgs> {
    Ok(Typed::try_parse_from(words)?.args)
}

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
pub(super) enum FailOn {
    /// Any leak
    Any,
    /// A leak whose token is alive (with --verify)
    Live,
    /// Nothing
    Never,
}

/// Runs the scan and writes its report.
pub fn run(args: &ScanArgs, mut context: Context, out: &mut dyn Write) -> Result<Exit> {
    let outputs = Outputs::of(&args.format, args.output.as_deref())?;
    let receiver = args
        .report_to
        .as_deref()
        .map(|address| Receiver::new(address, &context));
    let receiver = receiver.transpose()?;
    let report = examine(args, &mut context, look)?;
    write(args, &outputs, &context, &report, out)?;
    if let Some(receiver) = &receiver {
        report_to(receiver, &report, &context)?;
    }
    Ok(verdict(args, &report))
}

/// Scans what `look` takes up, and asks of what was found what the arguments want to know.
pub(super) fn examine(
    args: &ScanArgs,
    context: &mut Context,
    look: impl FnOnce(&ScanArgs, &mut Scan) -> Result<()>,
) -> Result<Report> {
    let started = Timestamp::now();
    if args.respond {
        context.config.policy.check(&context.rules)?;
    }
    context.rules.select(&args.only, &args.skip)?;
    context.rules.at_least(args.confidence.into(), &args.only);
    let baseline = args.known.load()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let limits = Limits {
        jobs: args.jobs.unwrap_or(cores).max(1),
        largest: args.max_size.saturating_mul(1 << 20),
        ignored_too: args.no_ignore,
        unreachable: args.unreachable,
        ..Limits::default()
    };
    let limits = match args.max_memory {
        Some(most) => limits.within(most << 20),
        None => limits,
    };
    let exclude = Exclude::new(&args.exclude)?;
    let mut scan = prepared(args, context, limits)?;
    let tally = scan.tally();
    {
        let _progress = Progress::follow(scan.tally(), !context.quiet);
        let _halt = Halt::watch(scan.tally(), args.deadline)?;
        look(args, &mut scan)?;
    }
    let (repository, marks, untold) = (scan.provenance(), scan.written_marks(), scan.unexplained());
    if untold > 0 {
        tracing::warn!(
            "{untold} more matches are not explained: there are too many; --only narrows the rules"
        );
    }
    let (refused, mut findings): (Vec<_>, Vec<_>) = scan.finish().into_iter().partition(Finding::is_refused);
    exclude.apply(&mut findings);
    let told = &mut std::io::stderr();
    args.known.settle(baseline, &mut findings, &tally, told)?;
    let learnt = match tally.goes_on() {
        true => learn(args, &findings, context)?,
        // Who wants it to end waits for no service.
        false => BTreeMap::new(),
    };
    ask::weighed(&mut findings, &learnt, context);
    Ok(Report {
        rules: cards(context, &findings, &refused),
        findings,
        refused: args.explain.then_some(refused),
        marks,
        coverage: tally.coverage(),
        learnt,
        repository,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
        ended: Timestamp::now(),
    })
}

fn prepared(args: &ScanArgs, context: &Context, limits: Limits) -> Result<Scan> {
    let key = context.config.fingerprint_key()?;
    let mut scan = Scan::new(&context.rules, key.clone(), limits);
    if args.explain {
        scan = scan.explaining(&context.rules, key);
    }
    if args.occurrences {
        scan = scan.occurrences();
    }
    if args.list_marks {
        scan = scan.listing_marks();
    }
    if args.no_ignore_marks {
        scan = scan.marks(Marks::PassedOver);
    }
    scan.unwrap_by(Unwrapping {
        decode: !args.no_decode,
        archives: !args.no_archives,
        history: args.decode_history,
    });
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

/// Hands the findings to a receiver. A fork's pull request must not make us report what it chose.
fn report_to(receiver: &Receiver, report: &Report, context: &Context) -> Result<()> {
    if context.config.environment().fork {
        tracing::warn!("a fork's pull request runs this: nothing is reported");
        return Ok(());
    }
    let repository = report.repository.as_ref().map(|(url, _)| without_password(url));
    let sent = super::wait(receiver.send(&report.findings, repository.as_deref()));
    let taken = sent.map_err(|error| {
        Hinted::incomplete(
            format!("the findings were not reported: {error:#}"),
            "run the same again; what was reported before is known there and counts once",
        )
    })?;
    if !context.quiet {
        let mut to = std::io::stderr();
        writeln!(to, "reported {taken} findings")?;
    }
    Ok(())
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

fn write(
    args: &ScanArgs,
    outputs: &Outputs,
    context: &Context,
    report: &Report,
    out: &mut dyn Write,
) -> Result<()> {
    let options = report::Options {
        color: output::color(context.config.environment().plain),
        show_secrets: args.show_secrets,
    };
    if outputs.explain_nothing() {
        report::write_explanation(report, &options, &mut std::io::stderr().lock())?;
    }
    outputs.write(report, &options, out)
}

/// The exit code that this report stands for.
pub(super) fn verdict(args: &ScanArgs, report: &Report) -> Exit {
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
