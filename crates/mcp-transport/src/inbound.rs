//! What the other side starts by itself: notifications, and requests that want an answer.
//!
//! Every wire hands what it did not ask for to one [`Inbound`]; what a connection makes of it is decided
//! there, so a wire never interprets a method.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::value::RawValue;

use crate::message::RpcError;

/// A boxed answer to a request from the server.
pub type HandlerFuture<'a> = Pin<Box<dyn Future<Output = Result<Box<RawValue>, RpcError>> + Send + 'a>>;

/// The receiving end of a connection.
pub(crate) trait Inbound: fmt::Debug + Send + Sync + 'static {
    /// A notification arrived. Must not block: it is called from the task that reads the wire.
    fn notification(&self, method: &str, params: Option<Box<RawValue>>);

    /// A request arrived. The wire runs the future on a task of its own, so that a slow answer never delays
    /// what comes after the request, and sends the outcome under the request's id.
    fn request<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> HandlerFuture<'a>;

    /// The wire has ended by itself (end of file, the process exited, the stream closed).
    fn closed(&self) {}
}
