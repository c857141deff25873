//! The kit against a client that shares no code with it: a fake that lies is worse than none.

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod auth_server;
mod browser;
mod helper;
mod mcp_server;
mod mcp_streams;
mod proxy;
mod raw;
