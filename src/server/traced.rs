//! A span for each request, by OpenTelemetry's conventions for HTTP servers, in the trace that its sender began.
//!
//! Of the address it has the route alone: a path or a query may hold anything. Who asks is not in it.

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

use crate::trace::{HEADER, Trace};

/// What instruments ask every few seconds.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Answers within a span.
pub(super) async fn request(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    if route.is_some_and(|route| PROBES.contains(&route)) {
        return next.run(request).await;
    }
    let method = named(request.method());
    let span = info_span!(
        target: "traces",
        "request",
        otel.name = format!("{method} {}", route.unwrap_or_default()).trim_end(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = route,
        url.scheme = "http",
        http.response.status_code = Empty,
        error.r#type = Empty,
    );
    let begun = request.headers().get(HEADER).and_then(|text| text.to_str().ok());
    Trace::read(begun.unwrap_or_default()).leads_to(&span);
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// A method that everybody knows by name; a sender could make up any number of others.
fn named(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
