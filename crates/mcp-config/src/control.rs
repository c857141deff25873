//! Which files may define servers at all.

use crate::source::{Content, FilePurpose};
use crate::sources::Sources;
use crate::{ConfigSource, Problem, ProblemCode, Severity};

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
        let managed =
            sources.with_role(FilePurpose::Managed).find(|file| !matches!(file.content, Content::Absent));
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
        let is_given =
            sources.with_role(FilePurpose::Dynamic).any(|source| source.place == ConfigSource::Url);
        let is_configured =
            sources.with_role(FilePurpose::Dynamic).any(|source| source.place != ConfigSource::Url);
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
        let message = "it has exclusive control: servers of your own files and of projects are not used";
        problems
            .push(Problem::new(Severity::Note, ProblemCode::ManagedPolicy, message).in_place(&managed.place));
        Self::Managed
    }

    /// Whether a file of this role may define servers.
    pub(crate) fn admits(self, role: FilePurpose) -> bool {
        match self {
            Self::Managed => role == FilePurpose::Managed,
            Self::Strict => role == FilePurpose::Dynamic,
            Self::Host { native: true } => {
                matches!(role, FilePurpose::Dynamic | FilePurpose::User | FilePurpose::Project)
            }
            Self::Host { native: false } => matches!(role, FilePurpose::Dynamic | FilePurpose::Host(_)),
            Self::Open => matches!(
                role,
                FilePurpose::Dynamic | FilePurpose::User | FilePurpose::Own | FilePurpose::Project
            ),
        }
    }
}
