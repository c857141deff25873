//! Writing requests: the caller's parameters as they are, with our `_meta` entries spliced in.

use serde_json::value::RawValue;

use crate::error::{TransportError, TransportErrorKind};
use crate::message::object::{Members, write_string};
use crate::trace::{TRACEPARENT, TRACESTATE};

/// Writes a request. `params` is the text of a JSON object; `meta` are members of `_meta` without the braces
/// (`"a":1,"b":2`), and win over those of the caller.
///
/// # Errors
///
/// [`Misconfigured`](TransportErrorKind::Misconfigured) where `params` is not a JSON object, or its `_meta` none.
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
    for (key, value) in members.iter() {
        if key != "_meta" {
            continue;
        }
        let theirs: Members<'_> = serde_json::from_str(value.get()).map_err(|_| not_an_object("`_meta`"))?;
        for (key, value) in theirs.iter() {
            let is_ours = |name: &str| ours.get(name).is_some();
            // What vendors add belongs to the context beside it, not to another one (W3C Trace Context section 3.3).
            let is_orphan = key == TRACESTATE && is_ours(TRACEPARENT);
            if !is_ours(key) && !is_orphan {
                write_member(out, key, value);
            }
        }
    }
    out.push(b'}');
    for (key, value) in members.iter() {
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
