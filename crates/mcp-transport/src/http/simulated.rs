//! What stands in for the network in a simulation: whole exchanges, on the clock of the runtime.

use std::error::Error;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use http_body_util::combinators::BoxBody;
use hyper::body::{Body, Frame, Incoming};
use tokio::io::{AsyncRead, ReadBuf};

/// Where requests go in place of the network.
pub(crate) trait Network: Send + Sync + 'static {
    /// The answer, whose body is read as it arrives; or what the library would report, and whether that was before there was
    /// a connection.
    fn exchange(&self, request: Request<Bytes>) -> SimulatedExchange<'_>;
}

/// What [`Network::exchange`] returns.
pub(crate) type SimulatedExchange<'a> =
    Pin<Box<dyn Future<Output = Result<SimulatedAnswer, (Failure, bool)>> + Send + 'a>>;

/// An answer that never saw a socket.
pub(crate) type SimulatedAnswer = Response<Box<dyn AsyncRead + Send + Unpin>>;

/// What the library would report.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// A body that comes from a socket or from none.
pub(crate) type HttpBody = BoxBody<Bytes, Failure>;

/// One that comes from a socket.
pub(crate) fn real(body: Incoming) -> HttpBody {
    body.map_err(Into::into).boxed()
}

/// One that comes from no socket, in small pieces.
pub(crate) fn arriving(reader: Box<dyn AsyncRead + Send + Unpin>) -> HttpBody {
    Pieces(Mutex::new(reader)).boxed()
}

/// Locked because a body is `Sync`; its reader has it alone.
struct Pieces(Mutex<Box<dyn AsyncRead + Send + Unpin>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let mut space = [0; 512];
        let mut piece = ReadBuf::new(&mut space);
        let reader = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let read = ready!(Pin::new(reader).poll_read(context, &mut piece));
        Poll::Ready(match read {
            Ok(()) if piece.filled().is_empty() => None,
            Ok(()) => Some(Ok(Frame::data(Bytes::copy_from_slice(piece.filled())))),
            Err(error) => Some(Err(error.into())),
        })
    }
}
