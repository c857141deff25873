//! The context of our spans for the servers that are asked, and that of a caller for our spans.

use std::collections::HashMap;

use mcp_transport::trace::{TraceContext, TracePropagator};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Puts the span of a request into the trace of its caller, and tells the server of the span.
#[derive(Debug)]
pub(super) struct Propagator;

impl TracePropagator for Propagator {
    fn outgoing(&self, parent: Option<&TraceContext>) -> Option<TraceContext> {
        let span = Span::current();
        if let Some(parent) = parent {
            join(&span, parent);
        }
        let context = span.context();
        let span = context.span();
        let ours = span.span_context();
        let flags = u8::from(ours.is_sampled());
        // An invalid context, of a span that is not recorded, has zeros for its ids and is none.
        let sent = TraceContext::new(format!("00-{}-{}-{flags:02x}", ours.trace_id(), ours.span_id()))?
            .with_tracestate(ours.trace_state().header());
        Some(match parent.and_then(TraceContext::baggage) {
            Some(baggage) => sent.with_baggage(baggage),
            None => sent,
        })
    }
}

/// Makes `span` a part of the trace of `parent`. Too late for a span that has been asked for its context.
pub(super) fn join(span: &Span, parent: &TraceContext) {
    let mut carrier = HashMap::from([("traceparent".to_owned(), parent.traceparent().to_owned())]);
    carrier.extend(parent.tracestate().map(|state| ("tracestate".to_owned(), state.to_owned())));
    let remote = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    if remote.span().span_context().is_valid() {
        // It fails where no layer records spans, and then there is nothing to join.
        drop(span.set_parent(remote));
    }
}
