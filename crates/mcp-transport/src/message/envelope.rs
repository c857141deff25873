//! The JSON-RPC 2.0 envelope: read once, with the payload left as the bytes that were sent.
//!
//! A payload stays text until a caller asks for a typed view, so unknown fields and the digits of numbers survive.
//! A frame is taken by value and read once; a result stays where it is in it, as a [`Payload`]. Reading is strict about what a message *is* and lenient about everything else: a line that only
//! looks like a message must never answer a request, while unknown members of the envelope, explicit
//! `null`s and a byte order mark are all seen in the field and harmless.

mod lost;
mod read;
mod scan;
mod write;

use std::fmt;

use mcp_text::sentence;
use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;

use super::payload::Payload;

pub(crate) use lost::LineEnds;
#[cfg(any(feature = "http", feature = "stdio", test))]
pub(crate) use read::parse;
#[cfg(any(feature = "http", test))]
pub(crate) use read::parse_one;
#[cfg(any(feature = "http", feature = "stdio", test))]
pub(crate) use read::parse_text;
pub(crate) use read::{parse_of_host, pick, sole};
pub(crate) use scan::{elements, members};
pub use write::{begin_result, encode_error, encode_notification, encode_request, encode_response};

/// The receiver could not parse the JSON (JSON-RPC 2.0 section 5.1).
pub const PARSE_ERROR: i64 = -32700;
/// What was received is not a request (JSON-RPC 2.0 section 5.1).
pub const INVALID_REQUEST: i64 = -32600;
/// The method does not exist or has no handler (JSON-RPC 2.0 section 5.1).
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters do not fit the method (JSON-RPC 2.0 section 5.1).
pub const INVALID_PARAMS: i64 = -32602;
/// The receiver failed by itself (JSON-RPC 2.0 section 5.1).
pub const INTERNAL_ERROR: i64 = -32603;

/// Headers and body of a request disagree (2026-07-28, error codes).
pub const HEADER_MISMATCH: i64 = -32020;
/// The client lacks a capability that the server needs (2026-07-28, error codes).
pub const MISSING_CAPABILITY: i64 = -32021;
/// The server does not speak the version of the request (2026-07-28, error codes).
pub const UNSUPPORTED_VERSION: i64 = -32022;
/// No such resource, up to 2025-11-25; [`INVALID_PARAMS`] since (2026-07-28, error codes).
pub const RESOURCE_NOT_FOUND: i64 = -32002;

/// The largest integer that a JSON number carries exactly in every implementation, 2^53 - 1 (RFC 8259 section 6).
pub(crate) const MAX_SAFE_INTEGER: i64 = 9_007_199_254_740_991;

/// What correlates a response with its request. MCP allows strings and integers, and forbids `null`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the specification has these two")]
pub enum RequestId {
    /// An integer; the ids that we assign are of this kind.
    Number(i64),
    /// Any string.
    String(String),
}

impl RequestId {
    /// Reads an id, or `None` where it is neither a string nor an integer. An integer written as `1.0` counts.
    pub fn from_raw(raw: &RawValue) -> Option<Self> {
        Self::from_text(raw.get())
    }

    fn from_text(text: &str) -> Option<Self> {
        if text.starts_with('"') {
            return serde_json::from_str(text).ok().map(Self::String);
        }
        integer(text).map(Self::Number)
    }

    /// The number that this id stands for, where it is an id of ours that came back: some servers turn numeric
    /// ids into strings. Only the canonical spelling counts, so that `"01"` never answers request 1.
    pub fn as_assigned(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::String(text) => text.parse().ok().filter(|number: &i64| number.to_string() == *text),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::String(text) => write!(f, "\"{}\"", sentence(text)),
        }
    }
}

impl From<i64> for RequestId {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// One message from the other side.
#[expect(clippy::exhaustive_enums, reason = "JSON-RPC 2.0 has these three kinds of messages")]
pub enum Incoming {
    /// Wants a response under its id.
    Request {
        /// What the response must carry.
        id: RequestId,
        /// What is asked for.
        method: String,
        /// Its parameters, as sent.
        params: Option<Box<RawValue>>,
    },
    /// Wants nothing.
    Notification {
        /// What is told.
        method: String,
        /// Its parameters, as sent.
        params: Option<Box<RawValue>>,
    },
    /// Answers a request of ours.
    Response {
        /// The request it answers; absent where the other side could not tell (then the outcome is an error).
        id: Option<RequestId>,
        /// The result as sent, or the error.
        outcome: Result<Payload, RpcError>,
    },
}

impl fmt::Debug for Incoming {
    /// Shows what it is and how long, never what it says: a payload may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |params: &Option<Box<RawValue>>| params.as_ref().map_or(0, |raw| raw.get().len());
        match self {
            Self::Request { id, method, params } => {
                write!(f, "Request({id}, {}, {} bytes)", sentence(method), size(params))
            }
            Self::Notification { method, params } => {
                write!(f, "Notification({}, {} bytes)", sentence(method), size(params))
            }
            Self::Response { id, outcome: Ok(result) } => {
                write!(f, "Response({id:?}, {} bytes)", result.get().len())
            }
            Self::Response { id, outcome: Err(error) } => write!(f, "Response({id:?}, {error:?})"),
        }
    }
}

/// The error that the other side answered with (JSON-RPC 2.0 section 5.1).
#[derive(Clone)]
#[non_exhaustive]
pub struct RpcError {
    /// What kind of error, as JSON-RPC and the MCP specification assign it.
    pub code: i64,
    /// One sentence from the other side; empty where it sent none.
    pub message: String,
    /// Details, as sent.
    pub data: Option<Box<RawValue>>,
}

impl RpcError {
    /// An error to answer a request with.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Adds details.
    #[must_use]
    pub fn with_data(mut self, data: Box<RawValue>) -> Self {
        self.data = Some(data);
        self
    }

    /// Reads an error object. Only the code is indispensable: without it nothing can be decided.
    fn from_text(text: &str) -> Option<Self> {
        let wire: ErrorWire<'_> = serde_json::from_str(text).ok()?;
        let code = integer(wire.code?.get())?;
        let message = wire.message.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        Some(Self { code, message, data: wire.data.map(ToOwned::to_owned) })
    }
}

impl fmt::Display for RpcError {
    /// Bounded and on one line, whatever the other side sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            return write!(f, "error {}", self.code);
        }
        let message = sentence(&self.message);
        // Some servers put the code into the words.
        match says(&message, self.code) {
            true => f.write_str(&message),
            false => write!(f, "{message} (error {})", self.code),
        }
    }
}

/// Whether this number is in `message`.
fn says(message: &str, code: i64) -> bool {
    let code = code.to_string();
    message.match_indices(&code).any(|(at, _)| {
        let is_longer = |side: Option<char>| side.is_some_and(|c| c.is_ascii_digit());
        !is_longer(message[..at].chars().next_back()) && !is_longer(message[at + code.len()..].chars().next())
    })
}

impl fmt::Debug for RpcError {
    /// The details only by their length: they may repeat what was sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcError")
            .field("code", &self.code)
            .field("message", &format_args!("{}", sentence(&self.message)))
            .field("data_bytes", &self.data.as_ref().map(|data| data.get().len()))
            .finish()
    }
}

impl std::error::Error for RpcError {}

/// Why something that arrived is not a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnvelopeError {
    kind: EnvelopeErrorKind,
    /// Of the message that is not one, where it could be read: its waiter fails now instead of timing out.
    id: Option<RequestId>,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EnvelopeErrorKind {
    /// Not JSON.
    Json,
    /// JSON, and not one object, or an object that has a member twice (which peers may read differently).
    Object,
    /// No `jsonrpc: "2.0"`, and no answer that merely forgets it: a log line or another protocol.
    Version,
    /// An id that is neither a string nor an integer.
    Id,
    /// A request whose id is `null`.
    NullId,
    /// A method that is not a string.
    Method,
    /// None of request, notification and response, or more than one of them.
    Shape,
    /// An error without an integer code.
    ErrorObject,
    /// A batch without messages, or with too many.
    Batch,
}

impl EnvelopeError {
    fn new(kind: EnvelopeErrorKind) -> Self {
        Self { kind, id: None }
    }

    /// Whether it is JSON that does not claim to be JSON-RPC, or claims no more than that.
    #[cfg(feature = "http")]
    pub(crate) fn is_of_another_kind(&self) -> bool {
        match self.kind {
            EnvelopeErrorKind::Version | EnvelopeErrorKind::Batch => true,
            EnvelopeErrorKind::Shape => self.id.is_none(),
            _ => false,
        }
    }

    /// The code of the error that its sender is answered with (JSON-RPC 2.0 section 5.1).
    pub fn code(&self) -> i64 {
        match self.kind {
            EnvelopeErrorKind::Json => PARSE_ERROR,
            _ => INVALID_REQUEST,
        }
    }

    /// The request that the broken message claims to answer.
    pub fn id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            EnvelopeErrorKind::Json | EnvelopeErrorKind::Object => "not a JSON object",
            EnvelopeErrorKind::Version => "not JSON-RPC 2.0",
            EnvelopeErrorKind::Id => "an id that is neither a string nor an integer",
            EnvelopeErrorKind::NullId => "a request whose id is null",
            EnvelopeErrorKind::Method => "a method that is not a string",
            EnvelopeErrorKind::Shape => "neither a request nor a response",
            EnvelopeErrorKind::ErrorObject => "an error without an integer code",
            EnvelopeErrorKind::Batch => "an empty or oversized batch",
        })
    }
}

impl std::error::Error for EnvelopeError {}

/// The messages of one frame: one, also as a batch of one, or those of a batch (2025-03-26 only; removed in 2025-06-18).
///
/// A broken element of a batch is an error of its own and does not take its neighbours down.
#[derive(Debug)]
pub(crate) enum Messages {
    /// The usual case; `None` once taken.
    One(Option<Incoming>),
    /// The elements that are left.
    Batch(std::vec::IntoIter<Result<Incoming, EnvelopeError>>),
}

impl Iterator for Messages {
    type Item = Result<Incoming, EnvelopeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::One(message) => message.take().map(Ok),
            Self::Batch(messages) => messages.next(),
        }
    }
}

#[derive(Deserialize)]
struct ErrorWire<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    code: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    message: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
}

/// `Option` alone would turn an explicit `null` into `None`, and `"result": null` is a result.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// An integer, also where it is spelled as a number with a fraction or exponent and is exactly one.
pub(crate) fn integer(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = serde_json::from_str(text).ok()?;
    (number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER as f64).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn only_the_canonical_spelling_of_an_id_is_ours() {
        let table = [("7", Some(7)), ("-1", Some(-1)), ("07", None), ("+7", None), ("7 ", None), ("a", None)];
        for (text, expected) in table {
            assert_eq!(RequestId::String(text.into()).as_assigned(), expected, "{text}");
        }
        assert_eq!(RequestId::Number(7).as_assigned(), Some(7));
    }

    #[test]
    fn a_stranger_s_text_is_bounded_and_harmless() {
        let error =
            RpcError::new(-1, format!("\u{1b}[2J{}", "x".repeat(10_000))).with_data(raw("\"canary\""));
        let shown = format!("{error} {error:?}");
        assert!(shown.len() < 1_000, "{}", shown.len());
        assert!(!shown.contains('\u{1b}') && !shown.contains("canary"), "{shown}");
        let message = parse_one(br#"{"jsonrpc":"2.0","id":1,"result":"canary"}"#.to_vec()).unwrap();
        assert!(!format!("{message:?}").contains("canary"));
    }
}
