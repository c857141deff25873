//! The spans of this crate: attempts to connect, requests, and asking for other credentials.
//!
//! They are those of `tracing`, at the level of debugging; one that is meant for a trace says its `otel.kind`. The
//! attributes are those of OpenTelemetry's conventions for MCP, without three. What a server says in an error may
//! repeat what it was sent, the URI of a resource may hold a secret, and knowing the id of a session is enough to use
//! it; so none of them is recorded.

use std::borrow::Cow;

use serde::Deserialize;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, debug_span};
use url::Host;

use super::{TraceContext, TracePropagator, outgoing};
use crate::endpoint::Endpoint;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::object::Members;
use crate::message::{Payload, ProtocolRevision};

/// The server of a connection, as spans name it, and the life of the connection.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionSpan {
    address: Option<String>,
    port: Option<u16>,
    transport: &'static str,
    protocol: Option<&'static str>,
    /// Open for as long as the connection is. It is measured, but no part of a trace: it may take days.
    session: Span,
}

impl ConnectionSpan {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let session = Span::none();
        match endpoint {
            Endpoint::Http(http) => Self {
                address: http.url.host().map(|host| match host {
                    Host::Domain(name) => name.to_owned(),
                    Host::Ipv4(address) => address.to_string(),
                    Host::Ipv6(address) => address.to_string(),
                }),
                port: http.url.port_or_known_default(),
                transport: "tcp",
                protocol: Some("http"),
                session,
            },
            Endpoint::Stream(_) => {
                Self { address: None, port: None, transport: "unix", protocol: None, session }
            }
            Endpoint::Stdio(_) => {
                Self { address: None, port: None, transport: "pipe", protocol: None, session }
            }
        }
    }

    /// One attempt to connect.
    pub(crate) async fn connecting<T>(
        &self,
        revision: impl FnOnce(&T) -> ProtocolRevision,
        attempt: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        let span = debug_span!(
            "mcp.connect",
            "otel.name" = "connect",
            "otel.kind" = "client",
            "otel.status_code" = Empty,
            "mcp.protocol.version" = Empty,
            "network.transport" = self.transport,
            "network.protocol.name" = self.protocol,
            "server.address" = self.address,
            "server.port" = self.port.map(i64::from),
            "error.type" = Empty,
        );
        let open = OpenSpan(span.clone());
        let outcome = attempt.instrument(span.clone()).await;
        if let Ok(value) = &outcome
            && !span.is_disabled()
        {
            span.record("mcp.protocol.version", revision(value).as_str());
        }
        open.close(outcome.as_ref().err().map(error_type));
        outcome
    }

    /// The same server, with a connection to it that begins now.
    pub(crate) fn connected(mut self, revision: ProtocolRevision) -> Self {
        self.session = debug_span!(
            parent: None,
            "mcp.session",
            "mcp.protocol.version" = revision.as_str(),
            "network.transport" = self.transport,
            "network.protocol.name" = self.protocol,
            "server.address" = self.address,
            "server.port" = self.port.map(i64::from),
        );
        self
    }

    /// The span of one request. Costs one atomic load when no subscriber is installed: `revision` is not asked then.
    fn request(
        &self,
        id: i64,
        method: &str,
        params: Option<&str>,
        revision: impl FnOnce() -> ProtocolRevision,
    ) -> Span {
        let span = debug_span!(
            "mcp.request",
            "otel.name" = Empty,
            "otel.kind" = "client",
            "otel.status_code" = Empty,
            "mcp.method.name" = method,
            "jsonrpc.request.id" = %id,
            "mcp.protocol.version" = revision().as_str(),
            "network.transport" = self.transport,
            "network.protocol.name" = self.protocol,
            "server.address" = self.address,
            "server.port" = self.port.map(i64::from),
            "gen_ai.operation.name" = Empty,
            "gen_ai.tool.name" = Empty,
            "gen_ai.prompt.name" = Empty,
            "rpc.response.status_code" = Empty,
            "error.type" = Empty,
        );
        if !span.is_disabled() {
            let target = target_field(method).and_then(|field| Some((field, target(params?)?)));
            match &target {
                Some((field, target)) => {
                    span.record(*field, target.as_str());
                    span.record("otel.name", format!("{method} {target}"));
                }
                None => {
                    span.record("otel.name", method);
                }
            }
            if method == "tools/call" {
                span.record("gen_ai.operation.name", "execute_tool");
            }
        }
        span
    }
}

/// Whether the request is sent again with other credentials.
#[cfg(feature = "http")]
pub(crate) const RECOVERED: &str = "mcp.auth.recovered";

/// Asking a provider for other credentials than those that were refused with `status`.
#[cfg(feature = "http")]
pub(crate) fn recovery(provider: &str, status: http::StatusCode) -> Span {
    debug_span!(
        "mcp.auth.replay",
        "otel.name" = "auth replay",
        "otel.kind" = "internal",
        "http.response.status_code" = i64::from(status.as_u16()),
        "mcp.auth.provider" = provider,
        "mcp.auth.recovered" = Empty,
    )
}

/// A request as traces see it: its span, and what goes to the server.
pub(crate) struct RequestTrace<'a> {
    span: Span,
    pub(crate) context: Option<Cow<'a, TraceContext>>,
}

impl<'a> RequestTrace<'a> {
    pub(crate) fn begin(
        peer: &ConnectionSpan,
        revision: impl FnOnce() -> ProtocolRevision,
        (id, method, params): (i64, &str, Option<&str>),
        (propagator, given): (Option<&dyn TracePropagator>, Option<&'a TraceContext>),
    ) -> Self {
        let span = peer.request(id, method, params, revision);
        let context = span.in_scope(|| outgoing(propagator, given, params));
        Self { span, context }
    }

    /// Runs the request within its span, and notes how it ended.
    pub(crate) async fn run(
        &self,
        request: impl Future<Output = Result<Payload, TransportError>>,
    ) -> Result<Payload, TransportError> {
        let span = &self.span;
        if span.is_disabled() {
            return request.await;
        }
        let open = OpenSpan(span.clone());
        let outcome = request.instrument(span.clone()).await;
        if let Err(error) = &outcome
            && let TransportErrorKind::Rpc { code } = error.kind()
        {
            span.record("rpc.response.status_code", code.to_string());
        }
        open.close(match &outcome {
            Ok(result) => is_tool_error(result.get()).then_some(Cow::Borrowed("tool_error")),
            Err(error) => Some(error_type(error)),
        });
        outcome
    }
}

/// A span whose work is under way. Work that is dropped was given up.
struct OpenSpan(Span);

impl OpenSpan {
    fn close(mut self, error: Option<Cow<'static, str>>) {
        let span = std::mem::replace(&mut self.0, Span::none());
        if let Some(error) = error {
            fail(&span, &error);
        }
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        fail(&self.0, "cancelled");
    }
}

fn fail(span: &Span, error: &str) {
    span.record("error.type", error);
    span.record("otel.status_code", "error");
}

/// The class of a failure: the code or status that the server gave, or a word of ours.
fn error_type(error: &TransportError) -> Cow<'static, str> {
    use TransportErrorKind as Kind;
    Cow::Borrowed(match error.kind() {
        Kind::Rpc { code } => return code.to_string().into(),
        Kind::Http { status, .. }
        | Kind::Moved { status }
        | Kind::Misaddressed { status, .. }
        | Kind::Challenged { status, .. }
        | Kind::Proxy { status: Some(status) } => {
            return status.to_string().into();
        }
        Kind::Credentials => "credentials",
        Kind::Unreachable => "unreachable",
        Kind::Dropped => "dropped",
        Kind::Timeout { .. } => "timeout",
        Kind::Tls => "tls",
        Kind::Proxy { status: None } => "proxy",
        Kind::Protocol => "protocol",
        Kind::TooLarge => "too_large",
        Kind::Version { .. } => "version",
        Kind::SessionGone => "session_gone",
        Kind::SessionRefused { .. } => "session_refused",
        Kind::Spawn { .. } => "spawn",
        Kind::SlowStart { .. } => "timeout",
        Kind::Exited { .. } => "exited",
        Kind::SelfReference => "self_reference",
        Kind::Closed => "closed",
        Kind::Cancelled => "cancelled",
        Kind::InputRequired => "input_required",
        Kind::ToolWithheld => "tool_withheld",
        Kind::ToolUnapproved => "tool_unapproved",
        Kind::Misconfigured => "misconfigured",
    })
}

/// Where the attributes say what a request of this method is about.
fn target_field(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" => Some("gen_ai.tool.name"),
        "prompts/get" => Some("gen_ai.prompt.name"),
        _ => None,
    }
}

fn target(params: &str) -> Option<String> {
    serde_json::from_str(Members::read(params)?.get("name")?.get()).ok()
}

/// Whether the result of a call says that the tool failed.
fn is_tool_error(result: &str) -> bool {
    #[derive(Deserialize)]
    struct Outcome {
        #[serde(rename = "isError", default, deserialize_with = "crate::protocol::lenient::truth")]
        is_error: bool,
    }
    // Only a result that may say so is looked into.
    result.contains("isError")
        && serde_json::from_str::<Outcome>(result).is_ok_and(|outcome| outcome.is_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_failed_is_told_from_one_that_speaks_of_errors() {
        assert!(is_tool_error(r#"{"content":[],"isError":true}"#));
        assert!(!is_tool_error(r#"{"content":[],"isError":false}"#));
        assert!(!is_tool_error(r#"{"content":[{"type":"text","text":"\"isError\":true"}]}"#));
    }

    #[test]
    fn what_a_request_is_about_is_its_name() {
        assert_eq!(target(r#"{"arguments":{"name":"no"},"name":"echo"}"#).as_deref(), Some("echo"));
        assert_eq!(target(r#"{"name":1}"#), None);
        assert_eq!(target_field("resources/read"), None);
    }
}
