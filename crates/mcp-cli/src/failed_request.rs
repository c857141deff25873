//! A request to a server that has no result: what is told of it.

use mcp_bridge::ReportedFailure;
use mcp_connect::ConfiguredServer;
use mcp_status::{NextStep, StatusReport};
use mcp_transport::{TransportError, TransportErrorKind};

use crate::environment::PROGRAM;
use crate::error::CliError;
use crate::exit::{self, ExitStatus};
use crate::steps::Steps;
use crate::view::shown;

/// A request failed on a connection that stood.
pub(crate) fn failed(steps: &Steps, configured: &ConfiguredServer, error: &TransportError) -> CliError {
    let name = &configured.description.name;
    let evidence = error.evidence();
    let report = StatusReport::from_evidence(&evidence, &configured.context(), configured.facts());
    let Some(reason) = &report.reason else {
        return CliError::new(ExitStatus::Internal, "internal", error.to_string());
    };
    // A command that is this program on its way to a server has no answer of that: what it says is how that server is.
    if let Some(report) = error.rpc_error().and_then(|error| ReportedFailure::in_error(error, PROGRAM)) {
        let exit = exit::of_status(report.code.status(), Some(report.code));
        let message = format!("the request to {} failed", shown::name(name));
        let error =
            CliError::new(exit, report.code.as_str(), message).why(configured.secrets.hide(&said(error)));
        let hint = report.next.map(|next| configured.secrets.hide(&next).into_owned());
        return match hint {
            Some(hint) => error.next(steps.words(&NextStep::Provider { hint }, name)),
            None => error,
        };
    }
    // A JSON-RPC error is an answer, not a broken protocol: the request was refused, not the server lost.
    if let TransportErrorKind::Rpc { .. } = error.kind() {
        return CliError::new(
            ExitStatus::ToolError,
            "rpc-error",
            format!("{} refused the request", shown::name(name)),
        )
        .why(configured.secrets.hide(&said(error)))
        .next(steps.words(&NextStep::AskOperator, name));
    }
    let exit = exit::of_status(report.status, Some(reason.code));
    let error =
        CliError::new(exit, reason.code.as_str(), format!("the request to {} failed", shown::name(name)))
            .why(configured.secrets.hide_known(&reason.message));
    match &reason.next {
        Some(step) => error.next(steps.words_after_request(step, reason.code, name)),
        None => error,
    }
}

/// What the server said with its error, code included; what the wire failed with otherwise.
pub(crate) fn said(error: &TransportError) -> String {
    error.rpc_error().map_or_else(|| error.to_string(), ToString::to_string)
}
