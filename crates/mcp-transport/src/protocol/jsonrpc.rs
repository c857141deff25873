//! The JSON-RPC 2.0 envelope: read once, with the payload left as the bytes that were sent.
//!
//! A payload stays a [`RawValue`] until somebody asks for a typed view, so unknown fields and the digits of
//! numbers survive and a large result is neither parsed twice nor copied more than once (out of the receive
//! buffer). Reading is strict about what a message *is* and lenient about everything else: a line that only
//! looks like a message must never answer a request, while unknown members of the envelope, explicit
//! `null`s and a byte order mark are all seen in the field and harmless.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The receiver could not parse the JSON (JSON-RPC 2.0 section 5.1).
pub(crate) const PARSE_ERROR: i64 = -32700;
/// What was received is not a request (JSON-RPC 2.0 section 5.1).
pub(crate) const INVALID_REQUEST: i64 = -32600;
/// The method does not exist or has no handler (JSON-RPC 2.0 section 5.1).
pub(crate) const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters do not fit the method (JSON-RPC 2.0 section 5.1).
pub(crate) const INVALID_PARAMS: i64 = -32602;
/// The receiver failed by itself (JSON-RPC 2.0 section 5.1).
pub(crate) const INTERNAL_ERROR: i64 = -32603;

/// No peer has a reason to batch more than this, and each element costs far more memory than its two bytes
/// on the wire, so an unbounded batch would defeat the limit on frames.
const MAX_BATCH: usize = 1024;

/// How much of a peer's message is shown to people, in characters.
const MAX_SHOWN: usize = 300;

/// The largest integer that a JSON number carries exactly in every implementation, 2^53 - 1 (RFC 8259 section 6).
const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

/// What correlates a response with its request. MCP allows strings and integers, and forbids `null`.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum RequestId {
    /// An integer; the ids that we assign are of this kind.
    Number(i64),
    /// Any string.
    String(String),
}

impl RequestId {
    /// Reads an id, or `None` where it is no string and no integer. An integer written as `1.0` counts.
    fn from_raw(raw: &RawValue) -> Option<Self> {
        let text = raw.get();
        if text.starts_with('"') {
            return serde_json::from_str(text).ok().map(Self::String);
        }
        integer(text).map(Self::Number)
    }

    /// The number that this id stands for, where it is an id of ours that came back: some servers turn numeric
    /// ids into strings. Only the canonical spelling counts, so that `"01"` never answers request 1.
    pub(crate) fn as_assigned(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::String(text) => text.parse().ok().filter(|number: &i64| number.to_string() == *text),
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::String(text) => write_string(out, text),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::String(text) => write!(f, "\"{}\"", Shown(text)),
        }
    }
}

impl From<i64> for RequestId {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// One message from the other side.
pub(crate) enum Incoming {
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
        outcome: Result<Box<RawValue>, RpcError>,
    },
}

impl fmt::Debug for Incoming {
    /// Shows what it is and how long, never what it says: a payload may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |params: &Option<Box<RawValue>>| params.as_ref().map_or(0, |raw| raw.get().len());
        match self {
            Self::Request { id, method, params } => {
                write!(f, "Request({id}, {}, {} bytes)", Shown(method), size(params))
            }
            Self::Notification { method, params } => {
                write!(f, "Notification({}, {} bytes)", Shown(method), size(params))
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
    fn from_raw(raw: &RawValue) -> Option<Self> {
        let wire: ErrorWire<'_> = serde_json::from_str(raw.get()).ok()?;
        let code = integer(wire.code?.get())?;
        let message = wire.message.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        Some(Self { code, message, data: wire.data.map(ToOwned::to_owned) })
    }
}

impl fmt::Display for RpcError {
    /// Bounded and on one line, whatever the other side sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.message.is_empty() {
            write!(f, "error {}", self.code)
        } else {
            write!(f, "{} (error {})", Shown(&self.message), self.code)
        }
    }
}

impl fmt::Debug for RpcError {
    /// The details only by their length: they may repeat what was sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RpcError")
            .field("code", &self.code)
            .field("message", &format_args!("{}", Shown(&self.message)))
            .field("data_bytes", &self.data.as_ref().map(|data| data.get().len()))
            .finish()
    }
}

impl std::error::Error for RpcError {}

/// Why something that arrived is not a message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct EnvelopeError {
    kind: EnvelopeErrorKind,
    /// Of the message that is not one, where it could be read: its waiter fails now instead of timing out.
    id: Option<RequestId>,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum EnvelopeErrorKind {
    /// Not JSON, not one object, or an object that has a member twice (which peers may read differently).
    Json,
    /// No `jsonrpc: "2.0"`: a log line or another protocol.
    Version,
    /// An id that is no string and no integer.
    Id,
    /// A method that is no string.
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

    pub(crate) fn kind(&self) -> EnvelopeErrorKind {
        self.kind
    }

    /// The request that the broken message claims to answer.
    pub(crate) fn id(&self) -> Option<&RequestId> {
        self.id.as_ref()
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            EnvelopeErrorKind::Json => "not a JSON object",
            EnvelopeErrorKind::Version => "not JSON-RPC 2.0",
            EnvelopeErrorKind::Id => "an id that is no string and no integer",
            EnvelopeErrorKind::Method => "a method that is no string",
            EnvelopeErrorKind::Shape => "neither a request nor a response",
            EnvelopeErrorKind::ErrorObject => "an error without an integer code",
            EnvelopeErrorKind::Batch => "an empty or oversized batch",
        })
    }
}

impl std::error::Error for EnvelopeError {}

/// The messages of one frame: one, or those of a batch (2025-03-26 only; removed in 2025-06-18).
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

/// Reads one frame.
///
/// # Errors
/// The frame as a whole is no message. The error never quotes it.
pub(crate) fn parse(frame: &[u8]) -> Result<Messages, EnvelopeError> {
    let frame = frame.strip_prefix(b"\xef\xbb\xbf").unwrap_or(frame);
    if frame.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'[') {
        let wire = serde_json::from_slice(frame).map_err(|_| EnvelopeError::new(EnvelopeErrorKind::Json))?;
        return classify(&wire).map(|message| Messages::One(Some(message)));
    }
    let Batch(elements) =
        serde_json::from_slice(frame).map_err(|_| EnvelopeError::new(EnvelopeErrorKind::Json))?;
    if elements.is_empty() || elements.len() > MAX_BATCH {
        return Err(EnvelopeError::new(EnvelopeErrorKind::Batch));
    }
    let messages: Vec<_> = elements
        .into_iter()
        .map(|element| {
            let wire = serde_json::from_str(element.get());
            classify(&wire.map_err(|_| EnvelopeError::new(EnvelopeErrorKind::Json))?)
        })
        .collect();
    Ok(Messages::Batch(messages.into_iter()))
}

/// Reads a frame that must be exactly one message.
///
/// # Errors
/// It is no message, or a batch of another number of messages than one.
pub(crate) fn parse_one(frame: &[u8]) -> Result<Incoming, EnvelopeError> {
    let mut messages = parse(frame)?;
    match (messages.next(), messages.next()) {
        (Some(message), None) => message,
        _ => Err(EnvelopeError::new(EnvelopeErrorKind::Batch)),
    }
}

/// A request, ready to send. The parameters are written as they are.
pub(crate) fn encode_request(id: &RequestId, method: &str, params: Option<&RawValue>) -> Vec<u8> {
    let mut out = begin(method.len() + params.map_or(0, |params| params.get().len()));
    out.extend_from_slice(b",\"id\":");
    id.write(&mut out);
    write_call(&mut out, method, params);
    out
}

/// A notification, ready to send. The parameters are written as they are.
pub(crate) fn encode_notification(method: &str, params: Option<&RawValue>) -> Vec<u8> {
    let mut out = begin(method.len() + params.map_or(0, |params| params.get().len()));
    write_call(&mut out, method, params);
    out
}

/// A response, ready to send. The result is written as it is.
pub(crate) fn encode_response(id: &RequestId, outcome: Result<&RawValue, &RpcError>) -> Vec<u8> {
    let mut out = begin(outcome.map_or_else(
        |error| error.message.len() + error.data.as_ref().map_or(0, |data| data.get().len()),
        |result| result.get().len(),
    ));
    out.extend_from_slice(b",\"id\":");
    id.write(&mut out);
    match outcome {
        Ok(result) => {
            out.extend_from_slice(b",\"result\":");
            out.extend_from_slice(result.get().as_bytes());
        }
        Err(error) => {
            out.extend_from_slice(format!(",\"error\":{{\"code\":{},\"message\":", error.code).as_bytes());
            write_string(&mut out, &error.message);
            if let Some(data) = &error.data {
                out.extend_from_slice(b",\"data\":");
                out.extend_from_slice(data.get().as_bytes());
            }
            out.push(b'}');
        }
    }
    out.push(b'}');
    out
}

/// Every member as it stands, so that a message that is broken in one place still tells its id.
#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
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

/// The elements of a batch; reading stops one past [`MAX_BATCH`].
struct Batch<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Batch<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = Batch<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a batch")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                    if elements.len() > MAX_BATCH {
                        return Err(serde::de::Error::custom("too many elements"));
                    }
                }
                Ok(Batch(elements))
            }
        }

        deserializer.deserialize_seq(Elements)
    }
}

/// Says what a message is. The one place that decides it.
fn classify(wire: &Wire<'_>) -> Result<Incoming, EnvelopeError> {
    // An `id: null` counts as absent. For a response the specification says so; a notification with one comes
    // from serializers that write every field, and such a message cannot be answered in any case.
    let raw_id = wire.id.filter(|raw| !is_null(raw));
    let id = raw_id.and_then(RequestId::from_raw);
    let invalid = |kind| EnvelopeError { kind, id: id.clone() };

    if wire.jsonrpc.is_none_or(|version| version.get() != "\"2.0\"") {
        return Err(invalid(EnvelopeErrorKind::Version));
    }
    if raw_id.is_some() && id.is_none() {
        return Err(invalid(EnvelopeErrorKind::Id));
    }
    // The same serializers write `method`, `result` or `error` as `null` where they do not apply.
    let method = wire.method.filter(|raw| !is_null(raw));
    let error = wire.error.filter(|raw| !is_null(raw));
    let result = wire.result.filter(|raw| !(is_null(raw) && (error.is_some() || method.is_some())));

    match (method, result, error) {
        (Some(method), None, None) => {
            let method =
                serde_json::from_str(method.get()).map_err(|_| invalid(EnvelopeErrorKind::Method))?;
            let params = wire.params.filter(|raw| !is_null(raw)).map(ToOwned::to_owned);
            Ok(match id {
                Some(id) => Incoming::Request { id, method, params },
                None => Incoming::Notification { method, params },
            })
        }
        (None, Some(result), None) => {
            // A result that answers nothing cannot be a message of anyone who speaks the protocol.
            if id.is_none() {
                return Err(invalid(EnvelopeErrorKind::Id));
            }
            Ok(Incoming::Response { id, outcome: Ok(result.to_owned()) })
        }
        (None, None, Some(error)) => {
            let error = RpcError::from_raw(error).ok_or_else(|| invalid(EnvelopeErrorKind::ErrorObject))?;
            Ok(Incoming::Response { id, outcome: Err(error) })
        }
        _ => Err(invalid(EnvelopeErrorKind::Shape)),
    }
}

fn is_null(raw: &RawValue) -> bool {
    raw.get() == "null"
}

/// An integer, also where it is spelled as a number with a fraction or exponent and is exactly one.
fn integer(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number: f64 = serde_json::from_str(text).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be an integer that fits")]
    (number.fract() == 0.0 && number.abs() <= MAX_SAFE_INTEGER).then_some(number as i64)
}

fn begin(payload: usize) -> Vec<u8> {
    // Room for the fixed members, so that the payload is written without growing.
    let mut out = Vec::with_capacity(payload + 96);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    out
}

fn write_call(out: &mut Vec<u8>, method: &str, params: Option<&RawValue>) {
    out.extend_from_slice(b",\"method\":");
    write_string(out, method);
    if let Some(params) = params {
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(params.get().as_bytes());
    }
    out.push(b'}');
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string always has a JSON form, and a Vec takes every write");
}

/// A stranger's text for people: bounded, and without characters that could move a terminal's cursor.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use std::fmt::Write as _;
        for (shown, character) in self.0.chars().enumerate() {
            if shown == MAX_SHOWN {
                return f.write_char('…');
            }
            f.write_char(if character.is_control() { ' ' } else { character })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    /// One line that says everything about what was read.
    fn read(frame: &str) -> String {
        match parse_one(frame.as_bytes()) {
            Ok(Incoming::Request { id, method, params }) => {
                format!("request {id} {method} {}", params.map_or_else(|| "-".into(), |raw| raw.to_string()))
            }
            Ok(Incoming::Notification { method, params }) => {
                format!("notification {method} {}", params.map_or_else(|| "-".into(), |raw| raw.to_string()))
            }
            Ok(Incoming::Response { id, outcome }) => {
                let id = id.map_or_else(|| "-".into(), |id| id.to_string());
                match outcome {
                    Ok(result) => format!("result {id} {result}"),
                    Err(error) => format!("error {id} {error}"),
                }
            }
            Err(error) => {
                let id = error.id().map_or_else(|| "-".into(), ToString::to_string);
                format!("{:?} {id}", error.kind())
            }
        }
    }

    #[test]
    fn what_a_message_is() {
        let table = [
            // The plain forms.
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "request 1 ping -"),
            (r#"{"jsonrpc":"2.0","id":"a","method":"m","params":{"x":1.50}}"#, r#"request "a" m {"x":1.50}"#),
            (r#"{"jsonrpc":"2.0","method":"n","params":[1]}"#, "notification n [1]"),
            (r#"{"jsonrpc":"2.0","id":1,"result":{"a": [ ]}}"#, r#"result 1 {"a": [ ]}"#),
            (
                r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#,
                "error 1 no (error -32601)",
            ),
            (r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"no"}}"#, "error - no (error 1)"),
            (r#"{"jsonrpc":"2.0","error":{"code":1,"message":"no"}}"#, "error - no (error 1)"),
            // What the field adds.
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#, "result 1 {}"),
            (r#"{"jsonrpc":"2.0","id":1,"result":null,"error":null}"#, "result 1 null"),
            (r#"{"jsonrpc":"2.0","id":1,"result":null}"#, "result 1 null"),
            (r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":2}}"#, "error 1 error 2"),
            (r#"{"jsonrpc":"2.0","id":1,"method":null,"params":null,"result":{}}"#, "result 1 {}"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"n","params":null}"#, "notification n -"),
            (r#"{"jsonrpc":"2.0","id":1.0,"result":{},"extra":{"deep":[1]}}"#, "result 1 {}"),
            (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000.0,"message":7}}"#, "error 1 error -32000"),
            ("\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"n\"}", "notification n -"),
            (" \r\n {\"jsonrpc\" : \"2.0\" , \"method\" : \"n\" } \n", "notification n -"),
            (r#"[{"jsonrpc":"2.0","method":"n"}]"#, "notification n -"),
            // What only looks like a message, or like two.
            ("", "Json -"),
            ("null", "Json -"),
            ("\"text\"", "Json -"),
            ("{", "Json -"),
            ("{}", "Version -"),
            (r#"{"jsonrpc":"2.0"} {}"#, "Json -"),
            (r#"{"level":"info","method":"GET","id":3}"#, "Version 3"),
            (r#"{"error":"unauthorized"}"#, "Version -"),
            (r#"{"jsonrpc":"1.0","id":1,"result":{}}"#, "Version 1"),
            (r#"{"jsonrpc":2.0,"id":1,"result":{}}"#, "Version 1"),
            (r#"{"jsonrpc":"2.0"}"#, "Shape -"),
            (r#"{"jsonrpc":"2.0","id":7}"#, "Shape 7"),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1}}"#, "Shape 7"),
            (r#"{"jsonrpc":"2.0","id":7,"method":"m","result":{}}"#, "Shape 7"),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"result":{}}"#, "Json -"),
            (r#"{"jsonrpc":"2.0","id":7,"method":7}"#, "Method 7"),
            (r#"{"jsonrpc":"2.0","id":1.5,"result":{}}"#, "Id -"),
            (r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, "Id -"),
            (r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, "Id -"),
            (r#"{"jsonrpc":"2.0","result":{}}"#, "Id -"),
            (r#"{"jsonrpc":"2.0","id":7,"error":"bad"}"#, "ErrorObject 7"),
            (r#"{"jsonrpc":"2.0","id":7,"error":{"message":"bad"}}"#, "ErrorObject 7"),
            (r#"{"jsonrpc":"2.0","id":7,"error":{"code":"-1"}}"#, "ErrorObject 7"),
            ("[]", "Batch -"),
            (r#"[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}]"#, "Batch -"),
        ];
        for (frame, expected) in table {
            assert_eq!(read(frame), expected, "{frame}");
        }
    }

    #[test]
    fn a_broken_element_of_a_batch_is_alone() {
        let frame = br#" [{"jsonrpc":"2.0","id":1,"result":1},5,{"jsonrpc":"2.0","id":2,"error":3}]"#;
        let read: Vec<_> = parse(frame).unwrap().collect();
        assert!(matches!(&read[0], Ok(Incoming::Response { id: Some(RequestId::Number(1)), .. })));
        assert_eq!(read[1].as_ref().unwrap_err().kind(), EnvelopeErrorKind::Json);
        assert_eq!(read[2].as_ref().unwrap_err().id(), Some(&RequestId::Number(2)));
        assert_eq!(read.len(), 3);
    }

    #[test]
    fn a_batch_is_bounded() {
        let batch =
            |count: usize| format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"n"}"#; count].join(","));
        assert_eq!(parse(batch(MAX_BATCH).as_bytes()).unwrap().count(), MAX_BATCH);
        assert!(parse(batch(MAX_BATCH + 1).as_bytes()).is_err());
    }

    #[test]
    fn payloads_keep_their_bytes() {
        let payload = "{\"n\":12345678901234567890.10e+3,\"s\":\"\\u00e9é\",  \"unknown\":[ {} ]}";
        let frame = format!(r#"{{"result":{payload},"id":9,"jsonrpc":"2.0"}}"#);
        assert_eq!(read(&frame), format!("result 9 {payload}"));
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
    fn what_is_written_reads_back() {
        let params = raw(r#"{"a":"\n","n":1.0}"#);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(
            text(encode_request(&RequestId::Number(3), "tools/call", Some(&params))),
            r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"a":"\n","n":1.0}}"#
        );
        assert_eq!(text(encode_notification("a\"b", None)), r#"{"jsonrpc":"2.0","method":"a\"b"}"#);
        let id = RequestId::String("q\"".into());
        assert_eq!(
            text(encode_response(&id, Ok(&params))),
            r#"{"jsonrpc":"2.0","id":"q\"","result":{"a":"\n","n":1.0}}"#
        );
        let error = RpcError::new(METHOD_NOT_FOUND, "no such method").with_data(raw("[1]"));
        let frame = text(encode_response(&id, Err(&error)));
        assert_eq!(
            frame,
            r#"{"jsonrpc":"2.0","id":"q\"","error":{"code":-32601,"message":"no such method","data":[1]}}"#
        );
        assert_eq!(read(&frame), "error \"q\"\" no such method (error -32601)");
    }

    #[test]
    fn a_stranger_s_text_is_bounded_and_harmless() {
        let error =
            RpcError::new(-1, format!("\u{1b}[2J{}", "x".repeat(10_000))).with_data(raw("\"canary\""));
        let shown = format!("{error} {error:?}");
        assert!(shown.len() < 1_000, "{}", shown.len());
        assert!(!shown.contains('\u{1b}') && !shown.contains("canary"), "{shown}");
        let message = parse_one(br#"{"jsonrpc":"2.0","id":1,"result":"canary"}"#).unwrap();
        assert!(!format!("{message:?}").contains("canary"));
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{deep},"x":{deep}}}"#);
        assert!(matches!(parse_one(frame.as_bytes()), Ok(Incoming::Response { outcome: Ok(_), .. })));
    }

    #[test]
    fn random_bytes_never_panic() {
        // Mutations of a real message reach further than noise does.
        let seed =
            br#"[{"jsonrpc":"2.0","id":-1.5e3,"error":{"code":-32601,"message":"\u00e9","data":[1]}},{}]"#;
        let mut random = crate::seeded::Random::new(7);
        for _ in 0..20_000 {
            let mut frame = seed.to_vec();
            for _ in 0..random.below(6) {
                let at = random.below(frame.len());
                match random.below(3) {
                    0 => frame[at] = random.byte(),
                    1 => frame.truncate(at.max(1)),
                    _ => frame.insert(at, random.byte()),
                }
            }
            if let Ok(messages) = parse(&frame) {
                for message in messages {
                    let _ = format!("{message:?}");
                }
            }
        }
    }
}
