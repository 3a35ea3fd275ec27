//! The door over HTTP. It contains no rule of the domain, and it never logs a header, a query or a body.

pub mod health;
pub mod intake;
pub mod letters;
pub mod metrics;
mod oidc;
pub mod pages;
mod traced;
pub mod worker;

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use health::Health;

use crate::token_service::api::{self, problem};
use crate::token_service::{Limits, TokenService};

/// Largest body that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// Longest time a request may take, its body included.
const LONGEST_REQUEST: Duration = Duration::from_secs(20);
/// Longest time that open requests get to finish once the server is asked to stop.
const LONGEST_FAREWELL: Duration = Duration::from_secs(10);

/// All routes of the server, with limits and logging around them.
pub fn router(tokens: TokenService) -> Router {
    router_with(tokens, &Limits::default())
}

/// The same, with the operator's limits on how often a caller may ask.
pub fn router_with(tokens: TokenService, limits: &Limits) -> Router {
    let health = Health::of_tokens(tokens.clone());
    router_for(tokens, limits, health)
}

/// The same, for a server that does more than serve tokens.
pub fn router_for(tokens: TokenService, limits: &Limits, health: Health) -> Router {
    router_and(tokens, limits, health, Router::new())
}

/// The same, with the doors for reports ([`intake::Intake::router`]), which have limits of their own.
pub fn router_and(tokens: TokenService, limits: &Limits, health: Health, doors: Router) -> Router {
    Router::new()
        .merge(health.routes())
        .merge(api::router(tokens, limits))
        .fallback(|| async {
            problem(
                StatusCode::NOT_FOUND,
                "not-found",
                "Not found",
                "there is nothing at this address",
            )
        })
        .method_not_allowed_fallback(|| async {
            let told = "this address does not take this method";
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "Not allowed here",
                told,
            )
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(in_time))
        .merge(doors)
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            // the panic's text may hold what the request held, so it is left out
            tracing::error!("a request made the server panic");
            problem(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server-error",
                "The server failed",
                "the request could not be answered",
            )
        }))
        .layer(SetResponseHeaderLayer::if_not_present(
            CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(TraceLayer::new_for_http().make_span_with(span))
        .layer(from_fn(traced::request))
}

/// Method and route alone: an address may hold a name, a query or a header may hold a token.
fn span(request: &Request) -> tracing::Span {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("unknown", MatchedPath::as_str);
    tracing::info_span!("request", method = %request.method(), route)
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(LONGEST_REQUEST, next.run(request)).await {
        Ok(response) => response,
        Err(_) => problem(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            "Too slow",
            "the request took too long; send it again",
        ),
    }
}

/// Serves until `shutdown` ends, then lets open requests finish, for ten seconds at most.
pub async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    // callers without a token are told apart by their addresses
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        // an error is the sender gone, which is a reason to stop as well
        let _told = stopping.await;
    });
    let mut serving = std::pin::pin!(serving.into_future());
    tokio::select! {
        served = &mut serving => return served.context("the server stopped by itself"),
        () = shutdown => tracing::info!("stopping: open requests may finish"),
    }
    let _told = stop.send(());
    match tokio::time::timeout(LONGEST_FAREWELL, serving).await {
        Ok(served) => served.context("the server did not stop cleanly"),
        Err(_) => {
            tracing::warn!("some requests did not finish and were cut off");
            Ok(())
        }
    }
}
