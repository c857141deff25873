//! A value that does not show itself.

use std::fmt;

/// A secret, or something that may hold one: no `Display`, no `Serialize`, a redacting `Debug`.
#[derive(Clone, Eq, Hash, PartialEq)]
pub struct RedactedText<T>(T);

impl<T> RedactedText<T> {
    /// Hides `value`.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value. Marks the boundary: whatever comes out here must not reach a log, an error or a screen.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for RedactedText<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(mcp_text::REDACTED)
    }
}
