//! What stands in for the network in a simulation: whole exchanges, on the clock of the runtime.

use std::error::Error;
use std::pin::Pin;

use bytes::Bytes;
use http::{Request, Response};
use tokio::io::AsyncRead;

/// Where requests go in place of the network.
pub(crate) trait Network: Send + Sync + 'static {
    /// The answer, whose body is read as it arrives; or what the library would report, and whether that was before there was
    /// a connection.
    fn exchange(&self, request: Request<Bytes>) -> Exchanged<'_>;
}

/// What [`Network::exchange`] returns.
pub(crate) type Exchanged<'a> = Pin<Box<dyn Future<Output = Result<Simulated, (Failure, bool)>> + Send + 'a>>;

/// An answer that never saw a socket.
pub(crate) type Simulated = Response<Box<dyn AsyncRead + Send + Unpin>>;

/// What the library would report.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;
