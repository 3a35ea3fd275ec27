//! The log: standard error only, as text or JSON lines. Fields are names, hosts and counts, never a secret or a body.

use clap::{Args, ValueEnum};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::trace::export::SpanLayer;

/// Flags that every command has.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Say more: -v what is done, -vv every call
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Say nothing but errors, and show no progress
    #[arg(
        short,
        long,
        global = true,
        help_heading = "Global options",
        conflicts_with = "verbose"
    )]
    pub quiet: bool,
    /// How the log on standard error is written
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Global options"
    )]
    pub log_format: LogFormat,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogFormat {
    Text,
    Json,
}

/// Starts the log, and hands spans to whoever exports them; called once, first thing.
pub(super) fn start(args: &LogArgs, color: bool, traces: Option<SpanLayer>) {
    let level = match (args.quiet, args.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    // Only we know what is secret: what other crates would tell of requests and statements is not asked for.
    let told = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level);
    let layer = fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(color);
    let log = tracing_subscriber::registry().with(traces);
    // A second start, in tests of the library, leaves the first one in place.
    let _ = match args.log_format {
        LogFormat::Text => log.with(layer.without_time().with_filter(told)).try_init(),
        LogFormat::Json => log.with(layer.json().with_filter(told)).try_init(),
    };
}
