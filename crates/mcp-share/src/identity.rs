//! Whether two connections would be the same.

use std::fmt;

use ring::digest::{Context, Digest, SHA256};

/// Everything that decides about the connection of a server entry: where it leads, whom it acts as, and what that is read
/// from. It must be equal for two bridges to share a connection, and a bridge whose entry has another one by now connects
/// again. Only a one-way digest of it is kept.
///
/// # Examples
///
/// ```
/// use mcp_share::ConnectionIdentity;
///
/// let of = |url, token| ConnectionIdentity::new().with("url", url).with("token", token);
/// assert!(of("https://a.example", "one") == of("https://a.example", "one"));
/// assert!(of("https://a.example", "one") != of("https://a.example", "two"));
/// ```
#[derive(Clone)]
pub struct ConnectionIdentity(Context);

impl ConnectionIdentity {
    /// The identity of nothing.
    pub fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// With one more part. What belongs to which part counts: two parts are never mistaken for one.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for field in [name.as_bytes(), value.as_ref()] {
            // No value is anywhere near this long.
            let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
            self.0.update(&length.to_be_bytes());
            self.0.update(field);
        }
        self
    }

    pub(crate) fn digest(&self) -> Digest {
        self.0.clone().finish()
    }
}

/// Equal where every part is.
impl PartialEq for ConnectionIdentity {
    fn eq(&self, other: &Self) -> bool {
        self.digest().as_ref() == other.digest().as_ref()
    }
}

impl Eq for ConnectionIdentity {}

impl Default for ConnectionIdentity {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ConnectionIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a digest of a short secret gives it away to anyone who tries them all.
        f.write_str("ConnectionIdentity(..)")
    }
}
