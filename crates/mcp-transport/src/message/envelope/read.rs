//! Reading: what arrived, and what it is.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::value::RawValue;

use super::scan::{elements, members};
use super::{EnvelopeError, EnvelopeErrorKind, Incoming, Messages, Payload, RequestId, RpcError};

/// No peer has a reason to batch more than this, and each element costs far more memory than its two bytes
/// on the wire, so an unbounded batch would defeat the limit on frames.
const MAX_BATCH: usize = 1024;

/// How the names of notifications begin (2024-11-05 and later).
const NOTIFICATION: &str = "notifications/";

/// Reads one frame. It is taken by value because a result stays in it.
///
/// # Errors
/// The frame as a whole is not a message. The error never quotes it.
pub(crate) fn parse(frame: Vec<u8>) -> Result<Messages, EnvelopeError> {
    parse_text(String::from_utf8(frame).map_err(|_| no_json())?)
}

/// The same of a peer that is told what it does wrong: it waits for an answer to what it asked under `null`.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_of_host(frame: Vec<u8>) -> Result<Messages, EnvelopeError> {
    parse_as(String::from_utf8(frame).map_err(|_| no_json())?, NullId::IsRefused)
}

/// Reads one frame that is known to be text.
///
/// # Errors
/// As [`parse`].
pub(crate) fn parse_text(frame: String) -> Result<Messages, EnvelopeError> {
    parse_as(frame, NullId::IsNone)
}

/// What `id: null` beside a method means.
#[derive(Clone, Copy)]
enum NullId {
    /// No id: there are serializers that write every field, and servers that keep a stream alive like that.
    IsNone,
    /// A request that cannot be answered, unless it is a notification by its name.
    IsRefused,
}

fn parse_as(frame: String, null_id: NullId) -> Result<Messages, EnvelopeError> {
    let mut text = frame.strip_prefix('\u{feff}').unwrap_or(&frame);
    if text.trim_ascii_start().starts_with('[') {
        match *batched(text)?.as_slice() {
            // A batch of one leaves no doubt in any revision.
            [sole] => text = sole,
            ref several => return Ok(batch_of(several, null_id)),
        }
    }
    let (id, span) = match classify(&Wire::read(text)?, null_id)? {
        ParsedMessage::Result { id, result } => (id, span_of(result, &frame)),
        ParsedMessage::Other(message) => return Ok(Messages::One(Some(message))),
    };
    let outcome = Ok(Payload::within(frame, span));
    Ok(Messages::One(Some(Incoming::Response { id: Some(id), outcome })))
}

/// The elements of a batch.
fn batched(text: &str) -> Result<Vec<&str>, EnvelopeError> {
    let mut frames = Vec::new();
    let read = elements(text, |element| {
        // One more is enough to know that there are too many.
        if frames.len() <= MAX_BATCH {
            frames.push(element);
        }
        Some(())
    });
    read.ok_or_else(|| no_object(text))?;
    if frames.is_empty() || frames.len() > MAX_BATCH {
        return Err(EnvelopeError::new(EnvelopeErrorKind::Batch));
    }
    Ok(frames)
}

fn batch_of(frames: &[&str], null_id: NullId) -> Messages {
    let messages: Vec<_> = frames
        .iter()
        .map(|frame| {
            Ok(match classify(&Wire::read(frame)?, null_id)? {
                // Copied out, because each goes its own way.
                ParsedMessage::Result { id, result } => Incoming::Response {
                    id: Some(id),
                    outcome: Ok(Payload::within(result.to_owned(), 0..result.len())),
                },
                ParsedMessage::Other(message) => message,
            })
        })
        .collect();
    Messages::Batch(messages.into_iter())
}

fn no_json() -> EnvelopeError {
    EnvelopeError::new(EnvelopeErrorKind::Json)
}

/// The error of a text that is not an object; whether it is JSON at all is looked for only here.
fn no_object(text: &str) -> EnvelopeError {
    match serde_json::from_str::<serde::de::IgnoredAny>(text) {
        Ok(_) => EnvelopeError::new(EnvelopeErrorKind::Object),
        Err(_) => no_json(),
    }
}

/// Where `part` lies in `whole`, out of which it was borrowed.
fn span_of(part: &str, whole: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// Reads a frame that must be exactly one message.
///
/// # Errors
/// It is not a message, or a batch of another number of messages than one.
#[cfg(any(feature = "http", test))]
pub(crate) fn parse_one(frame: Vec<u8>) -> Result<Incoming, EnvelopeError> {
    let mut messages = parse(frame)?;
    match (messages.next(), messages.next()) {
        (Some(message), None) => message,
        _ => Err(EnvelopeError::new(EnvelopeErrorKind::Batch)),
    }
}

/// Every member as it stands, so that a message that is broken in one place still tells its id.
#[derive(Default)]
struct Wire<'a> {
    jsonrpc: Option<&'a str>,
    id: Option<&'a str>,
    method: Option<&'a str>,
    params: Option<&'a str>,
    result: Option<&'a str>,
    error: Option<&'a str>,
    /// Whether it has members of other names.
    has_others: bool,
}

impl<'a> Wire<'a> {
    /// # Errors
    /// It is not an object, or has a member twice.
    fn read(text: &'a str) -> Result<Self, EnvelopeError> {
        let mut wire = Self::default();
        let read = members(text, |name, value| {
            let member = match &*spelled_out(name)? {
                "jsonrpc" => &mut wire.jsonrpc,
                "id" => &mut wire.id,
                "method" => &mut wire.method,
                "params" => &mut wire.params,
                "result" => &mut wire.result,
                "error" => &mut wire.error,
                _ => {
                    wire.has_others = true;
                    return Some(());
                }
            };
            member.replace(value).is_none().then_some(())
        });
        read.map(|()| wire).ok_or_else(|| no_object(text))
    }

    /// Whether it is an answer and nothing else: servers that write their answers by hand forget the version. A line of a log
    /// has more in it, and what else it could be taken for is decided by the request that has its id.
    fn is_bare_answer(&self) -> bool {
        let absent = |member: Option<&str>| member.is_none_or(is_null);
        let no_error = |member: Option<&str>| member.is_none_or(says_nothing);
        let object = |member: Option<&str>| member.is_some_and(|raw| raw.starts_with('{'));
        let answers = match (self.result, self.error) {
            (result, error) if no_error(error) => object(result),
            (result, Some(error)) if absent(result) => RpcError::from_text(error).is_some(),
            _ => false,
        };
        let has_id = self.id.is_some_and(|raw| RequestId::from_text(raw).is_some());
        answers && has_id && absent(self.method) && absent(self.params) && !self.has_others
    }
}

/// The members of these names of the object that `text` is; `None` where it is not an object. Nothing else of it is kept,
/// however much there is, and of a name that is there twice the last one counts.
pub(crate) fn pick<'a, const N: usize>(text: &'a str, names: [&str; N]) -> Option<[Option<&'a str>; N]> {
    let mut picked = [None; N];
    members(text, |name, value| {
        let name = spelled_out(name)?;
        if let Some(at) = names.iter().position(|wanted| *wanted == name) {
            picked[at] = Some(value);
        }
        Some(())
    })?;
    Some(picked)
}

/// The member of this name of the object that `text` is; `None` where it is not an object, or has such a member twice.
pub(crate) fn sole<'a>(text: &'a str, wanted: &str) -> Option<Option<&'a str>> {
    let mut found = None;
    members(text, |name, value| {
        let is_wanted = *wanted == *spelled_out(name)?;
        (!is_wanted || found.replace(value).is_none()).then_some(())
    })?;
    Some(found)
}

/// A name without its quotes and its escapes.
pub(super) fn spelled_out(name: &str) -> Option<Cow<'_, str>> {
    if name.contains('\\') {
        return serde_json::from_str(name).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(&name[1..name.len() - 1]))
}

/// A message, with its result still a part of the frame.
enum ParsedMessage<'a> {
    Result { id: RequestId, result: &'a str },
    Other(Incoming),
}

/// Says what a message is. The one place that decides it.
fn classify<'a>(wire: &Wire<'a>, null_id: NullId) -> Result<ParsedMessage<'a>, EnvelopeError> {
    // An `id: null` counts as absent. For a response the specification says so; a notification with one comes
    // from serializers that write every field, and such a message cannot be answered in any case.
    let raw_id = wire.id.filter(|raw| !is_null(raw));
    let id = raw_id.and_then(RequestId::from_text);
    let invalid = |kind| EnvelopeError { kind, id: id.clone() };

    // Without an id: a log line that happens to have a number there must not fail the request of that number.
    let is_ours = match wire.jsonrpc {
        Some("\"2.0\"") => true,
        None | Some("null" | "2.0" | "2") => wire.is_bare_answer(),
        Some(_) => false,
    };
    if !is_ours {
        return Err(EnvelopeError::new(EnvelopeErrorKind::Version));
    }
    if raw_id.is_some() && id.is_none() {
        return Err(invalid(EnvelopeErrorKind::Id));
    }
    // The same serializers write `method`, `result` or `error` as `null` where they do not apply.
    let method = wire.method.filter(|raw| !is_null(raw));
    // Others write what stands for nothing in their language: an empty list in PHP, false in Python.
    let answers = wire.result.is_some_and(|raw| !is_null(raw));
    let error = wire.error.filter(|raw| !(is_null(raw) || answers && says_nothing(raw)));
    let result = wire.result.filter(|raw| match (error, method) {
        (Some(error), None) => !(is_null(raw) || says_nothing(raw) && RpcError::from_text(error).is_some()),
        _ => !(is_null(raw) && (error.is_some() || method.is_some())),
    });

    match (method, result, error) {
        (Some(method), None, None) => {
            let method: String =
                serde_json::from_str(method).map_err(|_| invalid(EnvelopeErrorKind::Method))?;
            let has_null_id = wire.id.is_some() && id.is_none();
            if has_null_id && matches!(null_id, NullId::IsRefused) && !method.starts_with(NOTIFICATION) {
                return Err(invalid(EnvelopeErrorKind::NullId));
            }
            // It has been read as JSON, so this does not fail.
            let params = wire.params.filter(|raw| !is_null(raw)).and_then(owned);
            Ok(ParsedMessage::Other(match id {
                Some(id) => Incoming::Request { id, method, params },
                None => Incoming::Notification { method, params },
            }))
        }
        (None, Some(result), None) => {
            // A result that answers nothing cannot be a message of anyone who speaks the protocol.
            let Some(id) = id.clone() else { return Err(invalid(EnvelopeErrorKind::Id)) };
            Ok(ParsedMessage::Result { id, result })
        }
        (None, None, Some(error)) => {
            let error = RpcError::from_text(error).ok_or_else(|| invalid(EnvelopeErrorKind::ErrorObject))?;
            Ok(ParsedMessage::Other(Incoming::Response { id, outcome: Err(error) }))
        }
        _ => Err(invalid(EnvelopeErrorKind::Shape)),
    }
}

fn is_null(raw: &str) -> bool {
    raw == "null"
}

/// Whether it stands for nothing: `null`, `false`, or an empty text or list. An empty object may be a result.
fn says_nothing(raw: &str) -> bool {
    let inside = raw.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    matches!(raw, "null" | "false" | "\"\"") || inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

fn owned(raw: &str) -> Option<Box<RawValue>> {
    RawValue::from_string(raw.to_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Random;

    /// One line that says everything about what was read.
    fn read(frame: &str) -> String {
        match parse_one(frame.into()) {
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
                format!("{:?} {id}", error.kind)
            }
        }
    }

    #[test]
    fn a_host_that_asks_under_null_is_told_so_and_a_server_is_not() {
        let read = |parse: fn(Vec<u8>) -> Result<Messages, EnvelopeError>, frame: &str| {
            parse(frame.into()).map(|mut messages| messages.all(|message| message.is_ok()))
        };
        for (frame, is_refused) in [
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, true),
            (r#"{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{}}"#, true),
            (r#"{"jsonrpc":"2.0","id":null,"method":"notifications/initialized"}"#, false),
            (r#"{"jsonrpc":"2.0","method":"ping"}"#, false),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, false),
            (r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"no"}}"#, false),
        ] {
            let expected = if is_refused { Err(EnvelopeErrorKind::NullId) } else { Ok(true) };
            assert_eq!(read(parse_of_host, frame).map_err(|error| error.kind), expected, "{frame}");
            assert_eq!(read(parse, frame).map_err(|error| error.kind), Ok(true), "{frame}");
        }
        let batch = r#"[{"jsonrpc":"2.0","id":null,"method":"ping"},{"jsonrpc":"2.0","method":"n"}]"#;
        assert_eq!(read(parse_of_host, batch), Ok(false));
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
            (
                r#"{"jsonrpc":"2.0","id":2,"error":{"code":-32602,"message":"MCP error -32602: no"}}"#,
                "error 2 MCP error -32602: no",
            ),
            (
                r#"{"jsonrpc":"2.0","id":2,"error":{"code":-3260,"message":"no -32602"}}"#,
                "error 2 no -32602 (error -3260)",
            ),
            (r#"{"jsonrpc":"2.0","error":{"code":1,"message":"no"}}"#, "error - no (error 1)"),
            // What the field adds.
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#, "result 1 {}"),
            (r#"{"jsonrpc":"2.0","id":1,"result":null,"error":null}"#, "result 1 null"),
            (r#"{"jsonrpc":"2.0","id":1,"result":null}"#, "result 1 null"),
            // What stands for nothing in the language of the server, beside what says something.
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":false}"#, "result 1 {}"),
            (r#"{"jsonrpc":"2.0","id":1,"result":{"a":1},"error":[ ]}"#, r#"result 1 {"a":1}"#),
            (r#"{"jsonrpc":"2.0","id":1,"error":"","result":{}}"#, "result 1 {}"),
            (r#"{"jsonrpc":"2.0","id":1,"result":[],"error":{"code":2}}"#, "error 1 error 2"),
            (r#"{"jsonrpc":"2.0","id":1,"result":false,"error":{"code":2}}"#, "error 1 error 2"),
            (r#"{"id":1,"result":{},"error":[]}"#, "result 1 {}"),
            // By itself it is what it is.
            (r#"{"jsonrpc":"2.0","id":1,"result":[]}"#, "result 1 []"),
            (r#"{"jsonrpc":"2.0","id":1,"result":[],"error":null}"#, "result 1 []"),
            (r#"{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":2}}"#, "error 1 error 2"),
            (r#"{"jsonrpc":"2.0","id":1,"method":null,"params":null,"result":{}}"#, "result 1 {}"),
            (r#"{"jsonrpc":"2.0","id":null,"method":"n","params":null}"#, "notification n -"),
            (r#"{"jsonrpc":"2.0","id":1.0,"result":{},"extra":{"deep":[1]}}"#, "result 1 {}"),
            (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32000.0,"message":7}}"#, "error 1 error -32000"),
            ("\u{feff}{\"jsonrpc\":\"2.0\",\"method\":\"n\"}", "notification n -"),
            (" \r\n {\"jsonrpc\" : \"2.0\" , \"method\" : \"n\" } \n", "notification n -"),
            (r#"[{"jsonrpc":"2.0","method":"n"}]"#, "notification n -"),
            (r#"{"jsonrpc":"2.0","i\u0064":1,"result":{}}"#, "result 1 {}"),
            // An answer that forgets the version, and is nothing else.
            (r#"{"id":1,"result":{}}"#, "result 1 {}"),
            (r#"[{"id":"a","result":{"a":1},"error":null}]"#, r#"result "a" {"a":1}"#),
            (r#"{"jsonrpc":2.0,"id":1,"result":{}}"#, "result 1 {}"),
            (
                r#"{"jsonrpc":null,"method":null,"id":1,"error":{"code":-5,"message":"no"}}"#,
                "error 1 no (error -5)",
            ),
            (r#"{"id":1,"result":"ok"}"#, "Version -"),
            (r#"{"id":1,"result":null}"#, "Version -"),
            (r#"{"id":1,"error":{"message":"no"}}"#, "Version -"),
            (r#"{"id":1,"error":"no"}"#, "Version -"),
            (r#"{"id":1,"result":{},"error":{"code":1}}"#, "Version -"),
            (r#"{"id":null,"error":{"code":1,"message":"no"}}"#, "Version -"),
            (r#"{"error":{"code":1,"message":"no"}}"#, "Version -"),
            (r#"{"id":1,"result":{},"level":"info"}"#, "Version -"),
            (r#"{"id":1,"method":"GET","result":{}}"#, "Version -"),
            // What only looks like a message, or like two.
            ("", "Json -"),
            ("null", "Object -"),
            ("\"text\"", "Object -"),
            ("{", "Json -"),
            ("{}", "Version -"),
            (r#"{"jsonrpc":"2.0"} {}"#, "Json -"),
            (r#"{"level":"info","method":"GET","id":3}"#, "Version -"),
            (r#"{"error":"unauthorized"}"#, "Version -"),
            (r#"{"jsonrpc":"1.0","id":1,"result":{}}"#, "Version -"),
            (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, "Version -"),
            (r#"{"jsonrpc":"2.0"}"#, "Shape -"),
            (r#"{"jsonrpc":"2.0","id":7}"#, "Shape 7"),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1}}"#, "Shape 7"),
            (r#"{"jsonrpc":"2.0","id":7,"method":"m","result":{}}"#, "Shape 7"),
            (r#"{"jsonrpc":"2.0","id":7,"result":{},"result":{}}"#, "Object -"),
            (r#"{"jsonrpc":"2.0","id":7,"i\u0064":7,"result":{}}"#, "Object -"),
            (r#"{"jsonrpc":"2.0","id":7,"method":7}"#, "Method 7"),
            (r#"{"jsonrpc":"2.0","id":1.5,"result":{}}"#, "Id -"),
            (r#"{"jsonrpc":"2.0","id":true,"method":"m"}"#, "Id -"),
            (r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, "Id -"),
            (r#"{"jsonrpc":"2.0","result":{}}"#, "Id -"),
            (r#"{"jsonrpc":"2.0","id":7,"error":"bad"}"#, "ErrorObject 7"),
            (r#"{"jsonrpc":"2.0","id":7,"error":false}"#, "ErrorObject 7"),
            (r#"{"jsonrpc":"2.0","id":7,"result":null,"error":[]}"#, "ErrorObject 7"),
            (r#"{"jsonrpc":"2.0","id":7,"result":[],"error":"bad"}"#, "Shape 7"),
            (r#"{"jsonrpc":"2.0","id":7,"method":"m","error":[]}"#, "Shape 7"),
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
        let read: Vec<_> = parse(frame.to_vec()).unwrap().collect();
        assert!(matches!(&read[0], Ok(Incoming::Response { id: Some(RequestId::Number(1)), .. })));
        assert_eq!(read[1].as_ref().unwrap_err().kind, EnvelopeErrorKind::Object);
        assert_eq!(read[2].as_ref().unwrap_err().id(), Some(&RequestId::Number(2)));
        assert_eq!(read.len(), 3);
    }

    #[test]
    fn a_batch_is_bounded() {
        let batch =
            |count: usize| format!("[{}]", vec![r#"{"jsonrpc":"2.0","method":"n"}"#; count].join(","));
        assert_eq!(parse(batch(MAX_BATCH).into_bytes()).unwrap().count(), MAX_BATCH);
        for count in [MAX_BATCH + 1, 4 * MAX_BATCH] {
            assert_eq!(parse(batch(count).into_bytes()).unwrap_err().kind, EnvelopeErrorKind::Batch);
        }
    }

    #[test]
    fn payloads_keep_their_bytes() {
        let payload = "{\"n\":12345678901234567890.10e+3,\"s\":\"\\u00e9é\",  \"unknown\":[ {} ]}";
        let frame = format!(r#"{{"result":{payload},"id":9,"jsonrpc":"2.0"}}"#);
        assert_eq!(read(&frame), format!("result 9 {payload}"));
    }

    #[test]
    fn deep_nesting_does_not_overflow_the_stack() {
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        let frame = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{deep},"x":{deep}}}"#);
        assert!(matches!(parse_one(frame.into_bytes()), Ok(Incoming::Response { outcome: Ok(_), .. })));
    }

    #[test]
    fn random_bytes_never_panic() {
        // Mutations of a real message reach further than noise does.
        let seed =
            br#"[{"jsonrpc":"2.0","id":-1.5e3,"error":{"code":-32601,"message":"\u00e9","data":[1]}},{}]"#;
        let mut random = Random::new(7);
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
            if let Ok(messages) = parse(frame) {
                for message in messages {
                    let _ = format!("{message:?}");
                }
            }
        }
    }
}
