//! The messages of MCP: envelope, payload, eras, methods, the names in `_meta`, framing.
//!
//! For programs that pass messages on, such as a bridge between a host and a server; everything in this crate that reads
//! or writes a message stands on it. Only the envelope is read. Parameters and results stay the bytes that were sent, in
//! both directions.
//!
//! # Examples
//!
//! ```
//! use mcp_transport::message::{self, Incoming, RpcError};
//!
//! let frame = br#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#.to_vec();
//! for message in message::parse(frame)? {
//!     if let Incoming::Request { id, method, .. } = message? {
//!         let error = RpcError::new(message::METHOD_NOT_FOUND, format!("no handler for {method}"));
//!         let answer = message::encode_response(&id, Err(&error));
//!         assert!(answer.starts_with(br#"{"jsonrpc":"2.0","id":7,"error":"#));
//!     }
//! }
//! # Ok::<(), message::EnvelopeError>(())
//! ```

pub(crate) mod envelope;
pub(crate) mod lines;
pub mod meta;
pub mod methods;
pub(crate) mod object;
pub(crate) mod payload;
pub(crate) mod revision;

pub use self::envelope::{
    EnvelopeError, HEADER_MISMATCH, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, Incoming,
    METHOD_NOT_FOUND, MISSING_CAPABILITY, PARSE_ERROR, RESOURCE_NOT_FOUND, RequestId, RpcError,
    UNSUPPORTED_VERSION, begin_result, encode_error, encode_notification, encode_request, encode_response,
};
pub use self::lines::{LineTooLong, Lines, put_on_one_line};
pub use self::object::{Members, Object, write_string};
pub use self::payload::Payload;
pub use self::revision::{Era, ProtocolRevision};
pub use crate::protocol::chain::announced_chain;

use serde_json::value::RawValue;

/// The request that the sender of `notifications/cancelled` gives up, where its parameters name one.
pub fn cancelled_request(params: Option<&RawValue>) -> Option<RequestId> {
    RequestId::from_raw(Members::read(params?.get())?.get("requestId")?)
}

/// The messages of one frame of a peer that is answered: one, or those of a batch (2025-03-26 only; removed in 2025-06-18).
///
/// # Errors
///
/// The frame as a whole is not a message. A broken element of a batch is an error in its place, and so is a request whose id is
/// `null`, which could never be told from another one.
pub fn parse(
    frame: Vec<u8>,
) -> Result<impl Iterator<Item = Result<Incoming, EnvelopeError>> + use<>, EnvelopeError> {
    envelope::parse_of_host(frame)
}
