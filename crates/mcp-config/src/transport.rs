//! How an entry says that its server is reached.

use std::fmt;

use serde::{Serialize, Serializer};

/// How a remote server speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RemoteKind {
    /// Streamable HTTP.
    Http,
    /// The legacy HTTP+SSE transport.
    Sse,
    /// WebSocket.
    Ws,
}

impl RemoteKind {
    /// The word as it is in configuration files and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Sse => "sse",
            Self::Ws => "ws",
        }
    }
}

/// What the `type` of an entry says, or what follows from its fields.
///
/// # Examples
///
/// ```
/// use mcp_config::EntryTransport;
/// use mcp_config::entry::RemoteKind;
///
/// assert_eq!(EntryTransport::Remote(RemoteKind::Sse).as_str(), "sse");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EntryTransport {
    /// A command that speaks MCP on its standard streams.
    Stdio,
    /// A server that is reached by URL.
    Remote(RemoteKind),
    /// A server inside a host program (`type: sdk`).
    InProcess,
    /// The entry does not tell.
    Unknown,
}

impl EntryTransport {
    /// The word as it is in configuration files and in JSON; `unknown` where the entry does not tell.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Remote(kind) => kind.as_str(),
            Self::InProcess => "sdk",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for EntryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for EntryTransport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
