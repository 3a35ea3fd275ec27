//! The door over HTTP. It contains no rule of the domain, and it never logs a header, a query or a body.

use std::future::IntoFuture as _;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

use crate::token_service::TokenService;
use crate::token_service::api;

/// Largest body that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024;
/// Longest time a request may take, its body included.
const LONGEST_REQUEST: Duration = Duration::from_secs(20);
/// Longest time that open requests get to finish once the server is asked to stop.
const LONGEST_FAREWELL: Duration = Duration::from_secs(10);

/// All routes of the server, with limits and logging around them.
pub fn router(tokens: TokenService) -> Router {
    Router::new()
        .route("/readyz", get(ready))
        .with_state(tokens.clone())
        .route(
            "/healthz",
            get(|| async { Json(serde_json::json!({ "status": "ok" })) }),
        )
        .merge(api::router(tokens))
        .fallback(|| async {
            failure(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing at this address",
            )
        })
        .method_not_allowed_fallback(|| async {
            let told = "this address does not take this method";
            failure(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", told)
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn(in_time))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            // the panic's text may hold what the request held, so it is left out
            tracing::error!("a request made the server panic");
            failure(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                "the request could not be answered",
            )
        }))
        .layer(SetResponseHeaderLayer::overriding(
            CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        ))
        .layer(SetResponseHeaderLayer::overriding(
            X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(TraceLayer::new_for_http().make_span_with(span))
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
        Err(_) => failure(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            "the request took too long; send it again",
        ),
    }
}

async fn ready(State(tokens): State<TokenService>) -> Response {
    match tokens.ready().await {
        Ok(()) => Json(serde_json::json!({ "status": "ready" })).into_response(),
        Err(error) => {
            tracing::error!(%error, "not ready");
            let told = "the token store does not answer";
            failure(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", told)
        }
    }
}

fn failure(status: StatusCode, error: &str, told: &str) -> Response {
    let body = serde_json::json!({ "error": error, "error_description": told }).to_string();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Serves until `shutdown` ends, then lets open requests finish, for ten seconds at most.
pub async fn serve(
    listener: tokio::net::TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
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
