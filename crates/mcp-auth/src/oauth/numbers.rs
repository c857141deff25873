//! Numbers that an authorization server dictates, clamped where they are read: no pace of a stranger makes this program
//! hammer it or wait without end, and no library computes with what it cannot hold.
//!
//! | number | becomes |
//! |---|---|
//! | `interval` of a device code (RFC 8628 section 3.2) | 5 to 60 s; `slow_down` adds 5 s, up to the 60 |
//! | `expires_in` of a device code | 1 s to 1 h; 10 min where it is not said |
//! | `expires_in` of a token (RFC 6749 section 5.1) | at most 10 years; none where it is not said, or zero |

use std::time::Duration;

use serde_json::Value;

/// Between two polls for a device code, at least (RFC 8628 section 3.2: "MUST use 5 as the default").
pub(crate) const SHORTEST_INTERVAL: Duration = Duration::from_secs(5);
/// And at most.
pub(crate) const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
const LONGEST_CODE: u64 = 60 * 60;
const USUAL_CODE: u64 = 10 * 60;
const LONGEST_TOKEN: u64 = 10 * 365 * 24 * 60 * 60;

/// A number of seconds, as servers write it: a number, or a number in a string. What is below zero is zero.
fn seconds(value: &Value) -> Option<u64> {
    // A float as large as it gets becomes the largest number, and one below zero becomes zero.
    let from_float = |seconds: f64| (!seconds.is_nan()).then_some(seconds as u64);
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(from_float)),
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse().ok().and_then(from_float))
        }
        _ => None,
    }
}

/// How long a token is good for; `None` means until it is refused.
pub(crate) fn token_lifetime(value: &Value) -> Option<u64> {
    seconds(value).filter(|seconds| *seconds > 0).map(|seconds| seconds.min(LONGEST_TOKEN))
}

/// A device authorization response with numbers that can be computed with; anything else as it is.
pub(crate) fn device_response(mut body: Value) -> Value {
    let Some(members) = body.as_object_mut() else { return body };
    let given = |members: &serde_json::Map<String, Value>, name: &str| members.get(name).and_then(seconds);
    let interval = given(members, "interval").unwrap_or(0);
    let interval = interval.clamp(SHORTEST_INTERVAL.as_secs(), LONGEST_INTERVAL.as_secs());
    let lifetime = given(members, "expires_in").unwrap_or(USUAL_CODE).clamp(1, LONGEST_CODE);
    members.insert("interval".to_owned(), interval.into());
    members.insert("expires_in".to_owned(), lifetime.into());
    body
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn s_n06_the_numbers_of_a_device_code_are_clamped() {
        let table = [
            (json!({}), (5, 600)),
            (json!({ "interval": 0, "expires_in": 0 }), (5, 1)),
            (json!({ "interval": 1, "expires_in": 1 }), (5, 1)),
            (json!({ "interval": 7, "expires_in": 900 }), (7, 900)),
            (json!({ "interval": "7", "expires_in": " 900 " }), (7, 900)),
            (json!({ "interval": 7.9, "expires_in": 900.0 }), (7, 900)),
            (json!({ "interval": -1, "expires_in": -900 }), (5, 1)),
            (json!({ "interval": u64::MAX, "expires_in": u64::MAX }), (60, 3600)),
            (json!({ "interval": 1e300, "expires_in": 10_000_000_000_000_u64 }), (60, 3600)),
            (json!({ "interval": "18446744073709551616", "expires_in": "1e40" }), (60, 3600)),
            (json!({ "interval": null, "expires_in": "soon" }), (5, 600)),
            (json!({ "interval": [1], "expires_in": {} }), (5, 600)),
        ];
        for (body, expected) in table {
            let clamped = device_response(body.clone());
            let number = |name: &str| clamped[name].as_u64().unwrap();
            assert_eq!((number("interval"), number("expires_in")), expected, "{body}");
        }
        assert_eq!(device_response(json!([1])), json!([1]));
    }

    #[test]
    fn s_k11_a_token_of_a_million_years_is_a_value_and_no_error() {
        for enormous in [json!(u64::MAX), json!(10_000_000_000_000_u64), json!(1e300), json!("1e300")] {
            assert_eq!(token_lifetime(&enormous), Some(LONGEST_TOKEN), "{enormous}");
        }
        for unsaid in
            [json!(0), json!(-1), json!(-1e300), json!("-3"), json!("NaN"), json!(null), json!(true)]
        {
            assert_eq!(token_lifetime(&unsaid), None, "{unsaid}");
        }
        assert_eq!(token_lifetime(&json!("3600")), Some(3600));
    }
}
