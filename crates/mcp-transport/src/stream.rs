//! A server at the other end of a stream that the program opens itself: a socket, a pipe, memory. `mcp-share` reaches the
//! process that keeps a shared connection this way.

use std::fmt;
use std::pin::Pin;

use mcp_status::FailureRun;
use tokio::io::{AsyncRead, AsyncWrite};

/// What [`StreamOpener::open`] returns.
pub type OpenFuture<'a> = Pin<Box<dyn Future<Output = Result<Stream, FailureRun>> + Send + 'a>>;

/// Opens a stream to the server. Asked once for each attempt to connect, within the limit of the attempt; dropping the
/// future gives it up.
pub trait StreamOpener: Send + Sync + 'static {
    /// A stream on which the server answers as it would over stdio, or why there is none. An opener that reaches a process
    /// which connects to the server itself says how far that has come: what was seen there means the same here. It is
    /// expected to have this process [look again](crate::SupervisorHandle::look_again) when it would say something else.
    fn open(&self) -> OpenFuture<'_>;
}

/// A stream in both directions that is open already.
#[cfg_attr(not(feature = "stdio"), expect(dead_code, reason = "its lines are read as those of stdio are"))]
pub struct Stream {
    pub(crate) input: Box<dyn AsyncRead + Send + Unpin>,
    pub(crate) output: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Stream {
    /// A stream of these halves. Nothing that belongs to the conversation has been read from it.
    pub fn new(
        input: impl AsyncRead + Send + Unpin + 'static,
        output: impl AsyncWrite + Send + Unpin + 'static,
    ) -> Self {
        Self { input: Box::new(input), output: Box::new(output) }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}
