//! What a person may see of a header's value: its form, and nothing of what it says.

use std::time::SystemTime;

use http::HeaderName;
use http::header::AUTHORIZATION;
use mcp_text::scheme_of;

use crate::Credentials;

/// The form of the value of a header: its scheme, what stands in the place of the rest, and how long that is. `None` where
/// there is no such header.
///
/// # Examples
///
/// ```
/// use http::{HeaderName, HeaderValue};
/// use mcp_auth::{Credentials, outline};
///
/// let header = (HeaderName::from_static("authorization"), HeaderValue::from_static("Bearer hunter2-hunter2"));
/// let credentials = Credentials::new("static-headers", [header]);
/// let shown = outline(&credentials, &HeaderName::from_static("authorization"), std::time::SystemTime::now());
/// assert_eq!(shown.as_deref(), Some("Bearer [redacted] (15 characters)"));
/// ```
pub fn outline(credentials: &Credentials, name: &HeaderName, now: SystemTime) -> Option<String> {
    let value = credentials.header(name)?;
    let length = |bytes: usize| match bytes {
        0 => "empty".to_owned(),
        1 => "1 character".to_owned(),
        bytes => format!("{bytes} characters"),
    };
    let text = value.to_str().ok().filter(|_| *name == AUTHORIZATION);
    let Some((scheme, rest)) = text.and_then(scheme_of) else {
        return Some(format!("{} ({})", mcp_text::REDACTED, length(value.len())));
    };
    let form = match validity(value, now) {
        Some(validity) => format!("{}, {validity}", length(rest.trim().len())),
        None => length(rest.trim().len()),
    };
    Some(format!("{scheme} {} ({form})", mcp_text::REDACTED))
}

/// Until when a token is good, where it is one that says so.
#[cfg(any(feature = "helper", feature = "oauth"))]
fn validity(value: &http::HeaderValue, now: SystemTime) -> Option<String> {
    let times = crate::jwt::times(value)?;
    Some(match times.ends.map(|ends| ends.duration_since(now)) {
        None => "a JWT without an end".to_owned(),
        Some(Ok(left)) => format!("a JWT, good for {}", mcp_text::elapsed(left)),
        Some(Err(past)) => format!("a JWT that ended {} ago", mcp_text::elapsed(past.duration())),
    })
}

#[cfg(not(any(feature = "helper", feature = "oauth")))]
fn validity(_: &http::HeaderValue, _: SystemTime) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::HeaderValue;

    use super::*;

    fn shown(name: &str, value: &str) -> String {
        let name: HeaderName = name.parse().unwrap();
        let header = (name.clone(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        outline(&Credentials::new("x", [header]), &name, UNIX_EPOCH).unwrap()
    }

    #[test]
    fn fh_h2_no_part_of_a_value_is_in_its_outline() {
        for (name, value, expected) in [
            ("authorization", "Bearer canary", "Bearer [redacted] (6 characters)"),
            ("authorization", "canary", "[redacted] (6 characters)"),
            ("authorization", "canary one", "[redacted] (10 characters)"),
            ("authorization", "Basic canary", "Basic [redacted] (6 characters)"),
            ("x-api-key", "Bearer canary", "[redacted] (13 characters)"),
            ("x-api-key", "", "[redacted] (empty)"),
            ("x-api-key", "\u{e9}canary", "[redacted] (8 characters)"),
        ] {
            assert_eq!(shown(name, value), expected, "{name}: {value}");
        }
    }
}
