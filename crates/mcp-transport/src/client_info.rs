//! Who a client says it is.

/// Who this client says it is (`clientInfo` of the MCP handshake).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct ClientInfo {
    /// A name for programs.
    pub name: String,
    /// A name for people.
    pub title: Option<String>,
    /// Its version.
    pub version: String,
}

impl ClientInfo {
    /// An identity without a title.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self { name: name.into(), title: None, version: version.into() }
    }
}
