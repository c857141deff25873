//! What a plug-in answers: credentials, or an error with words for people.

use std::time::SystemTime;

use http::{HeaderName, HeaderValue};
use mcp_text::Secrets;
use serde_json::{Map, Value};
use url::Url;

use super::super::{Headers, expiry};
use crate::doubts::void;
use crate::reserved::{ReservedReason, reserved};
use crate::settings::PluginSpec;
use crate::{AuthError, AuthErrorKind};

/// What is told of an error without words.
pub(super) const SAYS_NO_MORE: &str = "it says no more";

/// What it gives.
#[derive(Debug)]
pub(super) struct PluginCredentials {
    pub(super) headers: Headers,
    pub(super) until: Option<SystemTime>,
    /// It signs each request as well.
    pub(super) signs: bool,
}

/// The credentials of an answer; an error is what is wrong with it, and shows no value of it.
pub(super) fn credentials(answer: &Map<String, Value>) -> Result<PluginCredentials, String> {
    let mut headers = Headers::new();
    match answer.get("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Object(members)) => {
            for (name, value) in members {
                headers.push(header(name, value)?);
            }
        }
        Some(_) => return Err("its `headers` are no object".to_owned()),
    }
    let stated = match answer.get("expiresAt") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let why = "its `expiresAt` is no time (RFC 3339, or seconds since 1970)";
            Some(expiry::stated(value).ok_or_else(|| why.to_owned())?)
        }
    };
    let own = expiry::of(&headers, None, SystemTime::UNIX_EPOCH);
    let signs = answer.get("signs") == Some(&Value::Bool(true));
    if headers.is_empty() && !signs {
        return Err("it gave no header, and signs nothing".to_owned());
    }
    Ok(PluginCredentials { headers, until: stated.into_iter().chain(own).min(), signs })
}

fn header(name: &str, value: &Value) -> Result<(HeaderName, HeaderValue), String> {
    let shown = mcp_text::member_name(name).to_owned();
    let text = value.as_str().ok_or_else(|| format!("the value of `{shown}` is not a string"))?;
    let value = HeaderValue::from_str(text.trim())
        .map_err(|_| format!("the value of `{shown}` has characters that a header cannot carry"))?;
    let name =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{shown}` is not a header name"))?;
    // As for a helper: what holds no credential is what is left of a failure that was not noticed.
    if let Some(void) = void(&name, &value) {
        return Err(format!("the value of `{shown}` {void}"));
    }
    match reserved(&name) {
        Some(why @ ReservedReason::Framing) => Err(format!("it may not set `{shown}`: {why}")),
        _ => Ok((name, value)),
    }
}

/// What a plug-in wants a person to do while it signs them in. Each part is on one line and without controls.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PluginPrompt {
    /// In words.
    pub message: String,
    /// The page to open, of `https` or on this machine.
    pub url: Option<String>,
    /// What to enter there.
    pub code: Option<String>,
}

impl PluginPrompt {
    /// The prompt in an answer; none where there is nothing to show.
    pub(super) fn of(prompt: &Value) -> Option<Self> {
        let text = |name: &str, most: usize| {
            let text = prompt.get(name).and_then(Value::as_str).map(|text| mcp_text::line(text, most));
            text.filter(|text| !text.is_empty())
        };
        let is_page = |text: &String| {
            Url::parse(text).is_ok_and(|url| {
                let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
                url.scheme() == "https" || url.scheme() == "http" && local
            })
        };
        let url = text("url", 4_000).filter(is_page);
        let (message, code) = (text("message", 300), text("code", 60));
        let shown = message.is_some() || url.is_some() || code.is_some();
        shown.then(|| Self { message: message.unwrap_or_default(), url, code })
    }
}

/// An error as the plug-in words it.
#[derive(Debug)]
pub(super) struct PluginFailure {
    kind: AuthErrorKind,
    message: String,
    hint: Option<String>,
}

impl PluginFailure {
    pub(super) fn of(error: &Value) -> Self {
        let text = |name: &str| {
            error.get(name).and_then(Value::as_str).map(|text| Secrets::default().line(text, 300))
        };
        let kind = match error.get("kind").and_then(Value::as_str) {
            Some("sign-in-expired") => AuthErrorKind::SignInExpired,
            Some("unavailable") => AuthErrorKind::Unavailable,
            _ => AuthErrorKind::SourceFailed,
        };
        let message = text("message").filter(|text| !text.is_empty());
        Self { kind, message: message.unwrap_or_else(|| SAYS_NO_MORE.to_owned()), hint: text("hint") }
    }

    pub(super) fn into_error(self, spec: &PluginSpec, method: &str) -> AuthError {
        let message = format!("ask the plug-in {} ({method}): {}", spec.called(), self.message);
        let error = AuthError::new(self.kind, message);
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}
