//! The kit against a client that shares no code with it: a fake that lies is worse than none.

mod mcp_server;
mod raw;
