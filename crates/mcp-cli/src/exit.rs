//! Exit codes: the one place that maps results to numbers. They are part of the contract with scripts.

use std::process::ExitCode;

use mcp_connect::ConfiguredServer;
use mcp_status::ServerStatus;

/// What the process tells its caller.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ExitStatus {
    /// Done; for `status`, every server that is not disabled is connected.
    Success,
    /// A defect of this program, or what it was to write could not be written.
    Internal,
    /// Usage or configuration.
    Usage,
    /// Credentials, approval or trust are missing.
    NeedsAuth,
    /// Failed or unreachable.
    Failed,
    /// The server answered, and its answer is no: `isError`, an error of JSON-RPC, or no such tool, resource or prompt.
    ToolError,
    /// The peer broke the protocol.
    Protocol,
    /// Still pending at the deadline.
    Pending,
    /// Several servers with different results other than success.
    Mixed,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    #[cfg_attr(not(unix), expect(dead_code, reason = "a signal of Unix"))]
    Terminated,
}

impl ExitStatus {
    /// The number, as documented in docs/statuses.md.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Internal => 1,
            Self::Usage => 2,
            Self::NeedsAuth => 3,
            Self::Failed => 4,
            Self::ToolError => 5,
            Self::Protocol => 6,
            Self::Pending => 7,
            Self::Mixed => 8,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The result of several servers: success where all succeeded, the common failure where they agree,
    /// otherwise [`Mixed`](Self::Mixed).
    pub(crate) fn combine(results: impl IntoIterator<Item = Self>) -> Self {
        results.into_iter().filter(|result| *result != Self::Success).fold(Self::Success, |seen, next| {
            match seen {
                Self::Success => next,
                same if same == next => same,
                _ => Self::Mixed,
            }
        })
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

/// The exit status of one server's status and reason.
pub(crate) fn of_status(status: ServerStatus, code: Option<mcp_status::ReasonCode>) -> ExitStatus {
    use mcp_status::ReasonCode;
    match (status, code) {
        (ServerStatus::Connected | ServerStatus::Disabled, _) => ExitStatus::Success,
        (ServerStatus::NeedsAuth, _)
        | (ServerStatus::Pending, Some(ReasonCode::AwaitingApproval | ReasonCode::ChangedSinceApproval)) => {
            ExitStatus::NeedsAuth
        }
        (ServerStatus::Pending, _) => ExitStatus::Pending,
        (ServerStatus::Failed, Some(ReasonCode::Config | ReasonCode::SelfReference | ReasonCode::Policy)) => {
            ExitStatus::Usage
        }
        (ServerStatus::Failed, Some(ReasonCode::Protocol | ReasonCode::Version)) => ExitStatus::Protocol,
        (ServerStatus::Failed, _) => ExitStatus::Failed,
    }
}

/// The exit status of a command that could not read or change a file: one that cannot be written is not a fault of the command
/// or of the configuration, whichever file it is.
pub(crate) fn of_file(kind: mcp_config::ConfigErrorKind) -> ExitStatus {
    use mcp_config::ConfigErrorKind::{Full, Locked, ReadOnly, Write};
    match kind {
        Write | ReadOnly | Full | Locked => ExitStatus::Internal,
        _ => ExitStatus::Usage,
    }
}

/// The exit status of a command that tells what these entries are and contacts nothing: one that cannot be used is a
/// configuration error, and what a server would say is not known.
pub(crate) fn of_entries(entries: &[ConfiguredServer]) -> ExitStatus {
    let is_unusable = |entry: &ConfiguredServer| {
        let report = entry.offline_report();
        of_status(report.status, report.reason.map(|reason| reason.code)) == ExitStatus::Usage
    };
    if entries.iter().any(is_unusable) { ExitStatus::Usage } else { ExitStatus::Success }
}

/// The exit status of a wait for a server, or of its use, where it stays as it is until a person acts: what would be no
/// failure of a look is one here.
pub(crate) fn of_waiting_for_a_person(
    status: ServerStatus,
    code: Option<mcp_status::ReasonCode>,
) -> ExitStatus {
    match (status, code) {
        (ServerStatus::Disabled, Some(mcp_status::ReasonCode::NotConfigured)) => ExitStatus::Usage,
        (ServerStatus::Disabled, _) => ExitStatus::NeedsAuth,
        _ => of_status(status, code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_status::ReasonCode;

    #[test]
    fn several_servers_combine() {
        use ExitStatus::{Failed, Mixed, NeedsAuth, Success};
        for (results, expected) in [
            (vec![], Success),
            (vec![Success, Success], Success),
            (vec![Success, NeedsAuth], NeedsAuth),
            (vec![NeedsAuth, NeedsAuth], NeedsAuth),
            (vec![NeedsAuth, Success, Failed], Mixed),
            (vec![NeedsAuth, Failed, Failed], Mixed),
        ] {
            assert_eq!(ExitStatus::combine(results.clone()), expected, "{results:?}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_no_error_of_usage() {
        use mcp_config::ConfigErrorKind::{Corrupt, Edit, Encoding, Full, Locked, Read, ReadOnly, Write};
        for (kinds, code) in
            [(&[Write, ReadOnly, Full, Locked][..], 1), (&[Read, Corrupt, Encoding, Edit], 2)]
        {
            assert!(kinds.iter().all(|kind| of_file(*kind).code() == code), "{kinds:?}");
        }
    }

    #[test]
    fn each_status_has_its_code() {
        for (status, reason, code) in [
            (ServerStatus::Connected, Some(ReasonCode::ToolsUnavailable), 0),
            (ServerStatus::Disabled, None, 0),
            (ServerStatus::NeedsAuth, Some(ReasonCode::HelperFailed), 3),
            (ServerStatus::Pending, Some(ReasonCode::AwaitingApproval), 3),
            (ServerStatus::Pending, Some(ReasonCode::ChangedSinceApproval), 3),
            (ServerStatus::Pending, Some(ReasonCode::Retrying), 7),
            (ServerStatus::Failed, Some(ReasonCode::Config), 2),
            (ServerStatus::Failed, Some(ReasonCode::SelfReference), 2),
            (ServerStatus::Failed, Some(ReasonCode::Policy), 2),
            (ServerStatus::Failed, Some(ReasonCode::NotFound), 4),
            (ServerStatus::Failed, Some(ReasonCode::Protocol), 6),
        ] {
            assert_eq!(of_status(status, reason).code(), code, "{status:?} {reason:?}");
        }
    }
}
