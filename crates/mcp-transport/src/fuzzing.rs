//! What must hold for every input that a server can send, as functions of bytes.
//!
//! The targets in `fuzz/` call them with what the fuzzer invents, the tests below with the committed corpus.
//! Each panics where a property is broken. Inputs of several parts have a record separator (0x1e) between them.

#[cfg(feature = "stdio")]
pub use crate::stdio::fuzzing::stdio_lines;

use std::time::{Duration, SystemTime};

use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{TransportError, TransportErrorKind};
use crate::message::envelope::{RpcError, parse, parse_one};
use crate::message::{Incoming, Members, encode_notification, encode_request, encode_response};
use crate::protocol::handshake::{judge_probe, read_initialize};
use crate::protocol::header_params::{ToolHeaders, encode_value};
use crate::protocol::outgoing;
use crate::seeded::Random;
use crate::sse_parser::{SseEvent, SseParser};

/// The parts of an input, text as far as it is; absent ones are empty.
fn parts<const N: usize>(bytes: &[u8]) -> [&str; N] {
    let mut parts = bytes.split(|byte| *byte == 0x1e);
    std::array::from_fn(|_| std::str::from_utf8(parts.next().unwrap_or_default()).unwrap_or_default())
}

fn raw(text: &str) -> Option<Box<RawValue>> {
    serde_json::from_str(text).ok()
}

/// Server-sent events: the parser says what the specification says, wherever the chunks end, and holds no more
/// than its limit. The first byte of the input chooses the limit, the second where the chunks end.
pub fn sse(bytes: &[u8]) {
    let [limit, seed, stream @ ..] = bytes else { return };
    let roomy = stream.len() + 1;
    let whole = read_in_chunks(stream, roomy, || usize::MAX);
    assert_eq!(whole, events_by_the_book(stream), "what the stream says");
    for limit in [roomy, usize::from(*limit)] {
        let whole = read_in_chunks(stream, limit, || usize::MAX);
        let mut random = Random::new(u64::from(*seed));
        assert_eq!(read_in_chunks(stream, limit, || 1 + random.below(9)), whole, "random chunks, {limit}");
        assert_eq!(read_in_chunks(stream, limit, || 1), whole, "byte by byte, {limit}");
    }
}

/// Everything that a stream told.
#[derive(Debug, Default, PartialEq)]
struct StreamSummary {
    events: Vec<SseEvent>,
    last_event_id: Option<String>,
    reconnection_time: Option<Duration>,
    too_large: bool,
}

fn read_in_chunks(mut stream: &[u8], limit: usize, mut length: impl FnMut() -> usize) -> StreamSummary {
    let mut parser = SseParser::new(limit);
    let mut summary = StreamSummary::default();
    while !stream.is_empty() && !summary.too_large {
        let (chunk, rest) = stream.split_at(length().min(stream.len()));
        stream = rest;
        summary.too_large = parser.push(chunk).is_err();
        assert!(parser.held() <= limit, "{} bytes are held, the limit is {limit}", parser.held());
        summary.events.extend(std::iter::from_fn(|| parser.next()));
    }
    summary.last_event_id = parser.last_event_id().map(ToOwned::to_owned);
    summary.reconnection_time = parser.reconnection_time();
    summary
}

/// WHATWG HTML section 9.2.6, line by line over the whole stream: slow, and easy to compare with the text.
fn events_by_the_book(stream: &[u8]) -> StreamSummary {
    let mut summary = StreamSummary::default();
    let mut event = SseEvent::default();
    let mut data: Option<Vec<String>> = None;
    for line in lines_by_the_book(stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream)) {
        if line.is_empty() {
            if let Some(id) = &event.id {
                summary.last_event_id = Some(id.clone());
            }
            let mut complete = std::mem::take(&mut event);
            if let Some(data) = data.take() {
                complete.data = data.join("\n");
                complete.event = complete.event.filter(|event| !event.is_empty());
                summary.events.push(complete);
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = (&line[..colon], line.get(colon + 1..).unwrap_or_default());
        let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value)).into_owned();
        match name {
            b"data" => data.get_or_insert_default().push(value),
            b"event" => event.event = Some(value),
            b"id" if !value.contains('\0') => event.id = Some(value),
            b"retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                if let Ok(milliseconds) = value.parse() {
                    event.retry = Some(Duration::from_millis(milliseconds));
                    summary.reconnection_time = event.retry;
                }
            }
            _ => {}
        }
    }
    summary
}

/// The lines that have an end: CR, LF or both.
fn lines_by_the_book(stream: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < stream.len() {
        let length = match (stream[at], stream.get(at + 1)) {
            (b'\r', Some(b'\n')) => 2,
            (b'\r' | b'\n', _) => 1,
            _ => 0,
        };
        if length > 0 {
            lines.push(&stream[start..at]);
            start = at + length;
        }
        at += length.max(1);
    }
    lines
}

/// The envelope: a message that was read, written and read again is the same message, agrees with what a
/// data-binding parser sees, and keeps its payload byte for byte.
pub fn envelope(bytes: &[u8]) {
    let Ok(messages) = parse(bytes.to_vec()) else { return };
    for message in messages.flatten() {
        let shown = MessageSummary::of(&message);
        let written = match &message {
            Incoming::Request { id, method, params } => encode_request(id, method, params.as_deref()),
            Incoming::Notification { method, params } => encode_notification(method, params.as_deref()),
            Incoming::Response { id: Some(id), outcome: Ok(result) } => {
                encode_response(id, Ok(&result.clone().into_raw()))
            }
            Incoming::Response { id: Some(id), outcome: Err(error) } => encode_response(id, Err(error)),
            Incoming::Response { id: None, .. } => continue,
        };
        let read = parse_one(written.clone()).expect("what was written is a message");
        assert_eq!(MessageSummary::of(&read), shown);
        // A reader that is not ours may refuse what is nested deeply or is not Unicode; else it must agree.
        if let Ok(value) = serde_json::from_slice::<Value>(&written) {
            agree(&value, &message);
        }
        if let Incoming::Request { method, params: Some(params), .. } = &message {
            metadata_is_spliced_in(method, params);
        }
    }
}

/// A message, so that two can be compared.
#[derive(Debug, PartialEq)]
struct MessageSummary {
    kind: &'static str,
    id: Option<crate::message::RequestId>,
    text: String,
    code: Option<i64>,
    payload: Option<String>,
}

impl MessageSummary {
    fn of(message: &Incoming) -> Self {
        let text_of = |raw: &RawValue| raw.get().to_owned();
        let (kind, id, text, code, payload) = match message {
            Incoming::Request { id, method, params } => {
                ("request", Some(id.clone()), method.clone(), None, params.as_deref().map(text_of))
            }
            Incoming::Notification { method, params } => {
                ("notification", None, method.clone(), None, params.as_deref().map(text_of))
            }
            Incoming::Response { id, outcome: Ok(result) } => {
                ("result", id.clone(), String::new(), None, Some(result.to_string()))
            }
            Incoming::Response { id, outcome: Err(RpcError { code, message, data, .. }) } => {
                ("error", id.clone(), message.clone(), Some(*code), data.as_deref().map(text_of))
            }
        };
        Self { kind, id, text, code, payload }
    }
}

fn agree(value: &Value, message: &Incoming) {
    assert_eq!(value["jsonrpc"], "2.0");
    let payload = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).ok();
    match message {
        Incoming::Request { method, params, .. } | Incoming::Notification { method, params } => {
            assert_eq!(value["method"], method.as_str());
            assert_eq!(value.get("params").cloned(), params.as_deref().and_then(payload));
        }
        Incoming::Response { outcome: Ok(result), .. } => {
            assert_eq!(value.get("result").cloned(), serde_json::from_str(result.get()).ok());
        }
        Incoming::Response { outcome: Err(error), .. } => assert_eq!(value["error"]["code"], error.code),
    }
}

/// Parameters that are an object keep their members when our metadata is added, and ours wins.
fn metadata_is_spliced_in(method: &str, params: &RawValue) {
    let theirs = Members::read(params.get());
    let Ok(written) = outgoing::encode_request(7, method, Some(params.get()), r#""ours":1"#) else {
        let meta_is_an_object = |params: &Members<'_>| {
            params.iter().all(|(name, value)| name != "_meta" || Members::read(value.get()).is_some())
        };
        assert!(!theirs.is_some_and(|params| meta_is_an_object(&params)), "{params}");
        return;
    };
    let theirs = theirs.expect("only an object is written");
    let message = parse_one(written.clone()).expect("what was written is a message");
    let Incoming::Request { params: Some(params), .. } = message else { panic!("no longer a request") };
    let sent = Members::read(params.get()).expect("the parameters are an object");
    let meta: Vec<_> = sent.iter().filter(|(name, _)| *name == "_meta").collect();
    assert_eq!(meta.len(), 1, "{params}");
    let meta = Members::read(meta[0].1.get()).expect("`_meta` is an object");
    let ours: Vec<_> = meta.iter().filter(|(name, _)| *name == "ours").collect();
    assert!(ours.len() == 1 && ours[0].1.get() == "1", "{params}");
    let others = |members: &Members<'_>| -> Vec<(String, String)> {
        let others = members.iter().filter(|(name, _)| *name != "_meta");
        others.map(|(name, value)| (name.to_owned(), value.get().to_owned())).collect()
    };
    assert_eq!(others(&sent), others(&theirs));
}

/// `Mcp-Param-*`: each header decodes to the argument that it mirrors, and none is missing. The input is a schema
/// and the arguments; the whole of it is also encoded as one value.
pub fn mcp_param(bytes: &[u8]) {
    let whole = String::from_utf8_lossy(bytes);
    let value = encode_value(&whole);
    assert_eq!(decoded(value.to_str().expect("a header value is text")), whole);

    let [schema, arguments] = parts(bytes).map(raw);
    let Some(schema) = schema else { return };
    let Ok(headers) = ToolHeaders::from_schema(&schema) else { return };
    let Ok(headers) = headers.headers(arguments.as_deref()) else { return };
    let tree = |raw: &RawValue| serde_json::from_str::<Value>(raw.get()).ok();
    let (Some(schema), Some(arguments)) = (tree(&schema), arguments.as_deref().and_then(tree)) else {
        return;
    };
    let mut expected = Vec::new();
    mirrored_by_the_book(&schema, &arguments, &mut expected);
    let mut sent: Vec<(String, String)> = headers
        .iter()
        .map(|(name, value)| {
            assert!(value.is_sensitive(), "an argument may be a secret");
            (name.as_str().to_owned(), decoded(value.to_str().expect("a header value is text")))
        })
        .collect();
    expected.sort();
    sent.sort();
    assert_eq!(sent, expected);
}

/// What a server makes of a header (2026-07-28, Streamable HTTP, "Value Encoding").
fn decoded(header: &str) -> String {
    use base64::Engine;
    let encoded = header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(encoded) = encoded else { return header.to_owned() };
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).expect("Base64 between the marks");
    String::from_utf8(bytes).expect("the text that was encoded")
}

fn mirrored_by_the_book(schema: &Value, argument: &Value, found: &mut Vec<(String, String)>) {
    let text = match argument {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => {
            Some(number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or_default() as i64).to_string())
        }
        _ => None,
    };
    if let (Some(suffix), Some(text)) = (schema["x-mcp-header"].as_str(), text) {
        found.push((format!("mcp-param-{}", suffix.to_ascii_lowercase()), text));
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(argument) = argument.get(name) {
            mirrored_by_the_book(schema, argument, found);
        }
    }
}

/// What a server says about itself, about tools and about errors. The input is a JSON value and a content type.
pub fn answers(bytes: &[u8]) {
    let [body, content_type] = parts(bytes);
    for content_type in [content_type, "", "text/plain"] {
        let status = http::StatusCode::FORBIDDEN;
        let Some(said) = crate::http::said::said(status, content_type, body.as_bytes()) else { continue };
        assert!(mcp_text::width(&said) <= 4_096 && !said.contains(char::is_control), "{said:?}");
    }
    let page = crate::http::page::described("text/html", body.as_bytes());
    assert!(mcp_text::width(&page) < 120 && !page.contains(char::is_control), "{page:?}");
    let _ = crate::http::page::asks_for_a_sign_in(body.as_bytes());
    let Some(answer) = raw(body) else { return };
    let tool = crate::tools::Tool { name: String::new(), raw: answer.clone() };
    let _ = (tool.view(), crate::tools::ToolResult::read(answer.get()));
    if let Ok(server) = read_initialize(answer.get()) {
        assert!(
            serde_json::from_str::<Value>(answer.get()).is_err() || !server.revision.to_string().is_empty()
        );
    }
    let _ = judge_probe(Ok(answer.clone().into()), false);
    let error = TransportError::new(TransportErrorKind::Http { status: 400, retry_after: None }, "");
    let _ = judge_probe(Err(error.with_rpc(RpcError::new(-32022, body).with_data(answer))), false);
}

/// `Retry-After`: a whole number is that many seconds, a date is the time until then, nothing else is a wait;
/// and none is longer than a year.
pub fn retry_after(bytes: &[u8]) {
    let Ok(value) = std::str::from_utf8(bytes) else { return };
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let wait = mcp_auth::retry_after::parse(value, now);
    let value = value.trim_matches([' ', '\t']);
    if let Ok(seconds) = value.parse::<u64>()
        && !value.starts_with('+')
    {
        assert_eq!(wait, Some(Duration::from_secs(seconds.min(365 * 24 * 3600))));
    } else if let Some(wait) = wait.filter(|_| !value.bytes().all(|byte| byte.is_ascii_digit())) {
        let date = httpdate::fmt_http_date(now + wait);
        assert_eq!(mcp_auth::retry_after::parse(&date, now), Some(wait), "{value}");
    }
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::corpus::replay;

    #[test]
    fn the_corpus_of_sse() {
        replay("sse", super::sse);
    }

    #[test]
    fn the_corpus_of_envelope() {
        replay("envelope", super::envelope);
    }

    #[test]
    fn the_corpus_of_mcp_param() {
        replay("mcp_param", super::mcp_param);
    }

    #[test]
    fn the_corpus_of_answers() {
        replay("answers", super::answers);
    }

    #[test]
    fn the_corpus_of_retry_after() {
        replay("retry_after", super::retry_after);
    }

    #[cfg(feature = "stdio")]
    #[test]
    fn the_corpus_of_stdio_lines() {
        replay("stdio_lines", super::stdio_lines);
    }
}
