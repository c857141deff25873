//! The names in `_meta` (2025-11-25 and 2026-07-28, basic, `_meta`).

/// The revision that a modern request speaks.
pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
/// Who sends a modern request.
pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// What the sender of a modern request can do.
pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
/// From which severity on a modern request wants log messages.
pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
/// The subscription that a modern notification belongs to.
pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
/// Who answers a modern request.
pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
/// The token under which the sender of a request wants to hear of its progress; both eras.
pub const PROGRESS_TOKEN: &str = "progressToken";
/// The entries that a local server runs under, outermost first; see [`announced_chain`](super::announced_chain). The prefix is that of
/// the project in reverse DNS notation, and its second label is none that the specification reserves.
pub const CHAIN: &str = "io.github.mcplink/chain";
