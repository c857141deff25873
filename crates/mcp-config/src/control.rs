//! Which files may define servers at all.

use crate::source::{Content, Role};
use crate::sources::Sources;
use crate::{Place, Problem, ProblemCode, Severity};

/// Which sources may define servers at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Control {
    /// All of them.
    Open,
    /// `--strict-mcp-config`: the command line only.
    Strict,
    /// `--from`: the files of one host, and the command line.
    Host {
        /// They are the ones that are read anyway, without our own.
        native: bool,
    },
    /// `managed-mcp.json` exists: it alone.
    Managed,
}

impl Control {
    pub(crate) fn of(sources: &Sources, problems: &mut Vec<Problem>) -> Self {
        let managed = sources.with_role(Role::Managed).find(|file| !matches!(file.content, Content::Absent));
        let Some(managed) = managed else {
            return match sources.host {
                _ if sources.strict => Self::Strict,
                Some(host) => Self::Host { native: host.is_read_anyway() },
                None => Self::Open,
            };
        };
        if sources.host.is_some() {
            let message = "the administrator's file has exclusive control; --from cannot be used";
            problems.push(
                Problem::new(Severity::Error, ProblemCode::ManagedPolicy, message).in_place(&managed.place),
            );
        }
        let is_given = sources.with_role(Role::Dynamic).any(|source| source.place == Place::Url);
        let is_configured = sources.with_role(Role::Dynamic).any(|source| source.place != Place::Url);
        for (is_so, what) in [
            (sources.strict || is_configured, "--mcp-config and --strict-mcp-config"),
            (is_given, "a server by its URL"),
        ] {
            if is_so {
                let message =
                    format!("the administrator's file has exclusive control; {what} cannot be used");
                let problem = Problem::new(Severity::Error, ProblemCode::ManagedPolicy, message);
                problems.push(problem.in_place(&managed.place));
            }
        }
        Self::Managed
    }

    /// Whether a file of this role may define servers.
    pub(crate) fn admits(self, role: Role) -> bool {
        match self {
            Self::Managed => role == Role::Managed,
            Self::Strict => role == Role::Dynamic,
            Self::Host { native: true } => matches!(role, Role::Dynamic | Role::User | Role::Project),
            Self::Host { native: false } => matches!(role, Role::Dynamic | Role::Host(_)),
            Self::Open => matches!(role, Role::Dynamic | Role::User | Role::Own | Role::Project),
        }
    }
}
