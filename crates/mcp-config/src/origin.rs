//! Where a value came from.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

/// A file, or an argument of the command line.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ConfigSource {
    /// A file.
    File(PathBuf),
    /// The nth `--mcp-config` that was given as inline JSON, from 1.
    Argument(usize),
    /// A server that was given by its URL on the command line.
    Url,
}

impl ConfigSource {
    /// The file, unless it is an argument.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Argument(_) | Self::Url => None,
        }
    }
}

impl fmt::Display for ConfigSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            // The first is most often the only one.
            Self::Argument(1) => f.write_str("--mcp-config"),
            Self::Argument(number) => write!(f, "--mcp-config number {number}"),
            Self::Url => f.write_str("the command line"),
        }
    }
}

impl Serialize for ConfigSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The exact place of a value: enough to open an editor there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Origin {
    /// The file or argument.
    #[serde(rename = "file")]
    pub place: ConfigSource,
    /// The value in it, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// The same for people: `mcpServers.x`.
    pub field: String,
    /// The line, from 1.
    pub line: usize,
}

impl Origin {
    /// Place and field, for people: `FILE:LINE: mcpServers.x.proxy`, or the option that was typed with a URL.
    pub fn with_field(&self) -> String {
        match self.place {
            ConfigSource::Url => crate::typed::option(&self.pointer),
            _ => format!("{self}: {}", self.field),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            ConfigSource::File(_) => write!(f, "{}:{}", self.place, self.line),
            ConfigSource::Argument(_) => write!(f, "{}, line {}", self.place, self.line),
            // What was typed has one line, and is seen.
            ConfigSource::Url => write!(f, "{}", self.place),
        }
    }
}
