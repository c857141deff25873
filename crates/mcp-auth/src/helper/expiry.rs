//! When minted headers stop working, as far as that can be known: from the token itself, or from the entry.

use std::time::{Duration, SystemTime};

use http::header::AUTHORIZATION;

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
