//! The times of a bearer token that is a JWT, and whom it is for (RFC 7519 sections 4.1.3 to 4.1.5).
//!
//! Read, never verified: they only decide when to ask for the next token, and what is said of a refused one. Who could
//! forge them could only make their own helper run earlier or later.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::Value;

/// When a token is valid, as far as it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValidityPeriod {
    /// `nbf`.
    pub(crate) begins: Option<SystemTime>,
    /// `exp`.
    pub(crate) ends: Option<SystemTime>,
}

/// The times of the token in an `Authorization` value; `None` where there is no JWT in it.
pub(crate) fn times(value: &HeaderValue) -> Option<ValidityPeriod> {
    times_of(bearer(value)?)
}

/// Whom the token in an `Authorization` value is for; nothing where there is no JWT in it.
pub(crate) fn audiences(value: &HeaderValue) -> Vec<String> {
    let claims = bearer(value).and_then(claims_of);
    match claims.as_ref().and_then(|claims| claims.get("aud")) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

/// The times of a token; `None` where it is not a JWT.
pub(crate) fn times_of(token: &str) -> Option<ValidityPeriod> {
    let claims = claims_of(token)?;
    let time = |name: &str| {
        // A NumericDate may have a fraction (RFC 7519 section 2).
        let seconds = Duration::try_from_secs_f64(claims.get(name)?.as_f64()?).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(seconds)
    };
    Some(ValidityPeriod { begins: time("nbf"), ends: time("exp") })
}

/// The first of the times of the token in an `Authorization` value that is not a number, which it has to be (RFC 7519 section 2).
pub(crate) fn misspelt_time(value: &HeaderValue) -> Option<&'static str> {
    let claims = claims_of(bearer(value)?)?;
    ["exp", "nbf"].into_iter().find(|name| claims.get(*name).is_some_and(|time| !time.is_number()))
}

fn claims_of(token: &str) -> Option<Value> {
    let mut segments = token.trim().split('.');
    let (_header, claims, _signature) = (segments.next()?, segments.next()?, segments.next()?);
    if segments.next().is_some() {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
}
