//! A server whose connection another process of this machine keeps: the address of that process, as this one sees it.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use mcp_status::Streak;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::endpoint::Endpoint;

/// What [`PeerOpener::open`] returns.
pub type PeerFuture<'a> = Pin<Box<dyn Future<Output = Result<PeerStream, Streak>> + Send + 'a>>;

/// Opens a stream to the process that keeps the connection. Asked once for each attempt to connect, within the limit of
/// the attempt; dropping the future gives it up.
pub trait PeerOpener: Send + Sync + 'static {
    /// A stream on which the server answers as it would over stdio, or how far the process that keeps the connection has
    /// come without one: what it has seen means here what it means there. It is expected to have this process
    /// [look again](crate::SupervisorHandle::look_again) when it would say something else.
    fn open(&self) -> PeerFuture<'_>;
}

/// Another process of this machine that keeps the connection to a server, and relays what is said.
///
/// The messages are those of MCP, one per line, as over stdio. The other process may say [`GOING_AWAY`](Self::GOING_AWAY):
/// it takes no new requests on this stream, and those under way are still answered.
#[derive(Clone)]
#[non_exhaustive]
pub struct PeerEndpoint {
    /// Opens the streams.
    pub opener: Arc<dyn PeerOpener>,
    /// Where the server behind is: for messages, and to tell one server from another.
    pub server: Box<Endpoint>,
}

impl PeerEndpoint {
    /// The notification by which the process that keeps the connection takes no more requests on a stream.
    pub const GOING_AWAY: &'static str = "notifications/mcplink/going_away";

    /// A way to `server` whose streams are opened by `opener`.
    pub fn new(opener: impl PeerOpener, server: Endpoint) -> Self {
        Self { opener: Arc::new(opener), server: Box::new(server) }
    }
}

/// Whichever relay passes them on, two of them are equal where the server behind is.
impl PartialEq for PeerEndpoint {
    fn eq(&self, other: &Self) -> bool {
        self.server == other.server
    }
}

impl Eq for PeerEndpoint {}

impl fmt::Debug for PeerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerEndpoint").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A stream in both directions that is open already.
#[cfg_attr(not(feature = "stdio"), expect(dead_code, reason = "its lines are read as those of stdio are"))]
pub struct PeerStream {
    pub(crate) input: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) output: Box<dyn AsyncWrite + Send + Unpin>,
}

impl PeerStream {
    /// A stream of these halves. Nothing that belongs to the conversation has been read from it.
    pub fn new(
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self { input: Box::new(input), output: Box::new(output) }
    }
}

impl fmt::Debug for PeerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerStream").finish_non_exhaustive()
    }
}
