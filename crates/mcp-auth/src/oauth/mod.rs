//! MCP authorization: sign-in, refresh, and where sign-ins are kept.

pub mod store;
