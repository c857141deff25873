//! When minted headers stop working, as far as that can be known: from the token itself, or from the entry.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::Headers;

/// The earlier of the bearer token's own expiry and the lifetime that the entry states, counted from `now`.
pub(super) fn of(headers: &Headers, ttl: Option<Duration>, now: SystemTime) -> Option<SystemTime> {
    let token = headers.iter().rfind(|(name, _)| *name == AUTHORIZATION);
    let stated = ttl.and_then(|ttl| now.checked_add(ttl));
    match (token.and_then(|(_, value)| token_expiry(value)), stated) {
        (Some(own), Some(stated)) => Some(own.min(stated)),
        (own, stated) => own.or(stated),
    }
}

/// The `exp` claim of a bearer token that is a JWT (RFC 7519 section 4.1.4).
///
/// Read, never verified: it only decides when to ask for the next token, so whoever could forge it could
/// only make their own helper run earlier or later.
fn token_expiry(value: &HeaderValue) -> Option<SystemTime> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let mut segments = token.trim().split('.');
    let (_header, claims, _signature) = (segments.next()?, segments.next()?, segments.next()?);
    if segments.next().is_some() {
        return None;
    }
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    // A NumericDate may have a fraction (RFC 7519 section 2).
    let seconds = Duration::try_from_secs_f64(claims.get("exp")?.as_f64()?).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(seconds)
}

#[cfg(test)]
mod tests {
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
