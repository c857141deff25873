//! The wire of an MCP client: Streamable HTTP in both eras, legacy HTTP+SSE and stdio.

#[cfg(feature = "http")]
mod authed;
mod connect;
mod connection;
mod endpoint;
mod error;
mod evidence;
mod handler;
#[cfg(feature = "http")]
mod http;
mod hub;
mod inbound;
pub mod message;
mod options;
mod ordered;
mod protocol;
mod retry;
#[cfg(test)]
mod seeded;
#[cfg(feature = "http")]
mod sse_parser;
mod tools;
mod wire;

mod duplex;
#[cfg(feature = "stdio")]
mod stdio;

pub use connect::{ConnectPolicy, Connected, Connector, Server};
pub use connection::{Connection, Notifications, RequestOptions};
pub use endpoint::{Endpoint, HttpEndpoint, HttpFlavor, StdioEndpoint};
pub use error::{TimeoutStage, TransportError, TransportErrorKind};
pub use handler::{ClientCapabilities, Notification, Progress, ProgressSink, ServerRequestHandler};
#[cfg(feature = "http")]
pub use http::client::HttpClient;
pub use inbound::HandlerFuture;
pub use options::{ClientInfo, ClientOptions, ProxySettings};
pub use protocol::handshake::{Implementation, ServerDescription};
pub use protocol::jsonrpc::RpcError;
pub use protocol::revision::ProtocolRevision;
pub use retry::{Delays, RetryPolicy};
#[cfg(feature = "stdio")]
pub use stdio::SideOutput;
pub use tools::{Tool, ToolList, ToolResult, ToolView};
