//! `unleak serve`: the server, until it is asked to stop by Ctrl-C or SIGTERM.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;

use crate::notify::Notifier;
use crate::secret::Secret;
use crate::server;
use crate::token_service::{ServerKey, Settings, TokenService};

/// Serve the embedded token service over HTTP
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unleak serve --listen 127.0.0.1:8700 --store sqlite:///var/lib/unleak/tokens.db
  unleak serve --store postgres://unleak@db.example.com/unleak    # the password comes from ~/.pgpass or PGPASSWORD
  curl -H \"Authorization: Bearer $TOKEN\" 'http://127.0.0.1:8700/api/v1/check?scope=events:write&organisation=acme'

[serve] of the configuration sets presets, limits and the schedule of the review; `unleak config` explains each key. \
/openapi.json describes the API. It speaks plain HTTP: beyond this machine, put a proxy with TLS before it.")]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one [default: serve.listen, 127.0.0.1:8700]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where tokens are kept, as sqlite:///var/lib/unleak/tokens.db or postgres://user@host/unleak
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// Print what the policy lets the server do, in plain sentences, and end; the same as `unleak policy explain`
    #[arg(long)]
    pub explain_policy: bool,
}

/// What the configuration says about serving.
pub struct Serving<'a> {
    /// Address and port, where the arguments name none.
    pub listen: &'a str,
    /// URL of the token store, where the arguments name none.
    pub store: &'a str,
    /// The current server key.
    pub key: &'a [u8],
    /// The settings of the token service.
    pub settings: &'a Settings,
    /// Whoever bears it may see and stop every token.
    pub operator: Option<&'a Secret>,
    /// Writes to owners of tokens.
    pub notifier: Notifier,
}

/// Runs `unleak serve`.
pub async fn run(args: ServeArgs, serving: Serving<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let Serving {
        listen,
        store,
        key,
        settings,
        operator,
        notifier,
    } = serving;
    let url = args.store.as_deref().unwrap_or(store);
    let keys = settings.keys(ServerKey::new(key)?)?;
    let mut tokens = TokenService::open(url, keys)
        .await?
        .with_presets(settings.presets()?);
    if let Some(operator) = operator {
        tokens = tokens.with_operator(operator)?;
    }
    let listen = match args.listen {
        Some(listen) => listen,
        None => listen
            .parse()
            .with_context(|| format!("serve.listen = {listen:?}: write it as 127.0.0.1:8700"))?,
    };
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}; choose another --listen"))?;
    let address = listener.local_addr().context("the listener has no address")?;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "plain HTTP beyond this machine: put a proxy with TLS before it");
    }
    writeln!(out, "listening on http://{address}")?;
    out.flush()?;
    let letters = tokio::spawn(server::letters::keep_writing(
        tokens.clone(),
        notifier,
        settings.review.clone(),
    ));
    let served = server::serve(
        listener,
        server::router_with(tokens.clone(), &settings.limits),
        asked_to_stop(),
    )
    .await;
    letters.abort();
    tokens.close().await;
    served
}

/// Ends when the process is asked to stop.
async fn asked_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}
