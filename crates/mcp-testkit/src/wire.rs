//! The HTTP/1.1 server under both fake servers: loopback, port 0, one thread, stopped and joined with its handle.

mod body;
mod record;
mod serve;

pub(crate) use body::{BodySender, ReplyBody};
pub use record::{RecordedRequest, Recorder};
pub(crate) use serve::{Accepts, Handler, HangUp, ListeningServer};
