//! Hosts that others wrote, with the official SDKs, on the other side of `mcplink bridge`, and real servers behind it.
//!
//! | module | tells |
//! |---|---|
//! | `matrix` | every host and our own client, each with every real HTTP server, by way of the bridge |
//! | `strict` | every host with fakes of one era, which break no rule and write as no serialiser would |
//! | `died` | every real local server, killed under a bridge |
//! | `proxied` | every real HTTP server, behind a forward proxy that the environment names |
//! | `restarted` | every real HTTP server, killed and started again under a bridge |
//! | `rows` | that no real server lacks a row of those |
//! | `host` | how a host is run with a tap on each side of its bridge |
//! | `judge` | what a host must have seen of what a server offers |
//! | `wire` | a conversation, from its messages |
//! | `unchanged` | what of a conversation the bridge may change, and that nothing else is changed |
//!
//! The matrix and what the servers offer have one home, `mcp-testkit`; the story of our own client has its home in
//! the tests of `mcp-transport`, and is told here once more to a local server that is the bridge.

// Both sides of a bridge are read with `sh` and `tee`.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod died;
mod host;
mod judge;
mod matrix;
#[path = "../../../mcp-transport/tests/interop/person.rs"]
mod person;
mod proxied;
mod restarted;
mod rows;
#[path = "../../../mcp-transport/tests/interop/story.rs"]
mod story;
mod strict;
mod unchanged;
mod wire;
