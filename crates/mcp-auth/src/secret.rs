//! A string that does not show itself.

use std::fmt;

/// A secret: no `Display`, a redacting `Debug`; reading it is an explicit act.
///
/// # Examples
///
/// ```
/// use mcp_auth::Secret;
///
/// let secret = Secret::new("t0k3n");
/// assert!(!format!("{secret:?}").contains("t0k3n"));
/// assert_eq!(secret.expose(), "t0k3n");
/// ```
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value. Marks the boundary: whatever comes out here must not reach a log, an error or a screen.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}
