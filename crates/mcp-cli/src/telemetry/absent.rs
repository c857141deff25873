//! A build without the feature `otel`: nothing is measured, nothing is sent, and nothing is set up.

use std::ffi::OsString;
use std::sync::Arc;

use mcp_transport::SupervisorHandle;
use mcp_transport::trace::TracePropagator;
use tracing::Span;

use crate::environment::Environment;
use crate::exit::ExitStatus;
use crate::logging::Layers;

/// No telemetry.
#[derive(Debug)]
pub(crate) struct Telemetry;

impl Telemetry {
    pub(crate) fn start(_: &Environment) -> (Self, Layers) {
        (Self, Layers::new())
    }

    pub(crate) fn explain(&self) {}

    pub(crate) fn propagator(&self) -> Option<Arc<dyn TracePropagator>> {
        None
    }

    pub(crate) fn command(&self, _: &[OsString]) -> Span {
        Span::none()
    }

    pub(crate) fn ended(&self, _: &Span, _: ExitStatus) {}

    pub(crate) fn follow(&self, _: &SupervisorHandle) {}

    pub(crate) fn finish(&self) {}
}
