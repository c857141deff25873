//! OTLP over HTTP, in protobuf: the messages of the SDK to the collector, with the program's own HTTP client.
//!
//! An export runs in a thread of the SDK and in a runtime of its own, so that nothing else waits for it. It is made
//! once: what the collector does not take is lost, because telemetry that is kept grows until it is in the way.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri, header};
use mcp_auth::HttpExchange as _;
use mcp_transport::ClientOptions;
use mcp_transport::connect::HttpClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message;
use tokio::runtime::{Builder, Runtime};

use super::settings::Signal;

/// Who takes one kind of telemetry.
#[derive(Debug)]
pub(super) struct Collector {
    client: HttpClient,
    runtime: Mutex<Runtime>,
    endpoint: Uri,
    headers: HeaderMap,
    resource: ResourceAttributesWithSchema,
}

impl Collector {
    /// The collector of `signal`, reached through the same proxy and with the same authorities as everything else.
    ///
    /// # Errors
    ///
    /// Where the operating system gives no runtime.
    pub(super) fn new(signal: Signal, options: ClientOptions) -> std::io::Result<Self> {
        let mut options = options;
        options.connect_timeout = signal.timeout;
        Ok(Self {
            client: HttpClient::new(options),
            runtime: Mutex::new(Builder::new_current_thread().enable_all().build()?),
            endpoint: signal.endpoint,
            headers: signal.headers,
            resource: ResourceAttributesWithSchema::default(),
        })
    }

    fn post(&self, message: &impl Message) -> OTelSdkResult {
        let mut request = Request::post(self.endpoint.clone())
            .body(Bytes::from(message.encode_to_vec()))
            .map_err(|error| OTelSdkError::InternalFailure(error.to_string()))?;
        *request.headers_mut() = self.headers.clone();
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        request.headers_mut().insert(header::CONTENT_TYPE, protobuf);
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        match runtime.block_on(self.client.exchange(request)) {
            Ok(response) if response.status().is_success() => Ok(()),
            // It is not told: a collector that is down must not fill the terminal.
            Ok(response) => Err(OTelSdkError::InternalFailure(response.status().to_string())),
            Err(error) => Err(OTelSdkError::InternalFailure(error.to_string())),
        }
    }
}

impl SpanExporter for Collector {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let resource_spans = group_spans_by_resource_and_scope(batch, &self.resource);
        self.post(&ExportTraceServiceRequest { resource_spans })
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl PushMetricExporter for Collector {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.post(&ExportMetricsServiceRequest::from(metrics))
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }

    fn temporality(&self) -> Temporality {
        Temporality::Cumulative
    }
}
