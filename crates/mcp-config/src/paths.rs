//! Which files are looked at, which are used, and why.

use serde::Serialize;

use crate::ConfigSource;
use crate::control::Control;
use crate::decisions::ParsedFile;
use crate::source::{Content, FilePurpose, Source, UnreadPlace};
use crate::sources::Sources;

/// One location.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PathReport {
    /// The file or argument.
    #[serde(rename = "path")]
    pub place: ConfigSource,
    /// What it is for, in a few words.
    pub role: &'static str,
    /// It is there.
    pub exists: bool,
    /// Something is taken from it.
    pub used: bool,
    /// Why it is or is not used.
    pub why: String,
    /// It was asked for by name, with `--mcp-config`.
    #[serde(skip)]
    pub requested: bool,
}

impl PathReport {
    /// Nothing is ever taken from it; it is named because people write into it.
    pub fn never_read(&self) -> bool {
        self.role == NO_ROLE
    }
}

const NO_ROLE: &str = "none";

pub(crate) fn report(sources: &Sources, control: Control, files: &[ParsedFile<'_>]) -> Vec<PathReport> {
    let parsed = |file: &Source| files.iter().any(|(_, document)| document.place == file.place);
    sources.files.iter().map(|file| location(file, control, parsed(file))).collect()
}

fn location(file: &Source, control: Control, parsed: bool) -> PathReport {
    let exists = !matches!(file.content, Content::Absent);
    let (used, why) = match (&file.content, never(file.role)) {
        (_, Some(why)) => (false, why.to_owned()),
        (Content::Absent, None) => (false, "there is no such file".to_owned()),
        (Content::Unreadable(why), None) => (false, why.clone()),
        (Content::Text(_), None) if !parsed => (false, "it cannot be parsed".to_owned()),
        (Content::Text(_), None) => purpose(file.role, control),
    };
    let requested = file.role == FilePurpose::Dynamic;
    PathReport { place: file.place.clone(), role: role(file.role), exists, used, why, requested }
}

fn role(role: FilePurpose) -> &'static str {
    match role {
        FilePurpose::Managed => "managed servers",
        FilePurpose::ManagedSettings => "managed settings",
        FilePurpose::User => "user and local servers",
        FilePurpose::Own => "mcplink's own servers",
        FilePurpose::Project => "project servers",
        FilePurpose::Dynamic => "--mcp-config servers",
        FilePurpose::UserSettings => "user settings",
        FilePurpose::ProjectSettings => "project settings",
        FilePurpose::LocalSettings => "local project settings",
        FilePurpose::Decisions => "trust and approvals given to mcplink",
        FilePurpose::Host(_) => "servers of another host",
        FilePurpose::NeverRead(_) => NO_ROLE,
    }
}

fn never(role: FilePurpose) -> Option<&'static str> {
    let FilePurpose::NeverRead(why) = role else { return None };
    Some(match why {
        UnreadPlace::ConfigDir | UnreadPlace::ProjectDir => "a file of this name is never read here",
        UnreadPlace::Misnamed(_) => "its name is not the one that is looked for",
        UnreadPlace::OtherConfigDir => "CLAUDE_CONFIG_DIR names another directory",
        UnreadPlace::Desktop => "it belongs to the desktop application",
    })
}

fn purpose(role: FilePurpose, control: Control) -> (bool, String) {
    let servers = matches!(
        role,
        FilePurpose::Managed
            | FilePurpose::User
            | FilePurpose::Own
            | FilePurpose::Project
            | FilePurpose::Dynamic
            | FilePurpose::Host(_)
    );
    if servers && !control.admits(role) {
        let reason = match control {
            Control::Managed => "the administrator's file has exclusive control",
            Control::Host { .. } => "--from",
            _ => "--strict-mcp-config",
        };
        return match role {
            // Trust and disabled lists are facts about the person, wherever the servers come from.
            FilePurpose::User => {
                (true, format!("trust and disabled lists; its servers are not used: {reason}"))
            }
            _ => (false, reason.to_owned()),
        };
    }
    let why = match role {
        FilePurpose::Managed => "it exists, so it has exclusive control",
        FilePurpose::ManagedSettings => "policy lists, servers and approvals of the administrator",
        FilePurpose::User => "your servers, your servers for this project, trust, disabled lists",
        FilePurpose::Own => "your servers, for mcplink alone",
        FilePurpose::Project => "the launch directory is in or below its folder",
        FilePurpose::Dynamic => "given on the command line",
        FilePurpose::UserSettings => "your approvals and policy lists",
        FilePurpose::ProjectSettings | FilePurpose::LocalSettings => {
            "rejections and policy lists; approvals once the folder is trusted"
        }
        FilePurpose::Decisions => "written by trust, untrust, approve and reject",
        FilePurpose::Host(_) => "asked for with --from",
        FilePurpose::NeverRead(_) => "never read",
    };
    (true, why.to_owned())
}
