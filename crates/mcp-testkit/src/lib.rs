//! Fakes for testing MCP clients: servers, helpers, homes and networks that do what a test tells them.
//!
//! Four decisions hold throughout.
//!
//! - **Real sockets, own threads.** Each server has a thread and a runtime of its own. Dropping its handle joins it,
//!   blocking the test's thread does not block it, and paused time in the test does not pause it. A client under paused
//!   time will see its timers fire while it waits for a socket, though: time tests belong to unit tests.
//! - **Honest unless told.** A fake answers as the specification demands of a server, down to error codes and statuses.
//!   Everything else is asked for by name: a [`ScriptedAnswer`] of a script, a [`Delivery`], a field of [`AuthServerSettings`].
//! - **Answers and judgements are separate.** Where the specification lets a server tolerate what it forbids a client, the
//!   fake tolerates it and adds a line to [`FakeMcpServer::violations`].
//! - **Failing loudly.** Waiting queries panic with what they saw. They are for tests; the rest, which
//!   `mcplink demo` also uses, returns errors.
//!
//! It imports no other crate of the workspace, so that a fake shares no bug of protocol or auth with what it tests.

mod accept;
mod auth;
mod browser;
mod canary;
mod eventually;
mod forward;
mod helper;
mod home;
mod mcp;
#[doc(hidden)]
pub mod process;
mod proxy;
mod registry;
mod shell;
mod sync;
mod tap;
mod wire;

pub use accept::{Accept, AwsVerifier, Refusal, TokenFacts, TokenLedger};
pub use auth::{AuthEndpoint, AuthServerSettings, Echo, FakeAuthServer, MetadataAt, ProtectedResource};
pub use browser::{FakeBrowser, Page, PageRequest, Visit, request, visit};
pub use canary::Canaries;
pub use eventually::eventually;
pub use forward::ForwardProxy;
pub use helper::{FakeHelper, HelperCall, fake_jwt};
pub use home::{FileChanges, Snapshot, TempHome};
pub use mcp::{
    Delivery, FakeEra, FakeMcpServer, FakeMcpServerBuilder, FakeTool, GetStream, HttpAnswer, Pages,
    ScriptedAnswer, Sse, SseEnd,
};
pub use proxy::{Fault, FlakyProxy};
pub use registry::FakeRegistry;
pub use shell::{SHELL_SERVER, shell_server_with};
pub use tap::{Messages, Tap};
pub use wire::{RecordedRequest, Recorder};

/// The examples of the README are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
