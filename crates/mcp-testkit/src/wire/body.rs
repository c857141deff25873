//! A response body that can stop half-way, which an honest HTTP library makes hard on purpose.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

/// The body of a fake's response.
#[derive(Debug)]
pub(crate) enum ReplyBody {
    /// Sent in one go, with a `Content-Length`.
    Whole(Option<Bytes>),
    /// Sent as it arrives, until the sender is dropped (a clean end) or aborts (a broken one).
    Live(mpsc::Receiver<io::Result<Bytes>>),
}

/// Feeds a [`ReplyBody::Live`].
#[derive(Clone, Debug)]
pub(crate) struct BodySender(mpsc::Sender<io::Result<Bytes>>);

impl ReplyBody {
    /// No body at all.
    pub(crate) fn empty() -> Self {
        Self::Whole(None)
    }

    /// A body that is known in full.
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// A body that is fed while it is sent.
    pub(crate) fn live() -> (BodySender, Self) {
        // A small buffer, so that an endless body waits for its reader instead of filling the memory.
        let (sender, receiver) = mpsc::channel(16);
        (BodySender(sender), Self::Live(receiver))
    }
}

impl BodySender {
    /// Sends some bytes; `false` once the client is gone.
    pub(crate) async fn send(&self, bytes: impl Into<Bytes>) -> bool {
        self.0.send(Ok(bytes.into())).await.is_ok()
    }

    /// Sends without waiting; `false` when the client is gone or does not read.
    pub(crate) fn try_send(&self, bytes: impl Into<Bytes>) -> bool {
        self.0.try_send(Ok(bytes.into())).is_ok()
    }

    /// Ends the connection without ending the body: no last chunk, no missing bytes of a `Content-Length`.
    pub(crate) async fn abort(&self) {
        // A client that has already gone needs no broken body.
        let _ = self.0.send(Err(io::Error::other("scripted drop"))).await;
    }

    /// Resolves when the client has gone.
    pub(crate) async fn closed(&self) {
        self.0.closed().await;
    }

    /// Whether the client has gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Live(receiver) => {
                let next = ready!(receiver.poll_recv(context));
                Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Live(_) => SizeHint::default(),
        }
    }
}
