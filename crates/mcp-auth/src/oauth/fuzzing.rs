//! What must hold for every answer of an authorization server; see [`crate::fuzzing`].

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::discover::metadata::{ResourceMetadata, ServerMetadata, document};
use super::failure::error_code;
use super::grant::authorize::CallbackParams;
use super::grant::token::TokenAnswer;
use super::urls::{canonical_resource, covers, redacted};
use crate::Secret;
use crate::url_policy::{UrlSource, is_loopback};

/// Metadata documents, token responses, URLs and error descriptions: a document is an object that says
/// something, no token is shown, secrets go only to safe places and are never repeated. The input is a body, a
/// URL and words with a secret in them.
pub fn oauth_answers(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == 0x1e).map(String::from_utf8_lossy);
    let mut part = || parts.next().unwrap_or_default();
    let (body, url, secret, words) = (part(), part(), part(), part());

    let value: Option<Value> = serde_json::from_str(&body).ok();
    let says_something = value.as_ref().and_then(Value::as_object).is_some_and(|members| !members.is_empty());
    let server: Option<ServerMetadata> = document(body.as_bytes());
    let resource: Option<ResourceMetadata> = document(body.as_bytes());
    assert_eq!((server.is_some(), resource.is_some()), (says_something, says_something));
    if let (Some(server), Some(value)) = (&server, &value) {
        assert_eq!(server.token_endpoint.as_deref(), value["token_endpoint"].as_str());
    }
    tokens(&body);
    addresses(&url);

    assert!(error_code(&words).is_none_or(|code| code.len() <= 64));
    // A secret that is part of the mark, or of two words, is not what a server echoes.
    let plain = secret.len() >= 4 && secret.bytes().all(|byte| byte.is_ascii_graphic());
    let shown = plain.then_some(&*secret).into_iter().collect::<mcp_text::Secrets>().sentence(&words);
    assert!(mcp_text::width(&shown) <= 300 && !shown.contains(char::is_control));
    assert!(!plain || "[redacted]".contains(&*secret) || !shown.contains(&*secret), "{shown}");
}

fn tokens(body: &str) {
    let Ok(answer) = serde_json::from_str::<TokenAnswer>(body) else { return };
    let value: Value = serde_json::from_str(body).expect("it was read before");
    let shown = format!("{answer:?}");
    let stored = answer.into_stored("client", "https://as", &[], UNIX_EPOCH);
    assert_eq!(Some(stored.access_token.expose()), value["access_token"].as_str());
    assert!(stored.expires_at.is_none_or(|at| at >= UNIX_EPOCH + Duration::from_secs(1)));
    let shown = format!("{shown} {stored:?}");
    for secret in [Some(&stored.access_token), stored.refresh_token.as_ref()].into_iter().flatten() {
        assert!(!is_distinct(secret.expose(), body) || !shown.contains(secret.expose()), "{shown}");
    }
}

/// Whether `secret` is shown only if it leaks: it is in `body` once, and is neither a name nor a number.
fn is_distinct(secret: &str, body: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| secret.as_bytes().iter().any(kind);
    let is_mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    secret.len() >= 8 && is_mixed && body.matches(secret).count() == 1
}

fn addresses(text: &str) {
    let shown = redacted(text);
    let Ok(url) = Url::parse(text) else { return };
    let mut bare = url.clone();
    // Only a URL without a host cannot be without a user name, and of such a one nothing is shown.
    let _ = (bare.set_username(""), bare.set_password(None));
    bare.set_query(None);
    bare.set_fragment(None);
    assert_eq!(redacted(bare.as_str()), shown);
    if let Ok(url) = UrlSource::person().may_request(text) {
        assert!(url.scheme() == "https" || is_loopback(&url));
        assert!(url.username().is_empty() && url.password().is_none());
        assert!(covers(&canonical_resource(&url), &url), "{url}");
    }
}

/// The query of a redirect: what was written is read, what is there twice is not, and nothing shows a code.
pub fn oauth_callback(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let params = CallbackParams::from_query(&text);
    let pasted = CallbackParams::from_pasted(&text);
    for params in [Some(&params), pasted.as_ref()].into_iter().flatten() {
        let other = |secret: &Option<Secret>| secret.as_ref().map(|_| Secret::new("another"));
        let others =
            CallbackParams { code: other(&params.code), state: other(&params.state), ..params.clone() };
        assert_eq!(format!("{params:?}"), format!("{others:?}"), "no matter which code");
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    let exposed = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    let pairs = [
        ("code", exposed(&params.code)),
        ("state", exposed(&params.state)),
        ("iss", params.iss.clone()),
        ("error", params.error.clone()),
        ("error_description", params.error_description.clone()),
    ];
    query.extend_pairs(pairs.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let query = query.finish();
    let read = CallbackParams::from_query(&query);
    assert_eq!((&read.code, &read.state), (&params.code, &params.state));
    assert_eq!((&read.iss, &read.error), (&params.iss, &params.error));
    assert_eq!(read.error_description, params.error_description);
    if read.code.is_some() {
        let twice = CallbackParams::from_query(&format!("{query}&{query}"));
        assert!(twice.code.is_none() && twice.state.is_none());
        let pasted = CallbackParams::from_pasted(&format!("http://localhost:1/callback?{query}"));
        assert_eq!(pasted.and_then(|pasted| pasted.code), read.code);
    }
}
