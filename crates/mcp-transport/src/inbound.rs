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

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Mutex, MutexGuard};

    use super::*;
    use crate::message::METHOD_NOT_FOUND;

    /// Keeps the methods of notifications and `closed`, in order. It answers `echo` with its parameters, `roots/list` with nothing
    /// in it, and `hang` never.
    #[derive(Debug, Default)]
    pub(crate) struct RecordingInbound {
        seen: Mutex<Vec<String>>,
    }

    impl RecordingInbound {
        pub(crate) fn seen(&self) -> MutexGuard<'_, Vec<String>> {
            self.seen.lock().unwrap()
        }
    }

    impl Inbound for RecordingInbound {
        fn notification(&self, method: &str, _: Option<Box<RawValue>>) {
            self.seen().push(method.to_owned());
        }

        fn request<'a>(&'a self, method: &'a str, params: Option<Box<RawValue>>) -> HandlerFuture<'a> {
            Box::pin(async move {
                match method {
                    "echo" => Ok(params.unwrap()),
                    "roots/list" => Ok(RawValue::from_string("{}".to_owned()).unwrap()),
                    "hang" => std::future::pending().await,
                    _ => Err(RpcError::new(METHOD_NOT_FOUND, "no")),
                }
            })
        }

        fn closed(&self) {
            self.seen().push("closed".into());
        }
    }
}
