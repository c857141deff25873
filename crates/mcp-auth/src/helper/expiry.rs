//! When minted headers stop working, as far as that can be known: from the token itself, or from the entry.

use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;
use serde_json::Value;

use super::Headers;
use crate::jwt;

/// The earlier of the bearer token's own expiry and the lifetime that the entry states, counted from `now`.
pub(super) fn of(headers: &Headers, ttl: Option<Duration>, now: SystemTime) -> Option<SystemTime> {
    let token = headers.iter().rfind(|(name, _)| *name == AUTHORIZATION);
    let stated = ttl.and_then(|ttl| now.checked_add(ttl));
    match (token.and_then(|(_, value)| jwt::times(value)?.ends), stated) {
        (Some(own), Some(stated)) => Some(own.min(stated)),
        (own, stated) => own.or(stated),
    }
}

/// The time that a helper states beside its headers: of RFC 3339, or in seconds or milliseconds since 1970.
pub(crate) fn stated(value: &Value) -> Option<SystemTime> {
    let since = |seconds: f64| {
        // The year 5138 in seconds, and 1973 in milliseconds.
        let seconds = if seconds >= 1e11 { seconds / 1e3 } else { seconds };
        let since = Duration::try_from_secs_f64(seconds).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(since)
    };
    match value {
        Value::Number(number) => since(number.as_f64()?),
        Value::String(text) => rfc3339(text).or_else(|| since(text.trim().parse().ok()?)),
        _ => None,
    }
}

fn rfc3339(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    let number = |from: usize, length: usize| -> Option<i64> {
        let digits = text.get(from..from + length)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let is = |at: usize, of: &[u8]| text.as_bytes().get(at).is_some_and(|byte| of.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let is_date = (1..=12).contains(&month) && (1..=31).contains(&day);
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = text.get(19..)?;
    let zone =
        rest.strip_prefix('.').map_or(rest, |rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    let at = text.len() - zone.len();
    let offset = match zone.as_bytes() {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let minutes = number(at + 1, 2)? * 60 + number(at + 4, 2)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    // Days since 1970-01-01 of the Gregorian calendar, of years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute - offset) * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use http::HeaderValue;

    use super::*;

    fn bearer(claims: &str) -> String {
        format!("Bearer e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn expiry(authorization: &str, ttl: Option<u64>) -> Option<SystemTime> {
        let headers = vec![(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap())];
        of(&headers, ttl.map(Duration::from_secs), at(1000))
    }

    #[test]
    fn f022_the_earlier_of_token_and_entry_counts() {
        assert_eq!(expiry(&bearer("{\"exp\":1300}"), None), Some(at(1300)));
        assert_eq!(expiry(&bearer("{\"exp\":1300}").replace("Bearer", "bEARER"), None), Some(at(1300)));
        assert_eq!(expiry(&bearer("{\"exp\":1300}"), Some(60)), Some(at(1060)));
        assert_eq!(expiry(&bearer("{\"exp\":1300}"), Some(600)), Some(at(1300)));
        assert_eq!(expiry("Bearer opaque", Some(60)), Some(at(1060)));
        assert_eq!(expiry(&bearer("{\"exp\":1300.5}"), None), Some(at(1300) + Duration::from_millis(500)));
    }

    #[test]
    fn what_has_no_readable_expiry_has_none() {
        for authorization in [
            "Bearer opaque".to_owned(),
            "Bearer".to_owned(),
            "Bearer a.b.c".to_owned(),
            bearer("{}"),
            bearer("[]"),
            bearer("{\"exp\":\"1300\"}"),
            bearer("{\"exp\":-1}"),
            bearer("{\"exp\":1e300}"),
            format!("{}.d", bearer("{\"exp\":1300}")),
            bearer("{\"exp\":1300}").replace("Bearer", "Basic"),
        ] {
            assert_eq!(expiry(&authorization, None), None, "{authorization}");
        }
        assert_eq!(of(&Vec::new(), Some(Duration::MAX), at(0)), None, "beyond what a clock can show");
    }
}
