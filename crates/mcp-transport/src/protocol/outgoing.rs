//! Writing requests: the caller's parameters as they are, with our `_meta` entries spliced in.

use std::borrow::Cow;
use std::collections::HashMap;

use memchr::memchr2;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::trace::{TRACEPARENT, TRACESTATE};
use crate::{TransportError, TransportErrorKind};

/// Writes a request. `params` is the text of a JSON object; `meta` are members of `_meta` without the braces
/// (`"a":1,"b":2`), and win over those of the caller.
///
/// # Errors
///
/// [`Misconfigured`](TransportErrorKind::Misconfigured) where `params` is no JSON object, or its `_meta` none.
pub(crate) fn encode_request(
    id: i64,
    method: &str,
    params: Option<&str>,
    meta: &str,
) -> Result<Vec<u8>, TransportError> {
    let params = params.map(str::trim).filter(|params| !params.is_empty());
    let mut out = Vec::with_capacity(params.map_or(0, str::len) + meta.len() + method.len() + 80);
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    out.extend_from_slice(id.to_string().as_bytes());
    out.extend_from_slice(b",\"method\":");
    write_string(&mut out, method);
    match (params, meta.is_empty()) {
        (None, true) => {}
        (Some(params), true) => {
            out.extend_from_slice(b",\"params\":");
            out.extend_from_slice(params.as_bytes());
        }
        (params, false) => {
            out.extend_from_slice(b",\"params\":");
            write_with_meta(&mut out, params.unwrap_or("{}"), meta)?;
        }
    }
    out.push(b'}');
    Ok(out)
}

/// Writes `text` as a JSON string.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing to a vector cannot fail, and a string always has a JSON form.
    let _ = serde_json::to_writer(out, text);
}

/// Messages over stdio are delimited by newlines and must not contain any. Valid JSON has them between tokens only,
/// where a space means the same.
pub(crate) fn put_on_one_line(frame: &mut [u8]) {
    let mut from = 0;
    while let Some(at) = memchr2(b'\n', b'\r', &frame[from..]) {
        frame[from + at] = b' ';
        from += at + 1;
    }
}

fn write_with_meta(out: &mut Vec<u8>, params: &str, meta: &str) -> Result<(), TransportError> {
    let inside = params
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .ok_or_else(|| not_an_object("the parameters"))?;
    out.extend_from_slice(b"{\"_meta\":{");
    out.extend_from_slice(meta.as_bytes());
    // Only where the caller may have a `_meta` of its own (a key can be spelled with escapes) are the
    // parameters looked into; usually they are copied as they are.
    if !inside.contains("_meta") && !inside.contains("\\u") {
        out.push(b'}');
        if !inside.trim_start().is_empty() {
            out.push(b',');
            out.extend_from_slice(inside.as_bytes());
        }
        out.push(b'}');
        return Ok(());
    }
    let members: Members<'_> = serde_json::from_str(params).map_err(|_| not_an_object("the parameters"))?;
    let ours = format!("{{{meta}}}");
    let ours: Members<'_> = serde_json::from_str(&ours).map_err(|_| not_an_object("the request metadata"))?;
    for (key, value) in &members.0 {
        if key != "_meta" {
            continue;
        }
        let theirs: Members<'_> = serde_json::from_str(value.get()).map_err(|_| not_an_object("`_meta`"))?;
        for (key, value) in theirs.0 {
            let is_ours = |name: &str| ours.0.iter().any(|(our_key, _)| our_key == name);
            // What vendors add belongs to the context beside it, not to another one (W3C Trace Context section 3.3).
            let is_orphan = key == TRACESTATE && is_ours(TRACEPARENT);
            if !is_ours(&key) && !is_orphan {
                write_member(out, &key, value);
            }
        }
    }
    out.push(b'}');
    for (key, value) in &members.0 {
        if key != "_meta" {
            write_member(out, key, value);
        }
    }
    out.push(b'}');
    Ok(())
}

fn write_member(out: &mut Vec<u8>, key: &str, value: &RawValue) {
    out.push(b',');
    write_string(out, key);
    out.push(b':');
    out.extend_from_slice(value.get().as_bytes());
}

fn not_an_object(what: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Misconfigured, format!("{what} must be a JSON object"))
}

/// The members of an object in their order, duplicates included, values as they are.
#[derive(Clone, Debug, Default)]
pub struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Members<'a> {
    /// The members of this JSON text; `None` where it is no object.
    pub fn read(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The first member of this name.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The members, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (&**key, *value))
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// The members of an object, values as they are.
pub(crate) fn members(object: &str) -> Option<HashMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_str(object).ok()
}

/// Requests without effects on the server (2025-11-25 and 2026-07-28, server features).
pub(crate) fn is_repeatable(method: &str) -> bool {
    matches!(
        method,
        "ping"
            | "server/discover"
            | "tools/list"
            | "prompts/list"
            | "prompts/get"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "completion/complete"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(params: Option<&str>, meta: &str) -> String {
        String::from_utf8(encode_request(7, "tools/call", params, meta).unwrap()).unwrap()
    }

    #[test]
    fn parameters_are_copied_byte_for_byte() {
        let params = r#"{ "name":"x", "n":1.000000000000000000001, "unknown":[ ] }"#;
        assert_eq!(
            encoded(Some(params), ""),
            format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{params}}}"#)
        );
        assert_eq!(
            encoded(Some(params), r#""t":1"#),
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"t":1}, "name":"x", "n":1.000000000000000000001, "unknown":[ ] }}"#
        );
    }

    #[test]
    fn a_message_of_several_lines_becomes_one() {
        let mut frame = b"{\r\n \"a\": \"\\n\"\n}".to_vec();
        put_on_one_line(&mut frame);
        assert_eq!(frame, b"{   \"a\": \"\\n\" }");
    }

    #[test]
    fn no_parameters_become_none_or_metadata_alone() {
        assert_eq!(encoded(None, ""), r#"{"jsonrpc":"2.0","id":7,"method":"tools/call"}"#);
        let alone = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"t":1}}}"#;
        assert_eq!(encoded(None, r#""t":1"#), alone);
        assert_eq!(encoded(Some(" {  } "), r#""t":1"#), alone);
    }

    #[test]
    fn metadata_of_the_caller_is_kept_and_ours_wins() {
        for key in ["_meta", "\\u005fmeta"] {
            let params = format!(r#"{{"a":1,"{key}":{{"traceparent":"x","t":2}},"b":3}}"#);
            assert_eq!(
                encoded(Some(&params), r#""t":1"#),
                r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"t":1,"traceparent":"x"},"a":1,"b":3}}"#
            );
        }
    }

    #[test]
    fn the_state_of_another_trace_is_not_kept_beside_ours() {
        let params = r#"{"_meta":{"traceparent":"x","tracestate":"a=1","baggage":"b=2"}}"#;
        assert_eq!(
            encoded(Some(params), r#""traceparent":"y""#),
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"traceparent":"y","baggage":"b=2"}}}"#
        );
        assert!(encoded(Some(params), r#""t":1"#).contains(r#""traceparent":"x","tracestate":"a=1""#));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for params in ["[]", "1", r#"{"_meta":1}"#, r#"{"_meta":"#] {
            let error = encode_request(1, "m", Some(params), r#""t":1"#).unwrap_err();
            assert_eq!(*error.kind(), TransportErrorKind::Misconfigured, "{params}");
        }
    }
}
