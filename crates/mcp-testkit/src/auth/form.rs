//! What the endpoints are asked, and the errors that they answer with.

use serde_json::{Value, json};

/// An OAuth error response (RFC 6749, 5.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct OAuthError {
    pub(crate) code: String,
    pub(crate) description: String,
}

impl OAuthError {
    pub(crate) fn new(code: &str, description: impl Into<String>) -> Self {
        Self { code: code.to_owned(), description: description.into() }
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "error": self.code, "error_description": self.description })
    }
}

/// The parameters of a form or a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A parameter. One that occurs twice counts as absent: "parameters MUST NOT be included more than once"
    /// (RFC 6749, 3.2), apart from `resource`, of which the first is taken.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if name != "resource" && values.next().is_some() { None } else { first }
    }

    pub(crate) fn need(&self, name: &str) -> Result<&str, OAuthError> {
        self.get(name)
            .ok_or_else(|| OAuthError::new("invalid_request", format!("{name} is missing or repeated")))
    }

    pub(crate) fn scopes(&self) -> Vec<String> {
        self.get("scope").unwrap_or_default().split_whitespace().map(str::to_owned).collect()
    }

    pub(crate) fn resource(&self) -> Option<String> {
        self.get("resource").map(str::to_owned)
    }
}
