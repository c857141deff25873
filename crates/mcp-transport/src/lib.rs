//! The wire of an MCP client: Streamable HTTP in both eras, legacy HTTP+SSE and stdio.
//!
//! The design decision of this crate: **each thing that can be decided wrongly is decided in one place.** What
//! a challenge is, and the one replay after it, is `authed`; what an answer to the first request says about
//! the era of a server is `protocol::handshake`; what a failure means is not decided here at all, but told as
//! evidence to `mcp_status`, which the connect loop and every display read alike.
//!
//! ```text
//! Connector ─attempt─► negotiate ─► Connection ─request─► Wire ─┬─► Streamable ─► authed ─► HttpClient
//!                                        │                      └─► Ordered: stdio, legacy HTTP+SSE
//!                                        └─ Hub ◄── notifications, progress, requests of the server
//! ```
//!
//! A request is cancelled by dropping its future. A tool call is sent once; it is sent again only where the
//! server refused it before acting on it (a challenge, a session that is gone, headers that did not fit).
//!
//! # Where things are
//!
//! The names at the root connect and make requests. The rest is in modules: [`connect`] and [`supervisor`] (one
//! connection, and one that is kept for days; [`fleet`] for many), [`options`], [`limits`] and [`retry`], [`handler`] and
//! [`subscription`] (what a server asks and tells), [`tools`], [`completion`] and [`cache`] (what it answers), [`error`],
//! [`trace`]. Programs that pass messages on for others find those in [`message`], how their requests differ in [`relay`], and in [`stream`] how a server is reached
//! over a socket or pipe that the program opens itself.
#![doc = "\n# In ten lines\n"]
#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "some of what wires share is used by HTTP alone")
)]

mod activity;
#[cfg(feature = "http")]
mod authed;
pub mod cache;
mod call;
mod client_info;
pub mod completion;
pub mod connect;
pub mod connection;
mod deadline;
mod debts;
pub mod endpoint;
pub mod error;
pub mod evidence;
pub mod exchange;
pub mod fleet;
#[cfg(all(any(fuzzing, test), feature = "http"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod handler;
#[cfg(feature = "http")]
mod http;
mod hub;
mod identity;
mod inbound;
mod late;
mod lease;
pub mod limits;
pub mod message;
mod offered;
pub mod options;
mod ordered;
mod protocol;
mod refusal;
pub mod relay;
mod renewals;
mod resolver;
pub mod retry;
mod rounds;
#[cfg(any(fuzzing, test))]
mod seeded;
#[cfg(feature = "http")]
mod sent;
mod sink;
#[cfg(feature = "http")]
mod sse_parser;
pub mod stream;
pub mod subscription;
pub mod supervisor;
pub mod tool_filter;
pub mod tools;
pub mod trace;
mod waiting;
mod wire;
mod words;

mod duplex;
#[cfg(feature = "stdio")]
pub mod stdio;

pub use connect::{Connector, Server, ServerDescription};
pub use connection::Connection;
pub use endpoint::{Endpoint, HttpEndpoint, StdioEndpoint};
pub use error::{TransportError, TransportErrorKind};
pub use late::LateEndpoint;
pub use message::Payload;
pub use options::{ClientInfo, ClientOptions, RequestOptions};
pub use supervisor::{Supervisor, SupervisorHandle};
pub use tool_filter::ToolFilter;
