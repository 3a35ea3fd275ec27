//! `unleak serve`: the server, until it is asked to stop by Ctrl-C or SIGTERM.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::{Context, responder};
use crate::notify::Collect;
use crate::respond::Responder;
use crate::rule::RuleSet;
use crate::server;
use crate::server::health::Health;
use crate::server::intake::{Clock, Intake, Parts};
use crate::server::metrics::Metrics;
use crate::server::pages::Pages;
use crate::server::worker::Workers;
use crate::store::Store;
use crate::token_service::{ServerKey, Settings, TokenService};
use crate::trace::export::Traces;

/// Serve the embedded token service over HTTP, take in reports of leaks, and work on them
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak serve --listen 127.0.0.1:8700 --store sqlite:///var/lib/unleak/tokens.db
  unleak serve --store postgres://unleak@db.example.com/unleak    # the password comes from ~/.pgpass or PGPASSWORD
  curl -H \"Authorization: Bearer $TOKEN\" 'http://127.0.0.1:8700/api/v1/check?scope=events:write&organisation=acme'

  xdg-open http://127.0.0.1:8700/                                 # the dashboard: sign in with a token or the operator key
  curl http://127.0.0.1:8700/readyz                               # 503 and what is wrong, where it cannot do its work
  curl http://127.0.0.1:8700/metrics                              # for Prometheus
  unleak tasks list --dead                                        # what it gave up, and why

Leaks and tasks are in [store] of the configuration, which several servers can share if it is PostgreSQL. \
[serve] sets workers, presets, limits and the schedule of the review; `unleak config` explains each key. \
[reports] opens the doors for reports of leaks, none of which is open without its section: POST /reports/github, \
/reports/gitlab, /reports/depsdev (secret scanning partners), POST /reports (Standard Webhooks; `unleak scan \
--report-to`), GitLab's /v1/revoke_tokens, POST /webhooks/github, and the page /found; docs/receiver.md is the way. \
/ is the dashboard ([serve.dashboard]): leaks with \
what is known and done about them, for the organisations that whoever signs in is a member of, and for the operator all. \
/openapi.json describes the API. Traces go to a collector of OpenTelemetry where [serve.traces] or \
OTEL_EXPORTER_OTLP_ENDPOINT names one. It speaks plain HTTP: beyond this machine, put a proxy with TLS before it.")]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one [default: serve.listen, 127.0.0.1:8700]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where tokens are kept, as sqlite:///var/lib/unleak/tokens.db or postgres://user@host/unleak
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Leaks to work on at once; 0: only receive [default: serve.worker.count, 4]
    #[arg(long, value_name = "N")]
    pub workers: Option<usize>,
    /// Print what the policy lets the server do, in plain sentences, and end; the same as `unleak policy explain`
    #[arg(long)]
    pub explain_policy: bool,
}

/// Runs `unleak serve`.
pub async fn run(args: ServeArgs, context: Context, out: &mut dyn Write) -> anyhow::Result<()> {
    let config = &context.config;
    let settings = config.token_settings()?;
    let tokens = token_service(&args, &context, &settings).await?;
    let responder = collecting(&context).await?;
    let (store, notifier) = (responder.store.clone(), responder.notifier.clone());
    let metrics = Metrics::new();
    let mut worker = config.serve.worker.clone();
    worker.count = args.workers.unwrap_or(worker.count);
    // Whoever reads that it listens may ask it to stop.
    let asked_to_stop = asked_to_stop()?;
    let listener = listen(&args, &config.serve.listen).await?;
    let rules = Arc::new(context.rules.clone());
    let workers = Workers::new(responder.clone(), Arc::clone(&rules), worker, metrics.clone());
    let intake = intake(&context, &responder, &rules, &tokens, &workers, &metrics)?;
    let doors = intake.clone().map(Intake::router).unwrap_or_default();
    let (stop, stopping) = watch::channel(false);
    let pages = Pages::new(server::pages::Parts {
        settings: config.serve.dashboard.clone(),
        responder,
        rules,
        tokens: tokens.clone(),
        unused_days: settings.review.unused_days,
        bell: workers.sign(),
        stopping: stopping.clone(),
    })?;
    let health = Health::of_tokens(tokens.clone()).with_work(store.clone(), workers.sign(), metrics);
    let router = server::router_and(
        tokens.clone(),
        &settings.limits,
        health,
        doors.merge(pages.router()),
    );
    writeln!(out, "listening on http://{}", listener.local_addr()?)?;
    out.flush()?;
    let letters = tokio::spawn(server::letters::keep_writing(
        tokens.clone(),
        notifier,
        settings.review.clone(),
    ));
    #[cfg(feature = "kill-points")]
    crate::store::kill::at(config.environment().kill_at);
    if let Some(intake) = intake {
        tokio::spawn(intake.keep_sweeping(stopping.clone()));
    }
    let working = tokio::spawn(workers.run(stopping));
    let asked = async move {
        asked_to_stop.await;
        // an error is the workers gone, and then there is nobody to tell
        let _told = stop.send(true);
    };
    let served = server::serve(listener, router, asked).await;
    // Where the server stopped by itself, nobody has told the workers; what they hold comes back to others by its lease.
    if served.is_ok()
        && let Err(error) = working.await
    {
        tracing::error!(%error, "the workers ended badly");
    }
    letters.abort();
    leave(tokens, store, context.traces).await;
    served
}

/// Writes down what is still in memory, and tells the last traces.
async fn leave(tokens: TokenService, store: Store, traces: Option<Traces>) {
    tokens.close().await;
    store.shut().await;
    if let Some(traces) = traces {
        traces.end().await;
    }
}

/// Tells people of many leaks in one message where the configuration says for how long to wait for more.
async fn collecting(context: &Context) -> anyhow::Result<Responder> {
    let mut responder = responder::responder(context, None).await?;
    let collect = Collect::For(context.config.notify_settings()?.collect.0);
    responder.notifier = responder.notifier.collecting(collect);
    Ok(responder)
}

async fn token_service(
    args: &ServeArgs,
    context: &Context,
    settings: &Settings,
) -> anyhow::Result<TokenService> {
    let (url, key) = context.config.token_store(args.store.as_ref())?;
    let keys = settings.keys(ServerKey::new(&key)?)?;
    let tokens = TokenService::open(&url, keys)
        .await?
        .with_presets(settings.presets()?);
    match &context.config.operator()? {
        Some(operator) => tokens.with_operator(operator),
        None => Ok(tokens),
    }
}

async fn listen(args: &ServeArgs, configured: &str) -> anyhow::Result<TcpListener> {
    let listen = match args.listen {
        Some(listen) => listen,
        None => configured
            .parse()
            .with_context(|| format!("serve.listen = {configured:?}: write it as 127.0.0.1:8700"))?,
    };
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another --listen"))?;
    let address = listener.local_addr().context("the listener has no address")?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "plain HTTP beyond this machine: put a proxy with TLS before it");
    }
    Ok(listener)
}

/// The doors that the configuration opens, if it opens any.
fn intake(
    context: &Context,
    responder: &Responder,
    rules: &Arc<RuleSet>,
    tokens: &TokenService,
    workers: &Workers,
    metrics: &Metrics,
) -> anyhow::Result<Option<Arc<Intake>>> {
    let reports = context.config.reports()?;
    if !reports.any() {
        return Ok(None);
    }
    let intake = Intake::open(Parts {
        reports,
        store: responder.store.clone(),
        rules: Arc::clone(rules),
        key: context.config.fingerprint_key()?,
        caller: responder.caller.clone(),
        tokens: Some(tokens.clone()),
        bell: workers.sign(),
        metrics: metrics.clone(),
        clock: Clock::default(),
    })?;
    Ok(Some(intake))
}

/// Hears from now on when the process is asked to stop; ends when it is.
///
/// # Errors
/// A system that refuses handlers of signals.
fn asked_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    const REFUSED: &str = "cannot listen for signals";
    #[cfg(unix)]
    let (mut interrupted, mut terminated) = {
        use tokio::signal::unix::{SignalKind, signal};
        let heard = |kind| signal(kind).context(REFUSED);
        (heard(SignalKind::interrupt())?, heard(SignalKind::terminate())?)
    };
    #[cfg(windows)]
    let (mut interrupted, mut terminated) = {
        use tokio::signal::windows::{ctrl_c, ctrl_close};
        (ctrl_c().context(REFUSED)?, ctrl_close().context(REFUSED)?)
    };
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}
