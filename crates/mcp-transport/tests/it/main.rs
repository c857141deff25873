//! Integration tests over real sockets, against the fakes of `mcp-testkit`.

#![expect(clippy::unwrap_used, reason = "what fails in a test should stop it")]

mod auth;
mod caching;
mod field_server;
mod fleet;
mod forced;
mod forgotten;
mod guards;
mod handshake;
mod http_2;
mod kept;
mod liberal;
mod listed;
mod local;
mod moves;
mod mutual;
mod network;
mod older;
mod providers;
mod refusals;
mod reports;
mod rounds;
mod session;
mod silence;
mod subscriptions;
mod supervisor;
mod support;
mod tls_front;
mod trace;
mod trouble;
mod versions;
