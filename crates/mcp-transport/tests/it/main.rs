//! Integration tests over real sockets, against the fakes of `mcp-testkit`.

mod auth;
mod handshake;
mod network;
mod session;
mod support;
