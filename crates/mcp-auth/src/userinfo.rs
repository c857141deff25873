//! User and password in a URL (RFC 3986 section 3.2.1): sent as HTTP Basic, and kept out of everything else.
//!
//! Security: an HTTP library sees the whole URL of a request, names its connections after the authority and logs that.
//! So no URL reaches one with its userinfo: what it says is a header here, and the rest is the URL.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::{AuthError, AuthErrorKind, Secret};

/// What supplies them, by its name for people and JSON.
pub const NAME: &str = "url";

/// Takes user and password out of `url` and returns the value of the `Authorization` header that they stand for
/// (RFC 7617 section 2); `None` where the URL has neither.
///
/// Both are percent-decoded first. A password alone, or a user alone, is sent with the other one empty.
///
/// # Errors
///
/// [`AuthErrorKind::Misconfigured`] for a user name with a colon in it, which Basic cannot carry, and for control
/// characters (RFC 7617 section 2). The URL has lost its userinfo then, too.
pub fn take_userinfo(url: &mut Url) -> Option<Result<Secret, AuthError>> {
    if !has_userinfo(url) {
        return None;
    }
    let user = decoded(url.username());
    let password = decoded(url.password().unwrap_or_default());
    remove(url);
    Some(basic(&user, &password))
}

/// `url` without user and password.
pub fn without_userinfo(url: &Url) -> Cow<'_, Url> {
    if !has_userinfo(url) {
        return Cow::Borrowed(url);
    }
    let mut bare = url.clone();
    remove(&mut bare);
    Cow::Owned(bare)
}

fn has_userinfo(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn remove(url: &mut Url) {
    // Both fail only for URLs without a host, and those have no userinfo.
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

fn basic(user: &[u8], password: &[u8]) -> Result<Secret, AuthError> {
    let invalid = |what| Err(AuthError::new(AuthErrorKind::Misconfigured, what));
    if user.contains(&b':') {
        return invalid("use the user name in the URL: it has a colon, which HTTP Basic cannot carry");
    }
    if user.iter().chain(password).any(u8::is_ascii_control) {
        return invalid(
            "use the password in the URL: it has control characters, which HTTP Basic cannot carry",
        );
    }
    let pair = [user, b":", password].concat();
    Ok(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
}

/// The bytes that a percent-encoded part of a URL stands for.
fn decoded(part: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| (*byte? as char).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = part.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    while let Some((&first, rest)) = bytes.split_first() {
        match (first, digit(rest.first()), digit(rest.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                bytes = &rest[2..];
            }
            _ => {
                decoded.push(first);
                bytes = rest;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> (String, Option<Result<String, String>>) {
        let mut url = Url::parse(text).unwrap();
        let taken = take_userinfo(&mut url);
        let taken = taken.map(|taken| {
            taken.map(|value| value.expose().to_owned()).map_err(|error| format!("{error} {error:?}"))
        });
        (url.to_string(), taken)
    }

    #[test]
    fn s_m10_userinfo_becomes_basic_and_leaves_the_url() {
        for (url, bare, pair) in [
            ("https://u:p@h/mcp?q=1", "https://h/mcp?q=1", Some("u:p")),
            ("https://u@h:8443/", "https://h:8443/", Some("u:")),
            ("https://:p@h/", "https://h/", Some(":p")),
            ("https://u%40x:p%2Fq%3a%25@h/", "https://h/", Some("u@x:p/q:%")),
            ("https://u:%C3%A9@[::1]/", "https://[::1]/", Some("u:é")),
            ("https://u:p%zz@h/", "https://h/", Some("u:p%zz")),
            // The last `@` ends it (WHATWG URL, authority state).
            ("https://u:a@b@h/", "https://h/", Some("u:a@b")),
            ("https://h/a@b", "https://h/a@b", None),
        ] {
            let (rest, taken) = taken(url);
            assert_eq!(rest, bare, "{url}");
            let expected = pair.map(|pair| Ok(format!("Basic {}", STANDARD.encode(pair))));
            assert_eq!(taken, expected, "{url}");
            assert_eq!(without_userinfo(&Url::parse(url).unwrap()).as_str(), bare, "{url}");
        }
    }

    #[test]
    fn s_m10_what_basic_cannot_carry_is_said_without_the_password() {
        for url in ["https://u%3Ax:canary@h/", "https://u:canary%0d%0aX@h/", "https://%00:canary@h/"] {
            let (rest, taken) = taken(url);
            assert_eq!(rest, "https://h/");
            let error = taken.unwrap().unwrap_err();
            assert!(error.contains("HTTP Basic cannot carry") && !error.contains("canary"), "{error}");
        }
    }
}
