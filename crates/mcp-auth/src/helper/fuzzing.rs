//! What must hold for every output of a helper; see [`crate::fuzzing`].

use std::time::SystemTime;

use serde_json::Value;

use super::{expiry, parse};

/// What a helper prints: headers are those of the JSON object, and an error repeats no value.
pub fn helper_output(bytes: &[u8]) {
    let value: Option<Value> =
        serde_json::from_slice(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).ok();
    let members = value.as_ref().and_then(Value::as_object);
    let wrapped = members.and_then(|members| members.get("headers")).and_then(Value::as_object);
    match parse::printed(bytes) {
        Ok(parse::HelperOutput { headers, .. }) => {
            let members = wrapped.or(members).expect("only an object is headers");
            assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
            for (name, value) in members {
                let value = value.as_str().expect("only strings are headers");
                let found =
                    |header: &str, text: &[u8]| header.eq_ignore_ascii_case(name) && text == value.as_bytes();
                assert!(headers.iter().any(|(name, value)| found(name.as_str(), value.as_bytes())), "{name}");
            }
            let _ = expiry::of(&headers, None, SystemTime::UNIX_EPOCH);
        }
        Err(error) => {
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(|c: char| c.is_control()), "{shown}");
            for value in members.into_iter().flatten().filter_map(|(_, value)| value.as_str()) {
                // What has a digit in it, and is in no name, is not shown by accident.
                let is_distinct = value.len() >= 8 && value.bytes().any(|byte| byte.is_ascii_digit());
                let is_in_a_name = members.into_iter().flatten().any(|(name, _)| name.contains(value));
                assert!(!is_distinct || is_in_a_name || !shown.contains(value), "{shown}");
            }
        }
    }
}
