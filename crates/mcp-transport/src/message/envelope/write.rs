//! Writing: the payload goes out as the bytes it came in. Requests of our own are written by `outgoing`, which
//! splices metadata into their parameters.

use serde_json::value::RawValue;

use super::{RequestId, RpcError};
use crate::message::object::write_string;

/// A notification, ready to send. The parameters are written as they are.
pub fn encode_notification(method: &str, params: Option<&RawValue>) -> Vec<u8> {
    encode_call(None, method, params)
}

/// A request under any id, ready to send. The parameters are written as they are.
pub fn encode_request(id: &RequestId, method: &str, params: Option<&RawValue>) -> Vec<u8> {
    encode_call(Some(id), method, params)
}

fn encode_call(id: Option<&RequestId>, method: &str, params: Option<&RawValue>) -> Vec<u8> {
    let mut out = begin(method.len() + params.map_or(0, |params| params.get().len()));
    if let Some(id) = id {
        out.extend_from_slice(b",\"id\":");
        write_id(&mut out, id);
    }
    out.extend_from_slice(b",\"method\":");
    write_string(&mut out, method);
    if let Some(params) = params {
        out.extend_from_slice(b",\"params\":");
        out.extend_from_slice(params.get().as_bytes());
    }
    out.push(b'}');
    out
}

/// The beginning of a response with a result. The result follows as it is, and then a closing brace.
pub fn begin_result(id: &RequestId) -> Vec<u8> {
    let mut out = begin(0);
    out.extend_from_slice(b",\"id\":");
    write_id(&mut out, id);
    out.extend_from_slice(b",\"result\":");
    out
}

/// A response, ready to send. The result is written as it is.
pub fn encode_response(id: &RequestId, outcome: Result<&RawValue, &RpcError>) -> Vec<u8> {
    let result = match outcome {
        Ok(result) => result.get(),
        Err(error) => return encode_error(Some(id), error),
    };
    let mut out = begin(result.len());
    out.extend_from_slice(b",\"id\":");
    write_id(&mut out, id);
    out.extend_from_slice(b",\"result\":");
    out.extend_from_slice(result.as_bytes());
    out.push(b'}');
    out
}

/// A response with an error, ready to send. An id that could not be told is `null` (JSON-RPC 2.0 section 5).
pub fn encode_error(id: Option<&RequestId>, error: &RpcError) -> Vec<u8> {
    let mut out = begin(error.message.len() + error.data.as_ref().map_or(0, |data| data.get().len()));
    out.extend_from_slice(b",\"id\":");
    match id {
        Some(id) => write_id(&mut out, id),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(format!(",\"error\":{{\"code\":{},\"message\":", error.code).as_bytes());
    write_string(&mut out, &error.message);
    if let Some(data) = &error.data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.get().as_bytes());
    }
    out.extend_from_slice(b"}}");
    out
}

fn write_id(out: &mut Vec<u8>, id: &RequestId) {
    match id {
        RequestId::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        RequestId::String(text) => write_string(out, text),
    }
}

fn begin(payload: usize) -> Vec<u8> {
    // Room for the fixed members, so that the payload is written without growing.
    let mut out = Vec::with_capacity(payload + 96);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    out
}

#[cfg(test)]
mod tests {
    use super::super::{Incoming, METHOD_NOT_FOUND, parse_one};
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn what_is_written_reads_back() {
        let params = raw(r#"{"a":"\n","n":1.0}"#);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(text(encode_notification("a\"b", None)), r#"{"jsonrpc":"2.0","method":"a\"b"}"#);
        let id = RequestId::String("q\"".into());
        assert_eq!(
            text(encode_request(&id, "m", Some(&params))),
            r#"{"jsonrpc":"2.0","id":"q\"","method":"m","params":{"a":"\n","n":1.0}}"#
        );
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
        let Ok(Incoming::Response { id: Some(read), outcome: Err(error) }) =
            parse_one(frame.clone().into_bytes())
        else {
            panic!("{frame}");
        };
        assert_eq!((read, error.code), (id, METHOD_NOT_FOUND));
        let nameless = text(encode_error(None, &RpcError::new(-1, "")));
        assert_eq!(nameless, r#"{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":""}}"#);
    }
}
