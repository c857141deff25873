//! The wait that a server asks for (`Retry-After`, RFC 9110 section 10.2.3), an authorization server as well.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

/// What a server asks for is told up to this, as "a year or more".
const MAX: Duration = Duration::from_secs(365 * 24 * 3600);

/// The wait that an answer with these headers asks for, seen from `now`. See [`parse`].
pub fn of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    parse(headers.get(header::RETRY_AFTER)?.to_str().ok()?, now)
}

/// The wait that a `Retry-After` value asks for, seen from `now`: seconds, or a date in one of its three forms. A date in the
/// past is no wait; what is neither is `None`. No longer than a year, whatever the server says; how much of it is waited for
/// is up to the one who waits.
pub fn parse(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still a request to wait, and a long one.
        return Some(value.parse().map_or(MAX, Duration::from_secs).min(MAX));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    Some(until.duration_since(now).unwrap_or_default().min(MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_in_all_its_forms() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777); // Sun, 06 Nov 1994 08:49:37 GMT
        let table = [
            ("0", Some(0)),
            ("59", Some(59)),
            ("120", Some(120)),
            (" 7\t", Some(7)),
            ("Sun, 06 Nov 1994 08:50:37 GMT", Some(60)),
            ("Sunday, 06-Nov-94 08:50:37 GMT", Some(60)),
            ("Sun Nov  6 08:50:37 1994", Some(60)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("1;2", None),
        ];
        for (value, expected) in table {
            assert_eq!(parse(value, now), expected.map(Duration::from_secs), "{value:?}");
        }
        assert_eq!(parse(&"9".repeat(40), now), Some(MAX));
        assert_eq!(parse("Sun, 06 Nov 9994 08:50:37 GMT", now), Some(MAX));
    }
}
