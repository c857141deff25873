//! A collector that keeps what it is sent, and reads it with the types of OTLP.

use std::collections::BTreeMap;

use mcp_testkit::{Canaries, FakeMcpServer, HttpAnswer, RecordedRequest};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, metric};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;

pub(crate) type Attributes = BTreeMap<String, String>;

/// Takes traces and metrics over HTTP from any sender.
#[derive(Debug)]
pub(crate) struct Collector(FakeMcpServer);

/// One span, ids in hexadecimal.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) state: String,
    pub(crate) failed: bool,
    pub(crate) ends_after_it_began: bool,
    pub(crate) attributes: Attributes,
}

/// One series of the last export, with its number.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) count: i64,
    pub(crate) bounds: Vec<f64>,
    pub(crate) attributes: Attributes,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let server = FakeMcpServer::start().unwrap();
        for path in ["/v1/traces", "/v1/metrics"] {
            server.route(path, HttpAnswer::new(200));
        }
        Self(server)
    }

    pub(crate) fn endpoint(&self) -> String {
        self.0.origin()
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        self.0.requests()
    }

    /// Every span so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies("/v1/traces");
        let exports = bodies.iter().map(|body| ExportTraceServiceRequest::decode(&**body).unwrap());
        let resources = exports.flat_map(|export| export.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        let spans = scopes.flat_map(|scope| scope.spans);
        spans
            .map(|span| Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                state: span.trace_state,
                failed: span.status.is_some_and(|status| status.code() == StatusCode::Error),
                ends_after_it_began: span.end_time_unix_nano >= span.start_time_unix_nano,
                attributes: attributes(&span.attributes),
                name: span.name,
            })
            .collect()
    }

    /// The one span of this name.
    #[track_caller]
    pub(crate) fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let mut found = spans.iter().filter(|span| span.name == name);
        let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
        match (found.next(), found.next()) {
            (Some(span), None) => span.clone(),
            (first, _) => panic!("{name:?} is there {} times in {names:?}", usize::from(first.is_some()) * 2),
        }
    }

    /// What the exported spans and metrics say of the process.
    pub(crate) fn resource(&self) -> Attributes {
        let body = self.bodies("/v1/traces").remove(0);
        let export = ExportTraceServiceRequest::decode(&*body).unwrap();
        attributes(&export.resource_spans[0].resource.as_ref().unwrap().attributes)
    }

    /// The series of this metric in the last export.
    pub(crate) fn metric(&self, name: &str) -> Vec<Point> {
        let bodies = self.bodies("/v1/metrics");
        let Some(last) = bodies.last() else { return Vec::new() };
        let export = ExportMetricsServiceRequest::decode(&**last).unwrap();
        let resources = export.resource_metrics.into_iter();
        let scopes = resources.flat_map(|resource| resource.scope_metrics);
        let metrics = scopes.flat_map(|scope| scope.metrics);
        let data = metrics.filter(|metric| metric.name == name).filter_map(|metric| metric.data);
        data.flat_map(|data| match data {
            metric::Data::Histogram(histogram) => {
                let count = |point: HistogramDataPoint| Point {
                    count: i64::try_from(point.count).unwrap(),
                    bounds: point.explicit_bounds,
                    attributes: attributes(&point.attributes),
                };
                histogram.data_points.into_iter().map(count).collect()
            }
            metric::Data::Sum(sum) => {
                let points = sum.data_points.into_iter();
                points
                    .map(|point| Point {
                        count: match point.value {
                            Some(Value::AsInt(count)) => count,
                            other => panic!("{other:?}"),
                        },
                        bounds: Vec::new(),
                        attributes: attributes(&point.attributes),
                    })
                    .collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        })
        .collect()
    }

    /// No secret left with what was exported.
    #[track_caller]
    pub(crate) fn assert_harmless(&self, canaries: &Canaries) {
        for request in self.requests() {
            canaries.assert_absent(&request.path, &request.body);
        }
    }

    fn bodies(&self, path: &str) -> Vec<Vec<u8>> {
        self.0.recorder().requests_to(path).into_iter().map(|request| request.body.to_vec()).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(pairs: &[KeyValue]) -> Attributes {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.clone()) {
        Some(any_value::Value::StringValue(text)) => text,
        // So that a number as text is told from a number.
        Some(any_value::Value::IntValue(number)) => format!("#{number}"),
        other => format!("{other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect()
}
