//! One trace for a leak, by W3C Trace Context: from the report through the worker and its calls to the notice.
//!
//! A trace is named by the `traceparent` of one of its spans, which a task and a notice keep in the store, so that it goes
//! on in another process and after a restart. Spans with the target `traces` are what OpenTelemetry gets, and no others:
//! the log's spans and lines never leave the machine this way. What must never stand in a span: a secret, what a reporter
//! calls a token's hash, a mail address, a path or query of a request, a body.

mod collector;
pub mod export;

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::context::FutureExt as _;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Instrument as _, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header that carries a trace from one program to the next.
pub const HEADER: &str = "traceparent";

/// Where a trace goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trace(String);

impl Trace {
    /// The span that is just being worked in; nothing, where nothing is traced.
    pub fn current() -> Self {
        let context = Context::current();
        let span = context.span();
        let span = span.span_context();
        if !span.is_valid() {
            return Self::default();
        }
        let flags = span.trace_flags().to_u8() & 1;
        Self(format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id()))
    }

    /// Reads a `traceparent`; one that is none is nothing. Whatever else a sender says of a trace (`tracestate`) is its own
    /// text, and is not taken over.
    pub fn read(text: &str) -> Self {
        let trace = Self(text.trim().to_owned());
        if trace.0.len() <= 100 && trace.span().is_some() {
            trace
        } else {
            Self::default()
        }
    }

    /// As it is written in a header and in the store; empty for nothing.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Makes a span that has just been made go on from here. One that is made within the same trace already stays where it
    /// is.
    pub fn leads_to(&self, span: &Span) {
        let Some(parent) = self.span().filter(|_| !span.is_disabled()) else {
            return;
        };
        let context = Context::current();
        if context.span().span_context().trace_id() != parent.trace_id() {
            // an error is a span that nobody exports
            let _exported = span.set_parent(Context::new().with_remote_span_context(parent));
        }
    }

    fn span(&self) -> Option<SpanContext> {
        let carrier = HashMap::from([(HEADER.to_owned(), self.0.clone())]);
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
        let span = context.span().span_context().clone();
        span.is_valid().then_some(span)
    }
}

/// Work that is spawned, in the trace and in the log's span of whoever sets it going: a task starts in neither.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    work.with_current_context().in_current_span()
}

#[cfg(test)]
mod tests {
    use super::Trace;

    #[test]
    fn a_traceparent_is_taken_and_anything_else_is_nothing() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(Trace::read(good).as_str(), good);
        for bad in [
            "",
            "x",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::read(bad), Trace::default(), "{bad}");
        }
        assert_eq!(Trace::read(&"0".repeat(10_000)), Trace::default());
        assert_eq!(Trace::current(), Trace::default(), "nothing is traced here");
    }
}
