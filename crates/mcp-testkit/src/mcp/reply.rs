//! Responses, from the parts that the protocol decides on.

use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::Value;

use super::answer::HttpAnswer;
use super::rpc::{self, RpcError};
use super::stream;
use crate::wire::{HangUp, ReplyBody};

/// A response, or the connection closed in its place.
pub(crate) type Reply = Result<Response<ReplyBody>, HangUp>;

/// The header that carries a legacy session.
pub(crate) const SESSION: &str = "mcp-session-id";

/// The status and the whole message of an outcome.
pub(crate) fn message_of(id: &Value, result: Result<Value, RpcError>) -> (u16, Value) {
    match result {
        Ok(result) => (200, rpc::result_message(id, result)),
        Err(error) => (error.status, error.message(id)),
    }
}

/// The id to answer with: null for what has none.
pub(crate) fn id_of(message: Option<&Value>) -> Value {
    message.map(|message| message["id"].clone()).unwrap_or_default()
}

/// An event stream, with the session if one was made.
pub(crate) fn event_stream(body: ReplyBody, session: Option<&str>) -> Response<ReplyBody> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert("cache-control", HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if let Some(session) = session.and_then(|session| HeaderValue::from_str(session).ok()) {
        headers.insert(SESSION, session);
    }
    response
}

/// A JSON-RPC message.
pub(crate) fn rpc_json(status: u16, message: &Value) -> Reply {
    http_answer(HttpAnswer::new(status).body("application/json", message.to_string()))
}

/// A short text.
pub(crate) fn plain(status: StatusCode, content_type: &str, text: &str) -> Reply {
    http_answer(HttpAnswer::new(status.as_u16()).body(content_type, text))
}

/// No body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    http_answer(HttpAnswer::new(status.as_u16()))
}

/// 405, with the method that is allowed.
pub(crate) fn method_not_allowed() -> Reply {
    http_answer(HttpAnswer::new(405).header(ALLOW.as_str(), "POST"))
}

/// Turns a spelled-out answer into a response. A status, name or value that HTTP cannot carry is a mistake in the test.
pub(crate) fn http_answer(answer: HttpAnswer) -> Reply {
    let body = match answer.drop_after {
        None if answer.body.is_empty() => ReplyBody::empty(),
        None => ReplyBody::whole(answer.body.clone()),
        Some(bytes) => {
            let (sender, body) = ReplyBody::live();
            let part = answer.body[..bytes.min(answer.body.len())].to_vec();
            tokio::spawn(async move { stream::cut(&sender, part).await });
            body
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).expect("a scripted status is a valid one");
    for (name, value) in answer.headers {
        let name = HeaderName::try_from(name).expect("a scripted header name is a valid one");
        let value = HeaderValue::try_from(value).expect("a scripted header value is a valid one");
        response.headers_mut().append(name, value);
    }
    if answer.drop_after.is_some() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(answer.body.len()));
    }
    Ok(response)
}
