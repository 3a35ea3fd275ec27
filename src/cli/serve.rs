//! `unleak serve`: the server, until it is asked to stop by Ctrl-C or SIGTERM.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Args;

use crate::secret::Secret;
use crate::server;
use crate::token_service::{ServerKey, TokenService};

/// Serve the embedded token service over HTTP
#[derive(Debug, Args)]
#[command(
    after_help = "Example: unleak serve --listen 127.0.0.1:8700 --store sqlite:///var/lib/unleak/tokens.db

It speaks plain HTTP: beyond this machine, put a proxy with TLS before it."
)]
pub struct ServeArgs {
    /// Address and port to listen on; port 0 takes a free one [default: serve.listen, 127.0.0.1:8700]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Where tokens are kept, as sqlite:///var/lib/unleak/tokens.db
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
}

/// Runs `unleak serve`. `listen` and `store` are used where the arguments name none; `key` is the server key; whoever
/// bears the `operator` key may see and stop every token.
pub async fn run(
    args: ServeArgs,
    listen: &str,
    store: &str,
    key: &[u8],
    operator: Option<&Secret>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let url = args.store.as_deref().unwrap_or(store);
    let mut tokens = TokenService::open(url, ServerKey::new(key)?).await?;
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
    let served = server::serve(listener, server::router(tokens.clone()), asked_to_stop()).await;
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
