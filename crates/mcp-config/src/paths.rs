//! Which files are looked at, which are used, and why.

use serde::Serialize;

use crate::Place;
use crate::control::Control;
use crate::decisions::ParsedFile;
use crate::source::{Content, Role, Source, UnreadPlace};
use crate::sources::Sources;

/// One location.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PathReport {
    /// The file or argument.
    #[serde(rename = "path")]
    pub place: Place,
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
    let requested = file.role == Role::Dynamic;
    PathReport { place: file.place.clone(), role: role(file.role), exists, used, why, requested }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Managed => "managed servers",
        Role::ManagedSettings => "managed settings",
        Role::User => "user and local servers",
        Role::Own => "mcplink's own servers",
        Role::Project => "project servers",
        Role::Dynamic => "--mcp-config servers",
        Role::UserSettings => "user settings",
        Role::ProjectSettings => "project settings",
        Role::LocalSettings => "local project settings",
        Role::Decisions => "trust and approvals given to mcplink",
        Role::Host(_) => "servers of another host",
        Role::NeverRead(_) => NO_ROLE,
    }
}

fn never(role: Role) -> Option<&'static str> {
    let Role::NeverRead(why) = role else { return None };
    Some(match why {
        UnreadPlace::ConfigDir | UnreadPlace::ProjectDir => "a file of this name is never read here",
        UnreadPlace::OtherConfigDir => "CLAUDE_CONFIG_DIR names another directory",
        UnreadPlace::Desktop => "it belongs to the desktop application",
    })
}

fn purpose(role: Role, control: Control) -> (bool, String) {
    let servers = matches!(
        role,
        Role::Managed | Role::User | Role::Own | Role::Project | Role::Dynamic | Role::Host(_)
    );
    if servers && !control.admits(role) {
        let reason = match control {
            Control::Managed => "the administrator's file has exclusive control",
            Control::Host { .. } => "--from",
            _ => "--strict-mcp-config",
        };
        return match role {
            // Trust and disabled lists are facts about the person, wherever the servers come from.
            Role::User => (true, format!("trust and disabled lists; its servers are not used: {reason}")),
            _ => (false, reason.to_owned()),
        };
    }
    let why = match role {
        Role::Managed => "it exists, so it has exclusive control",
        Role::ManagedSettings => "policy lists, servers and approvals of the administrator",
        Role::User => "your servers, your servers for this project, trust, disabled lists",
        Role::Own => "your servers, for mcplink alone",
        Role::Project => "the launch directory is in or below its folder",
        Role::Dynamic => "given on the command line",
        Role::UserSettings => "your approvals and policy lists",
        Role::ProjectSettings | Role::LocalSettings => {
            "rejections and policy lists; approvals once the folder is trusted"
        }
        Role::Decisions => "written by trust, untrust, approve and reject",
        Role::Host(_) => "asked for with --from",
        Role::NeverRead(_) => "never read",
    };
    (true, why.to_owned())
}
