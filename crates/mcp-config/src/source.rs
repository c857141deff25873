//! One file or argument of a configuration, as a value: what it is read for, where it is and what came of reading it.

use std::fmt;
use std::path::PathBuf;

use crate::hosts::HostPlace;
use crate::{ConfigSource, Problem, ProblemCode, Severity};

/// What of a path is told, in columns.
const MAX_PATH: usize = 400;

/// What a file is read for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FilePurpose {
    /// `managed-mcp.json`.
    Managed,
    /// `managed-settings.json` and its drop-in files.
    ManagedSettings,
    /// `.claude.json`: user scope, local scope, trust, disabled lists.
    User,
    /// This tool's own file of servers.
    Own,
    /// A `.mcp.json`.
    Project,
    /// A `--mcp-config`.
    Dynamic,
    /// `settings.json` of the person.
    UserSettings,
    /// `.claude/settings.json` of the project.
    ProjectSettings,
    /// `.claude/settings.local.json` of the project.
    LocalSettings,
    /// This tool's own trust and approvals.
    Decisions,
    /// A file of another host.
    Host(HostPlace),
    /// A place where people put servers that no program reads.
    NeverRead(UnreadPlace),
}

impl FilePurpose {
    /// Whether a project brings files of this role along.
    pub(crate) fn is_of_project(self) -> bool {
        match self {
            Self::Project | Self::ProjectSettings | Self::LocalSettings => true,
            Self::Host(place) => place.file().is_of_project(),
            _ => false,
        }
    }

    /// Whether what is in it counts without anyone being asked. What this tool keeps of decisions is not believed where others
    /// may write to it.
    pub(crate) fn is_believed(self) -> bool {
        !self.is_of_project() && !matches!(self, Self::Decisions | Self::NeverRead(_))
    }
}

/// One file or argument, with what came of reading it.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) role: FilePurpose,
    pub(crate) place: ConfigSource,
    pub(crate) content: Content,
    /// The other account that the file or its folder belongs to, where it does.
    pub(crate) foreign: Option<u32>,
    /// The root of the plugin that it is of, where it is of one.
    pub(crate) plugin: Option<PathBuf>,
    /// What lets every account of the machine change it, where it is believed: it, or a directory that leads to it.
    pub(crate) open: Option<PathBuf>,
}

#[derive(Clone)]
pub(crate) enum Content {
    Absent,
    Text(String),
    /// Why not, as a lowercase fragment.
    Unreadable(String),
}

/// Why a file is never read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum UnreadPlace {
    /// In the configuration directory of the person.
    ConfigDir,
    /// In the `.claude` directory of a project.
    ProjectDir,
    /// In the home directory, while `CLAUDE_CONFIG_DIR` names another one.
    OtherConfigDir,
    /// The desktop application's.
    Desktop,
    /// A name that is nearly that of a file that is read.
    Misnamed(ReadFile),
}

/// A file that is read, for which another one was probably meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadFile {
    /// `.claude.json` of the person.
    User,
    /// This tool's own.
    Own,
    /// `.mcp.json` of the project.
    Project,
}

impl Content {
    pub(crate) fn is_there(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl Source {
    pub(crate) fn of(role: FilePurpose, place: ConfigSource, content: Content) -> Self {
        Self { role, place, content, foreign: None, plugin: None, open: None }
    }
}

impl Source {
    /// That every account may change it, though it is believed.
    pub(crate) fn open_to_all(&self) -> Option<Problem> {
        let open = self.open.as_ref()?;
        let is_file = self.place.path() == Some(open);
        let message = match is_file {
            true => "every account of this machine may write to it, and what it says is believed".to_owned(),
            false => format!(
                "every account of this machine may replace it, and what it says is believed: all may write to {}",
                mcp_text::line(&open.display().to_string(), MAX_PATH)
            ),
        };
        let hint = format!("chmod o-w {}", mcp_text::shell_word(&open.to_string_lossy()));
        let problem = Problem::new(Severity::Warning, ProblemCode::OpenToAll, message).with_hint(hint);
        Some(problem.in_place(&self.place))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match &self.content {
            Content::Absent => "absent",
            Content::Text(_) => "read",
            Content::Unreadable(why) => why,
        };
        write!(f, "{:?} {} ({content})", self.role, self.place)
    }
}
