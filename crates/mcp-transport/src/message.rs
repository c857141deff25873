//! The JSON-RPC envelope, for programs that pass messages on: a bridge between a host and a server.
//!
//! Only the envelope is read. Parameters and results stay the bytes that were sent, in both directions.

pub use crate::protocol::chain::{META_CHAIN, told_chain};
pub use crate::protocol::jsonrpc::{
    EnvelopeError, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST, Incoming, METHOD_NOT_FOUND, PARSE_ERROR,
    RequestId, begin_result, encode_notification, encode_response,
};
pub use crate::protocol::outgoing::Members;
pub use crate::protocol::payload::Payload;

use serde_json::value::RawValue;

use crate::protocol::{jsonrpc, outgoing};

/// The messages of one frame: one, or those of a batch (2025-03-26 only; removed in 2025-06-18).
///
/// # Errors
///
/// The frame as a whole is no message. A broken element of a batch is an error in its place.
pub fn parse(
    frame: Vec<u8>,
) -> Result<impl Iterator<Item = Result<Incoming, EnvelopeError>> + use<>, EnvelopeError> {
    jsonrpc::parse(frame)
}

/// A request, ready to send. The parameters are written as they are.
pub fn encode_request(id: &RequestId, method: &str, params: Option<&RawValue>) -> Vec<u8> {
    jsonrpc::encode_request(id, method, params)
}

/// `frame` on one line, as stdio wants it. Valid JSON has line ends between tokens only, where a space means the same.
pub fn put_on_one_line(frame: &mut [u8]) {
    outgoing::put_on_one_line(frame);
}

/// Writes `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    outgoing::write_string(out, text);
}
