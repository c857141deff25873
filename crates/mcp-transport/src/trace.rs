//! Distributed traces: the context that requests carry, and the spans that say what this crate does.
//!
//! A context travels in `_meta` (2026-07-28, basic, `_meta`), in the formats of W3C Trace Context and W3C Baggage.
//! Without a [`TracePropagator`] that of a caller passes through untouched, and one per request can be given with
//! [`RequestOptions::trace`](crate::RequestOptions::trace).
//!
//! Spans are those of `tracing`, at the level of debugging; one that is meant for a trace says its `otel.kind`. Their
//! attributes are those of OpenTelemetry's conventions for MCP, without three. What a server says in an error may
//! repeat what it was sent, the URI of a resource may hold a secret, and whoever knows the id of a session may use
//! it; so none of them is recorded.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, debug_span};
use url::Host;

use crate::protocol::outgoing::Members;
use crate::{Connection, Endpoint, Payload, ProtocolRevision, TransportError, TransportErrorKind};

pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";

/// The place of a request in a distributed trace, as `_meta` carries it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
    baggage: Option<String>,
}

impl TraceContext {
    /// A context with this `traceparent`; `None` where it does not have the format of W3C Trace Context section 3.2.
    pub fn new(traceparent: impl Into<String>) -> Option<Self> {
        let traceparent = traceparent.into();
        is_traceparent(&traceparent).then_some(Self { traceparent, tracestate: None, baggage: None })
    }

    /// With what vendors add (W3C Trace Context section 3.3). What is no printable ASCII is left out, as the
    /// section wants of what cannot be read.
    #[must_use]
    pub fn with_tracestate(mut self, tracestate: impl Into<String>) -> Self {
        self.tracestate = Some(tracestate.into()).filter(|text| is_printable(text));
        self
    }

    /// With what the application adds (W3C Baggage section 3). What is no printable ASCII is left out.
    #[must_use]
    pub fn with_baggage(mut self, baggage: impl Into<String>) -> Self {
        self.baggage = Some(baggage.into()).filter(|text| is_printable(text));
        self
    }

    /// Version, trace, parent and flags.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// What vendors add.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// What the application adds.
    pub fn baggage(&self) -> Option<&str> {
        self.baggage.as_deref()
    }

    /// The context in `_meta` of these parameters, the text of a JSON object.
    fn of_params(params: &str) -> Option<Self> {
        // Most requests carry none, and are told apart without being parsed.
        if !params.contains(TRACEPARENT) && !params.contains("\\u") {
            return None;
        }
        let meta = Members::read(Members::read(params)?.get("_meta")?.get())?;
        let text = |name| serde_json::from_str::<String>(meta.get(name)?.get()).ok();
        let mut context = Self::new(text(TRACEPARENT)?)?;
        context.tracestate = text(TRACESTATE).filter(|text| is_printable(text));
        context.baggage = text(BAGGAGE).filter(|text| is_printable(text));
        Some(context)
    }

    /// Adds the members of `_meta`, without braces, to those that are there.
    pub(crate) fn write(&self, members: &mut String) {
        let values = [
            (TRACEPARENT, Some(self.traceparent())),
            (TRACESTATE, self.tracestate()),
            (BAGGAGE, self.baggage()),
        ];
        for (name, value) in values {
            let Some(value) = value else { continue };
            let comma = if members.is_empty() { "" } else { "," };
            // A string always has a JSON form.
            let value = serde_json::to_string(value).unwrap_or_default();
            members.push_str(&format!("{comma}\"{name}\":{value}"));
        }
    }
}

/// `version-trace_id-parent_id-flags` in lowercase hexadecimal. A later version may have more, behind a dash.
fn is_traceparent(text: &str) -> bool {
    let bytes = text.as_bytes();
    let field = |from: usize, to: usize| {
        bytes.get(from..to).filter(|part| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
    };
    let is_not_zero = |part: &[u8]| part.iter().any(|byte| *byte != b'0');
    let (Some(version), Some(trace), Some(parent), Some(_)) =
        (field(0, 2), field(3, 35), field(36, 52), field(53, 55))
    else {
        return false;
    };
    let dashes = [2, 35, 52].iter().all(|at| bytes[*at] == b'-');
    let ends = bytes.len() == 55 || (version != b"00" && bytes[55] == b'-' && is_printable(text));
    dashes && ends && version != b"ff" && is_not_zero(trace) && is_not_zero(parent)
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

/// Joins the requests of this client to distributed traces, for a program that has spans of its own.
pub trait TracePropagator: fmt::Debug + Send + Sync + 'static {
    /// The context that goes to the server with a request, in place of the caller's.
    ///
    /// The `tracing` span of the request is the current one while this is called. `parent` is what the caller gave,
    /// with the request or in its parameters, so the span is a part of that trace. `None` leaves everything as the
    /// caller gave it.
    fn outgoing(&self, parent: Option<&TraceContext>) -> Option<TraceContext>;
}

/// What goes to the server with a request, beside what its parameters carry anyway.
fn outgoing<'a>(
    propagator: Option<&dyn TracePropagator>,
    given: Option<&'a TraceContext>,
    params: Option<&str>,
) -> Option<Cow<'a, TraceContext>> {
    let Some(propagator) = propagator else { return given.map(Cow::Borrowed) };
    let carried = match given {
        Some(_) => None,
        None => params.and_then(TraceContext::of_params),
    };
    match propagator.outgoing(given.or(carried.as_ref())) {
        Some(context) => Some(Cow::Owned(context)),
        None => given.map(Cow::Borrowed),
    }
}

/// The server of a connection, as spans name it, and the life of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    address: Option<String>,
    port: Option<u16>,
    transport: &'static str,
    protocol: Option<&'static str>,
    /// Open for as long as the connection is. It is measured, but no part of a trace: it may take days.
    session: Span,
}

impl Peer {
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
        let open = Open(span.clone());
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

    /// The span of one request. Costs a look at a flag where nobody wants it.
    fn request(&self, id: i64, method: &str, params: Option<&str>, connection: &Connection) -> Span {
        let span = debug_span!(
            "mcp.request",
            "otel.name" = Empty,
            "otel.kind" = "client",
            "otel.status_code" = Empty,
            "mcp.method.name" = method,
            "jsonrpc.request.id" = %id,
            "mcp.protocol.version" = connection.revision().as_str(),
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
pub(crate) const RECOVERED: &str = "mcplink.auth.recovered";

/// Asking a provider for other credentials than those that were refused with `status`.
#[cfg(feature = "http")]
pub(crate) fn recovery(provider: &str, status: http::StatusCode) -> Span {
    debug_span!(
        "mcplink.auth_replay",
        "otel.name" = "auth replay",
        "otel.kind" = "internal",
        "http.response.status_code" = i64::from(status.as_u16()),
        "mcplink.auth.provider" = provider,
        "mcplink.auth.recovered" = Empty,
    )
}

/// A request as traces see it: its span, and what goes to the server.
pub(crate) struct Traced<'a> {
    span: Span,
    pub(crate) context: Option<Cow<'a, TraceContext>>,
}

impl<'a> Traced<'a> {
    pub(crate) fn begin(
        connection: &Connection,
        peer: &Peer,
        (id, method, params): (i64, &str, Option<&str>),
        (propagator, given): (Option<&dyn TracePropagator>, Option<&'a TraceContext>),
    ) -> Self {
        let span = peer.request(id, method, params, connection);
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
        let open = Open(span.clone());
        let outcome = request.instrument(span.clone()).await;
        if let Err(error) = &outcome
            && let TransportErrorKind::Rpc { code } = error.kind()
        {
            span.record("rpc.response.status_code", code.to_string());
        }
        open.close(match &outcome {
            Ok(result) => is_tool_error(result).then_some(Cow::Borrowed("tool_error")),
            Err(error) => Some(error_type(error)),
        });
        outcome
    }
}

/// A span whose work is under way. Work that is dropped was given up.
struct Open(Span);

impl Open {
    fn close(mut self, error: Option<Cow<'static, str>>) {
        let span = std::mem::replace(&mut self.0, Span::none());
        if let Some(error) = error {
            fail(&span, &error);
        }
    }
}

impl Drop for Open {
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
        Kind::Spawn => "spawn",
        Kind::Exited { .. } => "exited",
        Kind::Closed => "closed",
        Kind::Cancelled => "cancelled",
        Kind::InputRequired => "input_required",
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
        #[serde(rename = "isError", default)]
        is_error: bool,
    }
    // Only a result that may say so is looked into.
    result.contains("isError")
        && serde_json::from_str::<Outcome>(result).is_ok_and(|outcome| outcome.is_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    const OURS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_has_the_format_of_the_recommendation() {
        for good in [
            PARENT,
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00",
            "cc-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "cc-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-what-comes-later",
        ] {
            assert!(TraceContext::new(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "00",
            "00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-more",
            "cc-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01.more",
            "00_0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-0",
            "00-0af7651916cd43dd8448eb211c8031\u{e9}-00f067aa0ba902b7-01",
        ] {
            assert!(TraceContext::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_left_out() {
        let context = TraceContext::new(PARENT).unwrap();
        assert_eq!(context.clone().with_tracestate("a=1\n").tracestate(), None);
        assert_eq!(context.clone().with_baggage("a=\u{e9}").baggage(), None);
        let whole = context.with_tracestate("a=1").with_baggage("b=\"2\"");
        let mut text = r#""t":1"#.to_owned();
        whole.write(&mut text);
        assert_eq!(text, format!(r#""t":1,"traceparent":"{PARENT}","tracestate":"a=1","baggage":"b=\"2\"""#));
    }

    #[test]
    fn the_context_of_a_caller_is_found_in_its_parameters() {
        let params = format!(
            r#"{{"name":"x","_meta":{{"traceparent":"{PARENT}","tracestate":"a=1","baggage":"b=2"}}}}"#
        );
        let context = TraceContext::of_params(&params).unwrap();
        assert_eq!(context, TraceContext::new(PARENT).unwrap().with_tracestate("a=1").with_baggage("b=2"));
        for none in [
            "{}".to_owned(),
            format!(r#"{{"arguments":{{"traceparent":"{PARENT}"}}}}"#),
            r#"{"_meta":{"traceparent":"nonsense"}}"#.to_owned(),
            r#"{"_meta":{"traceparent":1}}"#.to_owned(),
        ] {
            assert!(TraceContext::of_params(&none).is_none(), "{none}");
        }
    }

    /// Answers with a span of its own, and with what it was given.
    #[derive(Debug)]
    struct Fixed(Option<TraceContext>, std::sync::Mutex<Vec<Option<String>>>);

    impl TracePropagator for Fixed {
        fn outgoing(&self, parent: Option<&TraceContext>) -> Option<TraceContext> {
            self.1.lock().unwrap().push(parent.map(|parent| parent.traceparent().to_owned()));
            self.0.clone()
        }
    }

    #[test]
    fn a_propagator_hears_of_the_caller_and_has_the_last_word() {
        let given = TraceContext::new(PARENT).unwrap();
        let ours = TraceContext::new(OURS).unwrap();
        let params = format!(r#"{{"_meta":{{"traceparent":"{PARENT}"}}}}"#);
        assert_eq!(outgoing(None, None, Some(&params)), None, "what the caller wrote stays what it is");
        assert_eq!(outgoing(None, Some(&given), None).as_deref(), Some(&given));

        let joins = Fixed(Some(ours.clone()), Default::default());
        assert_eq!(outgoing(Some(&joins), None, Some(&params)).as_deref(), Some(&ours));
        assert_eq!(outgoing(Some(&joins), Some(&ours), Some(&params)).as_deref(), Some(&ours));
        assert_eq!(outgoing(Some(&joins), None, None).as_deref(), Some(&ours));
        let heard = joins.1.into_inner().unwrap();
        assert_eq!(heard, [Some(PARENT.to_owned()), Some(OURS.to_owned()), None]);

        let abstains = Fixed(None, Default::default());
        assert_eq!(outgoing(Some(&abstains), Some(&given), None).as_deref(), Some(&given));
        assert_eq!(outgoing(Some(&abstains), None, Some(&params)), None);
    }

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
