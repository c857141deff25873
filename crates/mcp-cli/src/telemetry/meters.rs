//! Metrics: what spans measure, and what a supervisor tells.
//!
//! | instrument | counts | one for each |
//! |---|---|---|
//! | `mcp.client.operation.duration` | seconds of a request | span `mcp.request` |
//! | `mcp.client.session.duration` | seconds of a connection | span `mcp.session` |
//! | `mcplink.helper.runs` | runs of a command that mints headers | span `mcp.auth.helper` |
//! | `mcplink.auth.replays` | requests sent again with other credentials | span `mcp.auth.replay` |
//! | `mcplink.reconnects` | connections that replaced another one | connection of a session |
//! | `mcplink.connections` | sessions by status | session that lives |
//!
//! The first two and their buckets are those of OpenTelemetry's conventions for MCP.

use std::fmt::Debug;
use std::time::Instant;

use mcp_transport::SupervisorHandle;
use mcp_transport::supervisor::StatusSnapshot;
use opentelemetry::metrics::{Counter, Histogram, Meter, UpDownCounter};
use opentelemetry::{KeyValue, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

const SECONDS: [f64; 14] = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0];

/// Everything that is measured.
#[derive(Clone, Debug)]
pub(super) struct Meters {
    requests: Histogram<f64>,
    sessions: Histogram<f64>,
    helper_runs: Counter<u64>,
    replays: Counter<u64>,
    reconnects: Counter<u64>,
    connections: UpDownCounter<i64>,
}

/// What the end of a span measures.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Measure {
    Request,
    Session,
    HelperRun,
    Replay,
}

impl Measure {
    fn of(span: &Metadata<'_>) -> Option<Self> {
        match span.name() {
            "mcp.request" => Some(Self::Request),
            "mcp.session" => Some(Self::Session),
            "mcp.auth.helper" => Some(Self::HelperRun),
            "mcp.auth.replay" => Some(Self::Replay),
            _ => None,
        }
    }
}

impl Meters {
    pub(super) fn new(meter: &Meter) -> Self {
        let histogram = |name, what| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(what)
                .with_boundaries(SECONDS.to_vec())
                .build()
        };
        let counter =
            |name, unit, what| meter.u64_counter(name).with_unit(unit).with_description(what).build();
        Self {
            requests: histogram("mcp.client.operation.duration", "From a request to its answer."),
            sessions: histogram(
                "mcp.client.session.duration",
                "From a handshake to the end of its connection.",
            ),
            helper_runs: counter("mcplink.helper.runs", "{run}", "Runs of a command that mints headers."),
            replays: counter(
                "mcplink.auth.replays",
                "{request}",
                "Requests sent again with other credentials.",
            ),
            reconnects: counter(
                "mcplink.reconnects",
                "{connection}",
                "Connections that replaced another one.",
            ),
            connections: meter
                .i64_up_down_counter("mcplink.connections")
                .with_unit("{connection}")
                .with_description("Sessions that live, by status.")
                .build(),
        }
    }

    /// Whether the layer wants to see this span.
    pub(super) fn wants(span: &Metadata<'_>) -> bool {
        span.is_span() && Measure::of(span).is_some()
    }

    fn measure(&self, measure: Measure, seconds: f64, attributes: &[KeyValue]) {
        match measure {
            Measure::Request => self.requests.record(seconds, attributes),
            Measure::Session => self.sessions.record(seconds, attributes),
            Measure::HelperRun => self.helper_runs.add(1, attributes),
            // A provider without other credentials sends nothing again.
            Measure::Replay if !attributes.iter().any(is_recovered) => {}
            Measure::Replay => self.replays.add(1, attributes),
        }
    }

    /// Counts what happens to a session until it is closed.
    pub(super) async fn follow(self, handle: SupervisorHandle) {
        let mut status = handle.status();
        // A session ends with its last handle, which must not be this one.
        drop(handle);
        let mut counted = SessionMeter { meters: self, status: None, connection: None };
        loop {
            let snapshot = status.borrow_and_update().clone();
            counted.see(&snapshot);
            if snapshot.closed || status.changed().await.is_err() {
                return;
            }
        }
    }
}

fn is_recovered(attribute: &KeyValue) -> bool {
    attribute.key.as_str() == "mcp.auth.recovered" && attribute.value == Value::Bool(true)
}

/// One session, as it is counted.
struct SessionMeter {
    meters: Meters,
    status: Option<KeyValue>,
    connection: Option<u64>,
}

impl SessionMeter {
    fn see(&mut self, snapshot: &StatusSnapshot) {
        let now = KeyValue::new("mcplink.status", snapshot.status.to_string());
        let now = (!snapshot.closed).then_some(now);
        if now != self.status {
            self.count(-1);
            self.status = now;
            self.count(1);
        }
        if snapshot.connection != self.connection && snapshot.connection.is_some() {
            let is_first = self.connection.is_none();
            self.connection = snapshot.connection;
            if !is_first {
                self.meters.reconnects.add(1, &[]);
            }
        }
    }

    fn count(&self, change: i64) {
        if let Some(status) = &self.status {
            self.meters.connections.add(change, std::slice::from_ref(status));
        }
    }
}

impl Drop for SessionMeter {
    fn drop(&mut self) {
        self.count(-1);
    }
}

/// What is kept of a span until it ends.
struct SpanRecord {
    began: Instant,
    measure: Measure,
    attributes: Vec<KeyValue>,
}

impl Visit for SpanRecord {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.to_owned().into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.set(field, format!("{value:?}").into());
    }
}

impl SpanRecord {
    fn set(&mut self, field: &Field, value: Value) {
        let name = field.name();
        // An id makes a series of its own out of every request, and the rest is about the span.
        if name == "jsonrpc.request.id" || name.starts_with("otel.") {
            return;
        }
        self.attributes.retain(|known| known.key.as_str() != name);
        self.attributes.push(KeyValue::new(name, value));
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Meters {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let (Some(span), Some(measure)) = (context.span(id), Measure::of(attributes.metadata())) else {
            return;
        };
        let mut seen = SpanRecord { began: Instant::now(), measure, attributes: Vec::new() };
        attributes.record(&mut seen);
        span.extensions_mut().insert(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(seen) = span.extensions_mut().get_mut::<SpanRecord>() {
            values.record(seen);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if let Some(seen) = span.extensions_mut().remove::<SpanRecord>() {
            self.measure(seen.measure, seen.began.elapsed().as_secs_f64(), &seen.attributes);
        }
    }
}
