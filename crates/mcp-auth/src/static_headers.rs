//! The simplest provider: headers from the configuration.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};

use crate::reserved::{ReservedReason, reserved};
use crate::{
    AuthError, AuthErrorKind, AuthFuture, AuthProvider, Capabilities, Credentials, Recovery, Rejection,
    Secret, doubts, userinfo,
};

use crate::credentials::ANONYMOUS;
/// The name of this provider.
pub(crate) use crate::credentials::STATIC_HEADERS as NAME;

/// Sends the same headers with every request. There is nothing to recover: what was refused is all there is.
///
/// # Examples
///
/// ```
/// use mcp_auth::{Secret, StaticHeaders};
///
/// let headers = [("X-Api-Key".to_owned(), Secret::new("s3cret\n"))];
/// assert!(StaticHeaders::from_settings(&headers).is_ok());
///
/// let headers = [("Content-Length".to_owned(), Secret::new("12"))];
/// let error = StaticHeaders::from_settings(&headers).unwrap_err();
/// assert!(error.to_string().contains("Content-Length"));
/// ```
#[derive(Clone, Debug)]
pub struct StaticHeaders {
    credentials: Credentials,
}

impl StaticHeaders {
    /// A provider of these headers; a name given twice keeps its last value.
    pub fn new(headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Self {
        Self { credentials: Credentials::new(NAME, headers) }
    }

    /// A provider of the headers of an entry, as they are written there.
    ///
    /// White space and line breaks around a value are dropped, as they are no part of it (RFC 9110 section 5.5) and
    /// a pasted token often ends in one.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`] for a name or a value that HTTP does not allow, and for a header that frames the
    /// message (`Content-Length`, `Connection`, …). The error names the header and never its value. Headers that the
    /// protocol sets itself (`Accept`, `Mcp-Session-Id`, …) are left out with a warning.
    pub fn from_settings(headers: &[(String, Secret)]) -> Result<Self, AuthError> {
        let parsed: Result<Vec<_>, _> = headers.iter().map(|(name, value)| parse(name, value)).collect();
        parsed.map(Self::new)
    }

    /// The same, whose `Authorization` is user and password of the address where `is_of_url`: what is said of it names that.
    #[must_use]
    pub fn with_authorization_of_url(mut self, is_of_url: bool) -> Self {
        if let Some(basic) = self.credentials.header(&AUTHORIZATION).filter(|_| is_of_url).cloned() {
            let of_url = Credentials::new(userinfo::NAME, [(AUTHORIZATION, basic)]);
            self.credentials = self.credentials.overlaid_with(&of_url);
        }
        self
    }

    /// With the variables that the values of these headers were made from. A process cannot see what a variable is outside it
    /// since it started.
    pub(crate) fn with_variables(mut self, variables: &[(String, Vec<String>)], lives_on: bool) -> Self {
        let since = if lives_on {
            " as it was when this process started, and only a new start of it changes that"
        } else {
            ""
        };
        for (header, names) in variables {
            if let Ok(header) = HeaderName::from_bytes(header.as_bytes())
                && !names.is_empty()
            {
                let names: Vec<_> = names.iter().map(|name| mcp_text::member_name(name)).collect();
                let word = if names.len() == 1 { "variable" } else { "variables" };
                let note = format!("takes the {word} {}{since}", names.join(" and "));
                self.credentials = self.credentials.with_note(&header, note);
            }
        }
        self
    }

    /// With the variables that are set to nothing, of headers that have nothing else to prove anything with.
    pub(crate) fn with_empty_variables(mut self, variables: &[(String, String)]) -> Self {
        for (header, variable) in variables {
            let Ok(header) = HeaderName::from_bytes(header.as_bytes()) else { continue };
            let value = self.credentials.header(&header);
            if value.and_then(|value| doubts::void(&header, value)).is_some() {
                self.credentials = self.credentials.with_empty(&header, variable);
            }
        }
        self
    }

    pub(crate) fn into_credentials(self) -> Credentials {
        self.credentials
    }
}

pub(crate) fn parse(name: &str, value: &Secret) -> Result<(HeaderName, HeaderValue), AuthError> {
    let invalid = |what: &dyn fmt::Display| {
        let name = mcp_text::member_name(name);
        AuthError::new(AuthErrorKind::Misconfigured, format!("the header `{name}` cannot be sent: {what}"))
    };
    let value = HeaderValue::from_str(value.expose().trim_matches([' ', '\t', '\r', '\n']))
        .map_err(|_| invalid(&"its value has characters that a header cannot carry"))?;
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(&"this is not a header name"))?;
    match reserved(&name) {
        Some(why @ ReservedReason::Framing) => Err(invalid(&why)),
        Some(ReservedReason::Protocol) | None => Ok((name, value)),
    }
}

impl AuthProvider for StaticHeaders {
    fn name(&self) -> &str {
        if self.credentials.is_empty() { ANONYMOUS } else { NAME }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn credentials(&self) -> AuthFuture<'_, Credentials> {
        Box::pin(async { Ok(self.credentials.clone()) })
    }

    fn on_rejected<'a>(&'a self, _: Rejection<'a>) -> AuthFuture<'a, Recovery> {
        Box::pin(async { Ok(Recovery::Exhausted) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(name: &str, value: &str) -> Result<StaticHeaders, AuthError> {
        StaticHeaders::from_settings(&[(name.to_owned(), Secret::new(value))])
    }

    #[test]
    fn a_variable_that_is_empty_is_told_where_it_leaves_nothing_of_a_credential() {
        let of = |name: &str, value: &str| {
            let headers =
                from(name, value).unwrap().with_empty_variables(&[(name.to_owned(), "T".to_owned())]);
            doubts::unset_variable(&headers.into_credentials())
        };
        assert_eq!(of("Authorization", "Bearer ").as_deref(), Some("T"));
        assert_eq!(of("authorization", "").as_deref(), Some("T"));
        assert_eq!(of("X-Api-Key", "").as_deref(), Some("T"));
        assert_eq!(of("Authorization", "Bearer abc"), None);
        assert_eq!(of("X-Tenant", ""), None);
    }

    #[test]
    fn an_invalid_header_is_named_and_its_value_is_not_shown() {
        let table = [
            ("X-Key", "canary\r\nX-Evil: 1", "the header `X-Key` cannot be sent: its value"),
            ("X-Key", "canary\u{7f}", "the header `X-Key` cannot be sent: its value"),
            ("X Key", "canary", "the header `X` cannot be sent: this is not a header name"),
            ("", "canary", "the header `` cannot be sent: this is not a header name"),
            (
                "Authorization: Bearer canary",
                "x",
                "the header `Authorization` cannot be sent: this is not a header name",
            ),
            ("Content-Length", "canary", "the header `Content-Length` cannot be sent: it frames the message"),
            (
                "transfer-encoding",
                "canary",
                "the header `transfer-encoding` cannot be sent: it frames the message",
            ),
        ];
        for (name, value, expected) in table {
            let error = from(name, value).unwrap_err();
            assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
            let shown = format!("{error} {error:?}");
            assert!(shown.starts_with(expected) && !shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn f035_a_line_break_after_a_pasted_token_is_no_part_of_it() {
        let provider = from("Authorization", " Bearer abc\r\n").unwrap();
        assert_eq!(provider.credentials.header(&http::header::AUTHORIZATION).unwrap(), "Bearer abc");
    }

    #[test]
    fn what_the_protocol_sets_itself_is_left_out_and_the_rest_goes() {
        let settings =
            [("Accept", "text/plain"), ("MCP-Protocol-Version", "2025-06-18"), ("Host", "h.example")];
        let settings = settings.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let credentials = StaticHeaders::from_settings(&settings).unwrap().into_credentials();
        let names: Vec<_> = credentials.names().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["host"]);
    }
}
