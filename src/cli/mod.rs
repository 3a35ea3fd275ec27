//! The command line: one file for each command, its arguments and its run together.
//!
//! A door: it reads arguments and configuration, calls the stations, prints, and chooses the exit code. It holds no
//! rule of the domain, and never takes a secret as an argument, where other processes could read it.

pub mod approve;
mod ask;
mod baseline;
pub mod ci;
pub mod demo;
pub mod exit;
pub mod generate;
mod halt;
pub mod hook;
pub mod init;
pub mod ledger;
pub mod log;
mod look;
pub mod notify;
mod output;
pub mod owners;
pub mod policy;
mod progress;
mod report_to;
mod responder;
pub mod revoke;
pub mod rules;
pub mod scan;
pub mod self_check;
pub mod serve;
pub mod stop;
pub mod store;
mod subject;
pub mod tasks;
pub mod token;
pub mod verify;
mod wanted;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, Parser, Subcommand};

pub use exit::Exit;

use crate::call::Caller;
use crate::config::Config;
use crate::config::traces::Traced;
use crate::rule::RuleSet;
use crate::server;
use crate::trace::export::Traces;

/// Finds leaked tokens, proves which are alive, tells the people who can act, and kills them.
#[derive(Debug, Parser)]
#[command(name = "unleak", version, max_term_width = 110, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: log::LogArgs,
    /// Configuration file [default: ~/.config/unleak/config.toml]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "UNLEAK_CONFIG",
        help_heading = "Global options"
    )]
    config: Option<PathBuf>,
    /// Rule file, folder of rule files, or configuration of gitleaks or betterleaks to use besides the built-in rules; a
    /// service of the same name is replaced
    #[arg(long, global = true, value_name = "PATH", help_heading = "Global options")]
    rules: Vec<PathBuf>,
}

const EXIT_CODES: &str = "Exit codes:\n  \
    0  nothing found\n  1  leaks found (see --fail-on)\n  2  wrong use or configuration\n  \
    3  incomplete: something was not scanned, or nothing was";

#[derive(Debug, Subcommand)]
enum Command {
    Scan(Box<scan::ScanArgs>),
    Verify(verify::VerifyArgs),
    Owners(owners::OwnersArgs),
    Revoke(revoke::RevokeArgs),
    Approve(approve::ApproveArgs),
    Policy(policy::PolicyArgs),
    Stop(stop::StopArgs),
    Resume(stop::ResumeArgs),
    Notify(notify::NotifyArgs),
    Rules(rules::RulesArgs),
    Init(init::InitArgs),
    Hook(Box<hook::HookArgs>),
    Ci(Box<ci::CiArgs>),
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Tasks(tasks::TasksArgs),
    Ledger(ledger::LedgerArgs),
    Store(store::StoreArgs),
    Token(Box<token::TokenArgs>),
    Config(generate::ConfigArgs),
    SelfCheck(self_check::SelfCheckArgs),
    Completions(generate::CompletionsArgs),
    Man(generate::ManArgs),
}

impl Command {
    /// Whether the command has to do with rules; the others start without reading any.
    fn reads_rules(&self) -> bool {
        match self {
            Self::Scan(_)
            | Self::Verify(_)
            | Self::Owners(_)
            | Self::Revoke(_)
            | Self::Approve(_)
            | Self::Policy(_)
            | Self::Notify(_)
            | Self::Rules(_)
            | Self::Init(_)
            | Self::Hook(_)
            | Self::Ci(_)
            | Self::SelfCheck(_)
            | Self::Demo(_)
            | Self::Serve(_) => true,
            Self::Stop(_)
            | Self::Resume(_)
            | Self::Tasks(_)
            | Self::Ledger(_)
            | Self::Store(_)
            | Self::Token(_)
            | Self::Config(_)
            | Self::Completions(_)
            | Self::Man(_) => false,
        }
    }
}

/// What every command is given besides its arguments.
pub struct Context {
    /// The configuration.
    pub config: Config,
    /// The rules.
    pub rules: RuleSet,
    /// Whether nothing but errors is said.
    pub quiet: bool,
    /// What exports traces, if anything does.
    pub traces: Option<Traces>,
}

impl Context {
    /// What asks services. A section for a service that nobody knows is an error: its base would be passed over, and
    /// the token would go to the public service instead.
    pub(crate) fn caller(&self) -> Result<Caller> {
        let instances = self.config.instance.iter().map(|instance| &instance.service);
        let mut named = self.config.services.keys().chain(instances);
        let known = |name: &str| self.rules.services.iter().any(|service| service.name == name);
        if let Some(unknown) = named.find(|name| !known(name)) {
            return Err(exit::Hinted::usage(
                format!("services.{unknown}: no service is called that"),
                "`unleak rules list` shows them; a rule file of your own is loaded with --rules",
            ));
        }
        Caller::new(self.config.call_settings()?)
    }
}

/// Parses the process's arguments and runs; the exit code is the program's.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and are no failure.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Clean
            }
            .into();
        }
    };
    match run(cli) {
        Ok(exit) => exit.into(),
        // Nobody reads on: nothing to say, but the report was not delivered whole.
        Err(error) if exit::is_closed_pipe(&error) => Exit::Incomplete.into(),
        Err(error) => exit::explain(&error, &mut std::io::stderr().lock()).into(),
    }
}

fn run(cli: Cli) -> Result<Exit> {
    let config = Config::load(cli.config.as_deref())?;
    let traced = match &cli.command {
        Command::Serve(args) if !args.explain_policy => config.traces()?,
        _ => Traced::default(),
    };
    let traces = traced.settings.as_ref().map(Traces::start).transpose()?;
    log::start(
        &cli.log,
        std::io::stderr().is_terminal() && !config.environment().plain,
        traces.as_ref().map(Traces::layer),
    );
    for ignored in traced.ignored {
        tracing::warn!("{ignored}");
    }
    let mut rules = if cli.command.reads_rules() {
        rules(&cli.rules)?
    } else {
        RuleSet::empty()
    };
    if cli.command.reads_rules() && !matches!(cli.command, Command::Scan(_) | Command::Rules(_)) {
        // What was reported and no rule knows is a leak like any other, to be looked up and told of.
        server::intake::kind::add_unknown_kind(&mut rules)?;
    }
    let context = Context {
        config,
        rules,
        quiet: cli.log.quiet,
        traces,
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let exit = dispatch(cli.command, context, &mut out)?;
    out.flush()?;
    Ok(exit)
}

/// The built-in rules and these.
fn rules(more: &[PathBuf]) -> Result<RuleSet> {
    let mut rules = RuleSet::bundled().context("the built-in rules are broken; please report this")?;
    for path in more {
        rules.load(path)?;
    }
    Ok(rules)
}

fn dispatch(command: Command, context: Context, out: &mut dyn std::io::Write) -> Result<Exit> {
    match command {
        Command::Scan(args) => scan::run(&args, context, out),
        Command::Rules(args) => rules::run(&args, &context.rules, out, &mut std::io::stderr()),
        Command::Init(args) => init::run(&args, context, out),
        Command::Hook(args) => hook::run(&args, context, &mut std::io::stderr()),
        Command::Ci(args) => ci::run(&args, context, out),
        Command::Verify(args) => wait(verify::run(args, &context, out)),
        Command::Owners(args) => wait(owners::run(args, &context, out)),
        Command::Revoke(args) => wait(revoke::run(args, &context, out)),
        Command::Demo(args) => wait(demo::run(args, &context, out)),
        Command::Serve(args) if args.explain_policy => wait(policy::explain(&context, out)),
        Command::Serve(args) => wait(serve::run(args, context, out)).map(|()| Exit::Clean),
        Command::Tasks(args) => wait(tasks::run(args, &context, out)),
        Command::Ledger(args) => wait(ledger::run(args, &context, out)),
        Command::Store(args) => wait(store::run(args, &context, out)),
        Command::Approve(args) => wait(approve::run(args, &context, out)),
        Command::Policy(args) => wait(policy::run(args, &context, out)),
        Command::Stop(args) => wait(stop::stop(args, &context, out)),
        Command::Resume(args) => wait(stop::resume(args, &context, out)),
        Command::Notify(args) => wait(notify::run(args, &context, out)),
        Command::Token(args) => {
            let (store, key) = context.config.token_store(args.store.as_ref())?;
            let settings = context.config.token_settings()?;
            wait(token::run(*args, &store, &key, &settings, out))?;
            Ok(Exit::Clean)
        }
        Command::SelfCheck(_) => self_check::run(&context, out),
        Command::Config(_) => generate::config(out),
        Command::Completions(args) => generate::completions(&args, Cli::command(), out),
        Command::Man(args) => generate::man(&args, Cli::command()),
    }
}

/// Runs to its end what talks to services. The runtime is started here and not before: a plain scan must not pay for
/// it.
pub(crate) fn wait<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime
        .context("cannot start the async runtime")?
        .block_on(future)
}
