//! What a host is told when a request has no result: the server's own error where it gave one, otherwise the
//! status, the reason and what to do next, in the words of the program that runs the bridge.

use std::collections::HashMap;
use std::error::Error as _;

use mcp_status::{MessageContext, NextStep, Reason, ReasonCode, ServerStatus, StatusReport};
use mcp_transport::message::{INVALID_REQUEST, RequestId, RpcError};
use mcp_transport::supervisor::{RequestError, RequestErrorKind, StatusSnapshot};
use mcp_transport::{SupervisorHandle, TransportError, TransportErrorKind};
use serde::{Deserialize, Serialize};

use crate::BridgeConfig;
use crate::splice::raw;

/// There is no connection to the server, or the connection failed. Outside the ranges that JSON-RPC and MCP
/// reserve, so that it is not taken for an error of the server (2026-07-28, error codes).
pub const UNAVAILABLE: i64 = -31_000;

/// The details of such an error, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Details<'a> {
    source: &'a str,
    server: &'a str,
    status: ServerStatus,
    reason: Option<&'a Reason<String>>,
    next: Option<&'a str>,
    /// Whether the server may have acted on the request.
    may_have_run: bool,
}

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The supervisor says so.
    Request(RequestError),
    /// It is still being tried, and the host does not wait that long.
    NotYet(Box<StatusSnapshot>),
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl Failure {
    /// The error that the server itself answered with, whatever the HTTP status beside it, or that stands for it where a tool
    /// may not be used. A challenge is none:
    /// it is about credentials, and those are not the host's business.
    pub(crate) fn answer_of_server(&self) -> Option<&RpcError> {
        use TransportErrorKind as Kind;
        let Self::Request(error) = self else { return None };
        let RequestErrorKind::Transport(error) = error.kind() else { return None };
        let answers = matches!(
            error.kind(),
            Kind::Rpc { .. }
                | Kind::ToolWithheld
                | Kind::ToolUnapproved
                | Kind::Http { status: 400..=499, .. }
        );
        error.rpc_error().filter(|_| answers)
    }

    /// The server as the request found it, where that wants a sign-in. The connection may stand all the same: some give their
    /// lists to everyone.
    pub(crate) fn wants_sign_in(
        &self,
        config: &BridgeConfig,
        server: &SupervisorHandle,
    ) -> Option<StatusReport> {
        let Self::Request(error) = self else { return None };
        let RequestErrorKind::Transport(error) = error.kind() else { return None };
        let TransportErrorKind::Challenged { .. } = error.kind() else { return None };
        Some(StatusReport::from_evidence(&error.evidence(), &server.snapshot().context(), (config.facts)()))
    }

    /// What a person does about a tool that is not used.
    fn step(&self) -> Option<NextStep> {
        let Self::Request(error) = self else { return None };
        let RequestErrorKind::Transport(error) = error.kind() else { return None };
        (*error.kind() == TransportErrorKind::ToolUnapproved).then_some(NextStep::ApproveTools)
    }

    /// What the host is told, which names the address that `server` has.
    pub(crate) fn explain(&self, config: &BridgeConfig, server: &SupervisorHandle) -> RpcError {
        if let Some(answer) = self.answer_of_server() {
            return with_step(answer.clone(), self.step().and_then(|step| (config.next)(&step)));
        }
        match self {
            Self::NotYet(snapshot) => not_connected(snapshot, config),
            Self::Request(error) => match error.kind() {
                RequestErrorKind::NotConnected(snapshot) => not_connected(snapshot, config),
                RequestErrorKind::Transport(error) => failed(error, &server.snapshot().context(), config),
                _ => RpcError::new(UNAVAILABLE, format!("{}: {error}", config.name)),
            },
        }
    }
}

/// What another bridge says of its server, in the place of an answer of that.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ReportedFailure {
    /// Why there is no answer.
    pub code: ReasonCode,
    /// What that bridge would have a person do: a stranger's words.
    pub next: Option<String>,
}

impl ReportedFailure {
    /// What `error` says, where it is one of a bridge of `program`; `None` where the server itself answered.
    pub fn in_error(error: &RpcError, program: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Report {
            source: String,
            reason: ReportedReason,
            next: Option<String>,
        }
        #[derive(Deserialize)]
        struct ReportedReason {
            code: String,
        }
        let data = error.data.as_deref().filter(|_| error.code == UNAVAILABLE)?;
        let report: Report = serde_json::from_str(data.get()).ok()?;
        let code = ReasonCode::ALL.into_iter().find(|code| code.as_str() == report.reason.code)?;
        (report.source == program).then_some(Self { code, next: report.next })
    }
}

fn with_step(mut error: RpcError, next: Option<String>) -> RpcError {
    if let Some(next) = next {
        error.message.push_str(&format!("; next: {next}"));
    }
    error
}

/// What a host is told of a request to `server` that has no result.
pub fn explain(error: RequestError, config: &BridgeConfig, server: &SupervisorHandle) -> RpcError {
    Failure::from(error).explain(config, server)
}

/// Why a request is not taken while these are under way. One whose id is in use would not be counted, and could be
/// neither answered nor cancelled for sure (MCP, Requests: an id must not have been used before in a session).
pub fn not_taken<T>(
    under_way: &HashMap<RequestId, T>,
    id: &RequestId,
    config: &BridgeConfig,
) -> Option<RpcError> {
    if under_way.contains_key(id) {
        return Some(RpcError::new(INVALID_REQUEST, "a request of this id is under way"));
    }
    (under_way.len() >= config.max_requests).then(|| too_many(config))
}

fn too_many(config: &BridgeConfig) -> RpcError {
    let (name, most) = (&*config.name, config.max_requests);
    let message = format!(
        "{name}: {most} requests are under way, and no more are taken (`limits.requests` of the entry)"
    );
    RpcError::new(UNAVAILABLE, message)
}

/// Why a message of the host is not read.
pub(crate) fn too_long(config: &BridgeConfig) -> String {
    let (name, most) = (&*config.name, config.max_line_bytes);
    format!(
        "{name}: the message is longer than {most} bytes, and is not read (`limits.hostBytes` of the entry)"
    )
}

/// What a host is turned away with.
pub(crate) fn turned_away(reason: Reason, config: &BridgeConfig) -> RpcError {
    let context = MessageContext::new(&config.name);
    let report = StatusReport::from_reason(reason, &context, (config.facts)());
    rpc_error(report, "is not started", false, config)
}

fn not_connected(snapshot: &StatusSnapshot, config: &BridgeConfig) -> RpcError {
    let report = snapshot.report_with(&snapshot.context(), (config.facts)());
    let condition = condition(&report);
    rpc_error(report, &condition, false, config)
}

fn failed(error: &TransportError, context: &MessageContext<'_>, config: &BridgeConfig) -> RpcError {
    if *error.kind() == TransportErrorKind::InputRequired {
        // About this request alone: the server is well, and the host did not answer what it was asked.
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        return RpcError::new(UNAVAILABLE, format!("{}: {error}{cause}", context.server));
    }
    let report = StatusReport::from_evidence(&error.evidence(), context, (config.facts)());
    rpc_error(report, "did not answer the request", error.may_have_been_sent(), config)
}

fn condition(report: &StatusReport) -> String {
    match report.status {
        _ if report.reason.as_ref().is_some_and(|reason| reason.code == ReasonCode::Declined) => {
            "may not be started".to_owned()
        }
        ServerStatus::NeedsAuth => "needs authentication".to_owned(),
        ServerStatus::Pending => "is not connected yet".to_owned(),
        ServerStatus::Disabled => "is switched off".to_owned(),
        ServerStatus::Failed => "is not available".to_owned(),
        // The connection went while its request was being prepared.
        ServerStatus::Connected => "lost the connection".to_owned(),
    }
}

fn rpc_error(report: StatusReport, what: &str, may_have_run: bool, config: &BridgeConfig) -> RpcError {
    // It is off without a reason, as a person wanted it: who calls it now is told how that ends.
    let is_off = report.status == ServerStatus::Disabled && report.reason.is_none();
    let enable = is_off.then(|| (config.next)(&NextStep::Enable)).flatten();
    let report = report.worded(|step| (config.next)(step));
    let reason = report.reason.as_ref();
    let next = reason.and_then(|reason| reason.next.as_deref()).or(enable.as_deref());
    let mut message = format!("{} {what}", report.name);
    if let Some(reason) = reason {
        message.push_str(&format!(": {}", reason.message));
    }
    if may_have_run {
        message.push_str("; it may have run");
    }
    if let Some(next) = next {
        message.push_str(&format!("; next: {next}"));
    }
    let details = Details {
        source: &config.program,
        server: &report.name,
        status: report.status,
        reason,
        next,
        may_have_run,
    };
    // Strings, numbers and enums only, so serialising cannot fail.
    RpcError::new(UNAVAILABLE, message).with_data(raw(serde_json::to_string(&details).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use mcp_transport::supervisor::NoContact;

    use super::*;

    #[test]
    fn what_another_bridge_says_of_its_server_is_known_and_no_answer_of_a_server_is_taken_for_it() {
        let of = |code, data: &str| {
            ReportedFailure::in_error(&RpcError::new(code, "x").with_data(raw(data.to_owned())), "bridge")
        };
        let source = || async { Err::<mcp_transport::Server, _>(NoContact::SwitchedOff) };
        let config = BridgeConfig::new("web", "1", source).with_program("bridge");
        let reason = Reason::config("/x.json:1: the file is broken");
        let own = ReportedFailure::in_error(&turned_away(reason, &config), "bridge").unwrap();
        assert_eq!(own.code, ReasonCode::Config);
        let gone = r#"{"source":"bridge","reason":{"code":"unreachable"},"next":"look"}"#;
        let expected = ReportedFailure { code: ReasonCode::Unreachable, next: Some("look".to_owned()) };
        assert_eq!(of(UNAVAILABLE, gone), Some(expected));
        for (code, data) in [
            (-32_000, gone),
            (UNAVAILABLE, r#"{"source":"other","reason":{"code":"unreachable"}}"#),
            (UNAVAILABLE, r#"{"source":"bridge","reason":{"code":"no-such-code"}}"#),
            (UNAVAILABLE, r#"{"source":"bridge","reason":null}"#),
            (UNAVAILABLE, r#""bridge""#),
        ] {
            assert_eq!(of(code, data), None, "{code} {data}");
        }
        assert_eq!(ReportedFailure::in_error(&RpcError::new(UNAVAILABLE, "x"), "bridge"), None);
    }
}
