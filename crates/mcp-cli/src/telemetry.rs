//! Traces and metrics for a collector, where the environment names one. A build without the feature `otel` has
//! `telemetry/absent.rs` in the place of this file.
//!
//! The crates below only open `tracing` spans. Here is who listens: one layer makes OpenTelemetry's spans of those
//! that say their `otel.kind`, another one measures them. Events are not exported, so no text of ours or of a server
//! leaves with a trace.
//!
//! | module | does |
//! |---|---|
//! | `settings` | the standard variables → what is exported where |
//! | `export` | the messages of OTLP, and sending them |
//! | `meters` | the instruments |
//! | `propagate` | `traceparent` in, `traceparent` out |

mod export;
mod meters;
mod propagate;
mod settings;

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use clap::CommandFactory as _;
use mcp_transport::trace::{TraceContext, TracePropagator};
use mcp_transport::{ClientOptions, SupervisorHandle};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing::field::Empty;
use tracing::{Metadata, Span, debug_span};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;

use self::export::Collector;
use self::meters::Meters;
use self::propagate::Propagator;
use self::settings::Settings;
use crate::args::Cli;
use crate::environment::Environment;
use crate::exit::ExitStatus;
use crate::logging::Layers;

/// How long the end of the process waits for what is not exported yet.
const FLUSH: Duration = Duration::from_secs(1);

/// The telemetry of this process.
#[derive(Debug)]
pub(crate) struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<(SdkMeterProvider, Meters)>,
    propagates: bool,
    /// What a caller of this process said about the trace that the process is a part of.
    caller: Option<TraceContext>,
    problems: Vec<String>,
}

impl Telemetry {
    /// What the environment asks for, and the layers that listen. Without an endpoint nothing is set up.
    pub(crate) fn start(environment: &Environment) -> (Self, Layers) {
        let settings = Settings::read(environment);
        let attributes = settings.resource.into_iter().map(|(key, value)| KeyValue::new(key, value));
        let resource = Resource::builder_empty()
            .with_detector(Box::new(TelemetryResourceDetector))
            .with_attributes(attributes)
            .build();
        let mut layers = Layers::new();
        // Where the system gives no runtime, the command itself will fail, and say so.
        let variable = |name: &str| environment.variables().var(name);
        let options = || ClientOptions::from_env(crate::environment::program(), variable);
        let collector = |signal| Collector::new(signal, options()).ok();
        let traces = settings.traces.and_then(collector).map(|collector| {
            let batches = BatchConfigBuilder::default().with_scheduled_delay(settings.batch_delay).build();
            let processor = BatchSpanProcessor::builder(collector).with_batch_config(batches).build();
            let provider = SdkTracerProvider::builder()
                .with_sampler(settings.sampler)
                .with_resource(resource.clone())
                .with_span_processor(processor)
                .build();
            let layer = tracing_opentelemetry::layer()
                .with_tracer(provider.tracer_with_scope(scope()))
                .with_location(false)
                .with_threads(false)
                .with_target(false)
                .with_tracked_inactivity(false)
                // A span can join a caller's trace until it is started, and activating it would start it.
                .with_context_activation(false);
            layers.push(layer.with_filter(filter_fn(is_for_traces)).boxed());
            provider
        });
        let metrics = settings.metrics.and_then(collector).map(|collector| {
            let reader = PeriodicReader::builder(collector).with_interval(settings.metric_interval).build();
            let provider = SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build();
            let meters = Meters::new(&provider.meter_with_scope(scope()));
            layers.push(meters.clone().with_filter(filter_fn(Meters::wants)).boxed());
            (provider, meters)
        });
        let caller = environment
            .text("TRACEPARENT")
            .and_then(TraceContext::new)
            .map(|context| context.with_tracestate(environment.text("TRACESTATE").unwrap_or_default()));
        let (propagates, problems) = (settings.propagates, settings.problems);
        (Self { traces, metrics, propagates, caller, problems }, layers)
    }

    /// Tells the diagnostic log, which is there by now, what was asked for and is not done.
    pub(crate) fn explain(&self) {
        for problem in &self.problems {
            tracing::warn!("OpenTelemetry: {problem}");
        }
    }

    /// Who tells servers of our spans, where there are any.
    pub(crate) fn propagator(&self) -> Option<Arc<dyn TracePropagator>> {
        (self.traces.is_some() && self.propagates).then(|| Arc::new(Propagator) as Arc<dyn TracePropagator>)
    }

    /// The span of a command that ends with an answer, which `args` name. A bridge has none: it would end when
    /// the requests that it is the parent of are not remembered.
    pub(crate) fn command(&self, args: &[OsString]) -> Span {
        let matches = self.traces.as_ref().and_then(|_| Cli::command().try_get_matches_from(args).ok());
        let Some(name) = matches.as_ref().and_then(clap::ArgMatches::subcommand_name) else {
            return Span::none();
        };
        if name == "bridge" {
            return Span::none();
        }
        let span = debug_span!(
            "mcplink.command",
            "otel.name" = format!("mcplink {name}"),
            "otel.kind" = "internal",
            "otel.status_code" = Empty,
            "process.exit.code" = Empty,
        );
        if let Some(caller) = self.caller.as_ref().filter(|_| self.propagates) {
            propagate::join(&span, caller);
        }
        span
    }

    /// Notes in the span of a command how it ended.
    pub(crate) fn ended(&self, span: &Span, exit: ExitStatus) {
        span.record("process.exit.code", i64::from(exit.code()));
        if exit != ExitStatus::Success {
            span.record("otel.status_code", "error");
        }
    }

    /// Counts what happens to a session from now on.
    pub(crate) fn follow(&self, session: &SupervisorHandle) {
        if let Some((_, meters)) = &self.metrics {
            drop(tokio::spawn(meters.clone().follow(session.clone())));
        }
    }

    /// Exports what is left, in bounded time.
    pub(crate) fn finish(&self) {
        let mut exports: Vec<Work> = Vec::new();
        if let Some(traces) = self.traces.clone() {
            exports.push(Box::new(move || drop(traces.shutdown_with_timeout(FLUSH))));
        }
        if let Some((metrics, _)) = self.metrics.clone() {
            exports.push(Box::new(move || drop(metrics.shutdown_with_timeout(FLUSH))));
        }
        within(FLUSH, exports);
    }
}

type Work = Box<dyn FnOnce() + Send>;

/// Does all of it at once, and does not wait for any of it beyond `limit`: a thread that is not done by then ends with
/// the process.
fn within(limit: Duration, works: Vec<Work>) {
    if works.is_empty() {
        return;
    }
    let (held, ended) = mpsc::channel::<()>();
    for work in works {
        let held = held.clone();
        std::thread::spawn(move || {
            work();
            drop(held);
        });
    }
    drop(held);
    // Nothing is sent: it returns when the last one has let go, or at the limit.
    let _: Result<(), _> = ended.recv_timeout(limit);
}

/// Spans that say of which kind they are were made for traces; the others are for the log.
fn is_for_traces(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.fields().field("otel.kind").is_some()
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("mcplink").with_version(env!("CARGO_PKG_VERSION")).build()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn the_end_waits_for_what_is_quick_and_leaves_the_rest_behind() {
        let done = Arc::new(AtomicBool::new(false));
        let (seen, (release, released)) = (done.clone(), mpsc::channel::<()>());
        let stuck: Work = Box::new(move || released.recv().unwrap_or_default());
        within(Duration::from_millis(10), vec![stuck]);
        let quick: Work = Box::new(move || {
            std::thread::sleep(Duration::from_millis(20));
            seen.store(true, Ordering::SeqCst);
        });
        within(Duration::from_secs(60), vec![quick]);
        assert!(done.load(Ordering::SeqCst));
        drop(release);
    }

    #[test]
    fn only_spans_that_say_their_kind_are_for_traces() {
        tracing::subscriber::with_default(tracing_subscriber::registry(), || {
            let spans = [
                (debug_span!("request", "otel.kind" = "client"), true),
                (debug_span!("server", "otel.name" = "x"), false),
            ];
            for (span, expected) in spans {
                assert_eq!(span.metadata().map(is_for_traces), Some(expected), "{span:?}");
            }
        });
    }
}
