//! `WWW-Authenticate` challenges (RFC 9110 section 11.6.1, RFC 6750 section 3, RFC 9728 section 5.1).

use http::HeaderMap;

/// One parsed challenge.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Challenge {
    scheme: String,
    params: Vec<(String, String)>,
    token68: Option<String>,
}

impl Challenge {
    /// Every challenge of the `WWW-Authenticate` fields of an answer, in order.
    pub fn parse_all(_headers: &HeaderMap) -> Vec<Self> {
        Vec::new()
    }

    /// The scheme as the server spelled it; compare with [`is`](Self::is).
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Whether the scheme is this one (compared without case).
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The parameter of this name (compared without case).
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The token68 form, where the challenge has one.
    pub fn token68(&self) -> Option<&str> {
        self.token68.as_deref()
    }
}
