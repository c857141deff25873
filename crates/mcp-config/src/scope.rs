//! Which kind of file an entry came from.

use std::fmt;

use serde::Serialize;

/// Where an entry was defined.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Scope {
    /// The administrator's: a file that takes exclusive control, or servers that settings provide beside others.
    Managed,
    /// `--mcp-config`.
    Dynamic,
    /// This person, this project: `projects[..].mcpServers` of `.claude.json`.
    Local,
    /// Everyone in this project: `.mcp.json`.
    Project,
    /// This tool's own file: `mcp.json` in its configuration directory.
    Mcplink,
    /// This person, everywhere: `mcpServers` of `.claude.json`.
    User,
}

impl Scope {
    /// All of them, the one that wins first.
    pub const ALL: [Self; 6] =
        [Self::Dynamic, Self::Managed, Self::Local, Self::Project, Self::Mcplink, Self::User];

    /// The scope of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == word)
    }

    /// Whether its entries are of one project alone, and what they run or send waits for its folder to be trusted.
    pub fn is_of_project(self) -> bool {
        matches!(self, Self::Project | Self::Local)
    }

    /// The word as it is shown and as it is in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::Dynamic => "dynamic",
            Self::Local => "local",
            Self::Project => "project",
            Self::Mcplink => "mcplink",
            Self::User => "user",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
