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
#![doc = "\n# In ten lines\n"]
#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(feature = "http"),
    expect(dead_code, reason = "some of what wires share is used by HTTP alone")
)]

#[cfg(feature = "http")]
mod authed;
mod cache;
mod call;
mod completion;
mod connect;
mod connection;
mod debts;
mod endpoint;
mod error;
mod evidence;
mod fleet;
#[cfg(all(any(fuzzing, test), feature = "http"))]
#[doc(hidden)]
pub mod fuzzing;
mod handler;
#[cfg(feature = "http")]
mod http;
mod hub;
mod inbound;
mod limits;
pub mod message;
mod offered;
mod options;
mod ordered;
mod peer;
mod protocol;
mod pulse;
mod renewals;
mod resolver;
mod retry;
#[cfg(feature = "rmcp")]
mod rmcp;
mod rounds;
#[cfg(any(fuzzing, test))]
mod seeded;
#[cfg(feature = "http")]
mod sse_parser;
mod subscription;
mod supervisor;
mod tools;
mod trace;
mod wire;
mod words;

mod duplex;
#[cfg(feature = "stdio")]
mod stdio;

#[cfg(feature = "rmcp")]
pub use self::rmcp::RmcpTransport;
pub use cache::{CacheHint, CacheScope};
pub use completion::{Completion, CompletionTarget};
pub use connect::{ConnectPolicy, Connected, Connector, Server};
pub use connection::Connection;
pub use endpoint::{Endpoint, HttpEndpoint, HttpFlavor, StdioEndpoint, StdioOpening};
pub use error::{TimeoutStage, TransportError, TransportErrorKind};
pub use fleet::{Changes, Fleet, FleetConfig, FleetEntry};
pub use handler::{ClientCapabilities, Notification, Progress, ProgressSink, ServerRequestHandler};
#[cfg(feature = "http")]
pub use http::client::HttpClient;
pub use hub::Notifications;
pub use inbound::HandlerFuture;
pub use limits::Limits;
pub use message::{Payload, ProtocolRevision, RpcError};
pub use options::{ClientInfo, ClientOptions, ProxySettings, ProxyUrl, RequestOptions, TrustFile};
pub use peer::{PeerEndpoint, PeerFuture, PeerOpener, PeerStream};
pub use protocol::handshake::{Implementation, ServerDescription};
pub use renewals::Renewals;
pub use resolver::{Resolver, Resolving};
pub use retry::{Delays, RetryPolicy};
#[cfg(feature = "stdio")]
pub use stdio::{SideOutput, StartSink, Starting};
pub use subscription::{Subscription, SubscriptionFilter};
pub use supervisor::{
    Lease, RequestError, RequestErrorKind, ServerFuture, ServerSource, SleepWatch, StartLimits,
    StatusSnapshot, Supervisor, SupervisorConfig, SupervisorHandle, SupervisorPolicy, Withheld,
};
pub use tools::{Tool, ToolList, ToolResult, ToolView};
pub use trace::{TraceContext, TracePropagator};
